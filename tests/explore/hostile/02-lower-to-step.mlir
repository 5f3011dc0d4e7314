#loc1 = loc("blk.{i}.</script>")
module {
  step.program @m {context = 8, heads = 1, hidden = 4, kv_heads = 1, layers = 2, logits = @b1, parameters = 32, vocab = 4, weight_bytes = 128} {
    step.weight @w0 {bytes = 64, offset = 0, scheme = vector} {
      %w = lm.weight "blk.0.</script>" : <4x4> loc(#loc1)
      step.return %w : !lm.weight<4x4> loc(#loc1)
    } loc(#loc1)
    step.weight @w1 {bytes = 64, offset = 64, scheme = vector} {
      %w = lm.weight "blk.1.</script>" : <4x4> loc(#loc1)
      step.return %w : !lm.weight<4x4> loc(#loc1)
    } loc(#loc1)
    step.kernel @linear<b> {activations = f32, rows = tokens, schemes = ["vector"]} (%arg0: tensor<?x4xf32>, %arg1: !lm.weight<4x4>) {
      %z = lm.fused_linear %arg0 weights(%arg1)  : <4x4> -> tensor<?x4xf32> loc(#loc1)
      step.return %z : tensor<?x4xf32> loc(#loc1)
    } loc(#loc1)
    step.buffer @b0 {row_bytes = 16, rows = tokens} loc(#loc1)
    step.buffer @b1 {row_bytes = 16, rows = tokens} loc(#loc1)
    step.dispatch @linear<b> [@b0, @w0, @b1] {layer = 0, output = @b1, rows = tokens} loc(#loc1)
    step.dispatch @linear<b> [@b1, @w1, @b0] {barrier, layer = 1, output = @b0, rows = tokens} loc(#loc1)
  } loc(#loc1)
}
