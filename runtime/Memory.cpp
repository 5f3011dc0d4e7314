// Regions by mmap, or from the allocator that the caller brought.
#include "runtime/Memory.h"

#include <sys/mman.h>

namespace llmc {

Region &Region::operator=(Region &&other) noexcept {
  if (this != &other) {
    reset();
    start = std::exchange(other.start, nullptr);
    bytes = std::exchange(other.bytes, 0);
    custom = std::exchange(other.custom, {});
  }
  return *this;
}

bool Region::rounded(uint64_t bytes, uint64_t &out) {
  return alignUp(bytes ? bytes : 1, 4096, out) && out <= SIZE_MAX / 2;
}

bool Region::allocate(uint64_t size, Commit commit, const llmc_allocator *allocator) {
  reset();
  uint64_t whole;
  if (!rounded(size, whole))
    return false;
  if (allocator && allocator->alloc) {
    auto *memory = static_cast<uint8_t *>(allocator->alloc(whole, 4096, allocator->ud));
    if (!memory)
      return false;
    start = memory;
    custom = *allocator;
  } else {
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | (commit == Commit::Lazy ? MAP_NORESERVE : 0);
    void *memory = mmap(nullptr, whole, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (memory == MAP_FAILED)
      return false;
    start = static_cast<uint8_t *>(memory);
  }
  bytes = whole;
  return true;
}

void Region::useHugePages() {
  if (!custom.alloc)
    madvise(start, bytes, MADV_HUGEPAGE);
}

void Region::reset() {
  if (!start)
    return;
  if (!custom.alloc)
    munmap(start, bytes);
  else if (custom.free)
    custom.free(start, bytes, custom.ud);
  start = nullptr;
  bytes = 0;
  custom = {};
}

} // namespace llmc
