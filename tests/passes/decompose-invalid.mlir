// RUN: %llmc-opt %s -split-input-file -verify-diagnostics -lm-decompose
//
// A number that differs by layer is known only once the layers are told apart, which lowering to step does.

lm.model @table {vocab = 8, context = 4} {
  lm.table @base = [1.0e4, 1.0e6]
  %table = lm.weight "table" : <8x8>
  lm.forward(%tokens: !lm.tokens) {
    %x = lm.embed %tokens, %table : <8x8>
    %y = lm.layers count = 2 iter(%h = %x : tensor<?x8xf32>) {
      // expected-error @+1 {{'lm.rope' op has no decomposition with these attributes}}
      %r = lm.rope %h, %tokens {head_dim = 4, base = @base} : tensor<?x8xf32>
      lm.yield %r : tensor<?x8xf32>
    }
    lm.return %y : tensor<?x8xf32>
  }
}
