// RUN: not %llmc-opt %s -lm-plan-kv-cache=type=f8 2>&1 | FileCheck %s --check-prefix=TYPE
// RUN: not %llmc-opt %s -lm-plan-kv-cache=page-tokens=20 2>&1 | FileCheck %s --check-prefix=PAGE

// TYPE: error: 'lm.cache' op expected 'type' to be one of f32, f16, bf16, q8 but got 'f8'
// PAGE: error: 'lm.cache' op expected 'page_tokens' to be a multiple of 16 up to 4096 but got 20
lm.model @options {vocab = 8, context = 4} {
  lm.cache @kv {heads = 1, dim_k = 8, dim_v = 8}
  %table = lm.weight "table" : <8x8>
  lm.forward(%tokens: !lm.tokens) {
    %x = lm.embed %tokens, %table : <8x8>
    lm.return %x : tensor<?x8xf32>
  }
}
