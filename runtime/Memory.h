// Zeroed regions of address space that cost memory only where they are touched, and checked size arithmetic.
#pragma once

#include "llmc/llmc.h"

#include <cstddef>
#include <cstdint>
#include <utility>

namespace llmc {

/// a * b + c, or false when it does not fit in 64 bits.
inline bool mulAdd(uint64_t a, uint64_t b, uint64_t c, uint64_t &out) {
  uint64_t product;
  return !__builtin_mul_overflow(a, b, &product) && !__builtin_add_overflow(product, c, &out);
}

/// Rounds up to a power of two; false on overflow.
inline bool alignUp(uint64_t value, uint64_t alignment, uint64_t &out) {
  if (__builtin_add_overflow(value, alignment - 1, &out))
    return false;
  out &= ~(alignment - 1);
  return true;
}

class Region {
public:
  enum class Commit {
    Lazy,     ///< address space only; memory as it is touched
    Accounted ///< the kernel may refuse more than the machine has
  };

  Region() = default;
  ~Region() { reset(); }
  Region(Region &&other) noexcept { *this = std::move(other); }
  Region &operator=(Region &&other) noexcept;

  /// Page-aligned; zeroed unless it comes from the caller's allocator. False: no memory.
  bool allocate(uint64_t bytes, Commit commit = Commit::Lazy, const llmc_allocator *allocator = nullptr);
  void reset();
  /// Asks for pages of 2 MiB where the system gives them on request; before anything is written.
  void useHugePages();

  uint8_t *data() const { return start; }
  uint64_t size() const { return bytes; }
  bool isZeroed() const { return !custom.alloc; }
  /// What a region of so many bytes takes: whole pages. False: beyond what can be addressed.
  static bool rounded(uint64_t bytes, uint64_t &out);

private:
  uint8_t *start = nullptr;
  uint64_t bytes = 0;
  llmc_allocator custom = {};
};

} // namespace llmc
