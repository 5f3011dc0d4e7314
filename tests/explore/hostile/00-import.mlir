#loc1 = loc("blk.{i}.</script>")
#loc2 = loc("model.mlir":7:3)
#loc3 = loc("y"(#loc1))
module {
  lm.model @m {context = 8} {
    lm.forward (%tokens: !lm.tokens) {
      %x = lm.layers count = 2 iter(%h = %e : tensor<?x4xf32>) {
        %w = lm.weight "blk.{i}.</script>" : <4x4> loc(#loc1)
        %y = lm.linear %h, %w  : <4x4> loc(#loc3)
        %z = lm.add %h, %y  : tensor<?x4xf32> loc(#loc2)
        lm.yield %z : tensor<?x4xf32> loc(#loc2)
      } loc(#loc2)
    } loc(#loc2)
  } loc(#loc2)
} loc(#loc)
#loc = loc(unknown)
