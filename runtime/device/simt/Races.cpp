// Epochs count the block's barriers, and for each warp its own.
#include "runtime/device/simt/Races.h"

#include <algorithm>

namespace llmc::simt {

void RaceCheck::begin(uint64_t bytes, uint32_t nThreads) {
  ++epoch; // what earlier blocks noted has another epoch
  if (shadow.size() < bytes)
    shadow.resize(bytes);
  warpEpochs.assign((nThreads + LLMC_SIMT_WARP - 1) / LLMC_SIMT_WARP, 0);
}

bool RaceCheck::isOrdered(const Access &earlier, const Access &now) const {
  if (earlier.thread == none || earlier.epoch != now.epoch || earlier.thread == now.thread)
    return true;
  return earlier.thread / LLMC_SIMT_WARP == now.thread / LLMC_SIMT_WARP && earlier.warpEpoch != now.warpEpoch;
}

bool RaceCheck::note(uint64_t offset, uint64_t bytes, uint32_t thread, Kind kind, uint32_t site,
                     Conflict &out) {
  const Access now{thread, epoch, warpEpochs[thread / LLMC_SIMT_WARP], site, kind == Kind::Atomic};
  const uint64_t end = std::min<uint64_t>(offset + bytes, shadow.size());
  for (uint64_t i = offset; i < end; ++i) {
    Byte &byte = shadow[i];
    if (!isOrdered(byte.write, now) && !(now.isAtomic && byte.write.isAtomic)) {
      out = {byte.write, i, true};
      return true;
    }
    if (kind == Kind::Read) {
      // Of two readers in this epoch the second stays, if it is not this thread.
      if (byte.reads[0].thread != thread && !isOrdered(byte.reads[0], now))
        byte.reads[1] = now;
      else
        byte.reads[0] = now;
      continue;
    }
    for (const Access &read : byte.reads)
      if (!isOrdered(read, now)) {
        out = {read, i, false};
        return true;
      }
    byte.write = now;
  }
  return false;
}

} // namespace llmc::simt
