// rms_norm of a row, seen through a head that is the identity: the logits are the normed row.
lm.model @rms_norm_row {vocab = 5, context = 64} {
  lm.weights "one-to-five.gguf"
  %table = lm.weight "token_embd.weight" : <5x5>
  %gain = lm.weight "gain" : <5>
  %identity = lm.weight "output.weight" : <5x5>
  lm.forward(%tokens: !lm.tokens) {
    %x = lm.embed %tokens, %table : <5x5>
    %asked = lm.asked_rows %x, %tokens : tensor<?x5xf32>
    %n = lm.rms_norm %asked, %gain {eps = 1.0e-6} : <5>
    %logits = lm.linear %n, %identity : <5x5>
    lm.return %logits : tensor<?x5xf32>
  }
}
