// RUN: %llmc-opt %s -split-input-file -verify-diagnostics
//
// A case for each rule of the weight expressions.

func.func @w_concat_c1_columns(%a: !lm.weight<6x4>, %b: !lm.weight<6x5>) {
  // expected-error @+1 {{'lm.w.concat' op expected all parts to have the result's columns but got '!lm.weight<6x5>' for '!lm.weight<12x4>'}}
  %w = lm.w.concat %a, %b : !lm.weight<6x4>, !lm.weight<6x5> -> <12x4>
  return
}

// -----
func.func @w_concat_c1_rows(%a: !lm.weight<6x4>) {
  // expected-error @+1 {{'lm.w.concat' op expected the parts' rows to add up to 13 but got 12}}
  %w = lm.w.concat %a, %a : !lm.weight<6x4>, !lm.weight<6x4> -> <13x4>
  return
}

// -----
func.func @w_concat_c1_none() {
  // expected-error @+1 {{'lm.w.concat' op expected at least one part}}
  %w = "lm.w.concat"() : () -> !lm.weight<6x4>
  return
}

// -----
func.func @w_mul_c1(%a: !lm.weight<6x4>, %b: !lm.weight<4x5>) {
  // expected-error @+1 {{'lm.w.mul' op expected '!lm.weight<6x4>' times '!lm.weight<4x5>' to be <6x5> but got '!lm.weight<6x6>'}}
  %w = lm.w.mul %a, %b : <6x4>, <4x5> -> <6x6>
  return
}

// -----
func.func @w_permute_c1_product(%a: !lm.weight<6x4>) {
  // expected-error @+1 {{'lm.w.permute' op expected the product of 'shape' to be the 6 rows but got 4}}
  %w = lm.w.permute %a {shape = [2, 2], order = [1, 0]} : <6x4>
  return
}

// -----
func.func @w_permute_c1_axis(%a: !lm.weight<6x4>) {
  // expected-error @+1 {{'lm.w.permute' op expected axes of 'shape' between 1 and 6 but got -2}}
  %w = lm.w.permute %a {shape = [-2, -3], order = [1, 0]} : <6x4>
  return
}

// -----
func.func @w_permute_c2_twice(%a: !lm.weight<6x4>) {
  // expected-error @+1 {{'lm.w.permute' op expected 'order' to be a permutation of the 2 axes of 'shape'}}
  %w = lm.w.permute %a {shape = [2, 3], order = [1, 1]} : <6x4>
  return
}

// -----
func.func @w_permute_c2_out_of_range(%a: !lm.weight<6x4>) {
  // expected-error @+1 {{'lm.w.permute' op expected 'order' to be a permutation of the 2 axes of 'shape'}}
  %w = lm.w.permute %a {shape = [2, 3], order = [0, 2, -1]} : <6x4>
  return
}

// -----
func.func @w_rows_c1_range(%a: !lm.weight<6x4>) {
  // expected-error @+1 {{'lm.w.rows' op expected rows inside [0:6] but got [4:7]}}
  %w = lm.w.rows %a [4:7] : <6x4> -> <3x4>
  return
}

// -----
func.func @w_rows_c1_result(%a: !lm.weight<6x4>) {
  // expected-error @+1 {{'lm.w.rows' op expected 2 rows of '!lm.weight<6x4>' but got '!lm.weight<3x4>'}}
  %w = lm.w.rows %a [4:6] : <6x4> -> <3x4>
  return
}

// -----
func.func @w_transpose_c1(%a: !lm.weight<6x4>) {
  // expected-error @+1 {{'lm.w.transpose' op expected the transpose of '!lm.weight<6x4>' but got '!lm.weight<6x4>'}}
  %w = lm.w.transpose %a : <6x4> -> <6x4>
  return
}

// -----
func.func @matrix(%a: !lm.weight<6>) {
  // expected-error @+1 {{'lm.w.transpose' op operand #0 must be matrix weight, but got '!lm.weight<6>'}}
  %w = lm.w.transpose %a : <6> -> <6x1>
  return
}

// -----
func.func @w_quantize_c1_unknown(%a: !lm.weight<6x4>) {
  // expected-error @+1 {{'lm.w.quantize' op expected 'to' to be of f16, bf16, bf16z, q8_0, q4_0, q4_1, q5_0, q5_1, q4_k, q6_k, int8 but got 'q4_7'}}
  %w = lm.w.quantize %a {to = q4_7} : <6x4>
  return
}

// -----
func.func @w_quantize_c1_vector(%a: !lm.weight<6>) {
  // expected-error @+1 {{'lm.w.quantize' op operand #0 must be matrix weight, but got '!lm.weight<6>'}}
  %w = lm.w.quantize %a {to = q4_0} : <6>
  return
}

// -----
func.func @w_quantize_c1_word(%a: !lm.weight<6x4>) {
  // expected-error @+1 {{custom op 'lm.w.quantize' attribute 'to' failed to satisfy constraint: scheme or a list of schemes}}
  %w = lm.w.quantize %a {to = 4} : <6x4>
  return
}

// -----
func.func @w_quantize_c2_keep(%a: !lm.weight<6x4>) {
  // expected-error @+1 {{'lm.w.quantize' op expected 'to' to be of f16, bf16, bf16z, q8_0, q4_0, q4_1, q5_0, q5_1, q4_k, q6_k, int8 but got 'keep'}}
  %w = lm.w.quantize %a {to = keep} : <6x4>
  return
}

// -----
func.func @w_quantize_c2_outside(%a: !lm.weight<6x4>) {
  // expected-error @+1 {{'lm.w.quantize' op has a list of schemes, one a layer, but stands outside the stack}}
  %w = lm.w.quantize %a {to = [q4_0, keep]} : <6x4>
  return
}

// -----
func.func @w_quantize_c2_count(%x: tensor<?x4xf32>) {
  %y = lm.layers count = 3 iter(%h = %x : tensor<?x4xf32>) {
    %a = lm.weight "a.{i}" : <4x4>
    // expected-error @+1 {{'lm.w.quantize' op expected 3 schemes, one a layer, but got 2}}
    %w = lm.w.quantize %a {to = [q4_0, keep]} : <4x4>
    lm.yield %h : tensor<?x4xf32>
  }
  return
}
