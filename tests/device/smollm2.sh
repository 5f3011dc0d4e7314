#!/bin/sh
# smollm2.sh COMPILER LLMC GGUF FOLDER: the model generates the same 8 tokens on the device as on the CPU.
set -e
compiler=$1 llmc=$2 model=$3 folder=$4
rm -rf "$folder" && mkdir -p "$folder"
"$compiler" compile "$model" -o "$folder/model.so" --target cpu,cuda --activations f32 --cache-dir "$folder/cache"
device=${LLMC_DEVICE:-simt}
if ! words=$("$llmc" logits "$folder/model.so" --device "$device" --tokens 1 2>&1 > /dev/null); then
  case $words in *"there is no"*) echo "skipped: $words"; exit 77 ;; *) echo "$words"; exit 1 ;; esac
fi
tokens() {
  XDG_CACHE_HOME="$folder" "$llmc" run "$folder/model.so" --device "$1" -p "The capital of France is" -n 8 --ignore-eos --json |
    sed -n 's/.*"tokens":\[\([0-9,]*\)\].*/\1/p'
}
expected=$(tokens cpu)
found=$(tokens "$device")
[ "$(echo "$expected" | tr ',' '\n' | wc -l)" = 8 ] || { echo "expected 8 tokens, but found '$expected'"; exit 1; }
[ "$expected" = "$found" ] || { echo "cpu: $expected, device: $found"; exit 1; }
