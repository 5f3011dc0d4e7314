// Scheduling: who begins, who waits, who goes on, and what it means if nobody can.
#include "runtime/device/simt/Block.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <new>
#include <numeric>
#include <utility>

namespace llmc::simt {

Block::Block(const Memory &memory) : memory(memory) {}
Block::~Block() = default;

uint32_t Block::draw(uint32_t below) {
  random ^= random << 13, random ^= random >> 17, random ^= random << 5;
  return uint32_t(uint64_t(random) * below >> 32);
}

void Block::shuffle(std::vector<uint32_t> &numbers) {
  if (options.seed)
    for (size_t i = numbers.size(); i > 1; --i)
      std::swap(numbers[i - 1], numbers[draw(uint32_t(i))]);
}

bool Block::prepare() {
  const uint64_t n = launch.block.count();
  threads.resize(n); // their room for copies stays
  order.resize(n);
  for (uint32_t i = 0; i < n; ++i) {
    threads[i].index = order[i] = i;
    threads[i].x = i % launch.block.x;
    threads[i].y = i / launch.block.x % launch.block.y;
    threads[i].z = i / launch.block.x / launch.block.y;
  }
  const llmc_simt_code &code = *launch.code;
  shared.resize((code.shared_bytes + launch.dynamicShared) / sizeof(SharedPiece) + 1);
  sharedRegions.clear();
  for (uint32_t i = 0; i < launch.kernel->n_shared; ++i) {
    const llmc_simt_shared &variable = code.shared[launch.kernel->shared[i]];
    sharedRegions.push_back(
        {variable.name, variable.offset, variable.bytes ? variable.bytes : launch.dynamicShared});
  }
  random = (options.seed * 2654435761u) ^ 0x9e3779b9u;
  random += !random;
  blockOrder.resize(launch.grid.count());
  std::iota(blockOrder.begin(), blockOrder.end(), 0);
  shuffle(blockOrder);
  regionOfSite.assign(code.n_sites, nullptr);
  if (!checksRaces())
    return true;
  races.beginLaunch(uint32_t(n));
  if (!sharedShadow || sharedShadow->size() < sharedSize())
    sharedShadow = Shadow::make(sharedSize());
  return sharedShadow != nullptr;
}

bool Block::run(const Launch &newLaunch, bool hasAccesses, const RunOptions &newOptions) {
  launch = newLaunch;
  options = newOptions;
  isInstrumented = hasAccesses;
  const std::unique_lock<std::mutex> onlyOne = makeRunning();
  *launch.code->calls = &calls;
  message.clear();
  if (!prepare()) {
    message = "no memory to check races";
    return false;
  }
  if (isBroken) { // threads were left where they stood
    freeFibers.clear();
    for (auto &fiber : fibers) {
      fiber->restart([](Fiber &self, void *block) { static_cast<Block *>(block)->work(self); }, this);
      freeFibers.push_back(fiber.get());
    }
    isBroken = false;
  }
  if (options.counts)
    counters.begin(launch.kernel->name, launch.code->n_sites, uint32_t(threads.size()));
  for (uint32_t number : blockOrder) {
    runOne(blockAt(number));
    if (isBroken)
      return false;
  }
  return true;
}

void Block::poisonShared() {
  for (const SharedRegion &region : sharedRegions)
    memset(sharedStart() + region.offset, 0xff, region.bytes); // NaN, whatever type it is read as
}

void Block::runOne(Extent which) {
  at = which;
  poisonShared();
  if (checksRaces())
    races.beginBlock();
  for (Thread &thread : threads) {
    thread.isDone = false;
    thread.fiber = nullptr;
    thread.waitsAt = nowhere;
  }
  forgetCopies();
  shuffle(order);
  // By warp, and in one as in all.
  orderInWarps.resize(order.size());
  std::vector<uint32_t> next((order.size() + LLMC_SIMT_WARP - 1) / LLMC_SIMT_WARP);
  for (uint32_t index : order)
    orderInWarps[index / LLMC_SIMT_WARP * LLMC_SIMT_WARP + next[index / LLMC_SIMT_WARP]++] = index;
  locksteps.assign(next.size(), {.lanes = UINT32_MAX});
  if (const size_t rest = threads.size() % LLMC_SIMT_WARP)
    locksteps.back().lanes = (1u << rest) - 1;
  std::fill(std::begin(arrivedAt), std::end(arrivedAt), 0);
  nextStart = nDone = 0;
  ready.clear();
  Fiber *first = freeFiber();
  if (!first) {
    message = "no memory for the stack of a thread";
    isBroken = true;
    return;
  }
  starting = &threads[order[nextStart++]];
  Fiber::change(outside, *first);
  if (options.counts)
    counters.endBlock();
}

Fiber *Block::freeFiber() {
  if (freeFibers.empty()) {
    try {
      fibers.push_back(std::make_unique<Fiber>());
      freeFibers.reserve(fibers.size());
    } catch (const std::bad_alloc &) {
      return nullptr;
    }
    fibers.back()->number = fibers.size();
    fibers.back()->restart([](Fiber &self, void *block) { static_cast<Block *>(block)->work(self); }, this);
    return fibers.back().get();
  }
  Fiber *fiber = freeFibers.back();
  freeFibers.pop_back();
  return fiber;
}

bool Block::startsNext() {
  if (!mayStart() || ready.empty())
    return mayStart();
  return options.seed && draw(2);
}

Block::Thread *Block::takeReady() {
  if (options.seed)
    std::swap(ready.back(), ready[draw(uint32_t(ready.size()))]);
  Thread *thread = ready.back();
  ready.pop_back();
  return thread;
}

/// The life of a fiber: threads from begin to end, one after the other.
void Block::work(Fiber &self) {
  while (true) {
    Thread &thread = *std::exchange(starting, nullptr);
    thread.fiber = &self;
    current = &thread;
    launch.kernel->run(launch.params);
    end(thread);
    if (startsNext()) {
      starting = &threads[order[nextStart++]];
      continue;
    }
    freeFibers.push_back(&self);
    if (!ready.empty()) {
      current = takeReady();
      Fiber::change(self, *current->fiber);
    } else if (nDone == threads.size()) {
      Fiber::change(self, outside);
    } else {
      stuck();
    }
  }
}

void Block::end(Thread &thread) {
  // Copies that it did not wait for may never be done: nobody can have needed them.
  thread.isDone = true;
  lockstepOf(thread).done |= laneBit(thread);
  ++nDone;
}

/// Gives way to another thread until release() of this one.
void Block::wait(Thread &thread) {
  if (startsNext()) {
    Fiber *fiber = freeFiber();
    if (!fiber)
      fail(thread, "no memory for the stack of a thread");
    starting = &threads[order[nextStart++]];
    Fiber::change(*thread.fiber, *fiber);
  } else if (!ready.empty()) {
    current = takeReady();
    if (current != &thread)
      Fiber::change(*thread.fiber, *current->fiber);
  } else {
    stuck();
  }
}

void Block::release(Thread &thread) {
  thread.waitsAt = nowhere;
  lockstepOf(thread).waiting &= ~laneBit(thread);
  ready.push_back(&thread);
}

std::string Block::placeOf(const Thread &thread) const {
  char text[128];
  snprintf(text, sizeof text, "block (%u, %u, %u), thread (%u, %u, %u)", at.x, at.y, at.z, thread.x, thread.y,
           thread.z);
  return text;
}

void Block::fail(const Thread &thread, const char *format, ...) {
  char text[1024];
  va_list list;
  va_start(list, format);
  vsnprintf(text, sizeof text, format, list);
  va_end(list);
  message = "kernel '" + std::string(launch.kernel->name) + "': " + placeOf(thread) + ": " + text;
  leave();
}

/// What waits here waits for ever.
void Block::leave() {
  isBroken = true;
  Fiber::change(*current->fiber, outside);
  __builtin_unreachable();
}

void Block::stuck() {
  const Thread *waiting = nullptr, *other = nullptr;
  for (const Thread &thread : threads)
    if (thread.waitsAt != nowhere && !waiting)
      waiting = &thread;
  for (const Thread &thread : threads)
    if (thread.waitsAt != waiting->waitsAt && !other)
      other = &thread;
  if (!other)
    fail(*waiting, "deadlock: it waits for ever at %s", textOf(waiting->waitsAt));
  if (other->isDone)
    fail(*waiting, "deadlock: it waits at %s, but thread (%u, %u, %u) has ended without coming there",
         textOf(waiting->waitsAt), other->x, other->y, other->z);
  fail(*waiting, "deadlock: it waits at %s, but thread (%u, %u, %u) waits at %s", textOf(waiting->waitsAt),
       other->x, other->y, other->z, textOf(other->waitsAt));
}

void Block::barrier(uint32_t site, uint32_t number) {
  Thread &thread = *current;
  if (number >= std::size(arrivedAt))
    fail(thread, "%s: there is no barrier %u, only 16", textOf(site), number);
  auto isAligned = [&](uint32_t s) { return launch.code->sites[s].operation == LLMC_SIMT_BARRIER; };
  if (arrivedAt[number] == 0)
    firstAt[number] = &thread;
  else if (const Thread &first = *firstAt[number];
           first.waitsAt != site && (isAligned(site) || isAligned(first.waitsAt)))
    fail(thread, "divergent barrier: it comes to %s, but thread (%u, %u, %u) waits at %s", textOf(site),
         first.x, first.y, first.z, textOf(first.waitsAt));
  if (++arrivedAt[number] < threads.size()) {
    thread.waitsAt = site;
    thread.in = nullptr;
    thread.barrier = number;
    lockstepOf(thread).waiting |= laneBit(thread);
    wait(thread);
    return;
  }
  arrivedAt[number] = 0;
  if (checksRaces())
    races.blockMet();
  for (size_t i = order.size(); i-- > 0;)
    if (Thread &other = threads[order[i]]; other.waitsAt != nowhere && !other.in && other.barrier == number)
      release(other);
}

uint32_t Block::number(uint32_t which) const {
  const Thread &t = *current;
  switch (which) {
  case LLMC_SIMT_LANE:
    return t.index % LLMC_SIMT_WARP;
  case LLMC_SIMT_WARP_NUMBER:
    return warpOf(t);
  default:
    const uint32_t values[12] = {t.x,  t.y,  t.z,  launch.block.x, launch.block.y, launch.block.z,
                                 at.x, at.y, at.z, launch.grid.x,  launch.grid.y,  launch.grid.z};
    return which < std::size(values) ? values[which] : 0;
  }
}

} // namespace llmc::simt
