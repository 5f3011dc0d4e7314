// RUN: %llmc-opt %s -lm-decompose | %llmc-opt -o /dev/null
// RUN: %llmc-opt %s -lm-decompose -print-op-stats -o /dev/null 2>&1 | grep -E '^ *[a-z_]+[.]' | FileCheck %s
// RUN: %llmc-opt %s -lm-decompose -print-op-stats -o /dev/null 2>&1 | grep -E '^ *[a-z_]+[.]' | not grep -vE '^ *(builtin|lm|tensor|linalg|arith|math|scf)[.]'
//
// Every op that has a decomposition stands here once; tests/ir/complete.cmake and the tests of code generation check
// that none is missing. What is left of the dialect are declarations, weights, the two doors and the cache ops; beside
// it stand tensor, linalg, arith, math and scf only.

// CHECK-NOT: {{ lm[.]}}
// CHECK: lm.asked_rows
// CHECK-NEXT: lm.cache {{.*}}, 1
// CHECK-NEXT: lm.forward
// CHECK-NEXT: lm.kv_append {{.*}}, 2
// CHECK-NEXT: lm.kv_view {{.*}}, 2
// CHECK-NEXT: lm.model
// CHECK-NEXT: lm.return
// CHECK-NEXT: lm.token_rows
// CHECK-NEXT: lm.weight
// CHECK-NEXT: lm.weight_values
// CHECK-NOT: {{ lm[.]}}
lm.model @every_op {vocab = 12, context = 64} {
  lm.cache @kv {heads = 1, dim_k = 4, dim_v = 4}
  lm.forward(%tokens: !lm.tokens) {
    %table = lm.weight "table" : <12x8>
    %gain = lm.weight "gain" : <8>
    %bias = lm.weight "bias" : <8>
    %groupGain = lm.weight "group_gain" : <4>
    %w = lm.weight "w" : <8x8>
    %wk = lm.weight "wk" : <4x8>
    %bk = lm.weight "bk" : <4>
    %sinks = lm.weight "sinks" : <2>
    %e = lm.embed %tokens, %table {scale = 2.0} : <12x8>
    %p = lm.position_embed %tokens, %table {offset = 2} : <12x8>
    %x = lm.add %e, %p : tensor<?x8xf32>
    %rms = lm.rms_norm %x, %gain {eps = 1.0e-5} : <8>
    %grouped = lm.rms_norm %rms, %groupGain {eps = 1.0e-5, group = 4, plus_one} : tensor<?x8xf32>, <4>
    %ln = lm.layer_norm %grouped, %gain, %bias {eps = 1.0e-5} : <8>
    %groupedLn = lm.layer_norm %ln {eps = 1.0e-5, group = 2} : tensor<?x8xf32>
    %q0 = lm.linear %groupedLn, %w, %bias : <8x8>
    %k = lm.linear %groupedLn, %wk, %bk : <4x8>
    %q = lm.rope %q0, %tokens {head_dim = 4, base = 1.0e4, style = interleaved, dims = 2} : tensor<?x8xf32>
    %kr = lm.rope %k, %tokens {head_dim = 4, base = 1.0e4} : tensor<?x4xf32>
    lm.kv_append @kv, %kr, %k, %tokens : tensor<?x4xf32>, tensor<?x4xf32>
    %K, %V, %keys = lm.kv_view @kv, %tokens : tensor<?x4xf32>, tensor<?x4xf32>
    %a = lm.attention %q, %K, %V, %keys, %tokens, %sinks : !lm.weight<2> {heads = 2, kv_heads = 1, scale = 0.5, mask = causal, window = 5, softcap = 30.0} : tensor<?x8xf32>, tensor<?x4xf32>, tensor<?x4xf32>
    %c = lm.cached_attention @kv, %q0, %k, %k, %tokens {heads = 2, kv_heads = 1, scale = 0.5, mask = full, rope_base = 1.0e4} : tensor<?x8xf32>, tensor<?x4xf32>, tensor<?x4xf32>
    %m = lm.mul %a, %c : tensor<?x8xf32>
    %s0 = lm.scale %m {factor = 0.5} : tensor<?x8xf32>
    %s1 = lm.clamp %s0 {min = -1.0, max = 1.0} : tensor<?x8xf32>
    %s2 = lm.softcap %s1 {cap = 3.0} : tensor<?x8xf32>
    %s3 = lm.gelu %s2 {form = tanh} : tensor<?x8xf32>
    %s4 = lm.relu %s3 : tensor<?x8xf32>
    %s5 = lm.relu2 %s4 : tensor<?x8xf32>
    %s6 = lm.sigmoid %s5 : tensor<?x8xf32>
    %s7 = lm.silu %s6 : tensor<?x8xf32>
    %s8 = lm.tanh %s7 : tensor<?x8xf32>
    %f = lm.fused_linear %s8 norm(%gain, %bias) weights(%w, %w) biases(%bias, %bias) residual(%x) {norm = layer, eps = 1.0e-5, act = gelu_quick, glu} : <8x8>, <8x8> -> tensor<?x8xf32>
    %left = lm.slice %f [0:4] : tensor<?x8xf32> -> tensor<?x4xf32>
    %y = lm.concat %f, %left : tensor<?x8xf32>, tensor<?x4xf32> -> tensor<?x12xf32>
    %asked = lm.asked_rows %y, %tokens : tensor<?x12xf32>
    lm.return %asked : tensor<?x12xf32>
  }
}
