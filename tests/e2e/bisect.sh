#!/bin/bash
# bisect.sh LLMC FIXTURES WORKDIR: llmc bisect names the pass and the op where two compiles part, and finds nothing where
# they only compute the same in another way.
set -u
llmc=$1 fixtures=$2 work=$3
rm -rf "$work"
mkdir -p "$work"
cd "$work" || exit 1
failures=0
fail() { echo "$*"; failures=$((failures + 1)); }
bisect() { # STATUS PATTERN ARGUMENTS...: the pattern stands in what is printed
  local status=$1 pattern=$2 found
  shift 2
  "$llmc" bisect "$@" >out 2>err
  found=$?
  [ $found -eq "$status" ] || fail "$*: exit code $found, expected $status: $(cat out err)"
  cat out err | grep -Eq -- "$pattern" || fail "$*: expected $pattern: $(cat out err)"
  [ "$status" -eq 0 ] || [ "$(wc -l <err)" -eq 1 ] || fail "$*: expected one sentence: $(cat err)"
  [ -z "$(ls -d "${TMPDIR:-/tmp}"/llmc-bisect* 2>/dev/null)" ] || fail "$*: leaves a folder behind"
}
mkdir tmp
export TMPDIR=$work/tmp
model=$fixtures/llama-gqa.gguf exact="--activations f32 --kv f32"

# Another way to the same numbers: the states differ, the values do not.
bisect 0 'no difference' "$model" --options-a "$exact" --options-b "$exact --disable-pass fuse-qkv --disable-pass fuse-epilogue"
grep -Eq '^import +the same text' out && grep -Eq '^fuse-swiglu +the same text' out || fail "what is the same is run: $(cat out)"
grep -Eq '^fuse-qkv +only a +[1-9]' out && grep -Eq '^kernels +[1-9]' out || fail "not all is compared: $(cat out)"

bisect 0 'no difference' "$model" --options-a "$exact --random-weights" --options-b "$exact --random-weights --disable-pass fuse-qkv"

# Weights of one tensor in four bits: what reads it first.
bisect 1 "the first: pass quantize: lm.fused_linear makes 'q' of layer 0 .*attn_q" "$model" --options-a "$exact" \
  --options-b "$exact --quantize 'blk.*attn_q=q4_0'"
bisect 1 '"pass":"quantize"' "$model" --json --options-a "$exact" --options-b "$exact --quantize 'blk.1.*ffn_down=q4_0'"
grep -q '"agree":false' out && grep -q '"layer":1' out && grep -q '"op":"lm.fused_linear"' out && grep -q '"value":"h_next"' out ||
  fail "the JSON says: $(cat out)"

# The cache, and what only the kernels do.
bisect 1 "the first: pass plan-kv-cache: lm.cached_attention makes 'attended' of layer 0" "$model" --options-a "$exact" \
  --options-b "--activations f32 --kv q8"
bisect 1 'the first: the kernels: lm.fused_linear' "$model" --options-a "$exact" --options-b "--activations bf16 --kv f32"

# Two texts, of which one reads another gain from layer 1 on; as texts and as dumps.
"$llmc" import "$model" -o a.mlir || fail "import"
sed '0,/blk[.]{i}[.]ffn_norm[.]weight/s//blk.0.ffn_norm.weight/' a.mlir >b.mlir
cmp -s a.mlir b.mlir && fail "nothing was changed"
bisect 1 "the first: pass import: lm.rms_norm makes 'mlp_in' of layer 1 [(]b.mlir:[0-9]+[)]" a.mlir b.mlir
bisect 0 'no difference' a.mlir b.mlir --layers 1
for side in a b; do "$llmc" compile $side.mlir --stop-after step -o $side.step --dump-ir $side $exact || fail "dump"; done
bisect 1 "pass import: lm.rms_norm makes 'mlp_in' of layer 1" a b
bisect 0 'no difference' a a.mlir --options-b "$exact"

# Mistakes that are planted into a pass, the lowering, the code.
planted() { bisect 1 "the first: $2" "$model" --options-a "$exact" --options-b "$exact --plant-bug $1"; }
planted norm-weight 'pass fuse-rmsnorm-matmul: lm.fused_linear makes .* of layer 0 [(]blk.[{]i[}].attn_norm'
planted residual-twice "pass fuse-epilogue: lm.fused_linear makes 'h_attn' of layer 0"
planted softmax-scale "pass fuse-rope-attention: lm.cached_attention makes 'attended' of layer 0"
planted next-layer "pass lower-to-step: lm.fused_linear makes 'q' of layer 0"
planted append-one-off "the kernels: lm.cached_attention makes 'attended' of layer 0"

# Another compiler: one that reads another text.
cat >other.sh <<END
#!/bin/bash
sed '0,/silu/s//relu/' "\$2" >"$work/other.mlir"
exec "$(dirname "$llmc")/llmc-compile" compile "$work/other.mlir" "\${@:3}"
END
chmod +x other.sh
bisect 1 "pass import: lm.relu makes 'activated' of layer 0" a.mlir --compiler-b other.sh

# One that is ended takes its compiler and its folder along.
"$(dirname "$llmc")/llmc-compile" bisect "$model" --options-a "$exact" --options-b "$exact --quantize q8_0" >/dev/null 2>ended &
for _ in $(seq 600); do
  [ -e tmp/llmc-bisect*/a/00-import.mlir ] && break
  sleep 0.02
done
kill -TERM $!
wait $! && fail "goes on when it is ended"
grep -q '^llmc: error: interrupted$' ended && [ -z "$(ls tmp)" ] || fail "ended: $(cat ended; ls -R tmp)"

# What cannot be asked, and what does not compile.
bisect 2 'both sides are the same' a.mlir
cat >other.mlir <<'END'
lm.model @other {context = 8, vocab = 7} {
  %t = lm.weight "t" : <7x4>
  lm.forward(%tokens: !lm.tokens) {
    %e = lm.embed %tokens, %t : <7x4>
    %asked = lm.asked_rows %e, %tokens : tensor<?x4xf32>
    %l = lm.linear %asked, %t : <7x4>
    lm.return %l : tensor<?x7xf32>
  }
}
END
bisect 1 'error: after import: no value of a has the name and the size' other.mlir a.mlir --options-a --random-weights --options-b ''
bisect 1 'error: b: /bin/true: .* has written no dump' a.mlir --compiler-b /bin/true
bisect 2 'both sides are the same' a.mlir a.mlir
bisect 2 'carries the options' a b --options-b "--kv f32"
bisect 1 'error: a: .*missing.mlir: No such file' missing.mlir b.mlir
bisect 2 'error: b: .*--kv: expected' a.mlir --options-b '--kv f8'
bisect 2 'error: b: .*--no-such' a.mlir --options-b '--no-such-option'
sed 's/"file": "01[^"]*"/"file": null/' a/passes.json >filtered && mv filtered a/passes.json
bisect 1 'the dump was filtered' a b
echo '{' >a/passes.json
bisect 1 'a: .*passes.json: is no JSON' a b
[ $failures -eq 0 ]
