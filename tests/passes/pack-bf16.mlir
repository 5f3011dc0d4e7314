// RUN: %llmc-opt %s -lm-pack-bf16 | FileCheck %s
//
// Matrices of matmuls and embeddings, as expressions too; not what has another scheme, nor vectors.

// CHECK: %table = lm.weight "table"
// CHECK-NEXT: %[[TABLE:.*]] = lm.w.quantize %table {to = bf16z} : <32x64>
// CHECK: lm.embed %{{.*}}, %[[TABLE]] : <32x64>
// CHECK: %[[ROWS:.*]] = lm.w.rows %attn_qkv[0 : 64]
// CHECK-NEXT: %[[Q:.*]] = lm.w.quantize %[[ROWS]] {to = bf16z} : <64x64>
// CHECK: lm.linear %{{.*}}, %[[Q]], %attn_qkv_bias : <64x64>
// CHECK: lm.w.quantize %a_fixed {to = [bf16z, f16]} : <64x64>
// CHECK-NOT: lm.w.quantize
lm.model @m {vocab = 32, context = 16} {
  %table = lm.weight "table" : <32x64>
  %g = lm.weight "norm" : <64>
  lm.forward(%tokens: !lm.tokens) {
    %x0 = lm.embed %tokens, %table : <32x64>
    %x = lm.layers count = 2 iter(%h = %x0 : tensor<?x64xf32>) {
      %n = lm.rms_norm %h, %g {eps = 1.0e-5} : <64>
      %qkv = lm.weight "blk.{i}.attn_qkv" : <128x64>
      %bias = lm.weight "blk.{i}.attn_qkv.bias" : <64>
      %wq = lm.w.rows %qkv [0:64] : <128x64> -> <64x64>
      %q = lm.linear %n, %wq, %bias : <64x64>
      %fixed = lm.weight "blk.{i}.a_fixed" : <64x64>
      %wf = lm.w.quantize %fixed {to = [bf16, f16]} : <64x64>
      %f = lm.linear %q, %wf : <64x64>
      lm.yield %f : tensor<?x64xf32>
    }
    %a = lm.asked_rows %x, %tokens : tensor<?x64xf32>
    %logits = lm.linear %a, %table : <32x64>
    lm.return %logits : tensor<?x32xf32>
  }
}
