#!/bin/bash
# full_disk.sh LLMC SOURCE WORKDIR: compiles to disks with too little space, of which a tmpfs in a namespace of its own
# takes the part. One sentence, exit code 1, nothing left. Exit code 77 where this machine lets nobody mount.
set -u
llmc=$1 source=$2 work=$3
rm -rf "$work"
mkdir -p "$work/disk"
if [ -z "${INSIDE:-}" ]; then
  unshare --user --map-root-user --mount true 2>/dev/null || exit 77
  INSIDE=1 exec unshare --user --map-root-user --mount "$0" "$@"
fi
mount -t tmpfs -o size=4m tmpfs "$work/disk" || exit 77
failures=0
for free in 0 4 40 400 700; do # KiB; the artifact has more
  head -c $(((4096 - free) * 1024)) /dev/zero >"$work/disk/fill"
  timeout 120 "$llmc" compile "$source" -o "$work/disk/model.so" 2>"$work/stderr"
  code=$?
  [ $code = 1 ] && grep -qx "llmc: error: .*: cannot write: No space left on device" "$work/stderr" &&
    [ "$(ls "$work/disk")" = fill ] ||
    { echo "$free KiB: exit code $code, $(cat "$work/stderr"); left: $(ls "$work/disk")"; failures=$((failures + 1)); }
done
echo "$failures failures"
[ $failures = 0 ]
