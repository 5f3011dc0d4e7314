//===- planted_defaults_test.cpp - mistakes in default kernels are found --===//
//
// In a default kernel threads meet before and after each op, though most read only what they have written
// themselves: which they do is not asked. So there are more meetings than a kernel needs, and one stands in
// for another. They are left out in turn, for good where nothing shows it as long as the rest is there. What
// then remains is shown to be needed: left out, each gives a finding. It must be as many as the kernel needs
// by what it computes.
//
//===----------------------------------------------------------------------===//
#include "GpuDefault.h"
#include "Planted.h"

#include "llvm/IR/InstIterator.h"
#include "llvm/IR/Instructions.h"

#include <gtest/gtest.h>

using namespace llmc;
using namespace llmc::test;

namespace {

/// Meetings right behind one.
int countRepeated(const llvm::Module &module) {
  auto isMeeting = [](const llvm::Instruction *instruction) {
    auto *call = llvm::dyn_cast_or_null<llvm::CallInst>(instruction);
    return call && call->getCalledFunction()->getName().starts_with("llvm.nvvm.barrier.");
  };
  int count = 0;
  for (const llvm::Function &function : module)
    for (const llvm::Instruction &instruction : llvm::instructions(function))
      count += isMeeting(&instruction) && isMeeting(instruction.getNextNode());
  return count;
}

/// One block goes through the rows in turn.
struct DefaultSubject : Subject {
  DefaultSubject(const DefaultSpec &spec, const Change &change) : kernel(spec, /*rows=*/3, change) {
    kernel.runner.mostRowBlocks = 1;
  }
  DeviceKernelRunner &runner() override { return kernel.runner; }
  std::string run(std::vector<float> &result) override { return kernel.run(result); }
  GpuDefault kernel;
};

struct Case {
  const char *name;
  DefaultSpec spec;
  size_t needed; // meetings
};

class PlantedDefault : public testing::TestWithParam<Case> {};

TEST_P(PlantedDefault, all_that_are_needed_are_found) {
  int repeated = -1;
  Trial trial({"default"}, [&](const Change &change) {
    return std::make_unique<DefaultSubject>(GetParam().spec, [&](llvm::Module &module) {
      repeated = countRepeated(module);
      change(module);
    });
  });
  ASSERT_EQ(trial.subject->runner().error(), "");
  ASSERT_LE(trial.mistakes.size(), mostMistakes);
  ASSERT_EQ(trial.findingOf({}), "");
  EXPECT_EQ(repeated, 0);
  std::vector<uint32_t> spare;
  size_t needed = 0;
  for (const Mistake &mistake : trial.mistakes)
    if (mistake.kind == Mistake::Divergent) {
      EXPECT_NE(trial.findingOf({mistake.number}), "") << mistake.place << ", divergent";
    } else if (mistake.kind == Mistake::Removed) {
      spare.push_back(mistake.number);
      if (trial.findingOf(spare).empty())
        continue;
      spare.pop_back();
      ++needed;
    }
  EXPECT_EQ(needed, GetParam().needed);
}

const Case cases[] = {
    // Mean and deviation are one thread's: before all read them, and before those of the next row.
    {"Norm",
     {.operands = "%x: tensor<?x160xf32>, %g: !lm.weight<160>, %b: !lm.weight<160>",
      .body = "%y = lm.layer_norm %x, %g, %b {eps = 1.0e-3} : <160>",
      .inputs = {160},
      .vectors = {160, 160},
      .output = 160},
     2},
    // Tables of cosines and sines before all read them; halves of a head before they are copied as a whole.
    // In the next row the latter keeps the tables, and the former the halves.
    {"Rope",
     {.operands = "%x: tensor<?x160xf32>, %t: !lm.tokens",
      .body = "%y = lm.rope %x, %t {head_dim = 40, base = 1.0e4} : tensor<?x160xf32>",
      .inputs = {160},
      .vectors = {},
      .output = 160},
     2},
    // Scores before their largest; that before the exponentials, and these before it gives its place to their
    // sums; sums before the quotients, and these before the next row's largest score.
    {"Attention",
     {.operands = "%q: tensor<?x32xf32>, %k: tensor<?x16xf32>, %v: tensor<?x16xf32>, %keys: tensor<?x2xi32>, "
                  "%t: !lm.tokens, %s: !lm.weight<16>",
      .body =
          "%y = lm.attention %q, %k, %v, %keys, %t, %s : !lm.weight<16> {heads = 16, kv_heads = 8, scale = "
          "0.25, mask = causal} : tensor<?x32xf32>, tensor<?x16xf32>, tensor<?x16xf32> -> tensor<?x32xf32>",
      .inputs = {32, 16, 16},
      .vectors = {16},
      .output = 32,
      .hasKeys = true},
     5},
};

INSTANTIATE_TEST_SUITE_P(Kernels, PlantedDefault, testing::ValuesIn(cases),
                         [](const auto &info) { return std::string(info.param.name); });

} // namespace
