// RUN: %llmc-opt %s -lm-fuse-rmsnorm-matmul -lm-fuse-swiglu -lm-fuse-qkv -lm-fuse-epilogue -lm-fuse-rope-attention | FileCheck %s
//
// Two kinds of layers, both edited by hand: each is fused for itself, and only where its own text allows.

// CHECK: lm.layers count = 3 kinds = [0, 1, 0]

// Kind 0: the residual around attention is dropped, the rope of k stands before everything, q has none.
// CHECK: %[[KR:.*]] = lm.rope %[[H:.*]], %
// CHECK: %[[A:.*]] = lm.cached_attention @kv, %[[H]], %[[KR]], %[[H]], %{{.*}} {heads = 2, kv_heads = 2, mask = causal, scale = 0.5} :
// CHECK-NEXT: %[[O:.*]] = lm.linear %[[A]], %w : <8x8>
// CHECK-NEXT: lm.fused_linear %[[O]] norm(%gain) weights(%w, %w) residual(%[[O]]) {act = silu, eps = 1.0e-05, glu, norm = rms}
// CHECK-NEXT: lm.yield

// Kind 1: parallel branches under one LayerNorm, an MLP without a gate, a norm per head on q.
// CHECK: %[[QM:.*]]:2 = lm.fused_linear %[[H]] norm(%gain, %gain) weights(%w, %w) {eps = 1.0e-05, norm = layer} :
// CHECK: %[[QN:.*]] = lm.rms_norm %[[QM]]#0 {eps = 1.0e-05, group = 4}
// CHECK: %[[A:.*]] = lm.cached_attention @kv, %[[QN]], %[[H]], %[[H]],
// CHECK: %[[ACT:.*]] = lm.gelu %[[QM]]#1 {form = tanh}
// CHECK: %[[D:.*]] = lm.fused_linear %[[ACT]] weights(%w) residual(%[[A]])
// CHECK: lm.add %[[H]], %[[D]]
// CHECK-NEXT: lm.yield
lm.model @layer_kinds {vocab = 8, context = 4} {
  lm.cache @kv {heads = 2, dim_k = 4, dim_v = 4}
  %w = lm.weight "w" : <8x8>
  %gain = lm.weight "gain" : <8>
  lm.forward(%tokens: !lm.tokens) {
    %x = lm.embed %tokens, %w : <8x8>
    %y = lm.layers count = 3 kinds = [0, 1, 0] iter(%h = %x : tensor<?x8xf32>) {
      %kr = lm.rope %h, %tokens {head_dim = 4, base = 1.0e4} : tensor<?x8xf32>
      lm.kv_append @kv, %kr, %h, %tokens : tensor<?x8xf32>, tensor<?x8xf32>
      %K, %V, %keys = lm.kv_view @kv, %tokens : tensor<?x8xf32>, tensor<?x8xf32>
      %a = lm.attention %h, %K, %V, %keys, %tokens {heads = 2, kv_heads = 2, scale = 0.5, mask = causal} : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>
      %o = lm.linear %a, %w : <8x8>
      %n = lm.rms_norm %o, %gain {eps = 1.0e-5} : <8>
      %up = lm.linear %n, %w : <8x8>
      %gate = lm.linear %n, %w : <8x8>
      %act = lm.silu %gate : tensor<?x8xf32>
      %s = lm.mul %up, %act : tensor<?x8xf32>
      %h1 = lm.add %s, %o : tensor<?x8xf32>
      lm.yield %h1 : tensor<?x8xf32>
    }, {
      %n = lm.layer_norm %h, %gain, %gain {eps = 1.0e-5} : <8>
      %q = lm.linear %n, %w : <8x8>
      %qn = lm.rms_norm %q {eps = 1.0e-5, group = 4} : tensor<?x8xf32>
      lm.kv_append @kv, %h, %h, %tokens : tensor<?x8xf32>, tensor<?x8xf32>
      %K, %V, %keys = lm.kv_view @kv, %tokens : tensor<?x8xf32>, tensor<?x8xf32>
      %a = lm.attention %qn, %K, %V, %keys, %tokens {heads = 2, kv_heads = 2, scale = 0.5, mask = causal} : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>
      %m = lm.linear %n, %w : <8x8>
      %act = lm.gelu %m {form = tanh} : tensor<?x8xf32>
      %d = lm.linear %act, %w : <8x8>
      %sum = lm.add %a, %d : tensor<?x8xf32>
      %h1 = lm.add %h, %sum : tensor<?x8xf32>
      lm.yield %h1 : tensor<?x8xf32>
    }
    lm.return %y : tensor<?x8xf32>
  }
}
