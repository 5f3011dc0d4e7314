// RUN: %llmc-opt %s -o %t.before.mlir
// RUN: %llmc-opt %s -lm-fuse-rmsnorm-matmul | diff %t.before.mlir -
// RUN: %llmc-opt %s -lm-fuse-rmsnorm-matmul --remarks-filter=fuse-rmsnorm-matmul -o /dev/null 2>&1 | FileCheck %s
//
// Nothing here may change.

// CHECK: NormHasOtherReader
// CHECK-SAME: the norm is also read by 'lm.add' and stays a dispatch of its own
lm.model @negative_other_reader {vocab = 8, context = 4} {
  %w = lm.weight "w" : <8x8>
  lm.forward(%tokens: !lm.tokens) {
    %x = lm.embed %tokens, %w : <8x8>
    %n = lm.rms_norm %x {eps = 1.0e-5} : tensor<?x8xf32>
    %q = lm.linear %n, %w : <8x8>
    %y = lm.add %n, %q : tensor<?x8xf32>
    lm.return %y : tensor<?x8xf32>
  }
}

lm.model @negative_norm_over_groups {vocab = 8, context = 4} {
  %w = lm.weight "w" : <8x8>
  lm.forward(%tokens: !lm.tokens) {
    %x = lm.embed %tokens, %w : <8x8>
    %n = lm.rms_norm %x {eps = 1.0e-5, group = 4} : tensor<?x8xf32>
    %y = lm.linear %n, %w : <8x8>
    lm.return %y : tensor<?x8xf32>
  }
}

lm.model @negative_norm_is_the_residual {vocab = 8, context = 4} {
  %w = lm.weight "w" : <8x8>
  lm.forward(%tokens: !lm.tokens) {
    %x = lm.embed %tokens, %w : <8x8>
    %n = lm.rms_norm %x {eps = 1.0e-5} : tensor<?x8xf32>
    %y = lm.fused_linear %n weights(%w) residual(%n) : <8x8> -> tensor<?x8xf32>
    lm.return %y : tensor<?x8xf32>
  }
}

lm.model @negative_norm_before_a_fused_norm {vocab = 8, context = 4} {
  %w = lm.weight "w" : <8x8>
  lm.forward(%tokens: !lm.tokens) {
    %x = lm.embed %tokens, %w : <8x8>
    %n = lm.rms_norm %x {eps = 1.0e-5} : tensor<?x8xf32>
    %y = lm.fused_linear %n weights(%w) {norm = rms, eps = 1.0e-6} : <8x8> -> tensor<?x8xf32>
    lm.return %y : tensor<?x8xf32>
  }
}

// Inside the stack the norm would be computed once a layer.
lm.model @negative_norm_outside_the_stack {vocab = 8, context = 4} {
  %w = lm.weight "w" : <8x8>
  lm.forward(%tokens: !lm.tokens) {
    %x = lm.embed %tokens, %w : <8x8>
    %n = lm.rms_norm %x {eps = 1.0e-5} : tensor<?x8xf32>
    %y = lm.layers count = 2 iter(%h = %x : tensor<?x8xf32>) {
      %z = lm.linear %n, %w : <8x8>
      %h1 = lm.mul %h, %z : tensor<?x8xf32>
      lm.yield %h1 : tensor<?x8xf32>
    }
    lm.return %y : tensor<?x8xf32>
  }
}
