#include "runtime/device/simt/BlockOrder.h"

#include <algorithm>

namespace llmc::simt {

void BlockOrder::beginLaunch(uint32_t nThreads) {
  threads.resize(nThreads);
  places.clear();
  releases.clear();
}

void BlockOrder::beginBlock() {
  for (Thread &thread : threads)
    thread = {};
  ofBlock.clear();
  hasKnown = false;
}

void BlockOrder::fence(uint32_t number, const Release &own) {
  Thread &thread = threads[number];
  hasKnown |= !thread.found.empty();
  thread.known.merge(thread.found);
  thread.found.clear();
  releases.push_back(own);
  thread.told = thread.known;
  thread.told.insert(ofBlock.begin(), ofBlock.end());
  thread.told.insert(&releases.back());
}

void BlockOrder::atomic(uint32_t number, std::pair<const void *, uint64_t> place) {
  Thread &thread = threads[number];
  Known &there = places[place];
  thread.found.insert(there.begin(), there.end());
  there.insert(thread.told.begin(), thread.told.end());
}

void BlockOrder::blockMet() {
  if (!hasKnown)
    return;
  for (Thread &thread : threads)
    ofBlock.merge(thread.known);
  hasKnown = false;
}

void BlockOrder::warpMet(uint32_t warp, uint32_t mask) {
  if (!hasKnown)
    return;
  const size_t start = size_t(warp) * LLMC_SIMT_WARP;
  const size_t lanes = std::min<size_t>(LLMC_SIMT_WARP, threads.size() - start);
  Known joined;
  for (size_t lane = 0; lane < lanes; ++lane)
    if (mask >> lane & 1)
      joined.insert(threads[start + lane].known.begin(), threads[start + lane].known.end());
  for (size_t lane = 0; lane < lanes; ++lane)
    if (mask >> lane & 1)
      threads[start + lane].known = joined;
}

bool BlockOrder::isKnown(uint32_t thread, uint64_t block, uint64_t tick, uint64_t itsThread) const {
  auto covers = [&](const Release *release) {
    if (release->block != block)
      return false;
    const bool isLane = itsThread / LLMC_SIMT_WARP == release->warp;
    return tick < release->meeting || (isLane && tick < release->lanes[itsThread % LLMC_SIMT_WARP]);
  };
  return std::ranges::any_of(ofBlock, covers) || std::ranges::any_of(threads[thread].known, covers);
}

} // namespace llmc::simt
