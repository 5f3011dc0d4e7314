#loc1 = loc("blk.{i}.</script>")
#loc2 = loc("model.mlir":7:3)
module {
  lm.model @m {context = 8} {
    lm.forward (%tokens: !lm.tokens) {
      %x = lm.layers count = 2 iter(%h = %e : tensor<?x4xf32>) {
        %w = lm.weight "blk.{i}.</script>" : <4x4> loc(#loc1)
        %z = lm.fused_linear %h weights(%w) residual(%h)  : <4x4> -> tensor<?x4xf32> loc(fused[#loc1, #loc2])
        lm.yield %z : tensor<?x4xf32> loc(#loc2)
      } loc(#loc2)
    } loc(#loc2)
  } loc(#loc2)
}
