// RUN: %llmc-opt %s -split-input-file -verify-diagnostics
//
// A case for each rule of declarations, layers and the model as a whole.

lm.model @cache_c1 {vocab = 8, context = 4} {
  // expected-error @+1 {{'lm.cache' op expected 'dim_k' between 1 and 1024 but got 1025}}
  lm.cache @kv {heads = 1, dim_k = 1025, dim_v = 4}
}

// -----
lm.model @cache_c2 {vocab = 8, context = 4} {
  // expected-error @+1 {{'lm.cache' op expected 'page_tokens' to be a multiple of 16 up to 4096 but got 20}}
  lm.cache @kv {heads = 1, dim_k = 4, dim_v = 4, page_tokens = 20}
}

// -----
lm.model @cache_c3 {vocab = 8, context = 4} {
  // expected-error @+1 {{'lm.cache' op expected 'type' to be one of f32, f16, bf16, q8 but got 'f8'}}
  lm.cache @kv {heads = 1, dim_k = 4, dim_v = 4, type = [f16, f8]}
}

// -----
lm.model @cache_c3_twice {vocab = 8, context = 4} {
  // expected-error @+1 {{'lm.cache' op names the type q8 twice}}
  lm.cache @kv {heads = 1, dim_k = 4, dim_v = 4, type = [q8, f16, q8]}
}

// -----
lm.model @cache_c3_none {vocab = 8, context = 4} {
  // expected-error @+1 {{'lm.cache' op expected 'type' to name at least one type}}
  "lm.cache"() <{sym_name = "kv", heads = 1 : i64, dim_k = 4 : i64, dim_v = 4 : i64, type = []}> : () -> ()
}

// -----
lm.model @forward_c1 {vocab = 8, context = 4} {
  %table = lm.weight "table" : <8x8>
  // expected-error @+1 {{'lm.forward' op expected one argument of type '!lm.tokens'}}
  lm.forward(%tokens: !lm.tokens, %more: !lm.tokens) {
    %x = lm.embed %tokens, %table : <8x8>
    lm.return %x : tensor<?x8xf32>
  }
}

// -----
func.func @layers_c1(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{'lm.layers' op expected 'count' between 1 and 1024 but got 0}}
  %y = lm.layers count = 0 iter(%h = %x : tensor<?x8xf32>) { lm.yield %h : tensor<?x8xf32> }
  return
}

// -----
func.func @layers_c2_absent(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{'lm.layers' op has 2 regions and needs 'kinds' to say which layer is which}}
  %y = lm.layers count = 2 iter(%h = %x : tensor<?x8xf32>) { lm.yield %h : tensor<?x8xf32> }, { lm.yield %h : tensor<?x8xf32> }
  return
}

// -----
func.func @layers_c2_length(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{'lm.layers' op expected 'kinds' to have 3 entries but got 2}}
  %y = lm.layers count = 3 kinds = [0, 0] iter(%h = %x : tensor<?x8xf32>) { lm.yield %h : tensor<?x8xf32> }
  return
}

// -----
func.func @layers_c2_region(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{'lm.layers' op expected the kind of layer 1 to be below 1, the number of regions, but got 1}}
  %y = lm.layers count = 2 kinds = [0, 1] iter(%h = %x : tensor<?x8xf32>) { lm.yield %h : tensor<?x8xf32> }
  return
}

// -----
func.func @layers_c3_types(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{'lm.layers' op expected region 0 to take and yield the types of the iterated values}}
  %y = lm.layers count = 2 iter(%h = %x : tensor<?x8xf32>) {
    %half = lm.slice %h [0:4] : tensor<?x8xf32> -> tensor<?x4xf32>
    // expected-note @+1 {{yielded here}}
    lm.yield %half : tensor<?x4xf32>
  }
  return
}

// -----
func.func @layers_c3_terminator(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{'lm.layers' op expected region 0 to end in 'lm.yield'}}
  %y = lm.layers count = 2 iter(%h = %x : tensor<?x8xf32>) { step.return %h : tensor<?x8xf32> }
  return
}

// -----
// expected-error @+1 {{'lm.model' op expected 'vocab' between 1 and 2^24 but got 0}}
lm.model @model_c1 {vocab = 0, context = 4} {
}

// -----
// expected-error @+1 {{'lm.model' op expected exactly one 'lm.forward' but got 0}}
lm.model @model_c2 {vocab = 8, context = 4} {
}

// -----
// expected-note @+1 {{model declared here}}
lm.model @return_c1 {vocab = 9, context = 4} {
  %table = lm.weight "table" : <8x8>
  lm.forward(%tokens: !lm.tokens) {
    %x = lm.embed %tokens, %table : <8x8>
    // expected-error @+1 {{'lm.return' op expected logits as wide as the model's vocab 9 but got 8}}
    lm.return %x : tensor<?x8xf32>
  }
}

// -----
lm.model @model_c3 {vocab = 8, context = 4} {
  %0 = lm.weight "table" : <8x8>
  %1 = lm.w.add %0, %0 : <8x8>
  %2 = lm.w.add %1, %1 : <8x8>
  %3 = lm.w.add %2, %2 : <8x8>
  %4 = lm.w.add %3, %3 : <8x8>
  %5 = lm.w.add %4, %4 : <8x8>
  %6 = lm.w.add %5, %5 : <8x8>
  %7 = lm.w.add %6, %6 : <8x8>
  %8 = lm.w.add %7, %7 : <8x8>
  %9 = lm.w.add %8, %8 : <8x8>
  %10 = lm.w.add %9, %9 : <8x8>
  %11 = lm.w.add %10, %10 : <8x8>
  // expected-error @+1 {{'lm.w.add' op expected a weight expression of at most 4096 terms}}
  %12 = lm.w.add %11, %11 : <8x8>
  lm.forward(%tokens: !lm.tokens) {
    %x = lm.embed %tokens, %12 : <8x8>
    lm.return %x : tensor<?x8xf32>
  }
}
