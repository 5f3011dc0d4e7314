# Checks a file of llmc run --profile-trace, one event a line, against the trace event format: what every event must
# have, and how the slices of threads lie. Prints how many there were; fails with a line that names what is wrong.
function wrong(what) {
  print "line " NR ": " what ": " $0
  failed = 1
}
function number(key) {
  if (!match($0, "\"" key "\": ?-?[0-9]+(\\.[0-9]+)?(e[-+]?[0-9]+)?[,}]"))
    return wrong("has no number '" key "'")
  text = substr($0, RSTART, RLENGTH - 1)
  sub(/^[^:]*: ?/, "", text)
  return text + 0
}
function needs(pattern) {
  if ($0 !~ pattern)
    wrong("expected " pattern)
}
NR == 1 { needs("^\\{\"displayTimeUnit\": \"(ms|ns)\", \"traceEvents\": \\[$"); next }
/^\]\}$/ { hasEnd = 1; next }
{
  needs("^\\{.*\\},?$")
  needs("\"name\": ?\"[^\"]")
  needs("\"pid\": ?[0-9]+[,}]")
}
/"ph": ?"M"/ { needs("\"args\": ?\\{\"name\": ?\"[^\"]+\"\\}"); next }
{
  needs("\"ph\": ?\"X\"")
  needs("\"cat\": ?\"(step|dispatch)\"")
  needs("\"args\": ?\\{")
  thread = number("tid")
  begin = number("ts")
  end = begin + number("dur")
  # Nanoseconds as decimal fractions of microseconds: sums are off by less than one.
  if (begin < 0 || end < begin || begin < last[thread] - 0.0009)
    wrong("a slice that begins before the one before it ends")
  last[thread] = end
  if (/"cat": ?"step"/) {
    steps++
    stepBegin = begin
    stepEnd = end
  } else {
    dispatches++
    if (thread < 1 || begin < stepBegin - 0.0009 || end > stepEnd + 0.0009)
      wrong("a dispatch outside of its step")
  }
}
END {
  if (!hasEnd) {
    print "the list of events has no end"
    failed = 1
  }
  print steps + 0 " steps, " dispatches + 0 " dispatches"
  exit failed
}
