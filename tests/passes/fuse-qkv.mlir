// RUN: %llmc-opt %s -lm-fuse-qkv -o %t.mlir && FileCheck %s < %t.mlir
// RUN: %llmc-opt %t.mlir -lm-fuse-qkv | diff %t.mlir -

// CHECK-LABEL: lm.model @three_projections
// CHECK: %[[QKV:.*]]:3 = lm.fused_linear %{{.*}} weights(%wq, %wk, %{{.*}}) : <8x8>, <4x8>, <4x8> -> (tensor<?x8xf32>, tensor<?x4xf32>, tensor<?x4xf32>)
// CHECK: lm.concat %[[QKV]]#1, %[[QKV]]#2
// CHECK: lm.add %[[QKV]]#0
lm.model @three_projections {vocab = 8, context = 4} {
  %wq = lm.weight "wq" : <8x8>
  lm.forward(%tokens: !lm.tokens) {
    %x = lm.embed %tokens, %wq : <8x8>
    %q = lm.linear %x, %wq : <8x8>
    %wk = lm.weight "wk" : <4x8>
    %k = lm.linear %x, %wk : <4x8>
    %whole = lm.weight "wv" : <8x8>
    %wv = lm.w.rows %whole [0:4] : <8x8> -> <4x8>
    %v = lm.linear %x, %wv : <4x8>
    %kv = lm.concat %k, %v : tensor<?x4xf32>, tensor<?x4xf32> -> tensor<?x8xf32>
    %y = lm.add %q, %kv : tensor<?x8xf32>
    lm.return %y : tensor<?x8xf32>
  }
}

// Weights that stand below the first matmul move above it, with what they are made from.
// CHECK-LABEL: lm.model @in_the_stack
// CHECK: lm.layers
// CHECK: %wv = lm.weight "blk.{i}.wv"
// CHECK: %[[V:.*]] = lm.w.scale %wv
// CHECK: %[[QV:.*]]:2 = lm.fused_linear %[[H:.*]] norm(%g) weights(%wq, %[[V]]) {eps = 1.0e-05, norm = rms}
// CHECK: lm.silu %[[QV]]#0
// CHECK: lm.mul %{{.*}}, %[[QV]]#1
lm.model @in_the_stack {vocab = 8, context = 4} {
  %table = lm.weight "table" : <8x8>
  lm.forward(%tokens: !lm.tokens) {
    %x = lm.embed %tokens, %table : <8x8>
    %y = lm.layers count = 2 iter(%h = %x : tensor<?x8xf32>) {
      %g = lm.weight "blk.{i}.g" : <8>
      %wq = lm.weight "blk.{i}.wq" : <8x8>
      %q = lm.fused_linear %h norm(%g) weights(%wq) {norm = rms, eps = 1.0e-5} : <8x8> -> tensor<?x8xf32>
      %a = lm.silu %q : tensor<?x8xf32>
      %wv0 = lm.weight "blk.{i}.wv" : <8x8>
      %wv = lm.w.scale %wv0 {factor = 0.5} : <8x8>
      %v = lm.fused_linear %h norm(%g) weights(%wv) {norm = rms, eps = 1.0e-5} : <8x8> -> tensor<?x8xf32>
      %h1 = lm.mul %a, %v : tensor<?x8xf32>
      lm.yield %h1 : tensor<?x8xf32>
    }
    lm.return %y : tensor<?x8xf32>
  }
}

// Biased and unbiased matmuls of one input form two groups; so do inputs, norms and blocks.
// CHECK-LABEL: lm.model @groups
// CHECK: %[[PLAIN:.*]]:2 = lm.fused_linear %[[X:.*]] weights(%w, %w) :
// CHECK: %[[BIASED:.*]]:2 = lm.fused_linear %[[X]] weights(%w, %w) biases(%b, %b) :
// CHECK-NOT: :2 = lm.fused_linear
lm.model @groups {vocab = 8, context = 4} {
  %w = lm.weight "w" : <8x8>
  %b = lm.weight "b" : <8>
  lm.forward(%tokens: !lm.tokens) {
    %x = lm.embed %tokens, %w : <8x8>
    %plain = lm.linear %x, %w : <8x8>
    %biased = lm.linear %x, %w, %b : <8x8>
    %normed = lm.fused_linear %x weights(%w) {norm = rms, eps = 1.0e-5} : <8x8> -> tensor<?x8xf32>
    %otherEps = lm.fused_linear %x weights(%w) {norm = rms, eps = 1.0e-6} : <8x8> -> tensor<?x8xf32>
    %activated = lm.fused_linear %x weights(%w) {act = silu} : <8x8> -> tensor<?x8xf32>
    %residual = lm.fused_linear %x weights(%w) residual(%x) : <8x8> -> tensor<?x8xf32>
    %plain2 = lm.linear %x, %w : <8x8>
    %biased2 = lm.linear %x, %w, %b : <8x8>
    %other = lm.linear %plain, %w : <8x8>
    %y = lm.layers count = 2 iter(%h = %other : tensor<?x8xf32>) {
      %z = lm.linear %x, %w : <8x8>
      %h1 = lm.mul %h, %z : tensor<?x8xf32>
      lm.yield %h1 : tensor<?x8xf32>
    }
    lm.return %y : tensor<?x8xf32>
  }
}
