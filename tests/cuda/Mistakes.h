//===- Mistakes.h - planted in kernels, to be found by the emulator -*- C++ -*-===//
#ifndef LLMC_TESTS_CUDA_MISTAKES_H
#define LLMC_TESTS_CUDA_MISTAKES_H

#include "llvm/IR/Module.h"

#include <string>
#include <vector>

namespace llmc::test {

constexpr uint32_t mostMistakes = 4096; ///< bytes of the variable `planted`

/// What a kernel does wrong while byte `number` of `planted` is not 0.
struct Mistake {
  enum Kind {
    Removed,   // a barrier of the block or the warp, or a fence, is not there
    Divergent, // only thread 0 comes to a barrier
    Weaker,    // a wait lets one more group of copies be under way
    NotWaited, // there is no wait
    Shuffled,  // a lane gets its own number instead of another's
    Beyond     // a read of global memory is of what stands one further
  };
  Kind kind;
  uint32_t number;
  std::string place; // "entry: intrinsic 2", counted in each entry
};

/// Plants all of these in these entries, and takes the module's other kernels away. With `planted` all zeros
/// the kernels do what they did. One compile serves all, one by one and together. Of shuffles only every
/// `everyShuffle`-th one is made wrong.
std::vector<Mistake> plantMistakes(llvm::Module &module, const std::vector<std::string> &entries,
                                   int everyShuffle = 1);

} // namespace llmc::test
#endif
