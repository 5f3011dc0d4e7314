//===- Planted.h - kernels run with mistakes in them ------------*- C++ -*-===//
#ifndef LLMC_TESTS_CUDA_PLANTED_H
#define LLMC_TESTS_CUDA_PLANTED_H

#include "DeviceKernelRunner.h"
#include "Mistakes.h"

#include <cstring>
#include <memory>

namespace llmc::test {

using Change = DeviceKernelRunner::Change;

/// A kernel with operands.
struct Subject {
  virtual ~Subject() = default;
  virtual DeviceKernelRunner &runner() = 0;
  /// Empty, or what is wrong; `result` is what it has written.
  virtual std::string run(std::vector<float> &result) = 0;
};
using MakeSubject = std::function<std::unique_ptr<Subject>(const Change &)>;

/// Runs kernels with mistakes in these entries, or without any.
struct Trial {
  Trial(const std::vector<std::string> &entries, const MakeSubject &make, int everyShuffle = 1)
      : subject(
            make([&](llvm::Module &module) { mistakes = plantMistakes(module, entries, everyShuffle); })) {}

  /// Empty, or what shows these mistakes in this order of threads.
  std::string findingOf(const std::vector<uint32_t> &numbers, uint32_t seed) {
    auto *planted = static_cast<uint8_t *>(subject->runner().variable("planted"));
    std::fill_n(planted, mostMistakes, 0);
    for (uint32_t number : numbers)
      planted[number] = 1;
    subject->runner().emulator.options.seed = seed;
    std::vector<float> result;
    std::string error = subject->run(result);
    if (error.empty() && right.empty())
      right = result;
    if (!error.empty())
      return error;
    const bool isSame =
        result.size() == right.size() && memcmp(result.data(), right.data(), right.size() * 4) == 0;
    return isSame ? "" : "other bits";
  }
  /// In one order of threads or another.
  std::string findingOf(const std::vector<uint32_t> &numbers) {
    std::string found;
    for (uint32_t seed = 1; seed <= seeds && found.empty(); ++seed)
      found = findingOf(numbers, seed);
    return found;
  }
  static constexpr uint32_t seeds = 2;

  std::vector<Mistake> mistakes;
  std::unique_ptr<Subject> subject;
  std::vector<float> right;
};

} // namespace llmc::test
#endif
