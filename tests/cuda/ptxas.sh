#!/bin/bash
# ptxas.sh PTXAS FILE.ptx...|FOLDER...: assembles PTX, that of `llmc compile --dump-ir`, for sm_80 and sm_90 and prints what
# each entry takes: registers of a thread, bytes of shared memory of a block, bytes that are spilled, and the share of a
# multiprocessor's threads that can be there at a time. Fails where something is spilled. Without ptxas there is nothing to
# be said (77).
set -u
ptxas=$1
shift
[ -n "$ptxas" ] && [ -x "$ptxas" ] || { echo "no ptxas (see LLMC_PTXAS)"; exit 77; }
files=()
for place in "$@"; do
  if [ -d "$place" ]; then files+=("$place"/*.ptx); else files+=("$place"); fi
done
log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
for ptx in "${files[@]}"; do
  for gpu in sm_80 sm_90; do
    echo "file $ptx $gpu" >> "$log"
    if ! "$ptxas" -arch=$gpu -v "$ptx" -o /dev/null >> "$log" 2>&1; then
      echo "$ptx: does not assemble for $gpu:"
      sed -n "/^file ${ptx//\//\\/} $gpu\$/,\$p" "$log" | sed 1d
      status=1
    fi
  done
done
awk '
  # What a multiprocessor has: 64 K registers, which warps take by 256, 2048 threads, 32 blocks, shared memory of which each
  # block takes 1 KB more than it asks for.
  BEGIN {
    shared["sm_80"] = 167936; shared["sm_90"] = 233472
    printf "%-60s %-6s %7s %9s %7s %6s %9s\n", "entry", "gpu", "threads", "registers", "shared", "spills", "occupancy"
  }
  function least(a, b) { return a < b ? a : b }
  function report(   warps, registersOfBlock, blocks) {
    if (entry == "" || registers == "") return
    warps = threads[entry] / 32
    registersOfBlock = int((registers * 32 + 255) / 256) * 256 * warps
    blocks = least(least(int(65536 / registersOfBlock), int(2048 / threads[entry])), 32)
    blocks = least(blocks, int(shared[gpu] / (memory + 1024)))
    printf "%-60s %-6s %7d %9d %7d %6d %8.0f%%\n", entry, gpu, threads[entry], registers, memory, spills,
           100 * blocks * threads[entry] / 2048
    ++count
    if (spills > 0) { print entry ": spills registers on " gpu; failed = 1 }
    if (blocks < 1) { print entry ": no block of it fits on " gpu; failed = 1 }
    entry = registers = ""
  }
  $1 == "file" {
    report(); gpu = $3; name = ""
    while ((getline line < $2) > 0) {
      if (match(line, /\.entry [A-Za-z0-9_$]+/)) name = substr(line, RSTART + 7, RLENGTH - 7)
      if (match(line, /\.maxntid [0-9]+/)) threads[name] = substr(line, RSTART + 9, RLENGTH - 9)
    }
    close($2)
  }
  /Compiling entry function/ { report(); split($0, part, "\047"); entry = part[2]; spills = memory = 0 }
  /bytes spill stores/ { for (i = 3; i <= NF; ++i) if ($(i) == "spill") spills += $(i - 2) }
  /Used [0-9]+ registers/ {
    for (i = 2; i <= NF; ++i) {
      if ($(i) ~ /^registers/) registers = $(i - 1)
      if ($(i) ~ /^smem/) memory = $(i - 2)
    }
  }
  END { report(); exit failed || count == 0 }
' "$log" || status=1
exit $status
