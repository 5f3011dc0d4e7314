// Pages of cached keys and values, shared by all sequences of a session. Caches whose pages hold the same
// number of tokens share one table; each cache has its own memory, committed as pages are first touched.
#pragma once

#include "runtime/Error.h"
#include "runtime/Memory.h"
#include "runtime/device/Device.h"

#include "llmc/module_abi.h"

#include <compare>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace llmc {

struct CacheLimits {
  uint32_t nSeqs;   ///< sequences at a time
  uint32_t nCtx;    ///< tokens of one sequence
  uint64_t nTokens; ///< tokens of all sequences
};

/// Pages that `limits.nTokens` tokens can need at worst, when every sequence ends in a page of its own.
uint64_t cachePages(const CacheLimits &limits, uint32_t pageTokens);

/// The page table of all caches with as many tokens in a page: `stride` entries for each sequence.
struct PageTableSize {
  uint32_t pageTokens;
  uint64_t stride, nPages, entries;
};
/// The tables, and the bytes of the pages of each cache (0 if it is not used). LLMC_ENOMEM: more than can be
/// numbered.
llmc_status cacheSizes(std::span<const llmc_kv_layout> layouts, std::span<const uint8_t> isUsed,
                       const CacheLimits &limits, std::vector<PageTableSize> &tables,
                       std::vector<uint64_t> &bytes);

class KVCache {
public:
  /// Memory only for those layouts whose `isUsed` is set; with a device, pages are there.
  llmc_status create(std::span<const llmc_kv_layout> layouts, std::span<const uint8_t> isUsed,
                     const CacheLimits &limits, const llmc_allocator *allocator, Device *device = nullptr);

  llmc_status newSequence(llmc_seq &out);
  void freeSequence(llmc_seq seq);
  bool isSequence(llmc_seq seq) const {
    return seq >= 0 && uint64_t(seq) < sequences.size() && sequences[seq].isUsed;
  }
  uint32_t length(llmc_seq seq) const { return sequences[seq].length; }
  const CacheLimits &limits() const { return bounds; }

  /// Whether newTokens[s] more tokens fit for every sequence s; LLMC_ENOSPC_KV says which bound is in the
  /// way.
  llmc_status checkRoom(std::span<const uint32_t> newTokens) const;

  /// The same of one sequence, without a sentence.
  bool hasRoom(llmc_seq seq, uint32_t n) const;

  /// Takes the pages for positions length..length + n - 1 that it does not have yet. Cannot fail after
  /// checkRoom. The length stays: commit() or truncate(seq, length(seq)) ends the step.
  void extend(llmc_seq seq, uint32_t n);
  void commit(llmc_seq seq, uint32_t n);
  /// Cuts the sequence to `length` tokens and returns the pages beyond.
  void truncate(llmc_seq seq, uint32_t length);

  /// Bytes of all pages that `length` tokens of a sequence take.
  uint64_t pageBytes(uint32_t length) const;
  enum class PageUse { Read, Write };
  /// visit(bytes, size) of each page of a sequence, cache by cache in the order of positions, until one
  /// fails.
  template <typename Visit> llmc_status eachPage(llmc_seq seq, PageUse use, Visit visit) {
    for (const Group &group : groups)
      for (uint32_t index : group.stores)
        for (uint64_t i = 0; i * group.pageTokens < sequences[seq].reserved; ++i) {
          const uint64_t page = uint64_t(group.table[uint64_t(seq) * group.stride + i]);
          const Store &store = stores[index];
          uint8_t *bytes = store.start() + page * store.pageBytes;
          if (llmc_status status =
                  device ? visitThere(bytes, store.pageBytes, use, visit) : visit(bytes, store.pageBytes))
            return status;
        }
    return LLMC_OK;
  }

  /// Calls each(table) for the page tables: one for all caches with as many tokens in a page.
  template <typename Each> void eachTable(Each each) const {
    for (const Group &group : groups)
      each(std::span<const int32_t>(group.table));
  }

  /// Of a cache on a device: clear(page, bytes) of all pages that were taken and hold what others left there,
  /// until one fails; those after it stay to be cleared.
  template <typename Clear> llmc_status takeDirtyPages(Clear clear) {
    while (!dirtyPages.empty()) {
      if (llmc_status status = clear(dirtyPages.back().first, dirtyPages.back().second))
        return status;
      dirtyPages.pop_back();
    }
    return LLMC_OK;
  }

  /// Of a cache on a device: which entries of the tables, numbered as eachTable calls them, were written
  /// since they were forgotten; those of a table that are no more than `gap` entries apart are one.
  struct TableChange {
    uint32_t table;
    uint64_t begin, end;
    auto operator<=>(const TableChange &) const = default;
  };
  std::span<const TableChange> tableChanges(uint64_t gap);
  void forgetTableChanges() { changes.clear(); }

  /// One entry a cache, in the module's order, valid as long as the cache.
  const llmc_kv_pool *pools() const { return views.data(); }
  void stats(llmc_kv_stats &out) const;

private:
  struct Store { ///< the memory of one cache
    Region pages;
    DeviceMemory devicePages; ///< in place of `pages`
    uint64_t pageBytes;
    /// An address of the device, if it is there.
    uint8_t *start() const {
      return devicePages.size() ? reinterpret_cast<uint8_t *>(devicePages.address()) : pages.data();
    }
  };
  struct Group { ///< caches with the same page_tokens: same table, same page numbers
    uint32_t pageTokens;
    uint64_t stride, nPages;
    std::vector<int32_t> table;
    std::vector<uint16_t> references;
    std::vector<uint8_t> isDirty; ///< held something before, so it must be zeroed when taken again
    std::vector<int32_t> freePages;
    std::vector<uint32_t> stores;
  };
  struct Sequence {
    bool isUsed = false;
    uint32_t length = 0, reserved = 0; ///< tokens; `reserved` counts what the steps under way add, too
  };

  /// Pages that `n` more tokens of a sequence take.
  uint64_t newPages(const Group &group, size_t seq, uint32_t n) const;
  int32_t takePage(Group &group);
  void returnPage(Group &group, int32_t page);
  void noteChange(const Group &group, uint64_t begin, uint64_t end);
  llmc_status allocateThere(Store &store, uint64_t bytes);
  llmc_status readPage(const uint8_t *page, uint64_t bytes);
  llmc_status writePage(uint8_t *page, uint64_t bytes);
  /// visit() of a copy of a page on the device.
  template <typename Visit> llmc_status visitThere(uint8_t *page, uint64_t bytes, PageUse use, Visit &visit) {
    pageCopy.resize(bytes);
    if (use == PageUse::Read)
      if (llmc_status status = readPage(page, bytes))
        return status;
    if (llmc_status status = visit(pageCopy.data(), bytes))
      return status;
    return use == PageUse::Write ? writePage(page, bytes) : LLMC_OK;
  }

  Device *device = nullptr;
  std::vector<uint8_t> pageCopy;
  std::vector<std::pair<uint8_t *, uint64_t>> dirtyPages; ///< on a device: taken, to be cleared before a step
  std::vector<TableChange> changes;
  CacheLimits bounds = {};
  uint64_t tokensHeld = 0;
  std::vector<Sequence> sequences;
  std::vector<Store> stores;
  std::vector<Group> groups;
  std::vector<llmc_kv_pool> views;
};

} // namespace llmc
