// Asynchronous copies: nothing is written before it is waited for, which is as late as a GPU may do it, and
// until then nobody may touch the place.
#include "runtime/device/simt/Block.h"

#include <algorithm>
#include <cstring>

namespace llmc::simt {

void Block::forgetCopies() {
  for (Thread &thread : threads) {
    thread.copies.clear();
    thread.copyGroup = 0;
  }
  if (hasCopies)
    std::fill(copying.begin(), copying.end(), CopyMark());
  copying.resize(sharedSize());
  hasCopies = false;
}

void Block::copyAsync(const Copy &copy) {
  Thread &thread = *current;
  const uint64_t to = uint64_t(copy.to), from = uint64_t(copy.from);
  if (to % copy.bytes || from % copy.bytes)
    fail(thread, "copies %u bytes between addresses that are no multiples of it: %s", copy.bytes,
         textOf(copy.site));
  if (copy.sourceBytes > copy.bytes)
    fail(thread, "copies %u of %u bytes: %s", copy.sourceBytes, copy.bytes, textOf(copy.site));
  // The write may happen at any time until it is waited for, so it must be in order now, and then again.
  check(copy.site, LLMC_SIMT_COPY_ASYNC, to, copy.bytes, 0, LLMC_SIMT_SPACE_SHARED);
  if (copy.sourceBytes)
    check(copy.site, LLMC_SIMT_LOAD, from, copy.sourceBytes, 0, LLMC_SIMT_SPACE_GLOBAL);
  thread.copies.push_back(copy);
  thread.copies.back().group = thread.copyGroup;
  markCopy(copy, {thread.index, copy.site});
}

void Block::markCopy(const Copy &copy, CopyMark mark) {
  const uint64_t offset = uint64_t(copy.to - sharedStart());
  if (!checksRaces() || offset >= sharedSize())
    return;
  hasCopies = true;
  std::fill_n(copying.begin() + ptrdiff_t(offset), std::min<uint64_t>(copy.bytes, sharedSize() - offset),
              mark);
}

void Block::checkCopies(uint32_t site, const char *verb, uint64_t offset, uint64_t bytes) {
  if (!hasCopies)
    return;
  for (uint64_t i = offset; i < std::min(offset + bytes, sharedSize()); ++i)
    if (const CopyMark &mark = copying[i]; mark.thread != nowhere) {
      const Thread &other = threads[mark.thread];
      fail(*current,
           "race: it %s byte %llu of shared memory at %s, where a copy by thread (%u, %u, %u) at %s is under "
           "way: it has not been waited for",
           verb, (unsigned long long)i, textOf(site), other.x, other.y, other.z, textOf(mark.site));
    }
}

void Block::waitCopies(uint32_t groups) {
  Thread &thread = *current;
  if (groups == UINT32_MAX)
    finishCopies(thread, UINT32_MAX);
  else if (thread.copyGroup > groups)
    finishCopies(thread, thread.copyGroup - groups);
}

/// What is copied is read at any time until the copy is done.
void Block::checkSource(const Copy &copy) {
  const uint64_t from = uint64_t(copy.from);
  if (!checksRaces() || !copy.sourceBytes)
    return;
  const Memory::Region *region = regionOf(copy.site, from, copy.sourceBytes);
  if (region && region->holds(from, copy.sourceBytes) && !region->isConstant)
    checkRace(copy.site, 0, from - region->start, copy.sourceBytes, region);
}

void Block::finishCopies(Thread &thread, uint32_t beforeGroup) {
  auto copy = thread.copies.begin();
  for (; copy != thread.copies.end() && copy->group < beforeGroup; ++copy) {
    markCopy(*copy, {});
    check(copy->site, LLMC_SIMT_COPY_ASYNC, uint64_t(copy->to), copy->bytes, 0, LLMC_SIMT_SPACE_SHARED);
    checkSource(*copy);
    if (copy->sourceBytes == 16) {
      memcpy(copy->to, copy->from, 16); // nearly all of them
      continue;
    }
    memcpy(copy->to, copy->from, copy->sourceBytes);
    memset(copy->to + copy->sourceBytes, 0, copy->bytes - copy->sourceBytes);
  }
  thread.copies.erase(thread.copies.begin(), copy);
}

} // namespace llmc::simt
