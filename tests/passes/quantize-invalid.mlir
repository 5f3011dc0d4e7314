// Rules that cannot be followed.
//
// RUN: not %llmc-opt %s -lm-quantize="rules=q4_0,tabel=q8_0" 2>&1 | FileCheck %s --check-prefix=UNMATCHED
// UNMATCHED: error: the rule 'tabel=q8_0' matches no matrix of the model
// RUN: not %llmc-opt %s -lm-quantize="rules=gain=q8_0" 2>&1 | FileCheck %s --check-prefix=VECTOR
// VECTOR: error: the rule 'gain=q8_0' matches no matrix of the model
// RUN: not %llmc-opt %s -lm-quantize="rules=table=q9" 2>&1 | FileCheck %s --check-prefix=SCHEME
// SCHEME: error: expected a scheme of f16, bf16, bf16z, q8_0, q4_0, q4_1, q5_0, q5_1, q4_k, q6_k, int8, keep but got 'q9'
// RUN: not %llmc-opt %s -lm-quantize="rules=tab(le=q8_0" 2>&1 | FileCheck %s --check-prefix=REGEX
// REGEX: error: expected a regular expression before '=' but got 'tab(le': parentheses not balanced
// RUN: not %llmc-opt %s -lm-quantize="rules==q8_0" 2>&1 | FileCheck %s --check-prefix=EMPTY
// EMPTY: error: expected a regular expression before '=' but got ''
// RUN: printf '# nothing\n\nq4_0 # all\nblk=q8_1\n' > %t.rules
// RUN: not %llmc-opt %s -lm-quantize="rules=@%t.rules" 2>&1 | FileCheck %s --check-prefix=LINE
// LINE: error: {{.*}}.rules:4: expected a scheme of {{.*}} but got 'q8_1'
// RUN: printf 'table=q8_0\nblk=q8_0\n' > %t.rules
// RUN: not %llmc-opt %s -lm-quantize="rules=@%t.rules" 2>&1 | FileCheck %s --check-prefix=PLACE
// PLACE: error: {{.*}}.rules:2: the rule 'blk=q8_0' matches no matrix of the model
// RUN: printf '# nothing\n\n' > %t.rules
// RUN: not %llmc-opt %s -lm-quantize="rules=@%t.rules" 2>&1 | FileCheck %s --check-prefix=NONE
// NONE: error: {{.*}}.rules: holds no rule, expected SCHEME or REGEX=SCHEME on a line
// RUN: not %llmc-opt %s -lm-quantize="rules=@%t.absent" 2>&1 | FileCheck %s --check-prefix=ABSENT
// ABSENT: error: {{.*}}.absent: cannot read the rules: {{.*}}
lm.model @m {vocab = 4, context = 16} {
  %w = lm.weight "table" : <4x8>
  %g = lm.weight "gain" : <8>
  lm.forward(%t: !lm.tokens) {
    %x = lm.embed %t, %w : <4x8>
    %a = lm.asked_rows %x, %t : tensor<?x8xf32>
    %n = lm.rms_norm %a, %g {eps = 1.0e-5} : <8>
    %l = lm.linear %n, %w : <4x8>
    lm.return %l : tensor<?x4xf32>
  }
}
