# Sourced by tests that run on the device $device.

# Ends a test as skipped (77) where the device is not: `require_device LLMC`. Where nobody can tell it fails.
require_device() {
  devices=$("$1" devices) || { echo "$1 devices failed"; exit 1; }
  echo "$devices" | grep -q "^${device%%:*}" || { echo "skipped: there is no $device on this machine"; exit 77; }
}
# Drivers of GPUs reserve many times the memory that they use.
limit_memory() { case $device in simt*) ulimit -v "$1" ;; esac; }
