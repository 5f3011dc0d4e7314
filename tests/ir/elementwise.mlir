// RUN: %llmc-opt %s -o %t.mlir && FileCheck %s < %t.mlir
// RUN: %llmc-opt %t.mlir | diff %t.mlir -
// RUN: %llmc-opt %s -mlir-print-op-generic | %llmc-opt | diff %t.mlir -
// RUN: %llmc-opt %s -emit-bytecode | %llmc-opt | diff %t.mlir -
//
// Elementwise ops, ops on columns, and the fused matmul.

// CHECK-LABEL: @elementwise
func.func @elementwise(%a: tensor<?x8xf32>, %b: tensor<?x8xf32>) {
  // CHECK: lm.add %[[A:.*]], %[[B:[^ ]*]] : tensor<?x8xf32>
  %add = lm.add %a, %b : tensor<?x8xf32>
  // CHECK: lm.mul %[[A]], %[[B]] : tensor<?x8xf32>
  %mul = lm.mul %a, %b : tensor<?x8xf32>
  // CHECK: lm.clamp %[[A]] {max = 7.0, min = -7.0} : tensor<?x8xf32>
  %clamp = lm.clamp %a {max = 7, min = -7} : tensor<?x8xf32>
  // CHECK: lm.gelu %[[A]] {form = erf} : tensor<?x8xf32>
  %erf = lm.gelu %a : tensor<?x8xf32>
  // CHECK: lm.gelu %[[A]] {form = tanh} : tensor<?x8xf32>
  %gelu = lm.gelu %a {form = tanh} : tensor<?x8xf32>
  // CHECK: lm.gelu %[[A]] {form = quick} : tensor<?x8xf32>
  %quick = lm.gelu %a {form = "quick"} : tensor<?x8xf32>
  // CHECK: lm.relu %[[A]] : tensor<?x8xf32>
  %relu = lm.relu %a : tensor<?x8xf32>
  // CHECK: lm.relu2 %[[A]] : tensor<?x8xf32>
  %relu2 = lm.relu2 %a : tensor<?x8xf32>
  // CHECK: lm.scale %[[A]] {factor = 0.20000000298023224} : tensor<?x8xf32>
  %scale = lm.scale %a {factor = 0.20000000298023224} : tensor<?x8xf32>
  // CHECK: lm.sigmoid %[[A]] : tensor<?x8xf32>
  %sigmoid = lm.sigmoid %a : tensor<?x8xf32>
  // CHECK: lm.silu %[[A]] : tensor<?x8xf32>
  %silu = lm.silu %a : tensor<?x8xf32>
  // CHECK: lm.softcap %[[A]] {cap = 30.0} : tensor<?x8xf32>
  %softcap = lm.softcap %a {cap = 30.0} : tensor<?x8xf32>
  // CHECK: lm.tanh %[[A]] : tensor<?x8xf32>
  %tanh = lm.tanh %a : tensor<?x8xf32>
  return
}

// CHECK-LABEL: @columns
func.func @columns(%x: tensor<?x8xf32>, %y: tensor<?x2xf32>) {
  // CHECK: lm.slice %{{.*}}[2 : 5] : tensor<?x8xf32> -> tensor<?x3xf32>
  %slice = lm.slice %x [2:5] : tensor<?x8xf32> -> tensor<?x3xf32>
  // CHECK: lm.concat %{{.*}}, %{{[^ ]*}} : tensor<?x8xf32>, tensor<?x2xf32> -> tensor<?x10xf32>
  %concat = lm.concat %x, %y : tensor<?x8xf32>, tensor<?x2xf32> -> tensor<?x10xf32>
  return
}

// CHECK-LABEL: @asked_rows
func.func @asked_rows(%x: tensor<?x8xf32>, %tokens: !lm.tokens) -> tensor<?x8xf32> {
  // CHECK: lm.asked_rows %{{.*}}, %{{.*}} : tensor<?x8xf32>
  %y = lm.asked_rows %x, %tokens : tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// CHECK-LABEL: @fused_linear
func.func @fused_linear(%x: tensor<?x8xf32>, %gain: !lm.weight<8>, %bias: !lm.weight<8>, %wq: !lm.weight<8x8>,
                        %wk: !lm.weight<4x8>, %bq: !lm.weight<8>, %bk: !lm.weight<4>, %residual: tensor<?x8xf32>) {
  // CHECK: lm.fused_linear %[[X:.*]] weights(%[[WQ:[^ ]*]]) : <8x8> -> tensor<?x8xf32>
  %0 = lm.fused_linear %x weights(%wq) : <8x8> -> tensor<?x8xf32>
  // CHECK: lm.fused_linear %[[X]] norm(%{{.*}}) weights(%[[WQ]], %{{.*}}) {eps = 1.0e-05, norm = rms, plus_one}
  // CHECK-SAME: : <8x8>, <4x8> -> (tensor<?x8xf32>, tensor<?x4xf32>)
  %1:2 = lm.fused_linear %x norm(%gain) weights(%wq, %wk) {norm = rms, eps = 1.0e-5, plus_one} : <8x8>, <4x8> -> (tensor<?x8xf32>, tensor<?x4xf32>)
  // CHECK: lm.fused_linear %[[X]] norm(%{{.*}}, %{{.*}}) weights(%[[WQ]], %{{.*}}) biases(%{{.*}}, %{{.*}}) {eps = 1.0e-05, norm = layer}
  %2:2 = lm.fused_linear %x norm(%gain, %bias) weights(%wq, %wk) biases(%bq, %bk) {norm = layer, eps = 1.0e-5} : <8x8>, <4x8> -> (tensor<?x8xf32>, tensor<?x4xf32>)
  // CHECK: lm.fused_linear %[[X]] weights(%[[WQ]], %[[WQ]]) residual(%{{.*}}) {act = silu, glu} : <8x8>, <8x8> -> tensor<?x8xf32>
  %3 = lm.fused_linear %x weights(%wq, %wq) residual(%residual) {act = silu, glu} : <8x8>, <8x8> -> tensor<?x8xf32>
  return
}
