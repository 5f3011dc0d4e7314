// Allocations lie apart from each other, so that what runs over the end of one is not in the next.
#include "runtime/device/simt/Memory.h"

#include <cstdlib>
#include <cstring>
#include <sys/mman.h>

namespace llmc::simt {

constexpr uint64_t apart = 4096, alignment = 256; // as cuMemAlloc aligns

static uint64_t mapped(uint64_t bytes) { return (bytes + 2 * apart - 1) / apart * apart; }

Memory::~Memory() {
  for (const auto &[start, region] : regions)
    if (region.isOwned)
      munmap(reinterpret_cast<void *>(start), mapped(region.bytes));
}

void *Memory::allocate(uint64_t bytes, const char *name) {
  if (bytes == 0 || bytes > (uint64_t(1) << 47) || (limit && (bytes > limit || used > limit - bytes)))
    return nullptr;
  static_assert(apart % alignment == 0);
  void *memory = mmap(nullptr, mapped(bytes), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED)
    return nullptr;
  forget(memory, bytes);
  regions[uint64_t(memory)] = {name, uint64_t(memory), bytes, made++, true};
  used += bytes;
  ++nOwned;
  return memory;
}

bool Memory::free(void *address) {
  auto found = regions.find(uint64_t(address));
  if (found == regions.end() || !found->second.isOwned)
    return false;
  used -= found->second.bytes;
  --nOwned;
  munmap(address, mapped(found->second.bytes));
  regions.erase(found);
  return true;
}

void Memory::protect(void *address) {
  if (auto found = regions.find(uint64_t(address)); found != regions.end())
    found->second.isConstant = true;
}

void Memory::setScratch(void *address) {
  if (auto found = regions.find(uint64_t(address)); found != regions.end())
    found->second.isScratch = true;
}

void Memory::forgetScratch() {
  for (const auto &[start, region] : regions)
    if (region.isScratch)
      forget(reinterpret_cast<void *>(start), region.bytes);
}

void Memory::forget(void *address, uint64_t bytes) { memset(address, 0xff, bytes); }

void Memory::cut(void *address, std::vector<uint64_t> offsets) {
  if (auto found = regions.find(uint64_t(address)); found != regions.end())
    found->second.cuts = std::move(offsets);
}

void Memory::add(const void *address, uint64_t bytes, const char *name) {
  if (bytes)
    regions[uint64_t(address)] = {name, uint64_t(address), bytes, made++, false};
}

void Memory::remove(const void *address) { regions.erase(uint64_t(address)); }

const Memory::Region *Memory::find(uint64_t address) const {
  auto after = regions.upper_bound(address);
  return after == regions.begin() ? nullptr : &std::prev(after)->second;
}

} // namespace llmc::simt
