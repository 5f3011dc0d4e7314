#!/bin/sh
# smollm2.sh COMPILER LLMC GGUF FOLDER [OPTIONS...]: the model, compiled with these options, generates the same 8 tokens on
# the device as on the CPU.
set -e
compiler=$1 llmc=$2 model=$3 folder=$4 device=${LLMC_DEVICE:-simt}
shift 4
. "$(dirname "$0")/require.sh"
require_device "$llmc"
rm -rf "$folder" && mkdir -p "$folder"
"$compiler" compile "$model" -o "$folder/model.so" --target cpu,cuda --cpu avx2 --cache-dir "$folder/cache" "$@"
tokens() { # DEVICE
  XDG_CACHE_HOME="$folder" "$llmc" run "$folder/model.so" --device "$1" -p "The capital of France is" -n 8 --ignore-eos --json \
    2> "$folder/words" > "$folder/run" || return 1
  sed -n 's/.*"tokens":\[\([0-9,]*\)\].*/\1/p' "$folder/run"
}
found=$(tokens "$device") || { cat "$folder/words"; exit 1; }
expected=$(tokens cpu)
[ "$(echo "$expected" | tr ',' '\n' | wc -l)" = 8 ] || { echo "expected 8 tokens, but found '$expected'"; exit 1; }
[ "$expected" = "$found" ] || { echo "cpu: $expected, device: $found"; exit 1; }
