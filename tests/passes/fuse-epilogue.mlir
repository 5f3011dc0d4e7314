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
