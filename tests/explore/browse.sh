#!/bin/bash
# browse.sh LLMC hostile|model SOURCE WORKDIR: makes reports and clicks through them in a headless Chromium.
# `hostile` takes a folder of dumps whose names try to be markup, `model` a model file. Pictures stay in WORKDIR.
set -u
llmc=$1 kind=$2 source=$3 work=$4
here=$(dirname "$0")
python3 -c 'import sys; sys.path.insert(0, sys.argv[1]); import chromium; sys.exit(not chromium.find_browser())' "$here" || {
  echo "skipped: this test needs python3 and chromium (apt-get install chromium)"
  exit 77
}
rm -rf "$work"
mkdir -p "$work"
export PYTHONDONTWRITEBYTECODE=1
if [ "$kind" = hostile ]; then
  "$llmc" explore "$source" -o "$work/hostile.html" || exit 1
  exec python3 "$here/browse.py" "$work" hostile="$work/hostile.html"
fi
"$llmc" compile "$source" -o "$work/model.so" --cpu avx2 --dump-ir "$work/dump" || exit 1
"$llmc" explore "$work/dump" -o "$work/dump.html" || exit 1
"$llmc" explore "$work/model.so" -o "$work/module.html" || exit 1
"$llmc" explore "$work/dump" -o "$work/again.html" && cmp "$work/dump.html" "$work/again.html" || exit 1
exec python3 "$here/browse.py" "$work" dump="$work/dump.html" module="$work/module.html"
