#!/bin/bash
# kill_trace.sh SIGNAL PLACE COMMAND...: starts a command that writes the trace PLACE, signals it once its unfinished
# folder is there, and fails if the command does or anything of that name stays.
signal=$1 place=$2
shift 2
"$@" >/dev/null 2>&1 &
running=$!
for ((i = 0; i < 1000; ++i)); do
  compgen -G "$place.??????/*" >/dev/null && break
  sleep 0.01
done
compgen -G "$place.??????/*" >/dev/null || { echo "no trace was begun" >&2; kill $running; exit 1; }
kill -"$signal" $running
wait $running
[ $? -ne 0 ] || { echo "it ended before the signal" >&2; exit 1; }
left=$(compgen -G "$place*")
[ -z "$left" ] || { echo "left behind: $left" >&2; exit 1; }
