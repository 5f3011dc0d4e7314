// RUN: %llmc-opt %s -lm-fuse-swiglu -o %t.mlir && FileCheck %s < %t.mlir
// RUN: %llmc-opt %t.mlir -lm-fuse-swiglu | diff %t.mlir -

// CHECK-LABEL: lm.model @swiglu
// CHECK: lm.fused_linear %{{.*}} weights(%gate, %up) {act = silu, glu} : <8x8>, <8x8> -> tensor<?x8xf32>
// CHECK-NEXT: lm.return
lm.model @swiglu {vocab = 8, context = 4} {
  %wgate = lm.weight "gate" : <8x8>
  %wup = lm.weight "up" : <8x8>
  lm.forward(%tokens: !lm.tokens) {
    %x = lm.embed %tokens, %wup : <8x8>
    %gate = lm.linear %x, %wgate : <8x8>
    %up = lm.linear %x, %wup : <8x8>
    %act = lm.silu %gate : tensor<?x8xf32>
    %y = lm.mul %act, %up : tensor<?x8xf32>
    lm.return %y : tensor<?x8xf32>
  }
}

// The product's operands in the other order, up before gate, biases, another activation, a norm in front.
// CHECK-LABEL: lm.model @geglu_in_odd_order
// CHECK: lm.fused_linear %{{.*}} norm(%[[N:.*]]) weights(%gate, %up) biases(%[[BGATE:.*]], %[[BUP:.*]]) {act = gelu_tanh, eps = 1.0e-05, glu, norm = rms}
lm.model @geglu_in_odd_order {vocab = 8, context = 4} {
  %wgate = lm.weight "gate" : <8x8>
  %wup = lm.weight "up" : <8x8>
  %n = lm.weight "n" : <8>
  %bgate = lm.weight "gate.bias" : <8>
  %bup = lm.weight "up.bias" : <8>
  lm.forward(%tokens: !lm.tokens) {
    %x = lm.embed %tokens, %wup : <8x8>
    %up = lm.fused_linear %x norm(%n) weights(%wup) biases(%bup) {norm = rms, eps = 1.0e-5} : <8x8> -> tensor<?x8xf32>
    %gate = lm.fused_linear %x norm(%n) weights(%wgate) biases(%bgate) {norm = rms, eps = 1.0e-5} : <8x8> -> tensor<?x8xf32>
    %act = lm.gelu %gate {form = tanh} : tensor<?x8xf32>
    %y = lm.mul %up, %act : tensor<?x8xf32>
    lm.return %y : tensor<?x8xf32>
  }
}

// CHECK-LABEL: lm.model @every_activation
// CHECK: {act = relu, glu}
// CHECK: {act = relu2, glu}
// CHECK: {act = sigmoid, glu}
// CHECK: {act = tanh, glu}
// CHECK: {act = gelu, glu}
// CHECK: {act = gelu_quick, glu}
lm.model @every_activation {vocab = 8, context = 4} {
  %w = lm.weight "w" : <8x8>
  lm.forward(%tokens: !lm.tokens) {
    %x0 = lm.embed %tokens, %w : <8x8>
    %g0 = lm.linear %x0, %w : <8x8>
    %u0 = lm.linear %x0, %w : <8x8>
    %a0 = lm.relu %g0 : tensor<?x8xf32>
    %x1 = lm.mul %a0, %u0 : tensor<?x8xf32>
    %g1 = lm.linear %x1, %w : <8x8>
    %u1 = lm.linear %x1, %w : <8x8>
    %a1 = lm.relu2 %g1 : tensor<?x8xf32>
    %x2 = lm.mul %a1, %u1 : tensor<?x8xf32>
    %g2 = lm.linear %x2, %w : <8x8>
    %u2 = lm.linear %x2, %w : <8x8>
    %a2 = lm.sigmoid %g2 : tensor<?x8xf32>
    %x3 = lm.mul %a2, %u2 : tensor<?x8xf32>
    %g3 = lm.linear %x3, %w : <8x8>
    %u3 = lm.linear %x3, %w : <8x8>
    %a3 = lm.tanh %g3 : tensor<?x8xf32>
    %x4 = lm.mul %a3, %u3 : tensor<?x8xf32>
    %g4 = lm.linear %x4, %w : <8x8>
    %u4 = lm.linear %x4, %w : <8x8>
    %a4 = lm.gelu %g4 {form = erf} : tensor<?x8xf32>
    %x5 = lm.mul %a4, %u4 : tensor<?x8xf32>
    %g5 = lm.linear %x5, %w : <8x8>
    %u5 = lm.linear %x5, %w : <8x8>
    %a5 = lm.gelu %g5 {form = quick} : tensor<?x8xf32>
    %x6 = lm.mul %a5, %u5 : tensor<?x8xf32>
    lm.return %x6 : tensor<?x8xf32>
  }
}
