// RUN: %llmc-opt %s -split-input-file -verify-diagnostics
//
// Tables of embeddings, and attributes that no op knows.

lm.model @embed_c1 {vocab = 9, context = 4} {
  %table = lm.weight "table" : <8x9>
  lm.forward(%tokens: !lm.tokens) {
    // expected-error @+1 {{'lm.embed' op expected a table of at least the model's vocab 9 rows but got 8}}
    %x = lm.embed %tokens, %table : <8x9>
    lm.return %x : tensor<?x9xf32>
  }
}

// -----
func.func @position_embed_c1(%tokens: !lm.tokens, %w: !lm.weight<4x8>) {
  // expected-error @+1 {{'lm.position_embed' op expected 'offset' between 0 and the table's 4 rows but got 4}}
  %x = lm.position_embed %tokens, %w {offset = 4} : <4x8>
  return
}

// -----
func.func @position_embed_c1_wide(%tokens: !lm.tokens, %w: !lm.weight<4x8>) {
  // expected-error @+1 {{'lm.position_embed' op expected 'offset' between 0 and the table's 4 rows but got 4294967296}}
  %x = lm.position_embed %tokens, %w {offset = 4294967296} : <4x8>
  return
}

// -----
func.func @unknown_attribute(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{'lm.slice' op has no attribute 'foo'}}
  %y = lm.slice %x [0:4] {foo = 1} : tensor<?x8xf32> -> tensor<?x4xf32>
  return
}
