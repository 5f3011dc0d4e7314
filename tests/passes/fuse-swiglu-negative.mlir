// RUN: %llmc-opt %s -o %t.before.mlir
// RUN: %llmc-opt %s -lm-fuse-swiglu | diff %t.before.mlir -
//
// Nothing here may change.

lm.model @negative_other_inputs {vocab = 8, context = 4} {
  %w = lm.weight "w" : <8x8>
  lm.forward(%tokens: !lm.tokens) {
    %x = lm.embed %tokens, %w : <8x8>
    %x2 = lm.relu %x : tensor<?x8xf32>
    %gate = lm.linear %x, %w : <8x8>
    %up = lm.linear %x2, %w : <8x8>
    %act = lm.silu %gate : tensor<?x8xf32>
    %y = lm.mul %act, %up : tensor<?x8xf32>
    lm.return %y : tensor<?x8xf32>
  }
}

lm.model @negative_one_bias {vocab = 8, context = 4} {
  %w = lm.weight "w" : <8x8>
  %b = lm.weight "b" : <8>
  lm.forward(%tokens: !lm.tokens) {
    %x = lm.embed %tokens, %w : <8x8>
    %gate = lm.linear %x, %w : <8x8>
    %up = lm.linear %x, %w, %b : <8x8>
    %act = lm.silu %gate : tensor<?x8xf32>
    %y = lm.mul %act, %up : tensor<?x8xf32>
    lm.return %y : tensor<?x8xf32>
  }
}

lm.model @negative_gate_has_other_reader {vocab = 8, context = 4} {
  %w = lm.weight "w" : <8x8>
  lm.forward(%tokens: !lm.tokens) {
    %x = lm.embed %tokens, %w : <8x8>
    %gate = lm.linear %x, %w : <8x8>
    %up = lm.linear %x, %w : <8x8>
    %act = lm.silu %gate : tensor<?x8xf32>
    %s = lm.mul %act, %up : tensor<?x8xf32>
    %y = lm.add %s, %gate : tensor<?x8xf32>
    lm.return %y : tensor<?x8xf32>
  }
}

lm.model @negative_swish_of_one_matmul {vocab = 8, context = 4} {
  %w = lm.weight "w" : <8x8>
  lm.forward(%tokens: !lm.tokens) {
    %x = lm.embed %tokens, %w : <8x8>
    %z = lm.linear %x, %w : <8x8>
    %act = lm.sigmoid %z : tensor<?x8xf32>
    %y = lm.mul %act, %z : tensor<?x8xf32>
    lm.return %y : tensor<?x8xf32>
  }
}

lm.model @negative_two_norms {vocab = 8, context = 4} {
  %w = lm.weight "w" : <8x8>
  lm.forward(%tokens: !lm.tokens) {
    %x = lm.embed %tokens, %w : <8x8>
    %gate = lm.fused_linear %x weights(%w) {norm = rms, eps = 1.0e-5} : <8x8> -> tensor<?x8xf32>
    %up = lm.fused_linear %x weights(%w) {norm = layer, eps = 1.0e-5} : <8x8> -> tensor<?x8xf32>
    %act = lm.silu %gate : tensor<?x8xf32>
    %y = lm.mul %act, %up : tensor<?x8xf32>
    lm.return %y : tensor<?x8xf32>
  }
}

lm.model @negative_no_activation {vocab = 8, context = 4} {
  %w = lm.weight "w" : <8x8>
  lm.forward(%tokens: !lm.tokens) {
    %x = lm.embed %tokens, %w : <8x8>
    %gate = lm.linear %x, %w : <8x8>
    %up = lm.linear %x, %w : <8x8>
    %capped = lm.softcap %gate {cap = 30.0} : tensor<?x8xf32>
    %y = lm.mul %capped, %up : tensor<?x8xf32>
    lm.return %y : tensor<?x8xf32>
  }
}
