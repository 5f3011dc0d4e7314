// RUN: %llmc-opt %s -split-input-file -verify-diagnostics
//
// A case for each rule of attention and of the cache.

func.func @attention_c1(%q: tensor<?x8xf32>, %k: tensor<?x6xf32>, %keys: tensor<?x2xi32>, %tokens: !lm.tokens) {
  // expected-error @+1 {{'lm.attention' op expected 'kv_heads' 3 to divide 'heads' 4}}
  %y = lm.attention %q, %k, %k, %keys, %tokens {heads = 4, kv_heads = 3, scale = 0.5, mask = causal} : tensor<?x8xf32>, tensor<?x6xf32>, tensor<?x6xf32>
  return
}

// -----
func.func @attention_c2(%q: tensor<?x8xf32>, %k: tensor<?x6xf32>, %keys: tensor<?x2xi32>, %tokens: !lm.tokens) {
  // expected-error @+1 {{'lm.attention' op expected q to be 4 heads and k 2 heads of one dimension but they are 8 and 6 wide}}
  %y = lm.attention %q, %k, %k, %keys, %tokens {heads = 4, kv_heads = 2, scale = 0.5, mask = causal} : tensor<?x8xf32>, tensor<?x6xf32>, tensor<?x6xf32>
  return
}

// -----
func.func @attention_c3(%q: tensor<?x8xf32>, %k: tensor<?x4xf32>, %v: tensor<?x6xf32>, %keys: tensor<?x2xi32>, %tokens: !lm.tokens) {
  // expected-error @+1 {{'lm.attention' op expected v to be 2 heads and the result 4 heads of one dimension but they are 6 and 8 wide}}
  %y = lm.attention %q, %k, %v, %keys, %tokens {heads = 4, kv_heads = 2, scale = 0.5, mask = causal} : tensor<?x8xf32>, tensor<?x4xf32>, tensor<?x6xf32>
  return
}

// -----
func.func @attention_c4_scale(%q: tensor<?x8xf32>, %keys: tensor<?x2xi32>, %tokens: !lm.tokens) {
  // expected-error @+1 {{'lm.attention' op expected 'scale' above 0 but got 0.000000e+00}}
  %y = lm.attention %q, %q, %q, %keys, %tokens {heads = 2, kv_heads = 2, scale = 0, mask = full} : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>
  return
}

// -----
func.func @attention_c4_softcap(%q: tensor<?x8xf32>, %keys: tensor<?x2xi32>, %tokens: !lm.tokens) {
  // expected-error @+1 {{'lm.attention' op expected 'softcap' above 0 but got -1.000000e+00}}
  %y = lm.attention %q, %q, %q, %keys, %tokens {heads = 2, kv_heads = 2, scale = 1, mask = full, softcap = -1.0} : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>
  return
}

// -----
func.func @attention_c4_window(%q: tensor<?x8xf32>, %keys: tensor<?x2xi32>, %tokens: !lm.tokens) {
  // expected-error @+1 {{'lm.attention' op expected 'window' from 1 to 1073741824 but got 0}}
  %y = lm.attention %q, %q, %q, %keys, %tokens {heads = 2, kv_heads = 2, scale = 1, mask = full, window = 0} : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>
  return
}

// -----
func.func @attention_c4_long_window(%q: tensor<?x8xf32>, %keys: tensor<?x2xi32>, %tokens: !lm.tokens) {
  // expected-error @+1 {{'lm.attention' op expected 'window' from 1 to 1073741824 but got 4294967297}}
  %y = lm.attention %q, %q, %q, %keys, %tokens {heads = 2, kv_heads = 2, scale = 1, mask = full, window = 4294967297} : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>
  return
}

// -----
lm.model @kv_c1_append {vocab = 8, context = 4} {
  // expected-note @+1 {{cache declared here}}
  lm.cache @kv {heads = 1, dim_k = 8, dim_v = 4}
  %table = lm.weight "table" : <8x8>
  lm.forward(%tokens: !lm.tokens) {
    %x = lm.embed %tokens, %table : <8x8>
    // expected-error @+1 {{'lm.kv_append' op expected v to be 1 heads of 4 wide but got 8}}
    lm.kv_append @kv, %x, %x, %tokens : tensor<?x8xf32>, tensor<?x8xf32>
    lm.return %x : tensor<?x8xf32>
  }
}

// -----
lm.model @kv_c1_name {vocab = 8, context = 4} {
  %table = lm.weight "table" : <8x8>
  lm.forward(%tokens: !lm.tokens) {
    %x = lm.embed %tokens, %table : <8x8>
    // expected-error @+1 {{'lm.kv_view' op names the cache @kv, which is not declared}}
    %K, %V, %keys = lm.kv_view @kv, %tokens : tensor<?x8xf32>, tensor<?x8xf32>
    lm.return %x : tensor<?x8xf32>
  }
}

// -----
lm.model @kv_c2 {vocab = 8, context = 4} {
  lm.cache @kv {heads = 1, dim_k = 8, dim_v = 8}
  %table = lm.weight "table" : <8x8>
  lm.forward(%tokens: !lm.tokens) {
    %x = lm.embed %tokens, %table : <8x8>
    // expected-note @+1 {{view taken here}}
    %K, %V, %keys = lm.kv_view @kv, %tokens : tensor<?x8xf32>, tensor<?x8xf32>
    lm.kv_append @kv, %x, %x, %tokens : tensor<?x8xf32>, tensor<?x8xf32>
    // expected-error @+1 {{'lm.attention' op uses a view of the cache after a later append to it}}
    %y = lm.attention %x, %K, %V, %keys, %tokens {heads = 1, kv_heads = 1, scale = 1, mask = causal} : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>
    lm.return %y : tensor<?x8xf32>
  }
}

// -----
lm.model @cached_attention_c1 {vocab = 8, context = 4} {
  // expected-note @+1 {{cache declared here}}
  lm.cache @kv {heads = 1, dim_k = 8, dim_v = 8}
  %table = lm.weight "table" : <8x8>
  lm.forward(%tokens: !lm.tokens) {
    %x = lm.embed %tokens, %table : <8x8>
    // expected-error @+1 {{'lm.cached_attention' op expected 'kv_heads' 2 to be the 1 heads of the cache}}
    %y = lm.cached_attention @kv, %x, %x, %x, %tokens {heads = 2, kv_heads = 2, scale = 1, mask = causal} : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>
    lm.return %y : tensor<?x8xf32>
  }
}

// -----
lm.model @cached_attention_c2 {vocab = 8, context = 4} {
  lm.cache @kv {heads = 1, dim_k = 8, dim_v = 8}
  %table = lm.weight "table" : <8x8>
  lm.forward(%tokens: !lm.tokens) {
    %x = lm.embed %tokens, %table : <8x8>
    // expected-error @+1 {{'lm.cached_attention' op has attributes of a rope but no 'rope_base'}}
    %y = lm.cached_attention @kv, %x, %x, %x, %tokens {heads = 1, kv_heads = 1, scale = 1, mask = causal, rope_style = half} : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>
    lm.return %y : tensor<?x8xf32>
  }
}

// -----
func.func @attention_c5(%q: tensor<?x8xf32>, %k: tensor<?x4xf32>, %keys: tensor<?x2xi32>, %tokens: !lm.tokens, %sinks: !lm.weight<3>) {
  // expected-error @+1 {{'lm.attention' op expected sinks for 2 heads but got 3}}
  %y = lm.attention %q, %k, %k, %keys, %tokens, %sinks : !lm.weight<3> {heads = 2, kv_heads = 1, scale = 0.5, mask = causal} : tensor<?x8xf32>, tensor<?x4xf32>, tensor<?x4xf32>
  return
}

// -----
lm.model @cached_attention_c3_eps_absent {vocab = 8, context = 4} {
  lm.cache @kv {heads = 1, dim_k = 8, dim_v = 8}
  %table = lm.weight "table" : <8x8>
  %gain = lm.weight "gain" : <8>
  lm.forward(%tokens: !lm.tokens) {
    %x = lm.embed %tokens, %table : <8x8>
    // expected-error @+1 {{'lm.cached_attention' op has gains of norms or 'norm_plus_one' but no 'norm_eps'}}
    %y = lm.cached_attention @kv, %x, %x, %x, %tokens k_gain(%gain : !lm.weight<8>) {heads = 1, kv_heads = 1, scale = 1, mask = causal} : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>
    lm.return %y : tensor<?x8xf32>
  }
}

// -----
lm.model @cached_attention_c3_eps_negative {vocab = 8, context = 4} {
  lm.cache @kv {heads = 1, dim_k = 8, dim_v = 8}
  %table = lm.weight "table" : <8x8>
  lm.forward(%tokens: !lm.tokens) {
    %x = lm.embed %tokens, %table : <8x8>
    // expected-error @+1 {{'lm.cached_attention' op expected 'norm_eps' not to be negative but got -1.000000e+00}}
    %y = lm.cached_attention @kv, %x, %x, %x, %tokens {heads = 1, kv_heads = 1, scale = 1, mask = causal, norm_eps = -1} : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>
    lm.return %y : tensor<?x8xf32>
  }
}

// -----
lm.model @cached_attention_c3_length {vocab = 8, context = 4} {
  lm.cache @kv {heads = 2, dim_k = 4, dim_v = 4}
  %table = lm.weight "table" : <8x8>
  %gain = lm.weight "gain" : <8>
  lm.forward(%tokens: !lm.tokens) {
    %x = lm.embed %tokens, %table : <8x8>
    // expected-error @+1 {{'lm.cached_attention' op expected gains of 4 numbers, as long as a head, but got '!lm.weight<8>'}}
    %y = lm.cached_attention @kv, %x, %x, %x, %tokens q_gain(%gain : !lm.weight<8>) {heads = 2, kv_heads = 2, scale = 1, mask = causal, norm_eps = 1} : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>
    lm.return %y : tensor<?x8xf32>
  }
}
