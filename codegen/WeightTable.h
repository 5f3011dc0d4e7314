//===- WeightTable.h - packed weights of a program, each once ---*- C++ -*-===//
#ifndef LLMC_CODEGEN_WEIGHTTABLE_H
#define LLMC_CODEGEN_WEIGHTTABLE_H

#include "codegen/LowerToStep.h"

#include "llvm/ADT/StringMap.h"

namespace llmc::codegen {

/// Declares step.weight and step.constant ops, one for each distinct content, and gives them their places.
class WeightTable {
public:
  /// The ops stand first in `body`, in the order they are asked for.
  WeightTable(mlir::Block &body, const LowerToStepOptions &options)
      : body(body), builder(body.getParentOp()->getContext()), options(options),
        places(options.places ? *options.places : ownPlaces) {}

  struct Entry {
    mlir::FlatSymbolRefAttr name;
    llvm::StringRef scheme; // a scheme's name, or "vector"
    bool isInteger;
  };
  /// The weight that `expression` makes in `layer`; packs it if it is new.
  mlir::FailureOr<Entry> weight(mlir::Value expression, std::optional<int64_t> layer);
  mlir::FlatSymbolRefAttr constant(llvm::ArrayRef<float> values, mlir::Location loc);

  int64_t bytes() const { return places.end; }
  int64_t parameters() const { return numParameters; }

private:
  int64_t place(llvm::StringRef key, int64_t bytes);
  void goBehindLast();

  mlir::Block &body;
  mlir::OpBuilder builder;
  mlir::Operation *last = nullptr;
  const LowerToStepOptions &options;
  llvm::StringMap<Entry> entries;
  llvm::StringMap<mlir::FlatSymbolRefAttr> constants;
  WeightPlaces ownPlaces;
  WeightPlaces &places;
  int64_t numParameters = 0;
};

} // namespace llmc::codegen
#endif
