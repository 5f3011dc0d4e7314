// Objects that belong to one thread at a time: the second thread gets LLMC_EBUSY instead of a race.
#pragma once

#include "runtime/Error.h"

#include <atomic>

namespace llmc {

class BusyFlag {
public:
  bool tryEnter() const { return !taken.exchange(true, std::memory_order_acquire); }
  void leave() const { taken.store(false, std::memory_order_release); }

private:
  mutable std::atomic<bool> taken{false};
};

/// Holds a flag for the length of a call.
class BusyGuard {
public:
  explicit BusyGuard(const BusyFlag &flag) : flag(flag), entered(flag.tryEnter()) {}
  ~BusyGuard() {
    if (entered)
      flag.leave();
  }
  BusyGuard(const BusyGuard &) = delete;
  BusyGuard &operator=(const BusyGuard &) = delete;
  explicit operator bool() const { return entered; }

private:
  const BusyFlag &flag;
  bool entered;
};

} // namespace llmc

#define LLMC_ENTER(object, what)                                                                             \
  llmc::BusyGuard busyGuard_##what((object)->busy);                                                          \
  if (!busyGuard_##what)                                                                                     \
  return llmc::setError(LLMC_EBUSY, "%s: the " #what " is in use by another call", __func__)
