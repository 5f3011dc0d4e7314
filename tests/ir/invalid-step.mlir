// RUN: %llmc-opt %s -split-input-file -verify-diagnostics
//
// A case for each rule of the step dialect.

step.program @program_c1_kernel {vocab = 8, context = 4, layers = 0, hidden = 8, heads = 1, kv_heads = 1, parameters = 0, weight_bytes = 0, logits = @b0, files = []} {
  step.buffer @b0 {rows = asked, row_bytes = 64}
  // expected-error @+1 {{'step.dispatch' op names the kernel @b0, which is not declared}}
  step.dispatch @b0 [] {rows = tokens}
}

// -----
step.program @program_c1_argument {vocab = 8, context = 4, layers = 0, hidden = 8, heads = 1, kv_heads = 1, parameters = 0, weight_bytes = 0, logits = @b0, files = []} {
  step.buffer @b0 {rows = asked, row_bytes = 64}
  step.kernel @silu {schemes = [], activations = f32, rows = tokens}(%x: tensor<?x8xf32>) {
    %y = lm.silu %x : tensor<?x8xf32>
    step.return %y : tensor<?x8xf32>
  }
  // expected-error @+1 {{'step.dispatch' op names @b1, which is not declared}}
  step.dispatch @silu [@b0, @b1] {rows = tokens}
}

// -----
step.program @program_c1_kind_of_argument {vocab = 8, context = 4, layers = 0, hidden = 8, heads = 1, kv_heads = 1, parameters = 0, weight_bytes = 0, logits = @b0, files = []} {
  step.buffer @b0 {rows = asked, row_bytes = 64}
  step.kernel @silu {schemes = [], activations = f32, rows = tokens}(%x: tensor<?x8xf32>) {
    %y = lm.silu %x : tensor<?x8xf32>
    step.return %y : tensor<?x8xf32>
  }
  // expected-error @+1 {{'step.dispatch' op expected arguments to be names or integers but got "b0"}}
  step.dispatch @silu ["b0"] {rows = tokens}
}

// -----
// expected-error @+1 {{'step.program' op names the buffer @b0 for its logits, which is not declared}}
step.program @program_c1_logits {vocab = 8, context = 4, layers = 0, hidden = 8, heads = 1, kv_heads = 1, parameters = 0, weight_bytes = 0, logits = @b0, files = []} {
}

// -----
step.program @schemes {vocab = 8, context = 4, layers = 0, hidden = 8, heads = 1, kv_heads = 1, parameters = 0, weight_bytes = 0, logits = @b0, files = []} {
  // expected-error @+1 {{'step.kernel' op expected one of 'schemes' for each of the 1 weights but got 0}}
  step.kernel @linear {schemes = [], activations = f32, rows = tokens}(%x: tensor<?x8xf32>, %w: !lm.weight<8x8>) {
    %y = lm.linear %x, %w : <8x8>
    step.return %y : tensor<?x8xf32>
  }
}

// -----
step.program @name_of_file {vocab = 8, context = 4, layers = 0, hidden = 8, heads = 1, kv_heads = 1, parameters = 0, weight_bytes = 0, logits = @b0, files = []} {
  // expected-error @+1 {{'step.kernel' op expected a name without '/', since dumps name files after kernels}}
  step.kernel @"../silu" {schemes = [], activations = f32, rows = tokens}(%x: tensor<?x8xf32>) {
    %y = lm.silu %x : tensor<?x8xf32>
    step.return %y : tensor<?x8xf32>
  }
}
