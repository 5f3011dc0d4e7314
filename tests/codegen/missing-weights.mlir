// RUN: not %llmc-compile compile %s --stop-after fuse 2>&1 | FileCheck %s

// A file of weights that is not there is reported where the text names it.
// CHECK: {{^}}llmc: error: {{.*}}missing-weights.mlir:7:3: {{.*}}none.safetensors: cannot open: No such file or directory{{$}}

lm.model @m {vocab = 4, context = 8} {
  lm.weights "none.safetensors"
  %table = lm.weight "t" : <4x8>
  lm.forward(%tokens: !lm.tokens) {
    %x = lm.embed %tokens, %table : <4x8>
    %y = lm.linear %x, %table : <4x8>
    lm.return %y : tensor<?x4xf32>
  }
}
