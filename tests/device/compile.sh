#!/bin/sh
# compile.sh COMPILER GGUF STEM: STEM.so for cpu and cuda, exact; STEM.so.simt and STEM.checked.simt for the emulator.
set -e
ulimit -v 8388608
"$1" compile "$2" -o "$3.so" --target cpu,cuda --activations f32 --cache-dir "$3.cache"
"$1" simt "$3.so" -o "$3.so.simt" --cache-dir "$3.cache"
"$1" simt "$3.so" -o "$3.checked.simt" --checks --cache-dir "$3.cache"
