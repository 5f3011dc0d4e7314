// Steps deal the rows of every weight to the workers in equal runs (Shares): so are its bytes here.
#include "runtime/CopyWeights.h"

#include "runtime/Workspace.h"

#include <algorithm>
#include <cstring>

namespace llmc {

CopyWeights::CopyWeights(const llmc_module &tables, std::span<const uint8_t> from, uint8_t *to,
                         uint32_t nWorkers)
    : from(from), to(to), ends(weightOffsets(tables)), cursors(nWorkers) {
  if (ends.empty() || ends.front() != 0)
    ends.insert(ends.begin(), 0);
  if (ends.back() != from.size())
    ends.push_back(from.size());
}

void CopyWeights::work(uint32_t worker, uint64_t bytes) {
  Cursor &cursor = cursors[worker];
  for (; bytes && cursor.weight + 1 < ends.size(); ++cursor.weight, cursor.done = 0) {
    const uint64_t begin = ends[cursor.weight], size = ends[cursor.weight + 1] - begin;
    const uint64_t perWorker = (size + cursors.size() - 1) / cursors.size();
    const uint64_t first = std::min(worker * perWorker, size), mine = std::min(size - first, perWorker);
    const uint64_t n = std::min(bytes, mine - cursor.done), at = begin + first + cursor.done;
    memcpy(to + at, from.data() + at, n);
    cursor.done += n;
    cursor.total += n;
    bytes -= n;
    if (cursor.done < mine)
      return;
  }
}

uint64_t CopyWeights::copyMore(ThreadPool &pool, uint64_t bytes) {
  struct Round {
    CopyWeights *copy;
    uint64_t bytes;
  } round{this, bytes / cursors.size() + 1};
  pool.run(
      [](void *context, uint32_t worker, uint32_t) {
        static_cast<Round *>(context)->copy->work(worker, static_cast<Round *>(context)->bytes);
      },
      &round);
  uint64_t done = 0;
  for (const Cursor &cursor : cursors)
    done += cursor.total;
  return done;
}

} // namespace llmc
