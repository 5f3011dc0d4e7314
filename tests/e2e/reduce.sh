#!/bin/bash
# reduce.sh LLMC GRAPH FIXTURES WORKDIR: llmc reduce finds the smallest model that still fails, whatever says that it
# fails: a command, a compile that dies, a message. The failures are planted: a compiler that cannot stand some ops,
# tensors that are not there.
set -u
llmc=$1 graph=$2 fixtures=$3 work=$4
rm -rf "$work"
mkdir -p "$work"
cd "$work" || exit 1
failures=0
fail() { echo "$*"; failures=$((failures + 1)); }
small() { # NAME MOST-OPS PATTERN...: small.mlir holds the patterns, at most so many ops, and is valid
  local name=$1 most=$2 ops
  shift 2
  # The model itself, its files, caches, values: every line but those that only close a brace.
  ops=$(grep -c '[^ }]' small.mlir)
  [ "$ops" -le "$most" ] || fail "$name: $ops ops are left, expected at most $most: $(cat small.mlir)"
  for pattern in "$@"; do grep -q -- "$pattern" small.mlir || fail "$name: $pattern is gone: $(cat small.mlir)"; done
  "$llmc" import small.mlir -o again.mlir || fail "$name: the result is not valid"
}
says() { # STATUS PATTERN ARGUMENTS...
  local status=$1 pattern=$2 message
  shift 2
  message=$("$llmc" reduce "$@" 2>&1 >/dev/null)
  [ $? -eq "$status" ] || fail "$*: expected exit code $status: $message"
  printf '%s' "$message" | grep -Eq -- "$pattern" || fail "$*: expected $pattern but got: $message"
  [ "$status" -eq 0 ] || [ "$(printf '%s\n' "$message" | wc -l)" -eq 1 ] || fail "$*: expected one sentence: $message"
}

# One op of one of three kinds of layers. What is left: the model, the table, the forward, the rows, the op between the
# two matmuls that make them as wide as it and as wide as the table again, their weights, the logits, the return.
model=$graph/activations.mlir
says 0 'small.mlir: 11 of [0-9]+ ops still fail, .* checks$' "$model" -o small.mlir --check 'grep -q lm.gelu'
small "one op" 11 'lm.gelu' 'lm.embed'
grep -q 'lm.layers\|lm.weights\|lm.cache\|quick' small.mlir && fail "one op: $(cat small.mlir)"
cp small.mlir first.mlir
says 0 'small.mlir: ' "$model" -o small.mlir --check 'grep -q lm.gelu {}'
cmp first.mlir small.mlir || fail "the same search finds something else"

# What a pass makes of it, seen through the compiler. Files are found from the result's folder.
mkdir there
says 0 'there/small.mlir: ' "$graph/head-norm.mlir" -o there/small.mlir \
  --check "$llmc compile {} --stop-after fuse 2>/dev/null | grep -q 'lm.fused_linear.*glu'"
"$llmc" compile there/small.mlir --stop-after fuse 2>/dev/null | grep -q glu || fail "the result does not fail"
grep -q 'lm.attention\|lm.layers' there/small.mlir && fail "a gated pair needs no attention: $(cat there/small.mlir)"

# A compiler that dies of two ops together, and only on the way to code.
cat >dies.sh <<'END'
#!/bin/bash
[ "$1" = compile ] && [ "$5" = --kv ] && [ "$6" = f16 ] || exit 3
grep -q lm.tanh "$2" && grep -q lm.rope "$2" && kill -SEGV $$
grep -q lm.relu "$2" && { echo "an error, but no crash"; exit 1; }
exit 0
END
chmod +x dies.sh
says 0 'small.mlir: ' "$model" -o small.mlir --crash --compiler dies.sh --options "--kv 'f16'"
small "crash" 16 lm.tanh lm.rope

# A tensor that is missing in one of three layers: the layer that names it is left, its number spelled out.
awk '/^ *}, \{/ { kind++ } kind == 2 { sub("attn_q", "attn_x") } { sub("[.][.]/[.][.]/fixtures", fixtures); print }' \
  fixtures="$fixtures" "$model" >broken.mlir
says 0 'small.mlir: ' broken.mlir -o small.mlir --error "blk.2.attn_x.weight" --options "--activations f32 --no-cache"
small "missing" 11 'blk.2.attn_x.weight'
"$llmc" compile small.mlir -o small.so 2>&1 | grep -q 'blk.2.attn_x.weight' || fail "the result does not fail"

# Checks are held to their limits, with all that they have started.
says 1 'sees no failure in the model itself .it took longer than 1 s' "$model" -o none.mlir --check-seconds 1 --check '(sleep 3; touch late); true'
says 1 'sees no failure in the model itself' "$model" -o none.mlir --check-memory 64 \
  --check 'test "$(head -c 200000000 /dev/zero | tail -c 200000000 | wc -c)" = 200000000 #'
says 0 'none.mlir: ' "$model" -o none.mlir --check 'test "$(head -c 20000 /dev/zero | tail -c 20000 | wc -c)" = 20000 #'
rm none.mlir
sleep 2
[ -e late ] && fail "a check that was too slow goes on"

# What a compiler that had to be ended has begun goes, too.
mkdir tmp
printf '#!/bin/bash\n: >"$4.half"\nsleep 30\n' >slow.sh
chmod +x slow.sh
TMPDIR=$work/tmp says 1 'in the model itself .it took longer than 1 s' "$model" -o none.mlir --crash --compiler slow.sh --check-seconds 1
[ -z "$(ls tmp)" ] || fail "a slow compile leaves $(ls tmp)"

# What cannot be asked.
says 2 'expected one of --check' "$model" -o none.mlir
says 2 'only one of --check' "$model" -o none.mlir --crash --error x
says 2 '--output is required' "$model" --crash
says 1 'sees no failure in the model itself .exit code 1.: ' "$model" -o none.mlir --check 'grep -q lm.nothing'
says 1 'model itself .exit code 127: .*no-such-check' "$model" -o none.mlir --check './no-such-check'
says 2 '--options: belongs to --crash and --error' "$model" -o none.mlir --check true --options '--kv f16'
says 1 'sees no failure in the model itself' "$model" -o none.mlir --crash
says 1 'No such file' missing.mlir -o none.mlir --crash
says 1 'cannot start' "$model" -o none.mlir --crash --compiler broken.mlir
cp "$model" own.mlir
says 1 'own.mlir' own.mlir -o own.mlir --check 'test -f'
cmp "$model" own.mlir || fail "the source was written over"
[ -e none.mlir ] && fail "a search that found nothing leaves a file"
[ $failures -eq 0 ]
