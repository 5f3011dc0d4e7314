#!/bin/bash
# bad_input.sh LLMC FIXTURES WORKDIR: inputs that cannot be compiled. Each must end with exit code 1 and exactly one
# sentence that names the file and what is wrong with it, and leave nothing behind.
set -u
llmc=$1 fixtures=$2 work=$3
rm -rf "$work"
mkdir -p "$work/in" "$work/out"
failures=0 cases=0

refused() { # FILE PATTERN OPTIONS...
  local file=$1 pattern=$2 status message
  shift 2
  cases=$((cases + 1))
  message=$("$llmc" compile "$file" -o "$work/out/model.so" "$@" 2>&1 >"$work/stdout")
  status=$?
  echo "$message"
  [ $status -eq 1 ] || { echo "  exit code $status, expected 1"; failures=$((failures + 1)); }
  [ "$(printf '%s\n' "$message" | wc -l)" -eq 1 ] && [ -n "$message" ] || { echo "  expected one sentence"; failures=$((failures + 1)); }
  case $message in *"$(basename "$file")"*) ;; *) echo "  the file is not named"; failures=$((failures + 1)) ;; esac
  printf '%s' "$message" | grep -Eqi -- "$pattern" || { echo "  expected: $pattern"; failures=$((failures + 1)); }
  [ ! -s "$work/stdout" ] || { echo "  something on stdout"; failures=$((failures + 1)); }
  [ -z "$(ls -A "$work/out")" ] || { echo "  left behind: $(ls -A "$work/out")"; rm -rf "$work/out"; mkdir "$work/out"; failures=$((failures + 1)); }
}

refused "$work/in/missing.gguf" 'no such file|not found|cannot'
refused "$fixtures/bad/unknown-arch.gguf" 'mamb9'
refused "$fixtures/bad/unknown-type.gguf" 'type.*(77|blk\.1\.ffn_up)'
refused "$fixtures/bad/missing-tensor.gguf" 'blk\.1\.ffn_norm'
refused "$fixtures/bad/wrong-shape.gguf" 'blk\.0\.attn_k'
refused "$fixtures/bad/no-heads.gguf" 'llama\.attention\.head_count'
printf 'not a model' >"$work/in/text.gguf"
refused "$work/in/text.gguf" 'GGUF'
: >"$work/in/empty.gguf"
refused "$work/in/empty.gguf" '.'
# Cut in the header, in the metadata, in the tensor table, in the data, and by one byte.
size=$(stat -c %s "$fixtures/deep-2.gguf")
for n in 3 20 300 1500 8000 $((size - 1)); do
  head -c "$n" "$fixtures/deep-2.gguf" >"$work/in/cut-$n.gguf"
  refused "$work/in/cut-$n.gguf" '.'
done
# A checkpoint whose tokenizer is broken: the file is named once.
mkdir "$work/in/hf"
cp "$fixtures/families/llama2/"{config.json,model.safetensors} "$work/in/hf"
echo '{}' >"$work/in/hf/tokenizer.json"
refused "$work/in/hf" '^llmc: error: [^ ]*/hf/tokenizer[.]json: field .model. is absent or no object$' --cpu avx2
# Another model's tokenizer, of more tokens than the model has.
cp "$fixtures/tokenizers/byte-level-split.json" "$work/in/hf/tokenizer.json"
refused "$work/in/hf" "^llmc: error: [^ ]*/hf/tokenizer[.]json: has 420 tokens, the model's vocabulary has 131\$" --cpu avx2
# What is no model at all.
printf 'Apache License\nVersion 2.0, January 2004\n' >"$work/in/letter.txt"
refused "$work/in/letter.txt" "holds no 'lm.model', expected lm text"
printf '\177ELF\2\1\1' >"$work/in/made.so"
refused "$work/in/made.so" 'is already compiled'
# Text that nests deeper than a parser should recurse, and what is no regular file.
printf 'module {%.0s' $(seq 20000) >"$work/in/nested.mlir"
refused "$work/in/nested.mlir" 'nest deeper'
mkfifo "$work/in/pipe.gguf"
refused "$work/in/pipe.gguf" 'regular file'

# Places that must not be written: the input itself, a pipe, a folder.
kept() { # PLACE PATTERN
  local place=$1 pattern=$2 message status
  cases=$((cases + 1))
  message=$("$llmc" compile "$work/in/copy.gguf" -o "$place" 2>&1)
  status=$?
  echo "$message"
  [ $status -eq 1 ] && printf '%s' "$message" | grep -Eqi -- "$pattern" && cmp -s "$work/in/copy.gguf" "$fixtures/deep-2.gguf" ||
    { echo "  exit code $status; expected 1, $pattern, and the input untouched"; failures=$((failures + 1)); }
}
cp "$fixtures/deep-2.gguf" "$work/in/copy.gguf"
kept "$work/in/copy.gguf" 'also read'
kept "$work/in/../in/copy.gguf" 'also read'
kept "$work/in/pipe.gguf" 'regular file'
kept "$work/in" 'regular file'
[ -p "$work/in/pipe.gguf" ] || { echo "the pipe is gone"; failures=$((failures + 1)); }

# Ctrl-C while it compiles: a sentence at the end, and nothing is left. Job control, so that the signal is not ignored.
set -m
"$llmc" compile "$work/in/copy.gguf" -o "$work/out/model.so" --no-cache --times 2>"$work/times" &
child=$!
for _ in $(seq 1200); do
  grep -q import "$work/times" && break
  sleep 0.05
done
kill -INT $child
wait $child
status=$?
set +m
cases=$((cases + 1))
[ $status -eq 1 ] && [ "$(tail -n 1 "$work/times")" = 'llmc: error: interrupted' ] && [ -z "$(ls -A "$work/out")" ] ||
  { echo "interrupted: exit code $status, $(tail -n 1 "$work/times"), $(ls -A "$work/out")"; failures=$((failures + 1)); }

# A cache that cannot be written is said, and the model is made.
for folder in /dev/null/cache "$work/in/text.gguf"; do
  cases=$((cases + 1))
  note=$("$llmc" compile "$work/in/copy.gguf" -o "$work/made.so" --cpu native --cache-dir "$folder" 2>&1) &&
    [ "$note" = "llmc: $folder: cannot write: Not a directory; compiled kernels are not kept (see --cache-dir)" ] ||
    { echo "unwritable cache: $note"; failures=$((failures + 1)); }
done

# Added tokens beyond the model's vocabulary, as some checkpoints have them, are said.
cases=$((cases + 1))
cat >"$work/in/hf/tokenizer.json" <<'END'
{"model": {"type": "BPE", "vocab": {"a": 0, "b": 1}, "merges": []}, "added_tokens": [{"id": 400, "content": "<x>"}]}
END
note=$("$llmc" compile "$work/in/hf" -o "$work/added.so" --cpu native 2>&1) &&
  [ "$note" = "llmc: $work/in/hf/tokenizer.json: has added tokens up to id 400, the model's vocabulary has 131; a text that holds one beyond it cannot be evaluated" ] &&
  "$llmc" run "$work/added.so" -p 'ab' -n 1 >/dev/null &&
  note=$("$llmc" run "$work/added.so" -p '<x>' -n 1 2>&1 >/dev/null | tail -n 1)
[ "$note" = "llmc: error: token 0 is 400, the vocabulary has ids 0 to 130" ] ||
  { echo "added tokens: $note"; failures=$((failures + 1)); }

echo "$cases inputs, $failures failures"
[ $cases -eq 28 ] && [ $failures -eq 0 ]
