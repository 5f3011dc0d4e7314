// RUN: %llmc-opt %s -lm-fuse-rope-attention -o %t.mlir && FileCheck %s < %t.mlir
// RUN: %llmc-opt %t.mlir -lm-fuse-rope-attention | diff %t.mlir -
// RUN: %llmc-opt %s -lm-fuse-rope-attention --remarks-filter=fuse-rope-attention -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK
//
// Norms that an attention cannot take stay as they are; it takes the rope all the same. A kind of layer for each reason, which
// a remark tells.

lm.model @negative_norms {vocab = 8, context = 4} {
  lm.cache @kv {heads = 2, dim_k = 4, dim_v = 4}
  %table = lm.weight "table" : <8x8>
  %g4 = lm.weight "g4" : <4>
  %g8 = lm.weight "g8" : <8>
  lm.forward(%tokens: !lm.tokens) {
    %x = lm.embed %tokens, %table : <8x8>
    // CHECK: lm.layers
    %out = lm.layers count = 8 kinds = [0, 1, 2, 3, 4, 5, 6, 7] iter(%h = %x : tensor<?x8xf32>) {
      // All heads together.
      // REMARK-DAG: norms.mlir:[[#@LINE+10]]:{{.*}}NormsNotFused{{.*}}the norms stay dispatches of their own: the norm of q is of 8 columns, a head has 4
      // CHECK: %[[Q:[a-z0-9_]+]] = lm.rms_norm %{{.*}}
      // CHECK: %[[K:[a-z0-9_]+]] = lm.rms_norm %{{.*}}
      // CHECK: lm.cached_attention @kv, %[[Q]], %[[K]], %[[H:[a-z0-9]+]], %{{[^ ]*}} {heads = 2, kv_heads = 2, mask = causal, rope_base =
      %qn = lm.rms_norm %h {eps = 1.0e-6} : tensor<?x8xf32>
      %kn = lm.rms_norm %h {eps = 1.0e-6} : tensor<?x8xf32>
      %qr = lm.rope %qn, %tokens {head_dim = 4, base = 1.0e4} : tensor<?x8xf32>
      %kr = lm.rope %kn, %tokens {head_dim = 4, base = 1.0e4} : tensor<?x8xf32>
      lm.kv_append @kv, %kr, %h, %tokens : tensor<?x8xf32>, tensor<?x8xf32>
      %K, %V, %keys = lm.kv_view @kv, %tokens : tensor<?x8xf32>, tensor<?x8xf32>
      %a = lm.attention %qr, %K, %V, %keys, %tokens {heads = 2, kv_heads = 2, scale = 0.5, mask = causal} : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>
      lm.yield %a : tensor<?x8xf32>
    }, {
      // Parts of a head of k.
      // REMARK-DAG: norms.mlir:[[#@LINE+10]]:{{.*}}NormsNotFused{{.*}}the norms stay dispatches of their own: the norm of k is of 2 columns, a head has 4
      // CHECK: %[[Q:[a-z0-9_]+]] = lm.rms_norm %{{.*}}
      // CHECK: %[[K:[a-z0-9_]+]] = lm.rms_norm %{{.*}}
      // CHECK: lm.cached_attention @kv, %[[Q]], %[[K]], %[[H:[a-z0-9]+]], %{{[^ ]*}} {heads = 2, kv_heads = 2, mask = causal, rope_base =
      %qn = lm.rms_norm %h {eps = 1.0e-6, group = 4} : tensor<?x8xf32>
      %kn = lm.rms_norm %h {eps = 1.0e-6, group = 2} : tensor<?x8xf32>
      %qr = lm.rope %qn, %tokens {head_dim = 4, base = 1.0e4} : tensor<?x8xf32>
      %kr = lm.rope %kn, %tokens {head_dim = 4, base = 1.0e4} : tensor<?x8xf32>
      lm.kv_append @kv, %kr, %h, %tokens : tensor<?x8xf32>, tensor<?x8xf32>
      %K, %V, %keys = lm.kv_view @kv, %tokens : tensor<?x8xf32>, tensor<?x8xf32>
      %a = lm.attention %qr, %K, %V, %keys, %tokens {heads = 2, kv_heads = 2, scale = 0.5, mask = causal} : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>
      lm.yield %a : tensor<?x8xf32>
    }, {
      // Two rules.
      // REMARK-DAG: norms.mlir:[[#@LINE+10]]:{{.*}}NormsNotFused{{.*}}the norms stay dispatches of their own: the norms of q and k differ in eps
      // CHECK: %[[Q:[a-z0-9_]+]] = lm.rms_norm %{{.*}}
      // CHECK: %[[K:[a-z0-9_]+]] = lm.rms_norm %{{.*}}
      // CHECK: lm.cached_attention @kv, %[[Q]], %[[K]], %[[H:[a-z0-9]+]], %{{[^ ]*}} {heads = 2, kv_heads = 2, mask = causal, rope_base =
      %qn = lm.rms_norm %h {eps = 1.0e-6, group = 4} : tensor<?x8xf32>
      %kn = lm.rms_norm %h {eps = 1.0e-5, group = 4} : tensor<?x8xf32>
      %qr = lm.rope %qn, %tokens {head_dim = 4, base = 1.0e4} : tensor<?x8xf32>
      %kr = lm.rope %kn, %tokens {head_dim = 4, base = 1.0e4} : tensor<?x8xf32>
      lm.kv_append @kv, %kr, %h, %tokens : tensor<?x8xf32>, tensor<?x8xf32>
      %K, %V, %keys = lm.kv_view @kv, %tokens : tensor<?x8xf32>, tensor<?x8xf32>
      %a = lm.attention %qr, %K, %V, %keys, %tokens {heads = 2, kv_heads = 2, scale = 0.5, mask = causal} : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>
      lm.yield %a : tensor<?x8xf32>
    }, {
      // Two rules again.
      // REMARK-DAG: norms.mlir:[[#@LINE+10]]:{{.*}}NormsNotFused{{.*}}the norms stay dispatches of their own: the norms of q and k differ in plus_one
      // CHECK: %[[Q:[a-z0-9_]+]] = lm.rms_norm %{{.*}}
      // CHECK: %[[K:[a-z0-9_]+]] = lm.rms_norm %{{.*}}
      // CHECK: lm.cached_attention @kv, %[[Q]], %[[K]], %[[H:[a-z0-9]+]], %{{[^ ]*}} {heads = 2, kv_heads = 2, mask = causal, rope_base =
      %qn = lm.rms_norm %h, %g4 {eps = 1.0e-6, group = 4, plus_one} : tensor<?x8xf32>, <4>
      %kn = lm.rms_norm %h, %g4 {eps = 1.0e-6, group = 4} : tensor<?x8xf32>, <4>
      %qr = lm.rope %qn, %tokens {head_dim = 4, base = 1.0e4} : tensor<?x8xf32>
      %kr = lm.rope %kn, %tokens {head_dim = 4, base = 1.0e4} : tensor<?x8xf32>
      lm.kv_append @kv, %kr, %h, %tokens : tensor<?x8xf32>, tensor<?x8xf32>
      %K, %V, %keys = lm.kv_view @kv, %tokens : tensor<?x8xf32>, tensor<?x8xf32>
      %a = lm.attention %qr, %K, %V, %keys, %tokens {heads = 2, kv_heads = 2, scale = 0.5, mask = causal} : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>
      lm.yield %a : tensor<?x8xf32>
    }, {
      // Each head of q has a gain of its own.
      // REMARK-DAG: norms.mlir:[[#@LINE+10]]:{{.*}}NormsNotFused{{.*}}the norms stay dispatches of their own: the norm of q has a gain for each head
      // CHECK: %[[Q:[a-z0-9_]+]] = lm.rms_norm %{{.*}}
      // CHECK: %[[K:[a-z0-9_]+]] = lm.rms_norm %{{.*}}
      // CHECK: lm.cached_attention @kv, %[[Q]], %[[K]], %[[H:[a-z0-9]+]], %{{[^ ]*}} {heads = 2, kv_heads = 2, mask = causal, rope_base =
      %qn = lm.rms_norm %h, %g8 {eps = 1.0e-6, group = 4} : <8>
      %kn = lm.rms_norm %h, %g4 {eps = 1.0e-6, group = 4} : tensor<?x8xf32>, <4>
      %qr = lm.rope %qn, %tokens {head_dim = 4, base = 1.0e4} : tensor<?x8xf32>
      %kr = lm.rope %kn, %tokens {head_dim = 4, base = 1.0e4} : tensor<?x8xf32>
      lm.kv_append @kv, %kr, %h, %tokens : tensor<?x8xf32>, tensor<?x8xf32>
      %K, %V, %keys = lm.kv_view @kv, %tokens : tensor<?x8xf32>, tensor<?x8xf32>
      %a = lm.attention %qr, %K, %V, %keys, %tokens {heads = 2, kv_heads = 2, scale = 0.5, mask = causal} : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>
      lm.yield %a : tensor<?x8xf32>
    }, {
      // A mean is taken off.
      // REMARK-DAG: norms.mlir:[[#@LINE+10]]:{{.*}}NormsNotFused{{.*}}the norms stay dispatches of their own: the norm of q is an 'lm.layer_norm'
      // CHECK: %[[Q:[a-z0-9_]+]] = lm.layer_norm %{{.*}}
      // CHECK: %[[K:[a-z0-9_]+]] = lm.layer_norm %{{.*}}
      // CHECK: lm.cached_attention @kv, %[[Q]], %[[K]], %[[H:[a-z0-9]+]], %{{[^ ]*}} {heads = 2, kv_heads = 2, mask = causal, rope_base =
      %qn = lm.layer_norm %h {eps = 1.0e-6, group = 4} : tensor<?x8xf32>
      %kn = lm.layer_norm %h {eps = 1.0e-6, group = 4} : tensor<?x8xf32>
      %qr = lm.rope %qn, %tokens {head_dim = 4, base = 1.0e4} : tensor<?x8xf32>
      %kr = lm.rope %kn, %tokens {head_dim = 4, base = 1.0e4} : tensor<?x8xf32>
      lm.kv_append @kv, %kr, %h, %tokens : tensor<?x8xf32>, tensor<?x8xf32>
      %K, %V, %keys = lm.kv_view @kv, %tokens : tensor<?x8xf32>, tensor<?x8xf32>
      %a = lm.attention %qr, %K, %V, %keys, %tokens {heads = 2, kv_heads = 2, scale = 0.5, mask = causal} : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>
      lm.yield %a : tensor<?x8xf32>
    }, {
      // A norm of k alone.
      // REMARK-DAG: norms.mlir:[[#@LINE+10]]:{{.*}}NormsNotFused{{.*}}the norms stay dispatches of their own: only k is normed
      // CHECK: %[[Q:[a-z0-9_]+]] = lm.scale %{{.*}}
      // CHECK: %[[K:[a-z0-9_]+]] = lm.rms_norm %{{.*}}
      // CHECK: lm.cached_attention @kv, %[[Q]], %[[K]], %[[H:[a-z0-9]+]], %{{[^ ]*}} {heads = 2, kv_heads = 2, mask = causal, rope_base =
      %qn = lm.scale %h {factor = 2.0} : tensor<?x8xf32>
      %kn = lm.rms_norm %h {eps = 1.0e-6, group = 4} : tensor<?x8xf32>
      %qr = lm.rope %qn, %tokens {head_dim = 4, base = 1.0e4} : tensor<?x8xf32>
      %kr = lm.rope %kn, %tokens {head_dim = 4, base = 1.0e4} : tensor<?x8xf32>
      lm.kv_append @kv, %kr, %h, %tokens : tensor<?x8xf32>, tensor<?x8xf32>
      %K, %V, %keys = lm.kv_view @kv, %tokens : tensor<?x8xf32>, tensor<?x8xf32>
      %a = lm.attention %qr, %K, %V, %keys, %tokens {heads = 2, kv_heads = 2, scale = 0.5, mask = causal} : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>
      lm.yield %a : tensor<?x8xf32>
    }, {
      // The normed q is read elsewhere, too.
      // REMARK-DAG: norms.mlir:[[#@LINE+10]]:{{.*}}NormsNotFused{{.*}}the norms stay dispatches of their own: the normed q has another reader
      // CHECK: %[[Q:[a-z0-9_]+]] = lm.rms_norm %{{.*}}
      // CHECK: %[[K:[a-z0-9_]+]] = lm.rms_norm %{{.*}}
      // CHECK: lm.cached_attention @kv, %[[Q]], %[[K]], %[[H:[a-z0-9]+]], %{{[^ ]*}} {heads = 2, kv_heads = 2, mask = causal, rope_base =
      %qn = lm.rms_norm %h {eps = 1.0e-6, group = 4} : tensor<?x8xf32>
      %kn = lm.rms_norm %h {eps = 1.0e-6, group = 4} : tensor<?x8xf32>
      %qr = lm.rope %qn, %tokens {head_dim = 4, base = 1.0e4} : tensor<?x8xf32>
      %kr = lm.rope %kn, %tokens {head_dim = 4, base = 1.0e4} : tensor<?x8xf32>
      lm.kv_append @kv, %kr, %h, %tokens : tensor<?x8xf32>, tensor<?x8xf32>
      %K, %V, %keys = lm.kv_view @kv, %tokens : tensor<?x8xf32>, tensor<?x8xf32>
      %a = lm.attention %qr, %K, %V, %keys, %tokens {heads = 2, kv_heads = 2, scale = 0.5, mask = causal} : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>
      %y = lm.add %a, %qn : tensor<?x8xf32>
      lm.yield %y : tensor<?x8xf32>
    }
    lm.return %out : tensor<?x8xf32>
  }
}
