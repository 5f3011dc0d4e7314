// RUN: %llmc-opt %s -o %t.mlir && FileCheck %s < %t.mlir
// RUN: %llmc-opt %t.mlir | diff %t.mlir -
// RUN: %llmc-opt %s -mlir-print-op-generic | %llmc-opt | diff %t.mlir -
// RUN: %llmc-opt %s -emit-bytecode | %llmc-opt | diff %t.mlir -
//
// Every op of the step dialect, written, printed and read again in three forms.

// CHECK: step.program @tiny {context = 4, family = tiny, files = ["tiny.gguf"], heads = 2, hidden = 8, kv_heads = 1, layers = 1,
// CHECK-SAME: logits = @b0, parameters = 64, tokenizer = "tiny.gguf", vocab = 8, weight_bytes = 320} {
step.program @tiny {vocab = 8, context = 4, layers = 1, hidden = 8, heads = 2, kv_heads = 1, parameters = 64,
                    weight_bytes = 320, logits = @b0, tokenizer = "tiny.gguf", family = tiny, files = ["tiny.gguf"]} {
  // CHECK: step.weight @w0 {bytes = 256, offset = 0, scheme = q4_1} {
  step.weight @w0 {scheme = q4_1, offset = 0, bytes = 256} {
    // CHECK: %attn_q = lm.weight "blk.0.attn_q.weight" : <8x8>
    // CHECK: step.return %attn_q : !lm.weight<8x8>
    %w = lm.weight "blk.0.attn_q.weight" : <8x8>
    step.return %w : !lm.weight<8x8>
  }
  // CHECK: step.constant @c0 {offset = 256, values = [1.0, 0.1]}
  step.constant @c0 {values = [1.0, 0.1], offset = 256}
  // CHECK: step.kernel @attend {activations = f32, cache = {heads = 1 : i64, type = "f16"}, rows = tokens, schemes = []} (%{{.*}}: tensor<?x8xf32>) {
  step.kernel @attend {schemes = [], activations = f32, rows = tokens, cache = {heads = 1, type = "f16"}}(%x: tensor<?x8xf32>) {
    %y = lm.silu %x : tensor<?x8xf32>
    step.return %y : tensor<?x8xf32>
  }
  // CHECK: step.kernel @linear {activations = int8, packed_row_bytes = 64, rows = asked, schemes = ["q4_1"]} (%{{.*}}: tensor<?x8xf32>, %{{.*}}: !lm.weight<8x8>) {
  step.kernel @linear {schemes = ["q4_1"], activations = int8, rows = asked, packed_row_bytes = 64}(%x: tensor<?x8xf32>, %w: !lm.weight<8x8>) {
    %y = lm.linear %x, %w : <8x8>
    step.return %y : tensor<?x8xf32>
  }
  // CHECK: step.cache @kv {dim_k = 4, dim_v = 4, heads = 1, layers = 1, page_bytes = 1024, page_tokens = 32, type = f16}
  step.cache @kv {layers = 1, heads = 1, dim_k = 4, dim_v = 4, page_tokens = 32, type = f16, page_bytes = 1024}
  // CHECK: step.buffer @b0 {row_bytes = 64, rows = asked}
  step.buffer @b0 {rows = asked, row_bytes = 64}
  step.buffer @b1 {rows = tokens, row_bytes = 64}
  // CHECK: step.dispatch @linear [@b1, @w0, @b0, 3] {barrier, layer = 0, output = @b0, rows = asked}
  step.dispatch @linear [@b1, @w0, @b0, 3] {layer = 0, rows = asked, barrier, output = @b0}
  // CHECK: step.dispatch @attend [@b1, @c0] {rows = tokens}
  step.dispatch @attend [@b1, @c0] {rows = tokens}
}
