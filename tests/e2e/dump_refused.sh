#!/bin/bash
# dump_refused.sh LLMC FIXTURES WORKDIR: dumps that a compile cannot start from, and what cannot be asked of one. Each
# must end with one sentence that says what is wrong, and leave nothing behind.
set -u
llmc=$1 fixtures=$2 work=$3
rm -rf "$work"
mkdir -p "$work/out" "$work/model"
failures=0 cases=0

refused() { # STATUS PATTERN SOURCE OPTIONS...
  local status=$1 pattern=$2 source=$3 message found
  shift 3
  cases=$((cases + 1))
  message=$("$llmc" compile "$source" -o "$work/out/model.so" "$@" 2>&1 >/dev/null)
  found=$?
  echo "$message"
  [ $found -eq "$status" ] || { echo "  exit code $found, expected $status"; failures=$((failures + 1)); }
  [ "$(printf '%s\n' "$message" | wc -l)" -eq 1 ] || { echo "  expected one sentence"; failures=$((failures + 1)); }
  printf '%s' "$message" | grep -Eq -- "$pattern" || { echo "  expected: $pattern"; failures=$((failures + 1)); }
  [ -z "$(ls -A "$work/out")" ] || { echo "  left behind: $(ls -A "$work/out")"; failures=$((failures + 1)); }
}

cp "$fixtures/llama-q4_1.gguf" "$work/model/tiny.gguf"
"$llmc" compile "$work/model/tiny.gguf" -o "$work/model/tiny.so" --cpu avx2 --dump-ir "$work/dump" || exit 1
import=$work/dump/00-import.mlir
plan=$(ls "$work"/dump/*-pack-bf16.mlir) inside=$(ls "$work"/dump/*-fuse-swiglu.mlir)
program=$(ls "$work"/dump/*-lower-to-step.mlir) lowered=$(ls "$work"/dump/*-convert-arith-to-llvm.mlir)

refused 1 'starts from the phase fuse, not from plan' "$import" --start-from plan
refused 1 'inside the phase fuse' "$inside"
refused 1 'inside the phase fuse' "$inside" --start-from quantize
refused 2 'expected one of .* but got .fused.' "$import" --start-from fused
refused 2 'is no dump' "$work/model/tiny.gguf" --start-from fuse
refused 2 'a dump carries the options' "$import" --activations f32
refused 2 'a dump carries the options' "$plan" --cpu avx2
refused 2 'behind the phase fuse' "$plan" --stop-after fuse
emitted=$(ls "$work"/dump/*-emit-kernels.mlir)
for kernels in "$emitted" "$lowered"; do
  refused 1 "holds no 'lm.model'.*; of this dump a compile starts from the files that passes.json gives a start_from" "$kernels"
done
[ -z "$(find "$work/dump" -type d ! -perm "$(printf %o $((0777 & ~$(umask))))")" ] ||
  { echo "the folders are not as readable as the files"; failures=$((failures + 1)); }
refused 2 'regular expression' "$work/model/tiny.gguf" --dump-ir "$work/dump3" --dump-filter '('
refused 2 'belongs to --dump-ir' "$work/model/tiny.gguf" --dump-filter fuse

# Dumps that somebody has changed.
changed() { # PATTERN FILE SED-SCRIPT
  sed "$3" "$2" >"$work/dump/changed.mlir"
  cmp -s "$2" "$work/dump/changed.mlir" && { echo "nothing was changed by $3"; failures=$((failures + 1)); }
  refused 1 "$1" "$work/dump/changed.mlir"
}
changed 'was changed since it was written' "$program" 's/row_bytes = [0-9]*/row_bytes = 64/'
changed 'written by llmc 0.0.0' "$import" '/^module attributes/s/llmc = "[^"]*"/llmc = "0.0.0"/'
changed "'options'.* but it is missing" "$import" '/^module attributes/s/ options = / choices = /'
changed "'passes'.* a list of strings" "$plan" '/^module attributes/s/passes = \[/passes = [3, /'
changed "variant 'sse9'" "$import" '/^module attributes/s/"avx2"/"sse9"/'
changed "family of CPUs 'zen9'" "$import" '/^module attributes/s/tune = "[^"]*"/tune = "zen9"/'
changed "expected one 'step.program'" "$import" '/^module attributes/s/start_from = "fuse"/start_from = "llvm"/'
changed "a phase of fuse to llvm" "$import" '/^module attributes/s/start_from = "fuse"/start_from = "link"/'
changed "is a dump, which llmc compile alone goes on with" "$plan" '/^module attributes/s/{llmc.dump/{a.b = 1 : i64, llmc.dump/'
changed "'lm.lawyers' is unknown" "$import" 's/lm.layers count/lm.lawyers count/'

# Notes above the module change nothing.
{ printf '// mine\n\n  // more\n'; cat "$plan"; } >"$work/dump/noted.mlir"
"$llmc" compile "$work/dump/noted.mlir" -o "$work/out/model.so" && cmp "$work/out/model.so" "$work/model/tiny.so" ||
  { echo "a dump with notes does not compile to the same"; failures=$((failures + 1)); }
rm -f "$work/dump/noted.mlir" "$work/out/model.so"

# The folder that the source is in is not cleared for new dumps.
for place in "$work/dump" "$work/dump/" "$work/out/../dump"; do
  refused 1 'dump: holds .*00-import.mlir, which is read|dump/: holds .*which is read' "$import" --dump-ir "$place"
  [ -f "$import" ] && [ -f "$plan" ] || { echo "the source is gone"; failures=$((failures + 1)); }
done

# Without --start-from the dump of the fuse phase with a new place for its weights still works.
mv "$work/model" "$work/elsewhere"
refused 1 'no such file' "$import"
mkdir "$work/model"
cp "$fixtures/llama-q4_0.gguf" "$work/model/tiny.gguf"
refused 1 'is not the file that the dump was made from' "$import"
rm -r "$work/model"
mv "$work/elsewhere" "$work/model"
"$llmc" compile "$import" -o "$work/out/model.so" && cmp "$work/out/model.so" "$work/model/tiny.so" ||
  { echo "the untouched dump does not compile"; failures=$((failures + 1)); }

# A filter leaves out files, not entries. What an earlier dump has left in the folder goes.
"$llmc" compile "$work/model/tiny.gguf" -o "$work/out/model.so" --cpu avx2 --dump-ir "$work/dump" --dump-filter 'fuse-qkv' || failures=$((failures + 1))
found=$(cd "$work/dump" && find . -type f ! -name changed.mlir | sort | tr '\n' ' ')
[[ $found =~ ^\./[0-9]+-fuse-qkv\.mlir\ ./kernels.json\ ./passes.json\ $ ]] ||
  { echo "a filtered dump holds $found"; failures=$((failures + 1)); }
[ "$(grep -c '"index":' "$work/dump/passes.json")" -ge 15 ] || { echo "a filtered passes.json lists too few"; failures=$((failures + 1)); }

# A folder that cannot be written.
: >"$work/file"
message=$("$llmc" compile "$work/model/tiny.gguf" -o "$work/out/model.so" --dump-ir "$work/file" 2>&1)
[ $? -eq 1 ] && [[ $message == *"cannot make the folder"* ]] || { echo "$message"; failures=$((failures + 1)); }

echo "$cases cases, $failures failures"
rm -rf "$work"
[ $failures -eq 0 ] && [ $cases -eq 27 ]
