#include "runtime/device/simt/Races.h"

#include <algorithm>
#include <cstring>
#include <sys/mman.h>

namespace llmc::simt {

static uint64_t cellsOf(uint64_t bytes) {
  return bytes + (bytes + Shadow::wordBytes - 1) / Shadow::wordBytes;
}

std::unique_ptr<Shadow> Shadow::make(uint64_t bytes) {
  void *memory = mmap(nullptr, cellsOf(bytes) * sizeof(Cell), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED)
    return nullptr;
  return std::unique_ptr<Shadow>(new Shadow(bytes, static_cast<Cell *>(memory)));
}

Shadow::~Shadow() { munmap(ofBytes, cellsOf(bytes) * sizeof(Cell)); }

Shadow::Cell &Shadow::cellAt(uint64_t offset, uint64_t nBytes, uint64_t &covered) {
  Cell &word = ofWords[offset / wordBytes];
  const bool isSplit = word.write.tick == splitTick;
  if (!isSplit && offset % wordBytes == 0 && nBytes >= wordBytes) {
    covered = wordBytes;
    return word;
  }
  if (!isSplit) {
    const uint64_t start = offset / wordBytes * wordBytes;
    std::fill(ofBytes + start, ofBytes + std::min(start + wordBytes, bytes), word);
    word.write.tick = splitTick;
  }
  covered = 1;
  return ofBytes[offset];
}

void RaceCheck::beginLaunch(uint32_t nThreads) {
  launchBegin = ++tick;
  blockBegins.clear();
  seen.assign(nThreads, {});
  blocks.beginLaunch(nThreads);
}

void RaceCheck::beginBlock() {
  blockBegins.push_back(lastMeeting = sharedBegin = ++tick);
  blocks.beginBlock();
}

void RaceCheck::blockMet() {
  lastMeeting = ++tick;
  blocks.blockMet();
}

void RaceCheck::passFence(uint32_t thread) {
  BlockOrder::Release own = {blockBegins.size() - 1, lastMeeting, thread / LLMC_SIMT_WARP, seen[thread]};
  own.lanes[thread % LLMC_SIMT_WARP] = ++tick;
  blocks.fence(thread, own);
}

void RaceCheck::warpMet(uint32_t warp, uint32_t mask) {
  ++tick;
  const size_t start = size_t(warp) * LLMC_SIMT_WARP;
  const size_t lanes = std::min<size_t>(LLMC_SIMT_WARP, seen.size() - start);
  std::array<uint64_t, LLMC_SIMT_WARP> joined = {};
  for (size_t lane = 0; lane < lanes; ++lane)
    if (mask >> lane & 1)
      for (size_t i = 0; i < lanes; ++i)
        joined[i] = std::max(joined[i], seen[start + lane][i]);
  for (size_t lane = 0; lane < lanes; ++lane)
    if (mask >> lane & 1)
      joined[lane] = tick;
  for (size_t lane = 0; lane < lanes; ++lane)
    if (mask >> lane & 1)
      seen[start + lane] = joined;
  blocks.warpMet(warp, mask);
}

static uint64_t warpOf(const Shadow::Access &access) { return access.thread / LLMC_SIMT_WARP; }

bool RaceCheck::isOrdered(const Shadow::Access &earlier, const Shadow::Access &now) const {
  if (earlier.tick < first)
    return true;
  if (!isOfThisBlock(earlier))
    return blocks.isKnown(uint32_t(now.thread), blockOf(earlier), earlier.tick, earlier.thread);
  if (earlier.tick < lastMeeting || earlier.thread == now.thread)
    return true;
  return warpOf(earlier) == warpOf(now) && earlier.tick < seen[now.thread][earlier.thread % LLMC_SIMT_WARP];
}

/// Two readers are enough: of two that no order stands between, the second is kept beside the first; if they
/// are of two warps, whoever writes next without a barrier of the block races with one of them. Of three
/// blocks that read, and a fourth that knows of the first two only, the third is forgotten.
void RaceCheck::noteRead(Shadow::Cell &cell, const Shadow::Access &now) const {
  auto &[kept, other] = cell.reads;
  if (isOrdered(kept, now))
    kept = now;
  else if (isOrdered(other, now) || (warpOf(other) == warpOf(kept) && isOfThisBlock(kept)))
    other = now;
}

bool RaceCheck::note(Shadow &shadow, bool isShared, uint64_t offset, uint64_t bytes, uint32_t thread,
                     Kind kind, uint32_t site, Conflict &out) {
  first = isShared ? sharedBegin : launchBegin;
  Shadow::Access now;
  now.tick = tick;
  now.thread = thread;
  now.site = site;
  now.isAtomic = kind == Kind::Atomic;
  const uint64_t end = std::min(offset + bytes, shadow.size());
  Shadow::Cell before, *last = nullptr;
  for (uint64_t i = offset, covered; i < end; i += covered) {
    Shadow::Cell &cell = shadow.cellAt(i, end - i, covered);
    if (last &&
        memcmp(&cell, &before, sizeof cell) == 0) { // what was found of the one before holds of it, too
      cell = *last;
      continue;
    }
    before = cell;
    last = &cell;
    if (!isOrdered(cell.write, now) && !(now.isAtomic && cell.write.isAtomic)) {
      out = {cell.write, i, true};
      return true;
    }
    if (kind == Kind::Read) {
      noteRead(cell, now);
      continue;
    }
    for (const Shadow::Access &read : cell.reads)
      if (!isOrdered(read, now)) {
        out = {read, i, false};
        return true;
      }
    cell.write = now;
  }
  if (now.isAtomic && !isShared)
    blocks.atomic(thread, {&shadow, offset});
  return false;
}

uint64_t RaceCheck::blockOf(const Shadow::Access &access) const {
  const auto after = std::upper_bound(blockBegins.begin(), blockBegins.end(), access.tick);
  return uint64_t(after - blockBegins.begin()) - 1;
}

} // namespace llmc::simt
