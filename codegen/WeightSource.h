//===- WeightSource.h - weight expressions on the model's files -*- C++ -*-===//
//
// Opens the files of lm.weights once and evaluates weight expressions (lm.weight, lm.w.*) outside MLIR: the
// rows of a weight in a storage scheme. Row moves only rearrange pointers into the mapped files, so they lose
// nothing on any scheme; arithmetic makes f32 rows and says so in a remark. Rows are quantized as they are
// read.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_CODEGEN_WEIGHTSOURCE_H
#define LLMC_CODEGEN_WEIGHTSOURCE_H

#include "codegen/WeightRows.h"
#include "frontend/formats/WeightFile.h"
#include "ir/LMOps.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace llmc::codegen {

class WeightSource {
public:
  /// Opens one more file, in which tensors are looked for after those before it; false and one sentence on
  /// failure.
  bool add(const std::string &path, std::string &error);
  void add(std::shared_ptr<const formats::WeightFile> file) { files.push_back(std::move(file)); }
  /// With all of the files; null and one sentence on failure.
  static std::unique_ptr<WeightSource> open(llvm::ArrayRef<std::string> paths, std::string &error);

  /// Every tensor is there in the shape that is asked for, with random numbers that depend on its name.
  void makeRandom() { isRandom = true; }

  /// From now on what an expression quantizes reads as the f32 numbers that `decode` makes of it.
  void decodeQuantized(RowDecoder decode) { decoder = std::move(decode); }

  /// For tests only (PlantBug.h): changes each row that is quantized.
  void alterQuantized(RowAlteration change) { alteration = std::move(change); }

  llvm::ArrayRef<std::shared_ptr<const formats::WeightFile>> openFiles() const { return files; }

  /// How its file stores a tensor, and the path of the part that holds it. Null with a sentence (file,
  /// tensor, type) if there is no such tensor or its type has no scheme.
  struct Tensor {
    const quant::QuantScheme *scheme = nullptr;
    const formats::WeightTensor *stored = nullptr;
    const std::string *file = nullptr;
  };
  std::optional<Tensor> lookup(llvm::StringRef name, std::string &error) const;

  /// The scheme that `evaluate` would yield, without touching data. Both check every lm.weight's shape
  /// against the file and report failures at the op. `layer` replaces `{i}` in names.
  llvm::FailureOr<const quant::QuantScheme *> schemeOf(mlir::Value weight,
                                                       std::optional<int64_t> layer) const;
  llvm::FailureOr<std::unique_ptr<WeightRows>> evaluate(mlir::Value weight,
                                                        std::optional<int64_t> layer) const;
  /// Gives back the memory of the files' pages that the rows were read from.
  void release(const WeightRows &rows) const;

private:
  friend class WeightEvaluator;
  std::vector<std::shared_ptr<const formats::WeightFile>> files;
  RowDecoder decoder;
  RowAlteration alteration;
  bool isRandom = false;
};

} // namespace llmc::codegen
#endif
