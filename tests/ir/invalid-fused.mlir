// RUN: %llmc-opt %s -split-input-file -verify-diagnostics
//
// A case for each rule of the fused matmul. Where the short form derives a type, the long form is needed to get it wrong.

func.func @fused_linear_c1(%x: tensor<?x8xf32>, %w: !lm.weight<4x8>, %v: !lm.weight<4x6>) {
  // expected-error @+1 {{'lm.fused_linear' op expected weights of 8 columns, the width of x, but got '!lm.weight<4x6>'}}
  %y:2 = lm.fused_linear %x weights(%w, %v) : <4x8>, <4x6> -> (tensor<?x4xf32>, tensor<?x4xf32>)
  return
}

// -----
func.func @fused_linear_c1_none(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{'lm.fused_linear' op expected at least one weight}}
  "lm.fused_linear"(%x) <{operandSegmentSizes = array<i32: 1, 0, 0, 0, 0, 0>}> : (tensor<?x8xf32>) -> ()
  return
}

// -----
func.func @fused_linear_c2(%x: tensor<?x8xf32>, %w: !lm.weight<4x8>) {
  // expected-error @+1 {{'lm.fused_linear' op expected one result a weight but got 1 for 2}}
  %y = lm.fused_linear %x weights(%w, %w) : <4x8>, <4x8> -> tensor<?x4xf32>
  return
}

// -----
func.func @fused_linear_c2_glu(%x: tensor<?x8xf32>, %w: !lm.weight<4x8>) {
  // expected-error @+1 {{'lm.fused_linear' op expected one result for two weights but got 1 for 3}}
  %y = lm.fused_linear %x weights(%w, %w, %w) {act = silu, glu} : <4x8>, <4x8>, <4x8> -> tensor<?x4xf32>
  return
}

// -----
func.func @fused_linear_c2_width(%x: tensor<?x8xf32>, %w: !lm.weight<4x8>) {
  // expected-error @+1 {{'lm.fused_linear' op expected result 0 as wide as the rows of its weight '!lm.weight<4x8>' but got 5}}
  %y = lm.fused_linear %x weights(%w) : <4x8> -> tensor<?x5xf32>
  return
}

// -----
func.func @fused_linear_c3(%x: tensor<?x8xf32>, %w: !lm.weight<4x8>, %b: !lm.weight<4>) {
  // expected-error @+1 {{'lm.fused_linear' op expected no biases or 2 but got 1}}
  %y:2 = "lm.fused_linear"(%x, %w, %w, %b) <{act = "none", norm = "none", operandSegmentSizes = array<i32: 1, 0, 0, 2, 1, 0>}> : (tensor<?x8xf32>, !lm.weight<4x8>, !lm.weight<4x8>, !lm.weight<4>) -> (tensor<?x4xf32>, tensor<?x4xf32>)
  return
}

// -----
func.func @fused_linear_c3_length(%x: tensor<?x8xf32>, %w: !lm.weight<4x8>, %b: !lm.weight<8>) {
  // expected-error @+1 {{'lm.fused_linear' op expected a bias as long as its weight's rows but got '!lm.weight<8>' for '!lm.weight<4x8>'}}
  %y = "lm.fused_linear"(%x, %w, %b) <{act = "none", norm = "none", operandSegmentSizes = array<i32: 1, 0, 0, 1, 1, 0>}> : (tensor<?x8xf32>, !lm.weight<4x8>, !lm.weight<8>) -> tensor<?x4xf32>
  return
}

// -----
func.func @fused_linear_c4(%x: tensor<?x8xf32>, %w: !lm.weight<4x8>, %r: tensor<?x4xf32>) {
  // expected-error @+1 {{'lm.fused_linear' op expected a residual only with a single result of its type}}
  %y:2 = lm.fused_linear %x weights(%w, %w) residual(%r) : <4x8>, <4x8> -> (tensor<?x4xf32>, tensor<?x4xf32>)
  return
}

// -----
func.func @fused_linear_c5(%x: tensor<?x8xf32>, %w: !lm.weight<4x8>) {
  // expected-error @+1 {{'lm.fused_linear' op expected 'scale' to be finite}}
  %y = lm.fused_linear %x weights(%w) {scale = 0x7FF0000000000000 : f64} : <4x8> -> tensor<?x4xf32>
  return
}

// -----
func.func @fused_linear_c1_no_eps(%x: tensor<?x8xf32>, %gain: !lm.weight<8>, %w: !lm.weight<4x8>) {
  // expected-error @+1 {{'lm.fused_linear' op expected 'eps' beside 'norm'}}
  %y = lm.fused_linear %x norm(%gain) weights(%w) {norm = rms} : <4x8> -> tensor<?x4xf32>
  return
}

// -----
func.func @fused_linear_c1_no_norm(%x: tensor<?x8xf32>, %gain: !lm.weight<8>, %w: !lm.weight<4x8>) {
  // expected-error @+1 {{'lm.fused_linear' op has a gain but no 'norm'}}
  %y = lm.fused_linear %x norm(%gain) weights(%w) : <4x8> -> tensor<?x4xf32>
  return
}

// -----
func.func @fused_linear_c1_bias(%x: tensor<?x8xf32>, %gain: !lm.weight<8>, %w: !lm.weight<4x8>) {
  // expected-error @+1 {{'lm.fused_linear' op expected a bias of the norm only beside a gain and with norm = layer}}
  %y = lm.fused_linear %x norm(%gain, %gain) weights(%w) {norm = rms, eps = 0} : <4x8> -> tensor<?x4xf32>
  return
}
