// RUN: %llmc-opt %s -lm-fuse-epilogue -o %t.mlir && FileCheck %s < %t.mlir
// RUN: %llmc-opt %t.mlir -lm-fuse-epilogue | diff %t.mlir -

// CHECK-LABEL: lm.model @activation_then_residual
// CHECK: %[[X:.*]] = lm.embed
// CHECK-NEXT: lm.fused_linear %[[X]] weights(%w) biases(%b) residual(%[[X]]) {act = silu} : <8x8> -> tensor<?x8xf32>
// CHECK-NEXT: lm.return
lm.model @activation_then_residual {vocab = 8, context = 4} {
  %w = lm.weight "w" : <8x8>
  %b = lm.weight "b" : <8>
  lm.forward(%tokens: !lm.tokens) {
    %x = lm.embed %tokens, %w : <8x8>
    %z = lm.linear %x, %w, %b : <8x8>
    %a = lm.silu %z : tensor<?x8xf32>
    %y = lm.add %a, %x : tensor<?x8xf32>
    lm.return %y : tensor<?x8xf32>
  }
}

// An activation of the sum cannot fold: the formula adds last.
// CHECK-LABEL: lm.model @activation_of_the_sum
// CHECK: %[[SUM:.*]] = lm.fused_linear %[[X:.*]] weights(%w) residual(%[[X]]) : <8x8>
// CHECK-NEXT: lm.gelu %[[SUM]] {form = erf}
lm.model @activation_of_the_sum {vocab = 8, context = 4} {
  %w = lm.weight "w" : <8x8>
  lm.forward(%tokens: !lm.tokens) {
    %x = lm.embed %tokens, %w : <8x8>
    %z = lm.linear %x, %w : <8x8>
    %sum = lm.add %x, %z : tensor<?x8xf32>
    %y = lm.gelu %sum : tensor<?x8xf32>
    lm.return %y : tensor<?x8xf32>
  }
}

// A parallel block adds three: the second sum goes into the other matmul.
// CHECK-LABEL: lm.model @parallel_block
// CHECK: %[[A:.*]] = lm.fused_linear %[[X:.*]] weights(%w) residual(%[[X]]) :
// CHECK: lm.fused_linear %[[X]] weights(%w, %w) residual(%[[A]]) {act = silu, glu}
// CHECK-NOT: lm.add
lm.model @parallel_block {vocab = 8, context = 4} {
  %w = lm.weight "w" : <8x8>
  lm.forward(%tokens: !lm.tokens) {
    %x = lm.embed %tokens, %w : <8x8>
    %a = lm.linear %x, %w : <8x8>
    %m = lm.fused_linear %x weights(%w, %w) {act = silu, glu} : <8x8>, <8x8> -> tensor<?x8xf32>
    %first = lm.add %x, %a : tensor<?x8xf32>
    %y = lm.add %first, %m : tensor<?x8xf32>
    lm.return %y : tensor<?x8xf32>
  }
}

// A second residual stays an op of its own, and so does the sum of a matmul that somebody else reads.
// CHECK-LABEL: lm.model @negative_second_residual
// CHECK: %[[Z:.*]] = lm.linear
// CHECK: lm.add %[[X:.*]], %[[Z]]
// CHECK: %[[ONE:.*]] = lm.fused_linear %[[X]] weights(%w) residual(%[[X]])
// CHECK: lm.add %[[ONE]], %[[Z]]
lm.model @negative_second_residual {vocab = 8, context = 4} {
  %w = lm.weight "w" : <8x8>
  lm.forward(%tokens: !lm.tokens) {
    %x = lm.embed %tokens, %w : <8x8>
    %z = lm.linear %x, %w : <8x8>
    %sum = lm.add %x, %z : tensor<?x8xf32>
    %one = lm.fused_linear %x weights(%w) residual(%x) : <8x8> -> tensor<?x8xf32>
    %two = lm.add %one, %z : tensor<?x8xf32>
    %y = lm.mul %sum, %two : tensor<?x8xf32>
    lm.return %y : tensor<?x8xf32>
  }
}

// Doubling has no other summand, and a matmul outside the stack would run once a layer.
// CHECK-LABEL: lm.model @negative_twice_and_outside
// CHECK-NOT: lm.fused_linear
// CHECK: lm.add %[[Z:.*]], %[[Z]]
// CHECK: lm.layers
// CHECK: lm.add
lm.model @negative_twice_and_outside {vocab = 8, context = 4} {
  %w = lm.weight "w" : <8x8>
  lm.forward(%tokens: !lm.tokens) {
    %x = lm.embed %tokens, %w : <8x8>
    %z = lm.linear %x, %w : <8x8>
    %twice = lm.add %z, %z : tensor<?x8xf32>
    %outside = lm.linear %twice, %w : <8x8>
    %y = lm.layers count = 2 iter(%h = %x : tensor<?x8xf32>) {
      %h1 = lm.add %h, %outside : tensor<?x8xf32>
      lm.yield %h1 : tensor<?x8xf32>
    }
    lm.return %y : tensor<?x8xf32>
  }
}

// CHECK-LABEL: lm.model @scales
// CHECK: %[[A:.*]] = lm.fused_linear %[[X:.*]] weights(%w) residual(%[[X]]) {act = silu, scale = 0.25} : <8x8>
// CHECK-NEXT: %[[B:.*]] = lm.fused_linear %[[A]] weights(%w, %w) residual(%[[A]]) {act = silu, glu, scale = 0.5}
// CHECK-NEXT: %[[C:.*]] = lm.fused_linear %[[B]] weights(%w) {scale = 3.0}
// CHECK-NEXT: lm.return %[[C]]
lm.model @scales {vocab = 8, context = 4} {
  %w = lm.weight "w" : <8x8>
  lm.forward(%tokens: !lm.tokens) {
    %x = lm.embed %tokens, %w : <8x8>
    %z = lm.linear %x, %w : <8x8>
    %s = lm.silu %z : tensor<?x8xf32>
    %m = lm.scale %s {factor = 0.25} : tensor<?x8xf32>
    %a = lm.add %x, %m : tensor<?x8xf32>
    %g = lm.fused_linear %a weights(%w, %w) {act = silu, glu} : <8x8>, <8x8> -> tensor<?x8xf32>
    %half = lm.scale %g {factor = 0.5} : tensor<?x8xf32>
    %b = lm.add %half, %a : tensor<?x8xf32>
    %l = lm.linear %b, %w : <8x8>
    %y = lm.scale %l {factor = 3} : tensor<?x8xf32>
    lm.return %y : tensor<?x8xf32>
  }
}

// The formula scales once, after the activation and before the residual; a matmul that somebody else reads stays.
// CHECK-LABEL: lm.model @negative_scales
// CHECK: %[[ONCE:.*]] = lm.fused_linear %[[X:.*]] weights(%w) {scale = 2.0}
// CHECK-NEXT: %[[TWICE:.*]] = lm.scale %[[ONCE]] {factor = 3.0}
// CHECK-NEXT: lm.silu %[[TWICE]]
// CHECK: %[[SUM:.*]] = lm.fused_linear %{{.*}} weights(%w) residual(%[[X]]) :
// CHECK-NEXT: lm.scale %[[SUM]]
// CHECK: %[[READ:.*]] = lm.linear
// CHECK-NEXT: %[[SCALED:.*]] = lm.scale %[[READ]]
// CHECK-NEXT: lm.add %[[SCALED]], %[[READ]]
lm.model @negative_scales {vocab = 8, context = 4} {
  %w = lm.weight "w" : <8x8>
  lm.forward(%tokens: !lm.tokens) {
    %x = lm.embed %tokens, %w : <8x8>
    %z = lm.linear %x, %w : <8x8>
    %once = lm.scale %z {factor = 2} : tensor<?x8xf32>
    %twice = lm.scale %once {factor = 3} : tensor<?x8xf32>
    %act = lm.silu %twice : tensor<?x8xf32>
    %m = lm.linear %act, %w : <8x8>
    %sum = lm.add %x, %m : tensor<?x8xf32>
    %late = lm.scale %sum {factor = 2} : tensor<?x8xf32>
    %read = lm.linear %late, %w : <8x8>
    %scaled = lm.scale %read {factor = 2} : tensor<?x8xf32>
    %both = lm.add %scaled, %read : tensor<?x8xf32>
    lm.return %both : tensor<?x8xf32>
  }
}
