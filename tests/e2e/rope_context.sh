#!/bin/bash
# rope_context.sh LLMC FOLDER SHORT LONG: a model whose rotary frequencies depend on the context, run from its source.
# `--ctx` reaches the compiler; each run has the logits of the model compiled for that context; what serves is taken from
# the cache; and a compiled model says what it is for.
set -u
llmc=$1 model=$2 short=$3 long=$4
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
export XDG_CACHE_HOME=$work/cache
failed=0
fail() { echo "$1"; failed=1; }

# Beyond the trained length there is a word of its own.
logits() {
  "$llmc" logits "$1" --ctx "$2" --tokens 1,2,3,4,5,6,7 --json >"$3" 2>"$3.err"
  local status=$?
  sed -i "/is beyond the [0-9]* tokens/d" "$3.err"
  return $status
}
for ctx in "$short" "$long"; do
  "$llmc" compile "$model" -o "$work/$ctx.so" --cpu native --ctx "$ctx" 2>"$work/err" || fail "compile: $(cat "$work/err")"
  logits "$work/$ctx.so" "$ctx" "$work/$ctx.expected" || fail "logits: $(cat "$work/$ctx.expected.err")"
  [ ! -s "$work/$ctx.expected.err" ] || fail "said of its own context: $(cat "$work/$ctx.expected.err")"
  logits "$model" "$ctx" "$work/$ctx.found" || fail "logits of the source: $(cat "$work/$ctx.found.err")"
  cmp "$work/$ctx.expected" "$work/$ctx.found" || fail "--ctx $ctx of the source: other logits than compiled for it"
  grep -q "^llmc: compiling" "$work/$ctx.found.err" || fail "--ctx $ctx was not compiled"
  logits "$model" "$ctx" "$work/$ctx.again" || fail "again: $(cat "$work/$ctx.again.err")"
  [ ! -s "$work/$ctx.again.err" ] || fail "--ctx $ctx the second time: $(cat "$work/$ctx.again.err")"
  cmp "$work/$ctx.expected" "$work/$ctx.again" || fail "--ctx $ctx from the cache: other logits"
done
cmp -s "$work/$short.expected" "$work/$long.expected" && fail "the context makes no difference: nothing was tested"

# A shorter one that the same frequencies are for needs no other model.
logits "$model" $((short - 1)) "$work/shorter" || fail "shorter: $(cat "$work/shorter.err")"
[ ! -s "$work/shorter.err" ] || fail "--ctx $((short - 1)): $(cat "$work/shorter.err")"

said="llmc: the model's rotary frequencies are those of contexts of [0-9]* to [0-9]* tokens, not of $long; compile it with"
logits "$work/$short.so" "$long" "$work/wrong"
grep -q "^$said --ctx $long\$" "$work/wrong.err" || fail "another context: expected a word, found '$(cat "$work/wrong.err")'"
[ "$(wc -l <"$work/wrong.err")" = 1 ] || fail "more than one word: $(cat "$work/wrong.err")"
"$llmc" inspect "$work/$short.so" | grep -q "rope  *frequencies for contexts of 1 to $short tokens" ||
  fail "inspect does not tell the contexts"
exit $failed
