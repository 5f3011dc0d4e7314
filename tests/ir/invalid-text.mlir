// RUN: %llmc-opt %s -split-input-file -verify-diagnostics
//
// What the text refuses: unknown and repeated keys, wrong words, shapes that no weight has.

func.func @unknown_key(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{custom op 'lm.scale' has no attribute 'typo'}}
  %y = lm.scale %x {factor = 2.0, typo = 3} : tensor<?x8xf32>
  return
}

// -----
func.func @key_without_meaning(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{custom op 'lm.silu' has no attribute 'form'}}
  %y = lm.silu %x {form = tanh} : tensor<?x8xf32>
  return
}

// -----
func.func @key_given_twice(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{custom op 'lm.scale' attribute 'factor' is given twice}}
  %y = lm.scale %x {factor = 2.0, factor = 2.0} : tensor<?x8xf32>
  return
}

// -----
func.func @wrong_word(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{custom op 'lm.gelu' attribute 'form' failed to satisfy constraint: one of erf, tanh, quick}}
  %y = lm.gelu %x {form = tan} : tensor<?x8xf32>
  return
}

// -----
func.func @word_for_number(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{custom op 'lm.scale' attribute 'factor' failed to satisfy constraint: 64-bit float attribute}}
  %y = lm.scale %x {factor = two} : tensor<?x8xf32>
  return
}

// -----
func.func @float_for_integer(%x: tensor<?x8xf32>, %tokens: !lm.tokens) {
  // expected-error @+1 {{custom op 'lm.rope' attribute 'head_dim' failed to satisfy constraint: 64-bit signless integer attribute}}
  %y = lm.rope %x, %tokens {head_dim = 4.0, base = 1.0e4} : tensor<?x8xf32>
  return
}

// -----
func.func @missing_key(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{'lm.rms_norm' op requires attribute 'eps'}}
  %y = lm.rms_norm %x : tensor<?x8xf32>
  return
}

// -----
func.func @cache_in_braces(%q: tensor<?x8xf32>, %tokens: !lm.tokens) {
  // expected-error @+1 {{custom op 'lm.cached_attention' has no attribute 'cache'}}
  %y = lm.cached_attention @kv, %q, %q, %q, %tokens {cache = @other, heads = 1, kv_heads = 1, scale = 1, mask = full} : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>
  return
}

// -----
func.func @wrong_width(%x: tensor<?x8xf32>, %w: !lm.weight<4x9>) { // expected-note {{prior use here}}
  // expected-error @+1 {{use of value '%x' expects different type than prior uses: 'tensor<?x9xf32>' vs 'tensor<?x8xf32>'}}
  %y = lm.linear %x, %w : <4x9>
  return
}

// -----
func.func @not_rows(%x: tensor<4x8xf32>) {
  // expected-error @+1 {{'lm.relu' op operand #0 must be rows tensor<?xNxf32>, but got 'tensor<4x8xf32>'}}
  %y = lm.relu %x : tensor<4x8xf32>
  return
}

// -----
// expected-error @+1 {{expected a weight of 1 or 2 dimensions but got 3}}
func.func @three_dimensions(%w: !lm.weight<2x2x2>) { return }

// -----
// expected-error @+1 {{expected dimensions between 1 and 2^31 but got 4294967296}}
func.func @large_dimension(%w: !lm.weight<4294967296x4>) { return }

// -----
func.func @residual_of_nothing(%x: tensor<?x8xf32>, %w: !lm.weight<4x8>, %r: tensor<?x4xf32>) {
  // expected-error @+1 {{custom op 'lm.fused_linear' expected a result, which the residual is added to}}
  lm.fused_linear %x weights(%w) residual(%r) : <4x8> -> ()
  return
}
