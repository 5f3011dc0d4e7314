#!/bin/bash
# ptxas.sh PTXAS WORKDIR: assembles the PTX that ptx.sh has left in WORKDIR for sm_80 and sm_90 and prints what each kernel
# takes. Without ptxas there is nothing to be said (77).
set -u
ptxas=$1 work=$2
[ -n "$ptxas" ] && [ -x "$ptxas" ] || { echo "no ptxas (see LLMC_PTXAS)"; exit 77; }
status=0 count=0
printf '%-60s %-6s %9s %7s %6s\n' kernel gpu registers shared spills
for ptx in "$work"/dump/kernels/*.ptx; do
  for gpu in sm_80 sm_90; do
    if ! text=$("$ptxas" -arch=$gpu -v "$ptx" -o /dev/null 2>&1); then
      echo "$ptx: $text"
      status=1
      continue
    fi
    number() { echo "$text" | grep -oE "$1" | grep -oE '[0-9]+' | head -1; }
    printf '%-60s %-6s %9s %7s %6s\n' "$(basename "$ptx" .cuda.ptx)" $gpu "$(number 'Used [0-9]+ registers')" \
      "$(number '[0-9]+ bytes smem' || true)" "$(number '[0-9]+ bytes spill stores')"
    count=$((count + 1))
  done
done
[ $count -gt 10 ] && exit $status
