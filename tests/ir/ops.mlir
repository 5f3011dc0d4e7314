// RUN: %llmc-opt %s -o %t.mlir && FileCheck %s < %t.mlir
// RUN: %llmc-opt %t.mlir | diff %t.mlir -
// RUN: %llmc-opt %s -mlir-print-op-generic | %llmc-opt | diff %t.mlir -
// RUN: %llmc-opt %s -emit-bytecode | %llmc-opt | diff %t.mlir -
//
// Every op that computes, written, printed and read again in three forms. Declarations, layers and the cache ops stand
// in model.mlir, weight expressions in weights.mlir, the step dialect in step.mlir.

// CHECK-LABEL: @embed
func.func @embed(%tokens: !lm.tokens, %w: !lm.weight<100x8>) {
  // CHECK: lm.embed %[[TOKENS:.*]], %[[W:.*]] : <100x8>
  %plain = lm.embed %tokens, %w : <100x8>
  // CHECK: lm.embed %[[TOKENS]], %[[W]] {scale = 2.5} : <100x8>
  %scaled = lm.embed %tokens, %w {scale = 2.5} : <100x8>
  // CHECK: lm.position_embed %[[TOKENS]], %[[W]] : <100x8>
  %first = lm.position_embed %tokens, %w {offset = 0} : <100x8>
  // CHECK: lm.position_embed %[[TOKENS]], %[[W]] {offset = 2} : <100x8>
  %shifted = lm.position_embed %tokens, %w {offset = 2} : <100x8>
  return
}

// CHECK-LABEL: @doors
func.func @doors(%tokens: !lm.tokens, %w: !lm.weight<4x8>) -> (tensor<?x4xi32>, tensor<4x8xf32>) {
  // CHECK: lm.token_rows %
  %rows = lm.token_rows %tokens
  // CHECK: lm.weight_values %{{.*}} : <4x8> -> tensor<4x8xf32>
  %values = lm.weight_values %w : <4x8> -> tensor<4x8xf32>
  return %rows, %values : tensor<?x4xi32>, tensor<4x8xf32>
}

// CHECK-LABEL: @linear
func.func @linear(%x: tensor<?x8xf32>, %w: !lm.weight<4x8>, %b: !lm.weight<4>) {
  // CHECK: lm.linear %[[X:.*]], %[[W:[^ ]*]] : <4x8>
  %y = lm.linear %x, %w : <4x8>
  // CHECK: lm.linear %[[X]], %[[W]], %{{[^ ]*}} : <4x8>
  %biased = lm.linear %x, %w, %b : !lm.weight<4x8>
  return
}

// CHECK-LABEL: @norms
func.func @norms(%x: tensor<?x8xf32>, %gain: !lm.weight<8>, %bias: !lm.weight<8>, %head: !lm.weight<4>) {
  // CHECK: lm.rms_norm %[[X:.*]], %[[GAIN:[^ ]*]] {eps = 1.0e-05} : <8>
  %0 = lm.rms_norm %x, %gain {eps = 1.0e-5} : <8>
  // CHECK: lm.rms_norm %[[X]] {eps = 0.0} : tensor<?x8xf32>
  %1 = lm.rms_norm %x {eps = 0} : tensor<?x8xf32>
  // CHECK: lm.rms_norm %[[X]], %{{[^ ]*}} {eps = 1.0e-05, group = 4, plus_one} : tensor<?x8xf32>, <4>
  %2 = lm.rms_norm %x, %head {group = 4, plus_one, eps = 1.0e-5} : tensor<?x8xf32>, <4>
  // CHECK: lm.layer_norm %[[X]], %[[GAIN]], %{{[^ ]*}} {eps = 1.0e-05} : <8>
  %3 = lm.layer_norm %x, %gain, %bias {eps = 1.0e-5} : <8>
  // CHECK: lm.layer_norm %[[X]], %[[GAIN]] {eps = 1.0e-05} : <8>
  %4 = lm.layer_norm %x, %gain {eps = 1.0e-5} : <8>
  // CHECK: lm.layer_norm %[[X]] {eps = 1.0e-05, group = 2} : tensor<?x8xf32>
  %5 = lm.layer_norm %x {eps = 1.0e-5, group = 2} : tensor<?x8xf32>
  return
}

// CHECK-LABEL: @rope
func.func @rope(%x: tensor<?x8xf32>, %tokens: !lm.tokens) {
  // CHECK: lm.rope %{{.*}}, %{{.*}} {base = 10000.0, head_dim = 4, style = half} : tensor<?x8xf32>
  %0 = lm.rope %x, %tokens {head_dim = 4, base = 10000} : tensor<?x8xf32>
  // CHECK: {base = @base, dims = 4, factor = 0.5, freqs = [1.0, 0.125], head_dim = 8, style = interleaved}
  %1 = lm.rope %x, %tokens {head_dim = 8, dims = 4, style = interleaved, base = @base, freqs = [1.0, 0.125], factor = 0.5} : tensor<?x8xf32>
  return
}

// CHECK-LABEL: @attention
func.func @attention(%q: tensor<?x8xf32>, %k: tensor<?x4xf32>, %v: tensor<?x6xf32>, %keys: tensor<?x2xi32>,
                     %tokens: !lm.tokens, %sinks: !lm.weight<4>) {
  // CHECK: lm.attention %{{.*}} {heads = 4, kv_heads = 2, mask = full, scale = 0.5} : tensor<?x8xf32>, tensor<?x4xf32>, tensor<?x4xf32>
  %0 = lm.attention %q, %k, %k, %keys, %tokens {heads = 4, kv_heads = 2, scale = 0.5, mask = full} : tensor<?x8xf32>, tensor<?x4xf32>, tensor<?x4xf32>
  // CHECK: lm.attention %{{.*}}, %{{.*}} : !lm.weight<4> {heads = 4, kv_heads = 2, mask = causal, scale = 0.5, softcap = 30.0, window = @window}
  // CHECK-SAME: : tensor<?x8xf32>, tensor<?x4xf32>, tensor<?x6xf32> -> tensor<?x12xf32>
  %1 = lm.attention %q, %k, %v, %keys, %tokens, %sinks : !lm.weight<4> {heads = 4, kv_heads = 2, scale = 0.5, mask = causal, window = @window, softcap = 30} : tensor<?x8xf32>, tensor<?x4xf32>, tensor<?x6xf32> -> tensor<?x12xf32>
  return
}
