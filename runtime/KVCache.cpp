// Page accounting: reference counts, free lists and the page tables that kernels read.
#include "runtime/KVCache.h"

#include <algorithm>
#include <cstring>

namespace llmc {

constexpr size_t mostChanges = 1024; // whoever makes so many without a step sends some in vain

static uint64_t ceilDiv(uint64_t a, uint64_t b) { return a / b + (a % b != 0); }

uint64_t cachePages(const CacheLimits &limits, uint32_t pageTokens) {
  uint64_t full = uint64_t(limits.nSeqs) * ceilDiv(limits.nCtx, pageTokens);
  uint64_t partial = std::min<uint64_t>(limits.nSeqs, limits.nTokens);
  return std::min(full, (limits.nTokens - partial) / pageTokens + partial);
}

llmc_status cacheSizes(std::span<const llmc_kv_layout> layouts, std::span<const uint8_t> isUsed,
                       const CacheLimits &limits, std::vector<PageTableSize> &tables,
                       std::vector<uint64_t> &bytes) {
  tables.clear();
  bytes.assign(layouts.size(), 0);
  for (size_t index = 0; index < layouts.size(); ++index) {
    if (!isUsed[index])
      continue;
    const uint32_t pageTokens = layouts[index].page_tokens;
    PageTableSize table{pageTokens, ceilDiv(limits.nCtx, pageTokens), cachePages(limits, pageTokens), 0};
    if (table.nPages > INT32_MAX || !mulAdd(table.stride, limits.nSeqs, 0, table.entries) ||
        !mulAdd(table.nPages, layouts[index].page_bytes, 0, bytes[index]))
      return setError(LLMC_ENOMEM, "a cache of %llu tokens needs too many pages",
                      (unsigned long long)limits.nTokens);
    if (std::ranges::find(tables, pageTokens, &PageTableSize::pageTokens) == tables.end())
      tables.push_back(table);
  }
  return LLMC_OK;
}

llmc_status KVCache::create(std::span<const llmc_kv_layout> layouts, std::span<const uint8_t> isUsed,
                            const CacheLimits &limits, const llmc_allocator *allocator, Device *onDevice) {
  bounds = limits;
  device = onDevice;
  std::vector<PageTableSize> tables;
  std::vector<uint64_t> bytes;
  if (llmc_status status = cacheSizes(layouts, isUsed, limits, tables, bytes))
    return status;
  sequences.resize(limits.nSeqs);
  stores.resize(layouts.size());
  for (const PageTableSize &size : tables) {
    Group &group = groups.emplace_back();
    group.pageTokens = size.pageTokens;
    group.stride = size.stride;
    group.nPages = size.nPages;
    // Unused entries name page 0: an address that exists, should a kernel compute one it then masks.
    group.table.resize(size.entries, 0);
    group.references.resize(group.nPages, 0);
    group.isDirty.resize(group.nPages, 0);
    group.freePages.resize(group.nPages);
    for (uint64_t i = 0; i < group.nPages; ++i) // page 0 is taken first
      group.freePages[i] = int32_t(group.nPages - 1 - i);
  }
  for (size_t index = 0; index < layouts.size(); ++index) {
    if (!isUsed[index])
      continue;
    const llmc_kv_layout &layout = layouts[index];
    auto found = std::ranges::find(groups, layout.page_tokens, &Group::pageTokens);
    Store &store = stores[index];
    store.pageBytes = layout.page_bytes;
    if (!device && !store.pages.allocate(bytes[index], Region::Commit::Lazy, allocator))
      return setError(LLMC_ENOMEM, "no memory for a cache of %llu tokens (%llu pages of %llu bytes)",
                      (unsigned long long)limits.nTokens, (unsigned long long)found->nPages,
                      (unsigned long long)layout.page_bytes);
    if (device)
      if (llmc_status status = allocateThere(store, bytes[index]))
        return status;
    if (device || !store.pages.isZeroed())
      std::fill(found->isDirty.begin(), found->isDirty.end(), 1);
    found->stores.push_back(uint32_t(index));
  }
  if (device) { // so that extend() and truncate() take no memory
    uint64_t pages = 0;
    for (const Group &group : groups)
      pages += group.nPages * group.stores.size();
    dirtyPages.reserve(pages);
    changes.reserve(std::max(mostChanges, groups.size()) + 1);
  }
  // Only now do the tables stay where they are.
  views.resize(stores.size());
  for (const Group &group : groups)
    for (uint32_t index : group.stores)
      views[index] = {stores[index].start(), group.table.data(), stores[index].pageBytes, group.stride};
  return LLMC_OK;
}

llmc_status KVCache::newSequence(llmc_seq &out) {
  for (size_t i = 0; i < sequences.size(); ++i)
    if (!sequences[i].isUsed) {
      sequences[i] = {.isUsed = true};
      out = llmc_seq(i);
      return LLMC_OK;
    }
  return setError(LLMC_ENOSPC_KV, "all %zu sequences of the session are in use (n_seq_max)",
                  sequences.size());
}

void KVCache::freeSequence(llmc_seq seq) {
  truncate(seq, 0);
  sequences[seq].isUsed = false;
}

llmc_status KVCache::checkRoom(std::span<const uint32_t> newTokens) const {
  uint64_t total = tokensHeld;
  for (size_t seq = 0; seq < newTokens.size(); ++seq) {
    total += newTokens[seq];
    if (uint64_t(sequences[seq].length) + newTokens[seq] > bounds.nCtx)
      return setError(LLMC_ENOSPC_KV, "sequence %zu: %u tokens and %u new ones exceed n_ctx = %u", seq,
                      sequences[seq].length, newTokens[seq], bounds.nCtx);
  }
  if (total > bounds.nTokens)
    return setError(LLMC_ENOSPC_KV, "the cache holds %llu tokens, %llu new ones exceed n_kv_tokens = %llu",
                    (unsigned long long)tokensHeld, (unsigned long long)(total - tokensHeld),
                    (unsigned long long)bounds.nTokens);
  for (const Group &group : groups) {
    uint64_t pages = 0;
    for (size_t seq = 0; seq < newTokens.size(); ++seq)
      pages += newPages(group, seq, newTokens[seq]);
    if (pages > group.freePages.size())
      return setError(LLMC_ENOSPC_KV, "%llu more pages are needed, %zu of %llu are free",
                      (unsigned long long)pages, group.freePages.size(), (unsigned long long)group.nPages);
  }
  return LLMC_OK;
}

bool KVCache::hasRoom(llmc_seq seq, uint32_t n) const {
  return uint64_t(sequences[seq].length) + n <= bounds.nCtx && tokensHeld + n <= bounds.nTokens &&
         std::all_of(groups.begin(), groups.end(), [&](const Group &group) {
           return newPages(group, size_t(seq), n) <= group.freePages.size();
         });
}

uint64_t KVCache::newPages(const Group &group, size_t seq, uint32_t n) const {
  const uint64_t after = std::max<uint64_t>(uint64_t(sequences[seq].length) + n, sequences[seq].reserved);
  return ceilDiv(after, group.pageTokens) - ceilDiv(sequences[seq].reserved, group.pageTokens);
}

void KVCache::noteChange(const Group &group, uint64_t begin, uint64_t end) {
  if (!device || begin >= end)
    return;
  changes.push_back({uint32_t(&group - groups.data()), begin, end});
  if (changes.size() > mostChanges)
    tableChanges(UINT64_MAX);
}

std::span<const KVCache::TableChange> KVCache::tableChanges(uint64_t gap) {
  std::ranges::sort(changes);
  size_t kept = 0;
  for (const TableChange &change : changes) {
    TableChange *last = kept ? &changes[kept - 1] : nullptr;
    if (last && last->table == change.table && (change.begin <= last->end || change.begin - last->end <= gap))
      last->end = std::max(last->end, change.end);
    else
      changes[kept++] = change;
  }
  changes.resize(kept);
  return changes;
}

int32_t KVCache::takePage(Group &group) {
  int32_t page = group.freePages.back();
  group.freePages.pop_back();
  group.references[page] = 1;
  if (group.isDirty[page])
    for (uint32_t index : group.stores) {
      Store &store = stores[index];
      uint8_t *start = store.start() + uint64_t(page) * store.pageBytes;
      if (device)
        dirtyPages.push_back({start, store.pageBytes});
      else
        memset(start, 0, store.pageBytes);
    }
  group.isDirty[page] = 1;
  return page;
}

void KVCache::returnPage(Group &group, int32_t page) {
  group.freePages.push_back(page);
  if (dirtyPages.empty())
    return;
  for (uint32_t index : group.stores) { // whoever takes it next has it cleared
    const Store &store = stores[index];
    const uint8_t *start = store.start() + uint64_t(page) * store.pageBytes;
    std::erase_if(dirtyPages, [&](const auto &dirty) { return dirty.first == start; });
  }
}

llmc_status KVCache::allocateThere(Store &store, uint64_t bytes) {
  DeviceUse use(*device);
  if (llmc_status status = use.status())
    return status;
  return store.devicePages.allocate(*device, bytes, "the cache");
}

llmc_status KVCache::readPage(const uint8_t *page, uint64_t bytes) {
  DeviceUse use(*device);
  if (llmc_status status = use.status())
    return status;
  if (llmc_status status = device->copyOut(pageCopy.data(), DeviceAddress(page), bytes))
    return status;
  return device->synchronize();
}

llmc_status KVCache::writePage(uint8_t *page, uint64_t bytes) {
  DeviceUse use(*device);
  if (llmc_status status = use.status())
    return status;
  std::erase_if(dirtyPages, [&](const auto &dirty) { return dirty.first == page; });
  if (llmc_status status = device->copyIn(DeviceAddress(page), pageCopy.data(), bytes))
    return status;
  return device->synchronize();
}

void KVCache::extend(llmc_seq seq, uint32_t n) {
  Sequence &sequence = sequences[seq];
  const uint32_t before = sequence.reserved;
  sequence.reserved = std::max(before, sequence.length + n);
  for (Group &group : groups) {
    const uint64_t first = ceilDiv(before, group.pageTokens), row = seq * group.stride;
    const uint64_t last = ceilDiv(sequence.reserved, group.pageTokens);
    for (uint64_t i = first; i < last; ++i)
      group.table[row + i] = takePage(group);
    noteChange(group, row + first, row + last);
  }
}

void KVCache::commit(llmc_seq seq, uint32_t n) {
  sequences[seq].length += n;
  tokensHeld += n;
}

void KVCache::truncate(llmc_seq seq, uint32_t length) {
  Sequence &sequence = sequences[seq];
  for (Group &group : groups) {
    const uint64_t kept = ceilDiv(length, group.pageTokens), row = seq * group.stride;
    const uint64_t held = ceilDiv(sequence.reserved, group.pageTokens);
    noteChange(group, row + kept, row + held);
    // Backwards, so that pages are taken again in the order of positions.
    for (uint64_t i = held; i > kept; --i) {
      int32_t &entry = group.table[row + i - 1];
      if (--group.references[entry] == 0)
        returnPage(group, entry);
      entry = 0;
    }
  }
  tokensHeld -= sequence.length - length;
  sequence.length = sequence.reserved = length;
}

uint64_t KVCache::pageBytes(uint32_t length) const {
  uint64_t bytes = 0;
  for (const Group &group : groups)
    for (uint32_t index : group.stores)
      bytes += ceilDiv(length, group.pageTokens) * stores[index].pageBytes;
  return bytes;
}

void KVCache::stats(llmc_kv_stats &out) const {
  for (const Group &group : groups) {
    uint64_t used = group.nPages - group.freePages.size();
    out.pages_total += group.nPages;
    out.pages_used += used;
    out.pages_shared += std::count_if(group.references.begin(), group.references.end(),
                                      [](uint16_t references) { return references > 1; });
    for (uint32_t index : group.stores) {
      out.bytes_total += group.nPages * stores[index].pageBytes;
      out.bytes_used += used * stores[index].pageBytes;
    }
  }
}

} // namespace llmc
