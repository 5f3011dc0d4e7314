#!/bin/bash
# interrupted.sh WHEN COMMAND...: starts a command, sends it Ctrl-C once the shell's WHEN is true of the process $pid, and
# fails unless it then ends with exit code 1, no output and the one sentence.
when=$1
shift
said=$(mktemp)
trap 'rm -f "$said"' EXIT
"$@" >"$said" 2>&1 &
pid=$!
for ((i = 0; i < 2000; ++i)); do
  eval "$when" 2>/dev/null && break
  sleep 0.005
done
kill -INT $pid || { echo "it ended before the signal: $(cat "$said")" >&2; exit 1; }
wait $pid
code=$?
[ $code -eq 1 ] && [ "$(cat "$said")" = 'llmc: error: interrupted' ] || { echo "exit code $code: $(cat "$said")" >&2; exit 1; }
