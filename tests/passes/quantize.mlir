// RUN: %llmc-opt %s -lm-quantize="rules=q4_0,blk\.0\.ffn_down=q6_k,a_fixed=keep" | FileCheck %s
// RUN: %llmc-opt %s -lm-quantize="rules=ffn_down=int8,^blk\.1\.=keep,^table=f16" | FileCheck %s --check-prefix=RULES
// RUN: %llmc-opt %s -lm-quantize="rules=q4_k,ffn_down=q4_k" | FileCheck %s --check-prefix=ODD
// RUN: printf '# schemes\nq8_0\n  ^blk\\.1\\.ffn_down = q4_0 # the last\n' > %t.rules
// RUN: %llmc-opt %s -lm-quantize="rules=@%t.rules" | FileCheck %s --check-prefix=FILE
// RUN: %llmc-opt %s -lm-quantize | FileCheck %s --check-prefix=NONE
//
// Rules in their order, layers that differ, expressions, tied tables and vectors.

// NONE-COUNT-1: lm.w.quantize %a_fixed {to = f16}
// NONE-NOT: lm.w.quantize

// Rows of 64 do not fill a block of 256.
// ODD: lm.w.quantize %table {to = q8_0}
// ODD: lm.w.quantize %{{[0-9]+}} {to = q5_0}
// ODD: lm.w.quantize %ffn_down {to = q4_k}

// CHECK: %table = lm.weight "table"
// CHECK-NEXT: %[[TABLE:.*]] = lm.w.quantize %table {to = q8_0} : <32x64>
// CHECK: lm.embed %{{.*}}, %[[TABLE]] : <32x64>
// CHECK: lm.rms_norm %{{.*}}, %norm {
// CHECK: %[[ROWS:.*]] = lm.w.rows %attn_qkv[0 : 64]
// CHECK-NEXT: %[[Q:.*]] = lm.w.quantize %[[ROWS]] {to = q4_0} : <64x64>
// CHECK: lm.linear %{{.*}}, %[[Q]], %attn_qkv_bias : <64x64>
// CHECK: %[[DOWN:.*]] = lm.w.quantize %ffn_down {to = [q6_k, q4_0]} : <64x64>
// CHECK: lm.linear %{{.*}}, %[[DOWN]] : <64x64>
// CHECK: lm.w.quantize %{{.*}} {to = f16} : <64x64>
// CHECK: lm.linear %{{.*}}, %[[TABLE]] : <32x64>

// RULES: lm.w.quantize %table {to = f16} : <32x64>
// RULES-NOT: lm.w.quantize %{{.*}}rows
// RULES: lm.w.quantize %ffn_down {to = [int8, keep]} : <64x64>
// RULES: lm.w.quantize %{{.*}} {to = f16} : <64x64>

// FILE: lm.w.quantize %table {to = q8_0}
// FILE: lm.w.quantize %{{.*}} {to = q8_0} : <64x64>
// FILE: lm.w.quantize %ffn_down {to = [q8_0, q4_0]} : <64x64>
// FILE: lm.w.quantize %{{.*}} {to = q8_0} : <64x64>
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
      %wd = lm.weight "blk.{i}.ffn_down" : <64x64>
      %d = lm.linear %q, %wd : <64x64>
      %fixed = lm.weight "blk.{i}.a_fixed" : <64x64>
      %wf = lm.w.quantize %fixed {to = f16} : <64x64>
      %f = lm.linear %d, %wf : <64x64>
      lm.yield %f : tensor<?x64xf32>
    }
    %a = lm.asked_rows %x, %tokens : tensor<?x64xf32>
    %logits = lm.linear %a, %table : <32x64>
    lm.return %logits : tensor<?x32xf32>
  }
}
