// Warp operations: lanes arrive with their operands, and the last of the mask does the work of all.
#include "runtime/device/simt/Block.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace llmc::simt {
namespace {

using Lane = Block::Lane;
using Lanes = Block::Lanes;

float asFloat(uint32_t word) { return std::bit_cast<float>(word); }
/// Exact, and no call of a function as it would be on CPUs without f16.
float halfOf(uint32_t word, int index) {
  const uint32_t half = uint16_t(word >> 16 * index), sign = (half & 0x8000) << 16, rest = half & 0x7fff;
  if (rest >= 0x7c00)
    return asFloat(sign | 0x7f800000 | rest << 13);
  return asFloat(sign | std::bit_cast<uint32_t>(asFloat(rest << 13) * 0x1p112f));
}
float bfloatOf(uint32_t word, int index) { return asFloat(uint32_t(uint16_t(word >> 16 * index)) << 16); }
int32_t byteOf(uint32_t word, int index) { return int8_t(word >> 8 * index); }

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

/// D = A B + C with A of 16 x `depth`, B of `depth` x 8, as their fragments are laid over lanes: each word
/// holds `packed` consecutive elements along the depth, lane 4 g + t those of row (or column) g.
template <int depth, int packed, typename Sum, typename Element, typename In, typename Out>
void multiply(const Lanes &lanes, Element element, In sumIn, Out sumOut) {
  Sum a[16][depth], b[depth][8];
  for (int lane = 0; lane < 32; ++lane) {
    const int group = lane / 4, part = lane % 4;
    const uint32_t *words = lanes[lane].in + 1;
    for (int word = 0; word < 4; ++word)
      for (int i = 0; i < packed; ++i)
        a[group + word % 2 * 8][word / 2 * depth / 2 + part * packed + i] = element(words[word], i);
    for (int word = 0; word < 2; ++word)
      for (int i = 0; i < packed; ++i)
        b[word * depth / 2 + part * packed + i][group] = element(words[4 + word], i);
  }
  Sum sums[16][8];
  auto forEachSum = [&](auto body) {
    for (int lane = 0; lane < 32; ++lane)
      for (int i = 0; i < 4; ++i)
        body(lanes[lane], i, sums[lane / 4 + i / 2 * 8][lane % 4 * 2 + i % 2]);
  };
  forEachSum([&](const Lane &lane, int i, Sum &sum) { sum = sumIn(lane.in + 7, i); });
  using Row = Sum __attribute__((vector_size(8 * sizeof(Sum)))); // most of the emulator's time is spent here
  for (Sum(&sumsOfRow)[8] : sums) {
    Row sum, row;
    memcpy(&sum, sumsOfRow, sizeof sum);
    for (int k = 0; k < depth; ++k) { // ascending for each sum
      memcpy(&row, b[k], sizeof row);
      sum += a[&sumsOfRow - sums][k] * row;
    }
    memcpy(sumsOfRow, &sum, sizeof sum);
  }
  forEachSum([&](const Lane &lane, int i, Sum &sum) { sumOut(lane.out, i, sum); });
}

void multiplyAll(uint32_t operation, const Lanes &lanes) {
  auto floatIn = [](const uint32_t *c, int i) { return asFloat(c[i]); };
  auto floatOut = [](uint32_t *d, int i, float sum) { d[i] = std::bit_cast<uint32_t>(sum); };
  switch (operation) {
  case LLMC_SIMT_MMA_F16_F32:
    return multiply<16, 2, float>(lanes, halfOf, floatIn, floatOut);
  case LLMC_SIMT_MMA_BF16_F32:
    return multiply<16, 2, float>(lanes, bfloatOf, floatIn, floatOut);
  case LLMC_SIMT_MMA_F16_F16:
    return multiply<16, 2, float>(
        lanes, halfOf, [](const uint32_t *c, int i) { return halfOf(c[i / 2], i % 2); },
        [](uint32_t *d, int i, float sum) {
          const uint32_t bits = std::bit_cast<uint16_t>(_Float16(sum));
          d[i / 2] = i % 2 ? (d[i / 2] & 0xffff) | bits << 16 : bits;
        });
  default:
    return multiply<32, 4, int32_t>(
        lanes, byteOf, [](const uint32_t *c, int i) { return int32_t(c[i]); },
        [](uint32_t *d, int i, int32_t sum) { d[i] = uint32_t(sum); });
  }
}

uint64_t addressOf(const Lane &lane) {
  uint64_t address;
  memcpy(&address, lane.in + 1, sizeof address);
  return address;
}

/// Matrix i has its rows at the addresses of lanes 8 i to 8 i + 7; lane l gets elements 2 (l % 4) and the
/// next of row l / 4, or of that column.
void loadMatrices(uint32_t count, bool isTransposed, const Lanes &lanes) {
  for (uint32_t lane = 0; lane < LLMC_SIMT_WARP; ++lane)
    for (uint32_t matrix = 0; matrix < count; ++matrix) {
      uint16_t pair[2];
      for (uint32_t i = 0; i < 2; ++i) {
        const uint32_t major = lane / 4, minor = lane % 4 * 2 + i;
        const uint32_t row = isTransposed ? minor : major, column = isTransposed ? major : minor;
        memcpy(&pair[i], reinterpret_cast<const uint16_t *>(addressOf(lanes[matrix * 8 + row])) + column, 2);
      }
      memcpy(&lanes[lane].out[matrix], pair, 4);
    }
}

} // namespace

void Block::warp(uint32_t site, const uint32_t *in, uint32_t *out) {
  Thread &thread = *current;
  const uint32_t mask = in[0], first = warpOf(thread) * LLMC_SIMT_WARP, self = thread.index - first;
  const llmc_simt_site &what = launch.code->sites[site];
  const bool isWhole = what.operation >= LLMC_SIMT_LDMATRIX && what.operation <= LLMC_SIMT_MMA_S8_S32;
  if (!(mask >> self & 1))
    fail(thread, "%s: the mask 0x%x is without the lane %u that calls", what.text, mask, self);
  if (mask & ~lanesOf(thread))
    fail(thread, "%s: the mask 0x%x has lanes that the warp has not", what.text, mask);
  if (what.operation == LLMC_SIMT_LDMATRIX || what.operation == LLMC_SIMT_LDMATRIX_TRANSPOSED)
    if (self < 8 * what.count) { // the addresses of the other lanes are not used
      uint64_t address;
      memcpy(&address, in + 1, sizeof address);
      check(site, LLMC_SIMT_LDMATRIX, address, 16, 16, LLMC_SIMT_SPACE_SHARED);
    }
  // Those who are waiting already must be here, too.
  Lockstep &lockstep = lockstepOf(thread);
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
  if (isWhole && mask != UINT32_MAX)
    fail(thread, "%s: the warp has only the lanes 0x%x", what.text, mask);
  Lanes lanes = {};
  for (uint32_t lane = 0; lane < LLMC_SIMT_WARP; ++lane)
    if (mask >> lane & 1)
      lanes[lane] = {threads[first + lane].in, threads[first + lane].out};
  operate(site, lanes, thread);
  for (uint32_t i = first; i < std::min<size_t>(first + LLMC_SIMT_WARP, order.size()); ++i)
    if (const uint32_t index = orderInWarps[i]; (mask >> (index - first) & 1) && index != thread.index)
      release(threads[index]);
  lockstep.here = 0;
  thread.waitsAt = nowhere;
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
  case LLMC_SIMT_LDMATRIX:
  case LLMC_SIMT_LDMATRIX_TRANSPOSED:
    return loadMatrices(what.count, what.operation == LLMC_SIMT_LDMATRIX_TRANSPOSED, lanes);
  case LLMC_SIMT_MMA_F16_F32:
  case LLMC_SIMT_MMA_F16_F16:
  case LLMC_SIMT_MMA_BF16_F32:
  case LLMC_SIMT_MMA_S8_S32:
    return multiplyAll(what.operation, lanes);
  default:
    return reduceAll(what.operation, lanes);
  }
}

} // namespace llmc::simt
