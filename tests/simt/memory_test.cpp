// Accesses that a GPU would not survive, or would do elsewhere: through addresses of other memory, without
// order, of what is not to be written. Each kernel has one mistake.
#include "tests/simt/KernelLibrary.h"

#include <gtest/gtest.h>

using namespace llmc::test;

namespace {

constexpr uint32_t seeds[] = {0, 1, 2, 3};

const std::string declarations =
    "@tile = internal addrspace(3) global [64 x i32] undef, align 16\n"
    "declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()\n"
    "declare i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()\n"
    "declare void @llvm.nvvm.bar.warp.sync(i32) convergent\n"
    "declare void @llvm.nvvm.barrier.cta.sync.aligned.all(i32) convergent\n"
    "declare void @llvm.nvvm.cp.async.ca.shared.global.4(ptr addrspace(3), ptr addrspace(1))\n"
    "declare i32 @llvm.nvvm.ldmatrix.sync.aligned.m8n8.x1.b16.p0(ptr) convergent\n";

/// What the emulator says of a kernel, in every order; it must be the same kind of thing in each.
std::vector<std::string> errorsOf(const std::string &body, llmc::simt::Extent grid,
                                  llmc::simt::Extent block) {
  KernelLibrary library(kernelOf(body, declarations), true);
  EXPECT_EQ(library.error(), "");
  std::vector<std::string> errors;
  for (uint32_t seed : seeds) {
    library.emulator.options.seed = seed;
    errors.push_back(library.launch("k", grid, block, library.upload(std::vector<uint32_t>(256), "out")));
  }
  return errors;
}

#define EXPECT_ERRORS(words, ...)                                                                            \
  for (const std::string &error : errorsOf(__VA_ARGS__))                                                     \
  EXPECT_NE(error.find(words), std::string::npos) << error
#define EXPECT_WELL(...)                                                                                     \
  for (const std::string &error : errorsOf(__VA_ARGS__))                                                     \
  EXPECT_EQ(error, "")

TEST(Spaces, an_address_is_used_as_what_it_is) {
  EXPECT_WELL("  %plain = addrspacecast ptr addrspace(3) @tile to ptr\n  store i32 0, ptr %plain\n"
              "  %back = addrspacecast ptr %plain to ptr addrspace(3)\n  store i32 0, ptr addrspace(3) %back",
              {}, {1});
  EXPECT_ERRORS("writes 4 bytes at 0x",
                "  %plain = addrspacecast ptr addrspace(1) %out to ptr\n"
                "  %other = addrspacecast ptr %plain to ptr addrspace(3)\n"
                "  store i32 0, ptr addrspace(3) %other",
                {}, {1});
  EXPECT_ERRORS("as shared memory, but that is global memory: store i32",
                "  %plain = addrspacecast ptr addrspace(1) %out to ptr\n"
                "  %other = addrspacecast ptr %plain to ptr addrspace(3)\n"
                "  store i32 0, ptr addrspace(3) %other",
                {}, {1});
  EXPECT_ERRORS("as global memory, but that is shared memory: load i32",
                "  %plain = addrspacecast ptr addrspace(3) @tile to ptr\n"
                "  %other = addrspacecast ptr %plain to ptr addrspace(1)\n"
                "  %x = load i32, ptr addrspace(1) %other",
                {}, {1});
  EXPECT_ERRORS("as global memory, but that is the thread's own memory: load i32",
                "  %own = alloca i32\n  %number = ptrtoint ptr %own to i64\n"
                "  %other = inttoptr i64 %number to ptr addrspace(1)\n"
                "  %x = load volatile i32, ptr addrspace(1) %other",
                {}, {1});
}

TEST(Spaces, copies_go_from_global_to_shared_memory) {
  EXPECT_ERRORS(
      "as global memory, but that is shared memory: llvm.nvvm.cp.async.ca.shared.global.4",
      "  %plain = addrspacecast ptr addrspace(3) getelementptr (i8, ptr addrspace(3) @tile, i32 64) "
      "to ptr\n  %from = addrspacecast ptr %plain to ptr addrspace(1)\n"
      "  call void @llvm.nvvm.cp.async.ca.shared.global.4(ptr addrspace(3) @tile, "
      "ptr addrspace(1) %from)",
      {}, {1});
  EXPECT_ERRORS("as shared memory, but that is global memory: llvm.nvvm.cp.async.ca.shared.global.4",
                "  %to = inttoptr i64 0 to ptr addrspace(3)\n"
                "  %place = ptrtoint ptr addrspace(1) %out to i64\n"
                "  %there = getelementptr i8, ptr addrspace(3) %to, i64 %place\n"
                "  call void @llvm.nvvm.cp.async.ca.shared.global.4(ptr addrspace(3) %there, "
                "ptr addrspace(1) %out)",
                {}, {1});
}

TEST(Spaces, ldmatrix_reads_shared_memory) {
  EXPECT_ERRORS("as shared memory, but that is global memory: llvm.nvvm.ldmatrix",
                "  %from = addrspacecast ptr addrspace(1) %out to ptr\n"
                "  %x = call i32 @llvm.nvvm.ldmatrix.sync.aligned.m8n8.x1.b16.p0(ptr %from)",
                {}, {32});
}

TEST(Spaces, what_is_constant_is_only_read) {
  KernelLibrary library(kernelOf("  store i32 0, ptr addrspace(1) %out"), true);
  ASSERT_EQ(library.error(), "");
  uint32_t *out = library.allocate<uint32_t>(1, "the weights");
  EXPECT_EQ(library.launch("k", {}, {1}, out), "");
  library.emulator.memory.protect(out);
  EXPECT_NE(library.launch("k", {}, {1}, out).find("writes 4 bytes of 'the weights', which kernels may only"),
            std::string::npos);
}

const std::string threadNumber = "  %tid = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()\n"
                                 "  %mine = getelementptr i32, ptr addrspace(1) %out, i32 %tid\n"
                                 "  %tileat = getelementptr i32, ptr addrspace(3) @tile, i32 %tid\n";
const std::string blockNumber = "  %block = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()\n"
                                "  %mine = getelementptr i32, ptr addrspace(1) %out, i32 %block\n";
const std::string barrier = "  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)\n";

TEST(Races, blocks_that_write_one_place_are_named) {
  EXPECT_WELL(blockNumber + "  store i32 %block, ptr addrspace(1) %mine", {8}, {1});
  EXPECT_ERRORS("and no fences and atomics order these blocks",
                blockNumber + "  store i32 %block, ptr addrspace(1) %out", {2}, {1});
  EXPECT_ERRORS("race: it writes byte 0 of 'out' at store i32",
                blockNumber + "  store i32 %block, ptr addrspace(1) %out", {2}, {1});
  // One after the other does not make it right.
  EXPECT_ERRORS(" of block (",
                blockNumber + "  %next = getelementptr i32, ptr addrspace(1) %mine, i32 1\n"
                              "  %x = load i32, ptr addrspace(1) %mine\n"
                              "  store i32 %x, ptr addrspace(1) %next",
                {8}, {1});
}

TEST(Races, bytes_of_one_word_are_different_places) {
  EXPECT_WELL("  %block = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()\n"
              "  %mine = getelementptr i8, ptr addrspace(1) %out, i32 %block\n"
              "  store i8 1, ptr addrspace(1) %mine",
              {16}, {1});
}

TEST(Races, changes_are_in_order_with_changes) {
  EXPECT_WELL("  %x = atomicrmw add ptr addrspace(1) %out, i32 1 monotonic", {8}, {64});
  EXPECT_ERRORS("race: it ",
                "  %x = atomicrmw add ptr addrspace(1) %out, i32 1 monotonic\n"
                "  %y = load i32, ptr addrspace(1) %out",
                {1}, {64});
}

/// Each thread of two blocks leaves a word; who comes last to the counter reads all of them.
std::string lastBlockReads(const std::string &told, const std::string &fence, const std::string &found) {
  return blockNumber +
         "  %tid = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()\n"
         "  %start = mul i32 %block, 64\n  %number = add i32 %start, %tid\n"
         "  %counter = getelementptr i32, ptr addrspace(1) %out, i32 128\n"
         "  %word = getelementptr i32, ptr addrspace(1) %out, i32 %number\n"
         "  store i32 %tid, ptr addrspace(1) %word\n" +
         told +
         "  %isfirst = icmp eq i32 %tid, 0\n  br i1 %isfirst, label %first, label %all\n"
         "first:\n" +
         fence +
         "  %before = atomicrmw uinc_wrap ptr addrspace(1) %counter, i32 1 syncscope(\"device\") "
         "monotonic\n" +
         found +
         "  store i32 %before, ptr addrspace(3) @tile\n  br label %all\n"
         "all:\n" +
         barrier +
         "  %times = load i32, ptr addrspace(3) @tile\n"
         "  %islast = icmp eq i32 %times, 1\n  br i1 %islast, label %last, label %done\n"
         "last:\n  %other = xor i32 %number, 95\n"
         "  %its = getelementptr i32, ptr addrspace(1) %out, i32 %other\n"
         "  %x = load i32, ptr addrspace(1) %its\n  br label %done\ndone:";
}

TEST(Races, fences_and_atomics_order_blocks) {
  const std::string fence = "  fence syncscope(\"device\") acq_rel\n";
  EXPECT_WELL(lastBlockReads(barrier, fence, fence), {2}, {64});
  const std::string race = "and no fences and atomics order these blocks";
  EXPECT_ERRORS(race, lastBlockReads(barrier, "", fence), {2}, {64});
  EXPECT_ERRORS(race, lastBlockReads(barrier, fence, ""), {2}, {64});
  EXPECT_ERRORS(race, lastBlockReads(barrier, "  fence syncscope(\"block\") acq_rel\n", fence), {2}, {64});
  // A fence tells of others' words only what a barrier has told before: those of its own warp are not enough.
  EXPECT_ERRORS(race, lastBlockReads("", fence, fence), {2}, {64});
  EXPECT_ERRORS(race, lastBlockReads("  call void @llvm.nvvm.bar.warp.sync(i32 -1)\n", fence, fence), {2},
                {64});
  EXPECT_WELL(lastBlockReads("  call void @llvm.nvvm.bar.warp.sync(i32 -1)\n", fence, fence), {2}, {32});
}

TEST(Races, atomics_of_a_block_are_refused) {
  KernelLibrary library(
      kernelOf("  %x = atomicrmw add ptr addrspace(1) %out, i32 1 syncscope(\"block\") monotonic",
               declarations),
      true);
  EXPECT_NE(library.error().find("atomic operations of one block only cannot be checked"), std::string::npos);
}

TEST(Races, fences_of_one_kind_are_refused) {
  KernelLibrary library(kernelOf("  fence syncscope(\"device\") release", declarations), true);
  EXPECT_NE(library.error().find("fences of one kind only cannot be checked"), std::string::npos);
}

TEST(Races, threads_need_a_barrier_in_global_memory_too) {
  const std::string first = threadNumber + "  store i32 %tid, ptr addrspace(1) %mine\n",
                    second = "  %other = xor i32 %tid, 33\n"
                             "  %its = getelementptr i32, ptr addrspace(1) %out, i32 %other\n"
                             "  %x = load i32, ptr addrspace(1) %its\n";
  EXPECT_WELL(first + barrier + second, {1}, {64});
  EXPECT_ERRORS("of 'out' at ", first + second, {1}, {64});
  EXPECT_ERRORS("and no barrier stands between", first + second, {1}, {64});
  // Another launch is another time.
  KernelLibrary library(kernelOf(threadNumber + "  %x = load i32, ptr addrspace(1) %mine\n"
                                                "  store i32 %tid, ptr addrspace(1) %mine",
                                 declarations),
                        true);
  uint32_t *out = library.upload(std::vector<uint32_t>(64), "out");
  for (uint32_t threads : {64u, 32u, 64u})
    EXPECT_EQ(library.launch("k", {}, {threads}, out), "");
}

TEST(Races, what_is_copied_is_not_written_meanwhile) {
  const std::string copy = "  call void @llvm.nvvm.cp.async.ca.shared.global.4(ptr addrspace(3) %tileat, "
                           "ptr addrspace(1) %mine)\n",
                    wait = "  call void @llvm.nvvm.cp.async.wait.all()\n",
                    write = "  %other = xor i32 %tid, 1\n"
                            "  %its = getelementptr i32, ptr addrspace(1) %out, i32 %other\n"
                            "  store i32 0, ptr addrspace(1) %its\n";
  const std::string more = declarations + "declare void @llvm.nvvm.cp.async.wait.all()\n";
  for (bool isWell : {true, false}) {
    const std::string body = threadNumber + copy + (isWell ? wait + barrier : barrier) + write + wait;
    KernelLibrary library(kernelOf(body, more), true);
    ASSERT_EQ(library.error(), "");
    const std::string error = library.launch("k", {}, {64}, library.upload(std::vector<uint32_t>(64), "out"));
    if (isWell)
      EXPECT_EQ(error, "");
    else
      EXPECT_NE(error.find("race: it "), std::string::npos) << error;
  }
}

/// All threads of two warps read, then one thread, whose number this is, writes; all orders of readers.
std::string readThenWrite(uint32_t writer) {
  return threadNumber +
         "  %x = load i32, ptr addrspace(3) @tile\n"
         "  call void @llvm.nvvm.bar.warp.sync(i32 -1)\n"
         "  %iswriter = icmp eq i32 %tid, " +
         std::to_string(writer) +
         "\n  br i1 %iswriter, label %write, label %done\nwrite:\n"
         "  store i32 0, ptr addrspace(3) @tile\n  br label %done\ndone:\n";
}

TEST(Races, a_reader_of_another_warp_is_not_forgotten) {
  // The warp's barrier orders the writer's own warp; the other one's reads race.
  for (uint32_t writer : {0u, 31u, 32u, 63u}) {
    if (writer < 32)
      EXPECT_WELL(readThenWrite(writer), {1}, {32});
    for (const std::string &error : errorsOf(readThenWrite(writer), {1}, {64}))
      EXPECT_NE(error.find("race: it "), std::string::npos) << error;
  }
}

TEST(Races, a_barrier_orders_the_lanes_of_its_mask_only) {
  // Lane i writes and reads what lane i ^ distance wrote, behind a barrier of quarters of the warp.
  auto body = [](int distance) {
    return threadNumber +
           "  store i32 %tid, ptr addrspace(3) %tileat\n"
           "  %quarter = and i32 %tid, 24\n  %mask = shl i32 255, %quarter\n"
           "  call void @llvm.nvvm.bar.warp.sync(i32 %mask)\n"
           "  %other = xor i32 %tid, " +
           std::to_string(distance) +
           "\n  %its = getelementptr i32, ptr addrspace(3) @tile, i32 %other\n"
           "  %x = load i32, ptr addrspace(3) %its";
  };
  EXPECT_WELL(body(1), {1}, {32});
  EXPECT_WELL(body(7), {1}, {32});
  EXPECT_ERRORS("race: it ", body(8), {1}, {32});
  EXPECT_ERRORS("race: it ", body(24), {1}, {32});
}

TEST(Races, what_a_lane_has_seen_it_hands_on) {
  // Lane 0 writes; 0 and 1 meet, then 1 and 2: lane 2 sees what lane 0 wrote, through lane 1.
  using llmc::simt::RaceCheck;
  for (bool meetTwice : {true, false}) {
    RaceCheck races;
    RaceCheck::Conflict conflict;
    const auto shadow = llmc::simt::Shadow::make(1);
    races.beginLaunch(3);
    races.beginBlock();
    EXPECT_FALSE(races.note(*shadow, true, 0, 1, 0, RaceCheck::Kind::Write, 0, conflict));
    races.warpMet(0, 3);
    if (meetTwice)
      races.warpMet(0, 6);
    EXPECT_EQ(races.note(*shadow, true, 0, 1, 2, RaceCheck::Kind::Read, 0, conflict), !meetTwice);
  }
}

} // namespace
