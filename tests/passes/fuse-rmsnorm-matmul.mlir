// RUN: %llmc-opt %s -lm-fuse-rmsnorm-matmul -o %t.mlir && FileCheck %s < %t.mlir
// RUN: %llmc-opt %t.mlir -lm-fuse-rmsnorm-matmul | diff %t.mlir -

// CHECK-LABEL: lm.model @every_reader_takes_the_norm
// CHECK: %[[X:.*]] = lm.embed
// CHECK-NOT: lm.rms_norm
// CHECK: lm.fused_linear %[[X]] norm(%[[GAIN:.*]]) weights(%{{.*}}) {eps = 1.0e-05, norm = rms, plus_one} : <8x8> -> tensor<?x8xf32>
// CHECK: lm.fused_linear %[[X]] norm(%[[GAIN]]) weights(%{{.*}}) biases(%{{.*}}) {eps = 1.0e-05, norm = rms, plus_one}
lm.model @every_reader_takes_the_norm {vocab = 8, context = 4} {
  %w = lm.weight "w" : <8x8>
  %gain = lm.weight "gain" : <8>
  lm.forward(%tokens: !lm.tokens) {
    %x = lm.embed %tokens, %w : <8x8>
    %n = lm.rms_norm %x, %gain {eps = 1.0e-5, plus_one} : <8>
    %q = lm.linear %n, %w : <8x8>
    %k = lm.linear %n, %w, %gain : <8x8>
    %y = lm.mul %q, %k : tensor<?x8xf32>
    lm.return %y : tensor<?x8xf32>
  }
}

// CHECK-LABEL: lm.model @layer_norm
// CHECK-NOT: lm.layer_norm
// CHECK: lm.fused_linear %{{.*}} norm(%gain, %bias) weights(%{{.*}}) {eps = 1.0e-05, norm = layer}
// CHECK: lm.fused_linear %{{.*}} weights(%{{.*}}) {eps = 0.0, norm = layer}
lm.model @layer_norm {vocab = 8, context = 4} {
  %w = lm.weight "w" : <8x8>
  %gain = lm.weight "gain" : <8>
  %bias = lm.weight "bias" : <8>
  lm.forward(%tokens: !lm.tokens) {
    %x = lm.embed %tokens, %w : <8x8>
    %n = lm.layer_norm %x, %gain, %bias {eps = 1.0e-5} : <8>
    %y = lm.linear %n, %w : <8x8>
    %m = lm.layer_norm %y {eps = 0, group = 8} : tensor<?x8xf32>
    %z = lm.linear %m, %w : <8x8>
    lm.return %z : tensor<?x8xf32>
  }
}

// A norm of a norm: only the one that the matmul reads goes into it.
// CHECK-LABEL: lm.model @extra_norm
// CHECK: %[[INNER:.*]] = lm.rms_norm %{{.*}} {eps = 1.0e-05} : tensor<?x8xf32>
// CHECK-NEXT: lm.fused_linear %[[INNER]] weights(%{{.*}}) {eps = 0.25, norm = rms}
lm.model @extra_norm {vocab = 8, context = 4} {
  %w = lm.weight "w" : <8x8>
  lm.forward(%tokens: !lm.tokens) {
    %x = lm.embed %tokens, %w : <8x8>
    %inner = lm.rms_norm %x {eps = 1.0e-5} : tensor<?x8xf32>
    %outer = lm.rms_norm %inner {eps = 0.25} : tensor<?x8xf32>
    %y = lm.linear %outer, %w : <8x8>
    lm.return %y : tensor<?x8xf32>
  }
}

// What a person or another pass has fused already takes a norm too, and keeps its epilogue.
// CHECK-LABEL: lm.model @glu_takes_the_norm
// CHECK: lm.fused_linear %[[X:.*]] norm(%{{.*}}) weights(%[[W:.*]], %[[W]]) residual(%[[X]]) {act = silu, eps = 1.0e-05, glu, norm = rms}
lm.model @glu_takes_the_norm {vocab = 8, context = 4} {
  %w = lm.weight "w" : <8x8>
  %gain = lm.weight "gain" : <8>
  lm.forward(%tokens: !lm.tokens) {
    %x = lm.embed %tokens, %w : <8x8>
    %n = lm.rms_norm %x, %gain {eps = 1.0e-5} : <8>
    %y = lm.fused_linear %n weights(%w, %w) residual(%x) {act = silu, glu} : <8x8>, <8x8> -> tensor<?x8xf32>
    lm.return %y : tensor<?x8xf32>
  }
}

// The hidden rows that a model returns keep their norm; the matmul has it as its prologue all the same.
// CHECK-LABEL: lm.model @returned_norm
// CHECK: %[[X:.*]] = lm.embed
// CHECK-NEXT: %[[LAST:.*]] = lm.rms_norm %[[X]], %{{.*}} {eps = 1.0e-05} : <8>
// CHECK-NEXT: %[[Y:.*]] = lm.fused_linear %[[X]] norm(%{{.*}}) weights(%{{.*}}) {eps = 1.0e-05, norm = rms}
// CHECK-NEXT: lm.return %[[Y]], hidden = %[[LAST]]
lm.model @returned_norm {vocab = 8, context = 4} {
  %w = lm.weight "w" : <8x8>
  %gain = lm.weight "gain" : <8>
  lm.forward(%tokens: !lm.tokens) {
    %x = lm.embed %tokens, %w : <8x8>
    %last = lm.rms_norm %x, %gain {eps = 1.0e-5} : <8>
    %y = lm.linear %last, %w : <8x8>
    lm.return %y, hidden = %last : tensor<?x8xf32>, tensor<?x8xf32>
  }
}
