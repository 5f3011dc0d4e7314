// RUN: %llmc-opt %s -lm-fuse-rope-attention -o %t.mlir && FileCheck %s < %t.mlir
// RUN: %llmc-opt %t.mlir -lm-fuse-rope-attention | diff %t.mlir -
// RUN: %llmc-opt %s -lm-fuse-rope-attention --remarks-filter=fuse-rope-attention -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK --implicit-check-not=NotFused

// CHECK-LABEL: lm.model @rope
// CHECK: lm.layers
// CHECK: %[[K:.*]] = lm.linear
// CHECK-NEXT: lm.cached_attention @kv, %[[H:.*]], %[[K]], %[[K]], %{{.*}} {heads = 2, kv_heads = 1, mask = causal, rope_base = @base,
// CHECK-SAME: rope_dims = 2, rope_factor = 0.5, rope_style = interleaved, scale = 0.5, softcap = 30.0, window = @window} : tensor<?x8xf32>, tensor<?x4xf32>, tensor<?x4xf32>
// CHECK-NEXT: lm.yield
lm.model @rope {vocab = 8, context = 4} {
  lm.cache @kv {heads = 1, dim_k = 4, dim_v = 4}
  lm.table @base = [1.0e4, 1.0e6]
  lm.table @window = [0.0, 2.0]
  %table = lm.weight "table" : <8x8>
  lm.forward(%tokens: !lm.tokens) {
    %x = lm.embed %tokens, %table : <8x8>
    %y = lm.layers count = 2 iter(%h = %x : tensor<?x8xf32>) {
      %wk = lm.weight "blk.{i}.k" : <4x8>
      %k = lm.linear %h, %wk : <4x8>
      %kr = lm.rope %k, %tokens {head_dim = 4, dims = 2, style = interleaved, base = @base, factor = 0.5} : tensor<?x4xf32>
      lm.kv_append @kv, %kr, %k, %tokens : tensor<?x4xf32>, tensor<?x4xf32>
      %qr = lm.rope %h, %tokens {head_dim = 4, dims = 2, style = interleaved, base = @base, factor = 0.5} : tensor<?x8xf32>
      %K, %V, %keys = lm.kv_view @kv, %tokens : tensor<?x4xf32>, tensor<?x4xf32>
      %a = lm.attention %qr, %K, %V, %keys, %tokens {heads = 2, kv_heads = 1, scale = 0.5, mask = causal, window = @window, softcap = 30} : tensor<?x8xf32>, tensor<?x4xf32>, tensor<?x4xf32>
      lm.yield %a : tensor<?x8xf32>
    }
    lm.return %y : tensor<?x8xf32>
  }
}

// CHECK-LABEL: lm.model @no_rope_but_sinks
// CHECK: lm.cached_attention @kv, %[[X:.*]], %[[X]], %[[X]], %{{.*}}, %sinks : !lm.weight<2> {heads = 2, kv_heads = 2, mask = full, scale = 0.5} :
lm.model @no_rope_but_sinks {vocab = 8, context = 4} {
  lm.cache @kv {heads = 2, dim_k = 4, dim_v = 4}
  %table = lm.weight "table" : <8x8>
  %sinks = lm.weight "sinks" : <2>
  lm.forward(%tokens: !lm.tokens) {
    %x = lm.embed %tokens, %table : <8x8>
    lm.kv_append @kv, %x, %x, %tokens : tensor<?x8xf32>, tensor<?x8xf32>
    %K, %V, %keys = lm.kv_view @kv, %tokens : tensor<?x8xf32>, tensor<?x8xf32>
    %a = lm.attention %x, %K, %V, %keys, %tokens, %sinks : !lm.weight<2> {heads = 2, kv_heads = 2, scale = 0.5, mask = full} : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>
    lm.return %a : tensor<?x8xf32>
  }
}

// Two rotations: the op takes the rotated rows as they are. So with only one side rotated, or rows read elsewhere; a remark
// says which.
// CHECK-LABEL: lm.model @ropes_differ
// REMARK: RopesNotFused{{.*}}the ropes stay dispatches of their own: q and k are rotated by different rules
// CHECK: %[[QR:.*]] = lm.rope %[[X:.*]], %{{.*}}base = 10000.0
// CHECK: %[[KR:.*]] = lm.rope %[[X]], %{{.*}}base = 1.0e+06
// CHECK: lm.cached_attention @kv, %[[QR]], %[[KR]], %[[X]], %{{.*}} {heads = 2, kv_heads = 2, mask = causal, scale = 0.5} :
lm.model @ropes_differ {vocab = 8, context = 4} {
  lm.cache @kv {heads = 2, dim_k = 4, dim_v = 4}
  %table = lm.weight "table" : <8x8>
  lm.forward(%tokens: !lm.tokens) {
    %x = lm.embed %tokens, %table : <8x8>
    %qr = lm.rope %x, %tokens {head_dim = 4, base = 1.0e4} : tensor<?x8xf32>
    %kr = lm.rope %x, %tokens {head_dim = 4, base = 1.0e6} : tensor<?x8xf32>
    lm.kv_append @kv, %kr, %x, %tokens : tensor<?x8xf32>, tensor<?x8xf32>
    %K, %V, %keys = lm.kv_view @kv, %tokens : tensor<?x8xf32>, tensor<?x8xf32>
    %a = lm.attention %qr, %K, %V, %keys, %tokens {heads = 2, kv_heads = 2, scale = 0.5, mask = causal} : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>
    lm.return %a : tensor<?x8xf32>
  }
}

// CHECK-LABEL: lm.model @rotated_row_has_other_reader
// REMARK: RopesNotFused{{.*}}the ropes stay dispatches of their own: the rotated q has another reader
// CHECK: %[[QR:.*]] = lm.rope
// CHECK: %[[KR:.*]] = lm.rope
// CHECK: lm.cached_attention @kv, %[[QR]], %[[KR]], %{{.*}}, %{{.*}} {heads = 2, kv_heads = 2, mask = causal, scale = 0.5} :
lm.model @rotated_row_has_other_reader {vocab = 8, context = 4} {
  lm.cache @kv {heads = 2, dim_k = 4, dim_v = 4}
  %table = lm.weight "table" : <8x8>
  lm.forward(%tokens: !lm.tokens) {
    %x = lm.embed %tokens, %table : <8x8>
    %qr = lm.rope %x, %tokens {head_dim = 4, base = 1.0e4} : tensor<?x8xf32>
    %kr = lm.rope %x, %tokens {head_dim = 4, base = 1.0e4} : tensor<?x8xf32>
    lm.kv_append @kv, %kr, %x, %tokens : tensor<?x8xf32>, tensor<?x8xf32>
    %K, %V, %keys = lm.kv_view @kv, %tokens : tensor<?x8xf32>, tensor<?x8xf32>
    %a = lm.attention %qr, %K, %V, %keys, %tokens {heads = 2, kv_heads = 2, scale = 0.5, mask = causal} : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>
    %y = lm.add %a, %qr : tensor<?x8xf32>
    lm.return %y : tensor<?x8xf32>
  }
}

// CHECK-LABEL: lm.model @only_q_is_rotated
// REMARK: RopesNotFused{{.*}}the ropes stay dispatches of their own: only q is rotated
// CHECK: %[[QR:.*]] = lm.rope
// CHECK: lm.cached_attention @kv, %[[QR]], %[[X:.*]], %[[X]], %{{.*}} {heads = 2, kv_heads = 2, mask = causal, scale = 0.5} :
lm.model @only_q_is_rotated {vocab = 8, context = 4} {
  lm.cache @kv {heads = 2, dim_k = 4, dim_v = 4}
  %table = lm.weight "table" : <8x8>
  lm.forward(%tokens: !lm.tokens) {
    %x = lm.embed %tokens, %table : <8x8>
    %qr = lm.rope %x, %tokens {head_dim = 4, base = 1.0e4} : tensor<?x8xf32>
    lm.kv_append @kv, %x, %x, %tokens : tensor<?x8xf32>, tensor<?x8xf32>
    %K, %V, %keys = lm.kv_view @kv, %tokens : tensor<?x8xf32>, tensor<?x8xf32>
    %a = lm.attention %qr, %K, %V, %keys, %tokens {heads = 2, kv_heads = 2, scale = 0.5, mask = causal} : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>
    lm.return %a : tensor<?x8xf32>
  }
}

// CHECK-LABEL: lm.model @norms_of_heads
// CHECK: lm.cached_attention @kv, %[[Q:.*]], %[[K:.*]], %[[K]], %{{.*}} q_gain(%gq : !lm.weight<4>) k_gain(%gk : !lm.weight<4>)
// CHECK-SAME: {heads = 2, kv_heads = 1, mask = causal, norm_eps = 1.0e-06, norm_plus_one, rope_base = 10000.0,
// CHECK-NEXT: lm.return
lm.model @norms_of_heads {vocab = 8, context = 4} {
  lm.cache @kv {heads = 1, dim_k = 4, dim_v = 4}
  %table = lm.weight "table" : <8x8>
  %wk = lm.weight "wk" : <4x8>
  %gq = lm.weight "gq" : <4>
  %gk = lm.weight "gk" : <4>
  lm.forward(%tokens: !lm.tokens) {
    %x = lm.embed %tokens, %table : <8x8>
    %k = lm.linear %x, %wk : <4x8>
    %qn = lm.rms_norm %x, %gq {eps = 1.0e-6, group = 4, plus_one} : tensor<?x8xf32>, <4>
    %kn = lm.rms_norm %k, %gk {eps = 1.0e-6, plus_one} : <4>
    %qr = lm.rope %qn, %tokens {head_dim = 4, base = 1.0e4} : tensor<?x8xf32>
    %kr = lm.rope %kn, %tokens {head_dim = 4, base = 1.0e4} : tensor<?x4xf32>
    lm.kv_append @kv, %kr, %k, %tokens : tensor<?x4xf32>, tensor<?x4xf32>
    %K, %V, %keys = lm.kv_view @kv, %tokens : tensor<?x4xf32>, tensor<?x4xf32>
    %a = lm.attention %qr, %K, %V, %keys, %tokens {heads = 2, kv_heads = 1, scale = 0.5, mask = causal} : tensor<?x8xf32>, tensor<?x4xf32>, tensor<?x4xf32>
    lm.return %a : tensor<?x8xf32>
  }
}

// CHECK-LABEL: lm.model @norms_without_rope
// CHECK: lm.cached_attention @kv, %[[X:.*]], %[[X]], %[[X]], %{{.*}} k_gain(%gain : !lm.weight<4>) {heads = 2, kv_heads = 2, mask = causal, norm_eps = 0.0, scale = 0.5} :
lm.model @norms_without_rope {vocab = 8, context = 4} {
  lm.cache @kv {heads = 2, dim_k = 4, dim_v = 4}
  %table = lm.weight "table" : <8x8>
  %gain = lm.weight "gain" : <4>
  lm.forward(%tokens: !lm.tokens) {
    %x = lm.embed %tokens, %table : <8x8>
    %qn = lm.rms_norm %x {eps = 0.0, group = 4} : tensor<?x8xf32>
    %kn = lm.rms_norm %x, %gain {eps = 0.0, group = 4} : tensor<?x8xf32>, <4>
    lm.kv_append @kv, %kn, %x, %tokens : tensor<?x8xf32>, tensor<?x8xf32>
    %K, %V, %keys = lm.kv_view @kv, %tokens : tensor<?x8xf32>, tensor<?x8xf32>
    %a = lm.attention %qn, %K, %V, %keys, %tokens {heads = 2, kv_heads = 2, scale = 0.5, mask = causal} : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>
    lm.return %a : tensor<?x8xf32>
  }
}
