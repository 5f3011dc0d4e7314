//===- Reducer.cpp - a failing model made small ---------------------------===//
//
// Delta debugging (Zeller, Hildebrandt 2002) for each kind of edit in turn: all of them together, then
// halves, quarters and so on to single ones, from the last op to the first; and all kinds again until none
// helps. A candidate counts only if its text is shorter, so that it ends, and each text is checked once.
//
//===----------------------------------------------------------------------===//
#include "tools/reduce/Reducer.h"

#include "codegen/TemporaryFolder.h"
#include "codegen/WriteFile.h"
#include "frontend/Importer.h"
#include "tools/reduce/Edits.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Verifier.h"

#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::tools;

namespace {

class Reduction {
public:
  Reduction(ModuleOp module, const ReduceOptions &options)
      : best(module.clone()), options(options), text(textOf(*best)) {}

  std::string run(ReduceResult &result);

private:
  static std::string textOf(ModuleOp module);
  bool fails(const std::string &candidate);
  /// Applies the edits [from, to) of a kind to a copy; whether that is the new best.
  bool attempt(const EditKind &kind, size_t from, size_t to);
  bool reduceBy(const EditKind &kind);
  size_t count(const EditKind &kind) { return kind.find(frontend::modelOf(*best)).size(); }

  OwningOpRef<ModuleOp> best;
  const ReduceOptions &options;
  std::string text, error;
  std::string how; // the last check ended
  llvm::StringSet<> seen;
  unsigned checks = 0;
};

} // namespace

std::string Reduction::textOf(ModuleOp module) {
  std::string text;
  llvm::raw_string_ostream out(text);
  frontend::printModel(frontend::modelOf(module), out);
  return text;
}

bool Reduction::fails(const std::string &candidate) {
  codegen::TemporaryFolder folder("llmc-reduce"); // a compile that is ended leaves files beside its result
  if (error = folder.error(); !error.empty())
    return false;
  const std::string place = folder.path() + "/model.mlir";
  if (error = codegen::writeFile(place, [&](llvm::raw_ostream &out) { out << candidate; }); !error.empty())
    return false;
  ++checks;
  CheckEnd end = options.check(place, error);
  how = std::move(end.how);
  return end.fails && error.empty();
}

bool Reduction::attempt(const EditKind &kind, size_t from, size_t to) {
  OwningOpRef<ModuleOp> copy = best->clone();
  lm::ModelOp model = frontend::modelOf(*copy);
  Edits edits = kind.find(model);
  for (size_t i = from; i < to; ++i)
    edits[i]();
  removeDead(model);
  {
    ScopedDiagnosticHandler quiet(copy->getContext(), [](Diagnostic &) { return success(); });
    if (failed(verify(*copy)))
      return false;
  }
  std::string candidate = textOf(*copy);
  if (candidate.size() >= text.size() || !seen.insert(candidate).second || !fails(candidate))
    return false;
  best = std::move(copy);
  text = std::move(candidate);
  if (options.kept)
    error = options.kept(kind.name, *best, checks);
  return true;
}

bool Reduction::reduceBy(const EditKind &kind) {
  bool isSmaller = false;
  if (kind.isAlone) {
    for (size_t i = 0; i < count(kind) && error.empty();)
      if (attempt(kind, i, i + 1)) {
        isSmaller = true;
        i = 0;
      } else {
        ++i;
      }
    return isSmaller;
  }
  for (size_t chunk = count(kind); chunk > 0 && error.empty(); chunk /= 2)
    for (size_t to = count(kind); to > 0 && error.empty();) {
      size_t from = to > chunk ? to - chunk : 0;
      isSmaller |= attempt(kind, from, to);
      to = std::min(from, count(kind));
    }
  return isSmaller;
}

std::string Reduction::run(ReduceResult &result) {
  if (!fails(text))
    return !error.empty() ? error
                          : "the check sees no failure in the model itself (" + how +
                                "): there is nothing to look for in smaller ones";
  for (bool isSmaller = true; isSmaller;) {
    isSmaller = false;
    for (const EditKind &kind : editKinds())
      if (error.empty())
        isSmaller |= reduceBy(kind);
  }
  result = {text, checks};
  return error;
}

std::string tools::reduceModel(ModuleOp module, const ReduceOptions &options, ReduceResult &result) {
  return Reduction(module, options).run(result);
}
