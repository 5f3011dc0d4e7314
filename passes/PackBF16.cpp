//===- PackBF16.cpp - store bf16 matrices in 12 bits ----------------------===//
#include "passes/PackBF16.h"

#include "passes/Matchers.h"
#include "passes/MatrixSchemes.h"
#include "passes/Passes.h"

namespace llmc {
#define GEN_PASS_DEF_PACKBF16PASS
#include "passes/Passes.h.inc"
} // namespace llmc

using namespace mlir;
using namespace llmc;

namespace {

struct PackBF16Pass : llmc::impl::PackBF16PassBase<PackBF16Pass> {
  PackBF16Pass() = default;
  explicit PackBF16Pass(PackingFits given) : fits(std::move(given)) {}

  void runOnOperation() override {
    auto decodes = [](Operation *user) {
      return isa<lm::LinearOp, lm::FusedLinearOp, lm::EmbedOp>(user) ||
             (user->getNumResults() == 1 && isa<lm::WeightType>(user->getResult(0).getType()));
    };
    for (Value matrix : matricesOf(getOperation())) {
      const bool mayPack = fits && llvm::all_of(matrix.getUsers(), decodes);
      bool isPacked = false;
      Operation *made = setSchemes(matrix, [&](std::optional<int64_t> layer) {
        StringRef scheme = writtenScheme(matrix, layer);
        const bool mayBeBF16 = scheme == "keep" || scheme == "bf16";
        if (!fits && scheme == "bf16z")
          scheme = "bf16";
        else if (mayPack && mayBeBF16 && fits(matrix, layer))
          scheme = "bf16z", isPacked = true;
        return StringAttr::get(&getContext(), scheme);
      });
      if (isPacked)
        reportApplied(numPacked, "pack-bf16", "packed", made);
    }
  }

  PackingFits fits = [](Value, std::optional<int64_t>) { return true; };
};

} // namespace

std::unique_ptr<Pass> llmc::createPackBF16Pass(PackingFits fits) {
  return std::make_unique<PackBF16Pass>(std::move(fits));
}
