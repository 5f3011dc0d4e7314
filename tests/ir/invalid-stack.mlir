// RUN: %llmc-opt %s -split-input-file -verify-diagnostics
//
// What a model's entry may hold.

lm.model @table_c1 {vocab = 8, context = 4} {
  // expected-error @+1 {{'lm.table' op expected 2 numbers, one a layer, but got 3}}
  lm.table @base = [1.0, 2.0, 3.0]
  %table = lm.weight "table" : <8x8>
  lm.forward(%tokens: !lm.tokens) {
    %x = lm.embed %tokens, %table : <8x8>
    %y = lm.layers count = 2 iter(%h = %x : tensor<?x8xf32>) { lm.yield %h : tensor<?x8xf32> }
    lm.return %y : tensor<?x8xf32>
  }
}

// -----
lm.model @asked_rows_c1_in_the_stack {vocab = 8, context = 4} {
  %table = lm.weight "table" : <8x8>
  lm.forward(%tokens: !lm.tokens) {
    %x = lm.embed %tokens, %table : <8x8>
    %y = lm.layers count = 2 iter(%h = %x : tensor<?x8xf32>) {
      // expected-error @+1 {{'lm.asked_rows' op expected to be used once, outside the stack}}
      %asked = lm.asked_rows %h, %tokens : tensor<?x8xf32>
      lm.yield %asked : tensor<?x8xf32>
    }
    lm.return %y : tensor<?x8xf32>
  }
}

// -----
lm.model @asked_rows_c1_twice {vocab = 8, context = 4} {
  %table = lm.weight "table" : <8x8>
  lm.forward(%tokens: !lm.tokens) {
    %x = lm.embed %tokens, %table : <8x8>
    %once = lm.asked_rows %x, %tokens : tensor<?x8xf32>
    // expected-error @+1 {{'lm.asked_rows' op expected to be used once, outside the stack}}
    %twice = lm.asked_rows %once, %tokens : tensor<?x8xf32>
    lm.return %twice : tensor<?x8xf32>
  }
}

// -----
lm.model @two_stacks {vocab = 8, context = 4} {
  %table = lm.weight "table" : <8x8>
  lm.forward(%tokens: !lm.tokens) {
    %x = lm.embed %tokens, %table : <8x8>
    %y = lm.layers count = 2 iter(%h = %x : tensor<?x8xf32>) { lm.yield %h : tensor<?x8xf32> }
    // expected-error @+1 {{'lm.layers' op is the second stack of the model; only one is supported}}
    %z = lm.layers count = 2 iter(%h = %y : tensor<?x8xf32>) { lm.yield %h : tensor<?x8xf32> }
    lm.return %z : tensor<?x8xf32>
  }
}

// -----
lm.model @no_return {vocab = 8, context = 4} {
  %table = lm.weight "table" : <8x8>
  // expected-error @+2 {{'lm.forward' op expects regions to end with 'lm.return', found 'step.return'}}
  // expected-note @+1 {{in custom textual format, the absence of terminator implies 'lm.return'}}
  lm.forward(%tokens: !lm.tokens) {
    step.return
  }
}

// -----
// expected-error @+1 {{'lm.cache' op expects parent op 'lm.model'}}
lm.cache @outside {heads = 1, dim_k = 4, dim_v = 4}
