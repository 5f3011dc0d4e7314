// Global memory of the emulated device: allocations and the variables of loaded code, with exact bounds.
#pragma once

#include "runtime/device/simt/Races.h"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace llmc::simt {

class Memory {
public:
  struct Region {
    std::string name;
    uint64_t start, bytes;
    uint32_t number; ///< in the order of being made
    bool isOwned;
    bool isScratch = false;                      ///< forgotten before each kernel
    bool isConstant = false;                     ///< kernels may only read it
    mutable std::unique_ptr<Shadow> shadow = {}; ///< what kernels did there, once that was asked for
    std::vector<uint64_t> cuts = {}; ///< where parts that are counted apart begin, ascending; none: it is one
    bool holds(uint64_t address, uint64_t n) const {
      return address >= start && n <= bytes && address - start <= bytes - n;
    }
  };

  /// Nothing has more than this much; 0: as much as there is.
  uint64_t limit = 0;

  ~Memory();
  /// Filled with bytes that make a NaN of every float. Null: no memory.
  void *allocate(uint64_t bytes, const char *name);
  /// False: nothing was allocated there.
  bool free(void *address);
  /// Kernels may only read this allocation from now on.
  void protect(void *address);
  /// Nothing that stands in this allocation outlives a kernel: see forgetScratch().
  void setScratch(void *address);
  /// Fills it with NaN.
  void forgetScratch();
  static void forget(void *address, uint64_t bytes);
  /// Counts the parts of an allocation apart: each from one of the offsets to the next one.
  void cut(void *address, std::vector<uint64_t> offsets);
  /// What belongs to the code and is only known here.
  void add(const void *address, uint64_t bytes, const char *name);
  void remove(const void *address);

  /// The region that the address is in or, if in none, the nearest before it. Null: none before it.
  const Region *find(uint64_t address) const;
  uint64_t inUse() const { return used; }
  size_t allocations() const { return nOwned; }

private:
  std::map<uint64_t, Region> regions;
  uint64_t used = 0;
  size_t nOwned = 0;
  uint32_t made = 0;
};

} // namespace llmc::simt
