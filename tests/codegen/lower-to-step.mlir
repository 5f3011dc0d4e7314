// RUN: %llmc-compile compile %s --stop-after step -o %t.mlir && FileCheck %s < %t.mlir
// RUN: %llmc-compile compile %s --stop-after step --disable-pass fuse-rope-attention | FileCheck %s --check-prefix=APART
//
// A text with kinds, tables and weight expressions. Numbers of a table are filled in for each layer: where they decide
// the code there is a kernel for each, where they are only data (the rope's base, a cached attention's window) there is
// not. A window of 0 is none: more tokens than any sequence has.

// CHECK: step.weight @w{{[0-9]+}} {bytes = {{[0-9]+}}, offset = {{[0-9]+}}, scheme = {{.*}}} {
// CHECK: %whole = lm.weight "blk.0.attn_k.weight" : <32x96>
// CHECK-NEXT: %[[PART:.*]] = lm.w.rows %whole[0 : 32] : <32x96> -> <32x96>
// CHECK-NEXT: step.return %[[PART]]
// CHECK-COUNT-2: step.constant @c
// CHECK: step.kernel @[[ATTEND:cached_attention[a-z0-9_]+]] {
// CHECK-NEXT: lm.cached_attention {{.*}}window =
// CHECK-NOT: step.kernel @cached_attention
// CHECK: step.cache @kv {{.*}}layers = 3,
// CHECK: step.dispatch @[[ATTEND]] [{{.*}}, @c0, 1073741824, 0, {{.*}}layer = 0
// CHECK: step.dispatch @[[ATTEND]] [{{.*}}, @c0, 5, 0, {{.*}}layer = 1
// CHECK: step.dispatch @silu{{.*}}layer = 1
// CHECK: step.dispatch @[[ATTEND]] [{{.*}}, @c1, 1073741824, 0, {{.*}}layer = 2

// APART: step.dispatch @rope
// APART: step.dispatch @kv_append
// APART: step.dispatch @kv_view
// APART: step.dispatch @attention
lm.model @by_hand {vocab = 301, context = 64} {
  lm.weights "../fixtures/llama-mixed.gguf"
  lm.cache @kv {heads = 2, dim_k = 16, dim_v = 16}
  lm.table @window = [0.0, 5.0, 0.0]
  lm.table @base = [1.0e4, 1.0e4, 1.0e6]
  %table = lm.weight "token_embd.weight" : <301x96>
  lm.forward(%tokens: !lm.tokens) {
    %x = lm.embed %tokens, %table : <301x96>
    %y = lm.layers count = 3 kinds = [0, 1, 0] iter(%h = %x : tensor<?x96xf32>) {
      %whole = lm.weight "blk.{i}.attn_k.weight" : <32x96>
      %wk = lm.w.rows %whole [0:32] : <32x96> -> <32x96>
      %k = lm.linear %h, %wk : <32x96>
      %qr = lm.rope %h, %tokens {head_dim = 16, base = @base} : tensor<?x96xf32>
      %kr = lm.rope %k, %tokens {head_dim = 16, base = @base} : tensor<?x32xf32>
      lm.kv_append @kv, %kr, %k, %tokens : tensor<?x32xf32>, tensor<?x32xf32>
      %K, %V, %keys = lm.kv_view @kv, %tokens : tensor<?x32xf32>, tensor<?x32xf32>
      %a = lm.attention %qr, %K, %V, %keys, %tokens {heads = 6, kv_heads = 2, scale = 0.25, mask = causal, window = @window} : tensor<?x96xf32>, tensor<?x32xf32>, tensor<?x32xf32>
      lm.yield %a : tensor<?x96xf32>
    }, {
      %wk = lm.weight "blk.{i}.attn_k.weight" : <32x96>
      %k = lm.linear %h, %wk : <32x96>
      %qr = lm.rope %h, %tokens {head_dim = 16, base = @base} : tensor<?x96xf32>
      %kr = lm.rope %k, %tokens {head_dim = 16, base = @base} : tensor<?x32xf32>
      lm.kv_append @kv, %kr, %k, %tokens : tensor<?x32xf32>, tensor<?x32xf32>
      %K, %V, %keys = lm.kv_view @kv, %tokens : tensor<?x32xf32>, tensor<?x32xf32>
      %a = lm.attention %qr, %K, %V, %keys, %tokens {heads = 6, kv_heads = 2, scale = 0.25, mask = causal, window = @window} : tensor<?x96xf32>, tensor<?x32xf32>, tensor<?x32xf32>
      %s = lm.silu %a : tensor<?x96xf32>
      lm.yield %s : tensor<?x96xf32>
    }
    %asked = lm.asked_rows %y, %tokens : tensor<?x96xf32>
    %logits = lm.linear %asked, %table : <301x96>
    lm.return %logits : tensor<?x301xf32>
  }
}
