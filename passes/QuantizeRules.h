//===- QuantizeRules.h - which tensor gets which scheme ---------*- C++ -*-===//
#ifndef LLMC_PASSES_QUANTIZERULES_H
#define LLMC_PASSES_QUANTIZERULES_H

#include "mlir/Pass/Pass.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Regex.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace llmc {

/// What `--quantize` says: SCHEME for all matrices, REGEX=SCHEME for those with a tensor whose name the
/// expression matches somewhere, @FILE for a file with one of both a line. `keep` leaves a matrix as it is
/// stored.
class QuantizeRules {
public:
  /// Rules from the words in their order; nothing and one sentence where one of them is none.
  static std::optional<QuantizeRules> parse(llvm::ArrayRef<std::string> words, std::string &error);

  /// All rules as words, those of files among them: the plain one first.
  std::vector<std::string> texts() const;
  /// The scheme of a matrix of rows of `columns` made from the tensors, `keep` included. Of several rules
  /// that match the last one decides; SCHEME alone is for what no rule matches. `isOuter`: the matrix stands
  /// outside the layers.
  std::string schemeOf(llvm::ArrayRef<std::string> tensors, int64_t columns, bool isOuter);
  /// One sentence about the first rule that has matched nothing so far.
  std::string unmatched() const;

private:
  struct Rule {
    std::string text, place, scheme; // place: "file:3: ", or empty
    std::shared_ptr<const llvm::Regex> pattern;
    bool hasMatched = false;
  };
  std::string add(llvm::StringRef text, const std::string &place);
  std::string addFile(llvm::StringRef path);
  std::string plainScheme(int64_t columns, bool isOuter) const;

  std::vector<Rule> rules;
  std::string everywhere;
};

/// lm-quantize by rules that were read already.
std::unique_ptr<mlir::Pass> createQuantizePass(const QuantizeRules &rules);

} // namespace llmc
#endif
