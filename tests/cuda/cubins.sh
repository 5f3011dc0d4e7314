#!/bin/bash
# cubins.sh LLMC SOURCE WORKDIR: machine code in model.so, by scripts in place of ptxas.
set -u
llmc=$1 source=$2 work=$3
ulimit -v 8388608
rm -rf "$work"
mkdir -p "$work/bin"
unset LLMC_PTXAS CUDA_HOME CUDA_PATH
PATH=$(echo "$PATH" | tr : '\n' | while read -r folder; do [ -e "$folder/ptxas" ] || printf '%s:' "$folder"; done)
PATH=${PATH%:}
command -v ptxas && { echo "cannot hide ptxas"; exit 1; }
fail() { echo "$*"; exit 1; }
compile() { "$llmc" compile "$source" -o "$@" --target cuda --cache-dir "$work/cache"; }
script() { # NAME: its text is read
  { echo '#!/bin/sh'; echo '[ "$1" = --version ] && echo "release 1, V1.2" && exit'; cat; } > "$work/bin/$1"
  chmod +x "$work/bin/$1"
}
count() { grep -a -o "$2" "$1" | wc -l; }

# Without one nothing is there that was not.
compile "$work/none.so" --gpu-arch sm_90 || fail "does not compile"
kernels=$(count "$work/none.so" '^\.target sm_90')
[ "$kernels" -gt 5 ] || fail "$kernels kernels"
"$llmc" inspect "$work/none.so" | grep -q 'sm_80, sm_90 (PTX);' || fail "expected PTX alone"

script good << 'END'
printf '\177ELF machine code %s' "$1" > "$3"
END
compile "$work/good.so" --gpu-arch sm_90 --ptxas "$work/bin/good" || fail "does not compile with machine code"
for arch in sm_80 sm_90; do
  [ "$(count "$work/good.so" "machine code -arch=$arch")" = "$kernels" ] || fail "expected machine code for $arch of each kernel"
done
"$llmc" inspect "$work/good.so" | grep -q 'PTX, machine code by ptxas 1.2);' || fail "expected the assembler's version"
# Found by itself, and from what the first compile kept; what was kept without machine code is something else.
ln -s good "$work/bin/ptxas"
PATH=$PATH:$work/bin compile "$work/again.so" --gpu-arch sm_90 && cmp "$work/good.so" "$work/again.so" || fail "other bytes by PATH"
LLMC_PTXAS=none PATH=$PATH:$work/bin compile "$work/again.so" --gpu-arch sm_90 && cmp "$work/none.so" "$work/again.so" ||
  fail "other bytes with LLMC_PTXAS=none"
# A compile that goes on from a dump finds it, too.
compile "$work/dumped.so" --dump-ir "$work/dump" --ptxas "$work/bin/good" &&
  "$llmc" compile "$work"/dump/*-pack-bf16.mlir -o "$work/again.so" --ptxas "$work/bin/good" --cache-dir "$work/cache" &&
  cmp "$work/dumped.so" "$work/again.so" || fail "other bytes from a dump"
"$llmc" logits "$work/good.so" --tokens 1,2 --device simt > /dev/null || fail "does not run in the emulator"

refused() { # STATUS WORDS SCRIPT
  rm -f "$work/refused.so"
  "$llmc" compile "$source" -o "$work/refused.so" --target cuda --no-cache --ptxas "$3" 2> "$work/stderr"
  local status=$?
  [ $status = "$1" ] && [ "$(wc -l < "$work/stderr")" = 1 ] && grep -qF -- "$2" "$work/stderr" ||
    { cat "$work/stderr"; fail "$3: status $status, expected $1 and: $2"; }
  [ ! -e "$work/refused.so" ] || fail "$3: left a model"
}
script bad << 'END'
echo "ptxas fatal   : Unsupported .version"; exit 255
END
refused 1 "/bin/bad: cannot assemble for sm_80: ptxas fatal   : Unsupported .version" "$work/bin/bad"
script silent <<< 'exit 0'
refused 1 "/bin/silent: cannot assemble for sm_80: what it wrote is no machine code" "$work/bin/silent"
# One that is found, but knows not all architectures: PTX alone, the bytes as without it, and one line that says so.
script old << 'END'
[ "$1" = -arch=sm_90 ] && echo "ptxas fatal   : Value 'sm_90' is not defined" && exit 255
printf '\177ELF machine code %s' "$1" > "$3"
END
ln -sf old "$work/bin/ptxas"
PATH=$PATH:$work/bin compile "$work/again.so" --gpu-arch sm_90 2> "$work/stderr" && cmp "$work/none.so" "$work/again.so" ||
  fail "an old ptxas: $(cat "$work/stderr")"
printf "llmc: %s: cannot assemble for sm_90: ptxas fatal   : Value 'sm_90' is not defined (version 1.2); PTX alone is stored\n" \
  "$work/bin/ptxas" | cmp - "$work/stderr" || fail "$(cat "$work/stderr")"
PATH=$PATH:$work/bin compile "$work/again.so" 2> "$work/stderr" && [ ! -s "$work/stderr" ] || fail "$(cat "$work/stderr")"
[ "$(count "$work/again.so" "machine code -arch=sm_80")" = "$kernels" ] || fail "expected machine code of each kernel"
rm "$work/bin/ptxas"

printf '#!/bin/sh\nexit 3\n' > "$work/bin/other"
chmod +x "$work/bin/other"
refused 1 "/bin/other: cannot tell its version: it failed with status 3 (--ptxas none does without it)" "$work/bin/other"
ln -sf other "$work/bin/ptxas"
PATH=$PATH:$work/bin compile "$work/again.so" --gpu-arch sm_90 2> "$work/stderr" && cmp "$work/none.so" "$work/again.so" ||
  fail "no ptxas at all: $(cat "$work/stderr")"
printf "llmc: %s: cannot tell its version: it failed with status 3; PTX alone is stored\n" "$work/bin/ptxas" |
  cmp - "$work/stderr" || fail "$(cat "$work/stderr")"
rm "$work/bin/ptxas"
refused 2 "--ptxas: expected a program or none but got '/nonexistent'" /nonexistent
