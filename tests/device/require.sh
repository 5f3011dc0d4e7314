# Sourced by tests that run on the device $device.

# Ends a test as skipped where the device is not: `require_device LLMC`.
require_device() {
  "$1" devices | grep -q "^${device%%:*}" || { echo "skipped: there is no $device on this machine"; exit 77; }
}
# Drivers of GPUs reserve many times the memory that they use.
limit_memory() { case $device in simt*) ulimit -v "$1" ;; esac; }
