#!/bin/bash
# quantize.sh LLMC REQUANTIZE MODEL.gguf WORKDIR SCHEME...: MODEL compiled with --quantize SCHEME is the model whose file
# holds SCHEME already: the packed weights and the logits are equal bit for bit. Rows that no file holds in SCHEME are
# compared with a file of the floats that SCHEME stands for, within float rounding. The default kernels agree, too.
set -u
llmc=$1 requantize=$2 model=$(realpath "$3") work=$4
shift 4
rm -rf "$work"
mkdir -p "$work"
cd "$work" || exit 1
failures=0
fail() { echo "$*"; failures=$((failures + 1)); }

tokens=1,5,9,2,77,31,100,3,8,42,11
logits() { "$llmc" logits "$1" --tokens $tokens --all --json; }
# The largest difference of two models' logits in standard deviations of the first; nothing if they are not as many.
distance() {
  paste <(logits "$1" | grep -o -E '[-0-9.e+]+[],]' | tr -d '],') <(logits "$2" | grep -o -E '[-0-9.e+]+[],]' | tr -d '],') |
    awk 'NF != 2 { exit 1 } { s += $1; q += $1 * $1; d = $1 - $2; if (d < 0) d = -d; if (d > m) m = d }
         END { if (NR > 100) print m / sqrt(q / NR - s * s / NR / NR) }'
}
below() { [ -n "$1" ] && awk "BEGIN { exit !($1 <= $2) }"; }
weights() { "$llmc" inspect "$1" --json | grep -o '"weights_hash":"[^"]*"'; }
compile() { "$llmc" compile "$@" --cpu native $as_it_is || fail "compile $*"; }

"$llmc" import "$model" -o model.mlir || exit 1
sed 's/lm.weights ".*"/lm.weights "held.gguf"/' model.mlir > held.mlir
grep -q 'lm.weights "held.gguf"' held.mlir || fail "the text names no weights"
as_it_is="--disable-pass pack-bf16"
for scheme in "$@"; do
  compile model.mlir -o made.so --quantize ".=$scheme" --activations f32
  case $scheme in
  *_k | int8)
    "$requantize" "$model" held.gguf "$scheme" f32 || fail "requantize $scheme"
    compile held.mlir -o held.so --activations f32
    # Sums in another order, over six matmuls in a row.
    difference=$(distance made.so held.so)
    below "$difference" 2e-5 || fail "$scheme: ${difference:-no} std from the floats it stands for"
    ;;
  *)
    "$requantize" "$model" held.gguf "$scheme" || fail "requantize $scheme"
    compile held.mlir -o held.so --activations f32
    [ "$(weights made.so)" = "$(weights held.so)" ] && [ -n "$(weights made.so)" ] || fail "$scheme: other packed weights"
    [ "$(logits made.so)" = "$(logits held.so)" ] && [ -n "$(logits made.so)" ] || fail "$scheme: other logits"
    compile model.mlir -o made8.so --quantize ".=$scheme"
    compile held.mlir -o held8.so
    [ "$(logits made8.so)" = "$(logits held8.so)" ] || fail "$scheme: other logits with the default activations"
    ;;
  esac
  compile model.mlir -o default.so --quantize ".=$scheme" --default-kernels
  difference=$(distance made.so default.so)
  below "$difference" 2e-5 || fail "$scheme: ${difference:-no} std from the default kernels"
  "$llmc" inspect made.so --json | grep -q "\"scheme\":\"$scheme\"" || fail "$scheme: inspect does not name it"
  "$llmc" inspect default.so --json | grep -q '"activations":"f32"' || fail "$scheme: default kernels compute in f32"
done
# bf16 in 12 bits: other bytes, the same logits. It is what bf16 is stored as, where numbers fit.
compile model.mlir -o plain.so --quantize '.=bf16'
as_it_is=
for scheme in bf16 bf16z; do
  compile model.mlir -o packed.so --quantize ".=$scheme"
  [ "$(weights packed.so)" != "$(weights plain.so)" ] || fail "$scheme: the packed weights are those of plain bf16"
  [ "$(logits packed.so)" = "$(logits plain.so)" ] && [ -n "$(logits packed.so)" ] || fail "$scheme: other logits than bf16"
  "$llmc" inspect packed.so --json | grep -q '"scheme":"bf16z"' || fail "$scheme: inspect does not name bf16z"
done
# The comparisons can fail.
compile model.mlir -o other.so --quantize '.=q4_0' --quantize 'blk.0.attn_q=f16' --activations f32
compile model.mlir -o made.so --quantize '.=q4_0' --activations f32
[ "$(weights made.so)" != "$(weights other.so)" ] || fail "a rule for one tensor changed nothing"
below "$(distance made.so other.so)" 2e-5 && fail "the distance of two models is nothing"
"$llmc" compile model.mlir -o none.so --quantize 'blk.77=q4_0' 2> none.txt && fail "a rule for nothing is taken"
[ "$(cat none.txt)" = "llmc: error: --quantize: the rule 'blk.77=q4_0' matches no matrix of the model" ] || fail "$(cat none.txt)"
[ $failures -eq 0 ]
