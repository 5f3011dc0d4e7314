// RUN: %llmc-opt %s -lm-decompose=only-fused -o %t.mlir && FileCheck %s < %t.mlir
// RUN: %llmc-opt %t.mlir -lm-decompose=only-fused | diff %t.mlir -
// RUN: %llmc-opt %s -lm-decompose -o %t.all.mlir && FileCheck %s --check-prefix=ALL < %t.all.mlir
// RUN: %llmc-opt %t.all.mlir -lm-decompose | diff %t.all.mlir -
//
// Fused ops become what they were made from; with every op decomposed, the stack and the cache ops stay.

// CHECK-LABEL: lm.model @fused
// CHECK: %[[X:.*]] = lm.embed
// CHECK: lm.layers
// CHECK: %[[N:.*]] = lm.rms_norm %[[H:.*]], %gain {eps = 1.0e-05, plus_one} : <8>
// CHECK: %[[GATE:.*]] = lm.linear %[[N]], %w
// CHECK: %[[UP:.*]] = lm.linear %[[N]], %w
// CHECK: %[[ACT:.*]] = lm.gelu %[[GATE]] {form = tanh}
// CHECK: %[[GLU:.*]] = lm.mul %[[ACT]], %[[UP]]
// CHECK: %[[SUM:.*]] = lm.add %[[H]], %[[GLU]]
// CHECK: %[[QN:.*]] = lm.rms_norm %[[SUM]], %head {eps = 1.0e-06, group = 4, plus_one} : tensor<?x8xf32>, <4>
// CHECK: %[[QR:.*]] = lm.rope %[[QN]], %[[TOKENS:.*]] {base = 10000.0, head_dim = 4, style = half}
// CHECK: %[[KN:.*]] = lm.rms_norm %[[SUM]] {eps = 1.0e-06, group = 4, plus_one} : tensor<?x8xf32>
// CHECK: %[[KR:.*]] = lm.rope %[[KN]], %[[TOKENS]] {base = 10000.0, head_dim = 4, style = half}
// CHECK: lm.kv_append @kv, %[[KR]], %[[SUM]], %[[TOKENS]]
// CHECK: %[[K:.*]], %[[V:.*]], %[[KEYS:.*]] = lm.kv_view @kv, %[[TOKENS]]
// CHECK: lm.attention %[[QR]], %[[K]], %[[V]], %[[KEYS]], %[[TOKENS]] {heads = 2, kv_heads = 2, mask = causal, scale = 0.5}

// ALL-LABEL: lm.model @fused
// ALL: lm.layers
// ALL: linalg.generic
// ALL: lm.kv_append @kv
// ALL: lm.kv_view @kv
// ALL: linalg.generic
// ALL: lm.yield
lm.model @fused {vocab = 8, context = 4} {
  lm.cache @kv {heads = 2, dim_k = 4, dim_v = 4}
  %w = lm.weight "w" : <8x8>
  %gain = lm.weight "gain" : <8>
  %head = lm.weight "head" : <4>
  lm.forward(%tokens: !lm.tokens) {
    %x = lm.embed %tokens, %w : <8x8>
    %y = lm.layers count = 2 iter(%h = %x : tensor<?x8xf32>) {
      %z = lm.fused_linear %h norm(%gain) weights(%w, %w) residual(%h) {norm = rms, eps = 1.0e-5, plus_one, act = gelu_tanh, glu} : <8x8>, <8x8> -> tensor<?x8xf32>
      %a = lm.cached_attention @kv, %z, %z, %z, %tokens q_gain(%head : !lm.weight<4>) {heads = 2, kv_heads = 2, scale = 0.5, mask = causal, norm_eps = 1.0e-6, norm_plus_one, rope_base = 1.0e4} : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>
      lm.yield %a : tensor<?x8xf32>
    }
    lm.return %y : tensor<?x8xf32>
  }
}
