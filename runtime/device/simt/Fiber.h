// Fibers: stacks of their own among which one system thread switches by hand.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

/// Fiber.cpp: saves the place in *from and goes on at `to`.
extern "C" void llmc_simt_switch(void **from, void *to);

namespace llmc::simt {

/// A place to run on. What runs there never returns; it is left by switching away.
class Fiber {
public:
  using Body = void (*)(Fiber &self, void *context);
  /// Throws std::bad_alloc.
  Fiber();
  ~Fiber();
  Fiber(const Fiber &) = delete;
  Fiber &operator=(const Fiber &) = delete;

  /// The next switch here begins with body(self, context), whatever stood on the stack before.
  void restart(Body body, void *context);
  /// Leaves `from`, whose place is kept in it, and goes on here.
  static void change(void *&from, Fiber &to) { llmc_simt_switch(&from, to.place); }
  static void change(Fiber &from, void *&to) { llmc_simt_switch(&from.place, to); }
  static void change(Fiber &from, Fiber &to) { llmc_simt_switch(&from.place, to.place); }

  bool holds(const void *address) const {
    return uintptr_t(address) - uintptr_t(stack) < stackBytes + guardBytes;
  }
  uint32_t number = 0; ///< for its owner

private:
  static constexpr size_t stackBytes = 256 << 10, guardBytes = 4096;
  [[noreturn]] static void begin(Fiber *self);

  uint8_t *stack = nullptr; // the guard, then the stack
  void *place = nullptr;
  Body body = nullptr;
  void *context = nullptr;
};

} // namespace llmc::simt
