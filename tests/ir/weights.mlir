// RUN: %llmc-opt %s -o %t.mlir && FileCheck %s < %t.mlir
// RUN: %llmc-opt %t.mlir | diff %t.mlir -
// RUN: %llmc-opt %s -mlir-print-op-generic | %llmc-opt | diff %t.mlir -
// RUN: %llmc-opt %s -emit-bytecode | %llmc-opt | diff %t.mlir -
//
// Weight expressions. A weight is named after the last telling word of its pattern.

// CHECK-LABEL: @names
func.func @names() -> (!lm.weight<8x8>, !lm.weight<8>, !lm.weight<8>, !lm.weight<8>) {
  // CHECK: %attn_q = lm.weight "blk.{i}.attn_q.weight" : <8x8>
  %0 = lm.weight "blk.{i}.attn_q.weight" : <8x8>
  // CHECK: %attn_q_bias = lm.weight "blk.{i}.attn_q.bias" : <8>
  %1 = lm.weight "blk.{i}.attn_q.bias" : <8>
  // CHECK: %weight = lm.weight "weight" : <8>
  %2 = lm.weight "weight" : <8>
  // CHECK: %{{[0-9]+}} = lm.weight "blk.{i}.0 \22odd\22" : <8>
  %3 = lm.weight "blk.{i}.0 \22odd\22" : <8>
  return %0, %1, %2, %3 : !lm.weight<8x8>, !lm.weight<8>, !lm.weight<8>, !lm.weight<8>
}

// CHECK-LABEL: @expressions
func.func @expressions(%a: !lm.weight<6x4>, %b: !lm.weight<6x4>, %c: !lm.weight<2x4>, %v: !lm.weight<6>) {
  // CHECK: lm.w.add %{{.*}}, %{{.*}} : <6x4>
  %add = lm.w.add %a, %b : <6x4>
  // CHECK: lm.w.concat %{{.*}}, %{{.*}} : !lm.weight<6x4>, !lm.weight<2x4> -> <8x4>
  %concat = lm.w.concat %a, %c : !lm.weight<6x4>, !lm.weight<2x4> -> <8x4>
  // CHECK: lm.w.permute %{{.*}} {order = [0, 2, 1], shape = [1, 3, 2]} : <6x4>
  %permute = lm.w.permute %a {shape = [1, 3, 2], order = [0, 2, 1]} : <6x4>
  // CHECK: lm.w.quantize %{{.*}} {to = q4_0} : <6x4>
  %quantize = lm.w.quantize %a {to = "q4_0"} : <6x4>
  // CHECK: lm.w.rows %{{.*}}[2 : 5] : <6x4> -> <3x4>
  %rows = lm.w.rows %a [2:5] : <6x4> -> <3x4>
  // CHECK: lm.w.rows %{{.*}}[0 : 2] : <6> -> <2>
  %part = lm.w.rows %v [0:2] : <6> -> <2>
  // CHECK: lm.w.scale %{{.*}} {factor = 0.125} : <6x4>
  %scale = lm.w.scale %a {factor = 0.125} : <6x4>
  // CHECK: %[[T:.*]] = lm.w.transpose %{{.*}} : <6x4> -> <4x6>
  %transpose = lm.w.transpose %a : <6x4> -> <4x6>
  // CHECK: lm.w.mul %{{.*}}, %[[T]] : <6x4>, <4x6> -> <6x6>
  %mul = lm.w.mul %b, %transpose : <6x4>, <4x6> -> <6x6>
  return
}

// CHECK-LABEL: @schemes_by_layer
func.func @schemes_by_layer(%x: tensor<?x4xf32>) {
  %y = lm.layers count = 3 iter(%h = %x : tensor<?x4xf32>) {
    %a = lm.weight "a.{i}" : <4x4>
    // CHECK: lm.w.quantize %{{.*}} {to = [q4_0, keep, int8]} : <4x4>
    %w = lm.w.quantize %a {to = [q4_0, keep, "int8"]} : <4x4>
    lm.yield %h : tensor<?x4xf32>
  }
  return
}
