// RUN: %llmc-opt %s -split-input-file -verify-diagnostics
//
// A case for each rule of the ops that compute, under the rule's number. Models: invalid-model.mlir; weights:
// invalid-weights.mlir; fused matmuls: invalid-fused.mlir; the text itself: invalid-text.mlir.

func.func @norm_c1(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{'lm.rms_norm' op expected 'eps' not to be negative but got -1.000000e-05}}
  %y = lm.rms_norm %x {eps = -1.0e-5} : tensor<?x8xf32>
  return
}

// -----
func.func @norm_c2(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{'lm.layer_norm' op expected 'group' 3 to divide the width 8}}
  %y = lm.layer_norm %x {eps = 1.0e-5, group = 3} : tensor<?x8xf32>
  return
}

// -----
func.func @norm_c3(%x: tensor<?x8xf32>, %gain: !lm.weight<2>) {
  // expected-error @+1 {{'lm.rms_norm' op expected the gain to have 4 entries but got 2}}
  %y = lm.rms_norm %x, %gain {eps = 1.0e-5, group = 4} : tensor<?x8xf32>, <2>
  return
}

// -----
func.func @norm_c3_bias_length(%x: tensor<?x8xf32>, %gain: !lm.weight<4>, %bias: !lm.weight<8>) {
  // expected-error @+1 {{'lm.layer_norm' op expected the bias to be as long as the gain '!lm.weight<4>' but got '!lm.weight<8>'}}
  %y = "lm.layer_norm"(%x, %gain, %bias) <{eps = 1.0e-5, group = 4, operandSegmentSizes = array<i32: 1, 1, 1>}> : (tensor<?x8xf32>, !lm.weight<4>, !lm.weight<8>) -> tensor<?x8xf32>
  return
}

// -----
func.func @norm_c3_bias_alone(%x: tensor<?x8xf32>, %bias: !lm.weight<8>) {
  // expected-error @+1 {{'lm.layer_norm' op has a bias but no gain}}
  %y = "lm.layer_norm"(%x, %bias) <{eps = 1.0e-5, operandSegmentSizes = array<i32: 1, 0, 1>}> : (tensor<?x8xf32>, !lm.weight<8>) -> tensor<?x8xf32>
  return
}

// -----
func.func @rope_c1(%x: tensor<?x8xf32>, %tokens: !lm.tokens) {
  // expected-error @+1 {{'lm.rope' op expected 'head_dim' 6 to divide the width 8}}
  %y = lm.rope %x, %tokens {head_dim = 6, base = 1.0e4} : tensor<?x8xf32>
  return
}

// -----
func.func @rope_c2(%x: tensor<?x8xf32>, %tokens: !lm.tokens) {
  // expected-error @+1 {{'lm.rope' op expected 'dims' to be even and between 2 and 'head_dim' 4 but got 3}}
  %y = lm.rope %x, %tokens {head_dim = 4, dims = 3, base = 1.0e4} : tensor<?x8xf32>
  return
}

// -----
func.func @rope_c3_freqs(%x: tensor<?x8xf32>, %tokens: !lm.tokens) {
  // expected-error @+1 {{'lm.rope' op expected 2 'freqs' but got 1}}
  %y = lm.rope %x, %tokens {head_dim = 4, base = 1.0e4, freqs = [1.0]} : tensor<?x8xf32>
  return
}

// -----
func.func @rope_c3_base(%x: tensor<?x8xf32>, %tokens: !lm.tokens) {
  // expected-error @+1 {{'lm.rope' op expected 'base' above 0 but got 0.000000e+00}}
  %y = lm.rope %x, %tokens {head_dim = 4, base = 0} : tensor<?x8xf32>
  return
}

// -----
func.func @concat_c1(%x: tensor<?x8xf32>, %y: tensor<?x2xf32>) {
  // expected-error @+1 {{'lm.concat' op expected the parts' widths to add up to 9 but got 10}}
  %z = lm.concat %x, %y : tensor<?x8xf32>, tensor<?x2xf32> -> tensor<?x9xf32>
  return
}

// -----
func.func @slice_c1_range(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{'lm.slice' op expected columns inside [0:8] but got [4:9]}}
  %y = lm.slice %x [4:9] : tensor<?x8xf32> -> tensor<?x5xf32>
  return
}

// -----
func.func @slice_c1_width(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{'lm.slice' op expected a result 3 wide but got 4}}
  %y = lm.slice %x [2:5] : tensor<?x8xf32> -> tensor<?x4xf32>
  return
}
