#!/bin/bash
# driver.sh LLMC MODEL STUB OLD SOURCE WORKDIR: what is said where the driver for CUDA is missing or too old. STUB and OLD
# are folders of libcuda.so.1: the stub, and one without most functions. SOURCE is no compiled model.
set -u
llmc=$1 model=$2 stub=$3 old=$4 source=$5 work=$6
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

says "$work/none" "there is no driver (libcuda.so.1): install NVIDIA's driver, or take another device: cpu, if the model has code for it, or simt for tests"
says "$old" "the driver is too old: libcuda.so.1 has no cuDriverGetVersion"
# What a driver begins with, once in a process.
for call in cuInit cuDriverGetVersion; do
  LLMC_STUB_FAILS=$call says "$stub" "$call: CUDA_ERROR_INJECTED (from the stub)"
done
LLMC_STUB_VERSION=11030 says "$stub" "the driver is for CUDA 11.3, 11.4 or later is needed"
LLMC_STUB_VERSION=11040 run "$stub" cuda || fail "the oldest driver: $(cat "$work/words")"

# What would have to be compiled is not, the words are the same.
export XDG_CACHE_HOME=$work/cache
for options in --no-cache -v; do
  for device in cuda cuda:1; do
    run "$work/none" $device && fail "runs without a driver"
    LD_LIBRARY_PATH=$work/none "$llmc" run "$source" --device $device -p a $options 2> "$work/early" && fail "runs without a driver"
    cmp "$work/words" "$work/early" || fail "$options: $(cat "$work/early")"
  done
done
[ ! -e "$XDG_CACHE_HOME" ] || fail "$(find "$XDG_CACHE_HOME")"
LD_LIBRARY_PATH=$work/none "$llmc" plan "$source" --device cuda --ctx 64 --batch 16 > "$work/out" 2> "$work/words" ||
  fail "no plan of what is to be compiled: $(cat "$work/words")"

# A plan needs no driver.
plan() { LD_LIBRARY_PATH=$1 "$llmc" plan "$model" --device "$2" --ctx 64 --batch 16 > "$work/$3" 2>&1 || fail "$1: no plan: $(cat "$work/$3")"; }
plan "$work/none" cuda without
plan "$stub" cuda with
cmp "$work/without" "$work/with" || fail "a driver changes the plan"
grep -qE '^total +[0-9]+ bytes  on cuda' "$work/with" && grep -q '^pinned .* of the host' "$work/with" || fail "$(cat "$work/with")"
plan "$work/none" simt emulated
sed 's/simt/cuda/' "$work/emulated" | cmp - "$work/with" || fail "the emulator takes other memory: $(cat "$work/emulated")"
LD_LIBRARY_PATH=$work/none "$llmc" plan "$model" > "$work/auto" && grep -q '^weights .* mapped' "$work/auto" || fail "$(cat "$work/auto")"
