// A group of lanes is counted when all have come, or when its block ends.
#include "runtime/device/simt/Counters.h"

#include <algorithm>
#include <bit>

namespace llmc::simt {

void Counters::begin(const char *name, uint32_t nSites, uint32_t nThreads) {
  if (kernel != name)
    here.clear();
  kernel = name;
  sites = nSites;
  threads = nThreads;
  groups.resize(std::max<size_t>(groups.size(), size_t(nSites) * ((nThreads - 1) / LLMC_SIMT_WARP + 1)));
  loaded.clear();
  stored.clear();
}

AccessCounts &Counters::countsOf(const Memory::Region &region, uint64_t address) {
  const std::vector<uint64_t> &cuts = region.cuts;
  const auto after = std::upper_bound(cuts.begin(), cuts.end(), address - region.start);
  AccessCounts *&place = here[{region.number, uint32_t(after - cuts.begin())}];
  if (place)
    return *place;
  const uint64_t first = after == cuts.begin() ? 0 : after[-1];
  const std::string name = cuts.empty() ? region.name : region.name + "+" + std::to_string(first);
  place = &totals[{kernel, name}];
  place->memory = (after == cuts.end() ? region.bytes : *after) - first;
  return *place;
}

void Counters::note(uint32_t site, uint32_t thread, uint64_t address, uint64_t bytes, bool isStore,
                    const Memory::Region &region) {
  const uint32_t warp = thread / LLMC_SIMT_WARP;
  AccessCounts &counts = countsOf(region, address);
  (isStore ? counts.stores : counts.loads) += bytes;
  const uint32_t place = warp * sites + site;
  Groups &list = groups[place];
  if (list.first == 0 && list.open.empty())
    touched.push_back(place);
  const uint64_t pass = list.passes[thread % LLMC_SIMT_WARP]++;
  if (pass < list.first)
    return; // cannot be: a closed group has all its lanes
  while (list.first + list.open.size() <= pass)
    list.open.emplace_back();
  Group &group = list.open[pass - list.first];
  group.counts = &counts;
  group.isStore = isStore;
  note(group, address, bytes);
  const uint32_t lanes = std::min(LLMC_SIMT_WARP, threads - warp * LLMC_SIMT_WARP);
  ++group.arrived;
  while (!list.open.empty() && list.open.front().arrived == lanes) {
    close(list.open.front());
    list.open.pop_front();
    ++list.first;
  }
}

void Counters::note(Group &group, uint64_t address, uint64_t bytes) {
  for (const uint64_t end = address + bytes; address < end;) {
    const uint64_t number = address / transactionBytes, bit = address % transactionBytes;
    const uint64_t n =
        std::min({end - address, transactionBytes - bit, 64 - bit % 64}); // of one word of the mask
    auto found = std::find_if(group.segments.begin(), group.segments.end(),
                              [&](const Segment &segment) { return segment.number == number; });
    if (found == group.segments.end())
      found = group.segments.insert(found, {number, {}});
    found->mask[bit / 64] |= ~uint64_t(0) >> (64 - n) << bit % 64;
    address += n;
  }
}

void Counters::close(Group &group) {
  if (!group.counts)
    return;
  uint64_t bytes = 0, fresh = 0;
  for (const Segment &segment : group.segments) {
    Mask &had = (group.isStore ? stored : loaded)[segment.number];
    for (size_t i = 0; i < had.size(); ++i) {
      bytes += uint64_t(std::popcount(segment.mask[i]));
      fresh += uint64_t(std::popcount(segment.mask[i] & ~had[i]));
      had[i] |= segment.mask[i];
    }
  }
  (group.isStore ? group.counts->warpStores : group.counts->warpLoads) += bytes;
  (group.isStore ? group.counts->distinctStores : group.counts->distinctLoads) += fresh;
  (group.isStore ? group.counts->storeTransactions : group.counts->loadTransactions) += group.segments.size();
}

void Counters::endBlock() {
  for (uint32_t place : touched) {
    Groups &list = groups[place];
    for (Group &group : list.open)
      close(group);
    list.open.clear();
    list.first = 0;
    list.passes = {};
  }
  touched.clear();
}

} // namespace llmc::simt
