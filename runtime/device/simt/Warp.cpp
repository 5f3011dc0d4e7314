// Warp operations: lanes arrive with their operands, and the last of the mask does the work of all.
#include "runtime/device/simt/Block.h"
#include "runtime/device/simt/Matrix.h"

#include <algorithm>
#include <cstring>

namespace llmc::simt {
namespace {

using Lane = Block::Lane;
using Lanes = Block::Lanes;

/// Which lane a lane reads from, by PTX's rules for shfl.sync; `isInside`: within its segment.
uint32_t sourceOf(uint32_t operation, uint32_t lane, uint32_t b, uint32_t c, bool &isInside) {
  const uint32_t clamp = c & 31, segment = c >> 8 & 31, offset = b & 31;
  const uint32_t most = (lane & segment) | (clamp & ~segment), least = lane & segment;
  uint32_t source = lane;
  switch (operation) {
  case LLMC_SIMT_SHUFFLE_UP:
    source = lane - offset;
    isInside = int32_t(source) >= int32_t(most);
    break;
  case LLMC_SIMT_SHUFFLE_DOWN:
    source = lane + offset;
    isInside = source <= most;
    break;
  case LLMC_SIMT_SHUFFLE_BUTTERFLY:
    source = lane ^ offset;
    isInside = source <= most;
    break;
  default:
    source = least | (offset & ~segment);
    isInside = source <= most;
  }
  return isInside ? source : lane;
}

uint32_t reduce(uint32_t operation, uint32_t a, uint32_t b) {
  switch (operation) {
  case LLMC_SIMT_REDUCE_ADD:
    return a + b;
  case LLMC_SIMT_REDUCE_MIN:
    return uint32_t(std::min(int32_t(a), int32_t(b)));
  case LLMC_SIMT_REDUCE_MAX:
    return uint32_t(std::max(int32_t(a), int32_t(b)));
  case LLMC_SIMT_REDUCE_UMIN:
    return std::min(a, b);
  case LLMC_SIMT_REDUCE_UMAX:
    return std::max(a, b);
  case LLMC_SIMT_REDUCE_AND:
    return a & b;
  case LLMC_SIMT_REDUCE_OR:
    return a | b;
  default:
    return a ^ b;
  }
}

void vote(uint32_t operation, const Lanes &lanes) {
  uint32_t asked = 0, yes = 0;
  for (uint32_t lane = 0; lane < LLMC_SIMT_WARP; ++lane)
    if (lanes[lane].in) {
      asked |= 1u << lane;
      yes |= (lanes[lane].in[1] & 1) << lane;
    }
  const uint32_t result = operation == LLMC_SIMT_VOTE_ALL       ? yes == asked
                          : operation == LLMC_SIMT_VOTE_ANY     ? yes != 0
                          : operation == LLMC_SIMT_VOTE_UNIFORM ? yes == 0 || yes == asked
                                                                : yes;
  for (const Lane &lane : lanes)
    if (lane.in)
      lane.out[0] = result;
}

void reduceAll(uint32_t operation, const Lanes &lanes) {
  const Lane *first = std::find_if(lanes, lanes + LLMC_SIMT_WARP, [](const Lane &lane) { return lane.in; });
  uint32_t result = first->in[1];
  for (const Lane *lane = first + 1; lane < lanes + LLMC_SIMT_WARP; ++lane)
    if (lane->in)
      result = reduce(operation, result, lane->in[1]);
  for (const Lane &lane : lanes)
    if (lane.in)
      lane.out[0] = result;
}

uint64_t addressIn(const uint32_t *words) {
  uint64_t address;
  memcpy(&address, words, sizeof address);
  return address;
}

/// Of the lanes of a whole warp, the words of a run's operations.
struct Run {
  const uint32_t *in[LLMC_SIMT_WARP];
  uint32_t *out[LLMC_SIMT_WARP];
};

/// Matrix i has its rows at the addresses of lanes 8 i to 8 i + 7; lane l gets elements 2 (l % 4) and the
/// next of row l / 4, or of that column.
void loadMatrices(const llmc_simt_site &what, const Run &run, uint32_t number) {
  const bool isTransposed = what.operation == LLMC_SIMT_LDMATRIX_TRANSPOSED;
  for (uint32_t matrix = 0; matrix < what.count; ++matrix) {
    uint16_t rows[8][8];
    for (uint32_t row = 0; row < 8; ++row) {
      const uint32_t *words = run.in[matrix * 8 + row] + number * LLMC_SIMT_RUN_IN + 1;
      memcpy(rows[row], reinterpret_cast<const void *>(addressIn(words)), sizeof rows[row]);
    }
    for (uint32_t lane = 0; lane < LLMC_SIMT_WARP; ++lane) {
      const uint32_t major = lane / 4, minor = lane % 4 * 2;
      uint16_t pair[2] = {rows[major][minor], rows[major][minor + 1]};
      if (isTransposed)
        pair[0] = rows[minor][major], pair[1] = rows[minor + 1][major];
      memcpy(&run.out[lane][number * LLMC_SIMT_RUN_OUT + matrix], pair, sizeof pair);
    }
  }
}

/// Of the operation `number` of a run. Behind the mask stand A, B and C.
void multiply(const llmc_simt_site &what, const Run &run, uint32_t number) {
  const uint32_t in = number * LLMC_SIMT_RUN_IN + 1, out = number * LLMC_SIMT_RUN_OUT;
  MatrixWords words = {run.in, run.in, run.in, run.out, in, in + 4, in + 6, out};
  if (what.columns_from) {
    words.columns = run.out;
    words.columnsAt = out - what.columns_from * LLMC_SIMT_RUN_OUT + what.columns_word;
  }
  if (what.sum_from) {
    words.sums = run.out;
    words.sumsAt = out - what.sum_from * LLMC_SIMT_RUN_OUT;
  }
  multiplyMatrices(what.operation, words);
}

bool isLoad(const llmc_simt_site &site) {
  return site.operation == LLMC_SIMT_LDMATRIX || site.operation == LLMC_SIMT_LDMATRIX_TRANSPOSED;
}

} // namespace

void Block::warp(uint32_t site, const uint32_t *in, uint32_t *out) {
  Thread &thread = *current;
  Lockstep &lockstep = lockstepOf(thread);
  const uint32_t mask = in[0], self = thread.index % LLMC_SIMT_WARP, first = thread.index - self;
  const llmc_simt_site &what = launch.code->sites[site];
  if (!(mask >> self & 1))
    fail(thread, "%s: the mask 0x%x is without the lane %u that calls", what.text, mask, self);
  if (mask & ~lockstep.lanes)
    fail(thread, "%s: the mask 0x%x has lanes that the warp has not", what.text, mask);
  if (isInstrumented)
    checkMatrices(site, in, self);
  // Those who are waiting already must be here, too.
  if (lockstep.site != site || lockstep.mask != mask)
    lockstep.here = 0;
  if (mask & (lockstep.done | (lockstep.waiting & ~lockstep.here)))
    lockstep.here = lanesAt(thread, site, mask);
  lockstep.site = site;
  lockstep.mask = mask;
  lockstep.here |= 1u << self;
  thread.waitsAt = site;
  thread.in = in;
  thread.out = out;
  if ((lockstep.here & mask) != mask) {
    lockstep.waiting |= 1u << self;
    return wait(thread);
  }
  if (what.run && mask != UINT32_MAX)
    fail(thread, "%s: the warp has only the lanes 0x%x", what.text, mask);
  if (what.run) {
    runMatrices(site, first);
  } else {
    Lanes lanes = {};
    for (uint32_t lane = 0; lane < LLMC_SIMT_WARP; ++lane)
      if (mask >> lane & 1)
        lanes[lane] = {threads[first + lane].in, threads[first + lane].out};
    operate(site, lanes, thread);
  }
  for (size_t i = std::min<size_t>(first + LLMC_SIMT_WARP, order.size()); i-- > first;)
    if (const uint32_t index = orderInWarps[i]; (mask >> (index - first) & 1) && index != thread.index)
      release(threads[index]);
  lockstep.here = 0;
  thread.waitsAt = nowhere;
}

/// What a lane says of the matrices that a run loads.
void Block::checkMatrices(uint32_t site, const uint32_t *in, uint32_t lane) {
  const llmc_simt_site *sites = launch.code->sites + site;
  for (uint32_t i = 0; i < sites->run; ++i, in += LLMC_SIMT_RUN_IN)
    if (isLoad(sites[i]) && lane < 8 * sites[i].count) // the addresses of the other lanes are not used
      check(site + i, LLMC_SIMT_LDMATRIX, addressIn(in + 1), 16, 16, LLMC_SIMT_SPACE_SHARED);
}

void Block::runMatrices(uint32_t site, uint32_t firstThread) {
  const llmc_simt_site *sites = launch.code->sites + site;
  Run run;
  for (uint32_t lane = 0; lane < LLMC_SIMT_WARP; ++lane) {
    run.in[lane] = threads[firstThread + lane].in;
    run.out[lane] = threads[firstThread + lane].out;
  }
  for (uint32_t i = 0; i < sites->run; ++i)
    if (isLoad(sites[i]))
      loadMatrices(sites[i], run, i);
    else
      multiply(sites[i], run, i);
}

/// The lanes of the mask that wait there. None may have ended or wait elsewhere.
uint32_t Block::lanesAt(const Thread &thread, uint32_t site, uint32_t mask) {
  const char *text = textOf(site);
  uint32_t here = 0;
  for (uint32_t lane = 0; lane < LLMC_SIMT_WARP; ++lane) {
    if (!(mask >> lane & 1))
      continue;
    const Thread &other = threads[warpOf(thread) * LLMC_SIMT_WARP + lane];
    if (other.isDone)
      fail(thread, "divergent warp operation: it comes to %s, but lane %u of the mask has ended", text, lane);
    if (other.waitsAt != nowhere && (other.waitsAt != site || other.in[0] != mask))
      fail(thread, "divergent warp operation: it comes to %s, but lane %u of the mask waits at %s%s", text,
           lane, textOf(other.waitsAt), other.waitsAt == site ? " with another mask" : "");
    here |= uint32_t(other.waitsAt != nowhere) << lane;
  }
  return here;
}

void Block::operate(uint32_t site, const Lanes &lanes, const Thread &thread) {
  const llmc_simt_site &what = launch.code->sites[site];
  switch (what.operation) {
  case LLMC_SIMT_WARP_BARRIER:
    if (checksRaces())
      races.warpMet(warpOf(thread), thread.in[0]);
    return;
  case LLMC_SIMT_SHUFFLE_BUTTERFLY:
  case LLMC_SIMT_SHUFFLE_INDEX:
  case LLMC_SIMT_SHUFFLE_UP:
  case LLMC_SIMT_SHUFFLE_DOWN:
    for (uint32_t lane = 0; lane < LLMC_SIMT_WARP; ++lane) {
      if (!lanes[lane].in)
        continue;
      bool isInside;
      const uint32_t source = sourceOf(what.operation, lane, lanes[lane].in[2], lanes[lane].in[3], isInside);
      if (!lanes[source].in)
        fail(thread, "%s: lane %u reads from lane %u, which the mask 0x%x leaves out", what.text, lane,
             source, lanes[lane].in[0]);
      lanes[lane].out[0] = lanes[source].in[1];
      lanes[lane].out[1] = isInside;
    }
    return;
  case LLMC_SIMT_VOTE_ALL:
  case LLMC_SIMT_VOTE_ANY:
  case LLMC_SIMT_VOTE_UNIFORM:
  case LLMC_SIMT_VOTE_BALLOT:
    return vote(what.operation, lanes);
  default:
    return reduceAll(what.operation, lanes);
  }
}

} // namespace llmc::simt
