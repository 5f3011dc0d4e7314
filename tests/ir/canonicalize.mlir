// RUN: %llmc-opt %s -split-input-file -canonicalize -cse -canonicalize | FileCheck %s
//
// What MLIR's own simplifications may do: drop what nobody reads, merge equal pure ops and views; never an append.

// CHECK-LABEL: lm.model @unread
// CHECK-NOT: lm.silu
// CHECK-NOT: lm.weight "unread"
// CHECK-NOT: lm.kv_view
// CHECK: lm.kv_append
// CHECK: lm.return
lm.model @unread {vocab = 8, context = 4} {
  lm.cache @kv {heads = 1, dim_k = 8, dim_v = 8}
  %table = lm.weight "table" : <8x8>
  lm.forward(%tokens: !lm.tokens) {
    %x = lm.embed %tokens, %table : <8x8>
    %y = lm.silu %x : tensor<?x8xf32>
    %w = lm.weight "unread" : <8x8>
    lm.kv_append @kv, %x, %x, %tokens : tensor<?x8xf32>, tensor<?x8xf32>
    %K, %V, %keys = lm.kv_view @kv, %tokens : tensor<?x8xf32>, tensor<?x8xf32>
    lm.return %x : tensor<?x8xf32>
  }
}

// -----
// CHECK-LABEL: lm.model @equal_ops
// CHECK: %[[X:.*]] = lm.embed
// CHECK: %[[Y:.*]] = lm.silu %[[X]]
// CHECK-NEXT: lm.mul %[[Y]], %[[Y]]
lm.model @equal_ops {vocab = 8, context = 4} {
  %table = lm.weight "table" : <8x8>
  lm.forward(%tokens: !lm.tokens) {
    %x = lm.embed %tokens, %table : <8x8>
    %y = lm.silu %x : tensor<?x8xf32>
    %again = lm.weight "table" : <8x8>
    %x2 = lm.embed %tokens, %again : <8x8>
    %y2 = lm.silu %x2 : tensor<?x8xf32>
    %z = lm.mul %y, %y2 : tensor<?x8xf32>
    lm.return %z : tensor<?x8xf32>
  }
}

// -----
// An append between two views: both stay, in order. Without one, the views are one.
// CHECK-LABEL: lm.model @views
// CHECK: lm.kv_view
// CHECK-NOT: lm.kv_view
// CHECK: lm.kv_append
// CHECK: lm.kv_view
lm.model @views {vocab = 8, context = 4} {
  lm.cache @kv {heads = 1, dim_k = 8, dim_v = 8}
  %table = lm.weight "table" : <8x8>
  lm.forward(%tokens: !lm.tokens) {
    %x = lm.embed %tokens, %table : <8x8>
    %K, %V, %keys = lm.kv_view @kv, %tokens : tensor<?x8xf32>, tensor<?x8xf32>
    %K1, %V1, %keys1 = lm.kv_view @kv, %tokens : tensor<?x8xf32>, tensor<?x8xf32>
    %a = lm.attention %x, %K, %V1, %keys, %tokens {heads = 1, kv_heads = 1, scale = 1, mask = full} : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>
    lm.kv_append @kv, %a, %a, %tokens : tensor<?x8xf32>, tensor<?x8xf32>
    %K2, %V2, %keys2 = lm.kv_view @kv, %tokens : tensor<?x8xf32>, tensor<?x8xf32>
    %b = lm.attention %x, %K2, %V2, %keys2, %tokens {heads = 1, kv_heads = 1, scale = 1, mask = full} : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>
    lm.return %b : tensor<?x8xf32>
  }
}

// -----
// A stack that nobody reads goes, unless it appends.
// CHECK-LABEL: lm.model @unread_stack
// CHECK-NOT: lm.layers
lm.model @unread_stack {vocab = 8, context = 4} {
  %table = lm.weight "table" : <8x8>
  lm.forward(%tokens: !lm.tokens) {
    %x = lm.embed %tokens, %table : <8x8>
    %y = lm.layers count = 2 iter(%h = %x : tensor<?x8xf32>) {
      %h1 = lm.silu %h : tensor<?x8xf32>
      lm.yield %h1 : tensor<?x8xf32>
    }
    lm.return %x : tensor<?x8xf32>
  }
}
