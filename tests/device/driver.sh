#!/bin/bash
# driver.sh LLMC MODEL STUB OLD WORKDIR: what is said where the driver for CUDA is missing or too old. STUB and OLD are
# folders of libcuda.so.1: the stub, and one without most functions.
set -u
llmc=$1 model=$2 stub=$3 old=$4 work=$5
export LLMC_STUB_CODE=$model.simt
ulimit -v 8388608
rm -rf "$work"
mkdir -p "$work/none"
: > "$work/none/libcuda.so.1" # no library, and found before any driver of the machine
fail() { echo "$*"; exit 1; }

run() { # FOLDER DEVICE
  LD_LIBRARY_PATH=$1 "$llmc" logits "$model" --device "$2" --tokens 1 > "$work/out" 2> "$work/words"
}
says() { # FOLDER WORDS
  ! run "$1" cuda || fail "$1: expected a failure with: $2"
  [ "$(wc -l < "$work/words")" = 1 ] && grep -qF -- "cuda:0: $2" "$work/words" || fail "$1: expected $2: $(cat "$work/words")"
  run "$1" auto || fail "$1: does not run on the CPU: $(cat "$work/words")"
}

says "$work/none" "there is no driver (libcuda.so.1)"
says "$old" "the driver is too old: libcuda.so.1 has no cuDriverGetVersion"
LLMC_STUB_VERSION=11030 says "$stub" "the driver is for CUDA 11.3, 11.4 or later is needed"
LLMC_STUB_VERSION=11040 run "$stub" cuda || fail "the oldest driver: $(cat "$work/words")"
