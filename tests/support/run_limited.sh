#!/bin/sh
# run_limited.sh SECONDS MEBIBYTES COMMAND...: runs a command with a limit on its time and its address space, so that
# a runaway compile fails one test instead of taking the machine.
seconds=$1 mebibytes=$2
shift 2
ulimit -v $((mebibytes * 1024)) || exit 1
timeout -k 5 "$seconds" "$@"
status=$?
[ $status -ne 124 ] || echo "$1: stopped after $seconds s" >&2
exit $status
