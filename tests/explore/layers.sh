#!/bin/bash
# layers.sh LLMC MODEL.mlir WORKDIR: the report of a model with 32 layers, made from a text with another count and random
# weights, is less than 5 MB. How long a browser takes to open it is printed, where there is one.
set -u
llmc=$1 source=$2 work=$3
here=$(dirname "$0")
most=5000000
rm -rf "$work"
mkdir -p "$work"
sed 's/lm.layers count = [0-9]*/lm.layers count = 32/; s/, tokenizer = "[^"]*"//' "$source" >"$work/deep.mlir"
grep -q 'count = 32 ' "$work/deep.mlir" || { echo "$source has no layers to count"; exit 1; }
"$llmc" compile "$work/deep.mlir" -o "$work/deep.so" --random-weights --quantize q4_k --quantize ffn_down=q6_k \
  --stop-after llvm --dump-ir "$work/dump" || exit 1
"$llmc" explore "$work/dump" -o "$work/report.html" || exit 1
grep -q '"dispatches": \[' "$work/dump/kernels.json" && grep -q '^ *31,\{0,1\}$' "$work/dump/kernels.json" ||
  { echo "no kernel runs in layer 31"; exit 1; }
bytes=$(stat -c %s "$work/report.html")
echo "$bytes bytes of report, at most $most"
export PYTHONDONTWRITEBYTECODE=1
if python3 -c 'import sys; sys.path.insert(0, sys.argv[1]); import chromium; sys.exit(not chromium.find_browser())' "$here"; then
  python3 "$here/browse.py" "$work" layers="$work/report.html" || exit 1
else
  echo "not opened: there is no python3 with chromium"
fi
rm -rf "$work/dump"
[ "$bytes" -lt $most ]
