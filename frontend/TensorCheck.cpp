//===- TensorCheck.cpp - a model against the tensors of a file ------------===//
#include "frontend/TensorCheck.h"

#include "frontend/formats/Quote.h"
#include "ir/quant/QuantScheme.h"

#include <fmt/format.h>
#include <unordered_set>

using namespace mlir;

namespace llmc::frontend {
namespace {

std::string knownTypes() {
  std::string names;
  for (const quant::QuantScheme &scheme : quant::allSchemes())
    names += (names.empty() ? "" : ", ") + std::string(scheme.name);
  return names;
}

/// Tensors that files may hold beside the model's: numbers that the importer has used, or that follow from
/// others.
bool mayBeLeftOut(StringRef name) {
  return name == "rope_freqs.weight" || name.ends_with(".attn_rot_embd.weight") ||
         name.ends_with(".rope_freqs.weight");
}

class Check {
public:
  Check(const formats::WeightFile &file, std::string &error) : file(file), error(error) {}

  WalkResult tensor(const std::string &name, ArrayRef<int64_t> shape) {
    const formats::WeightTensor *found = file.tensor(name);
    if (!found) {
      error = fmt::format("{}: tensor {} is missing", file.path(), formats::quotedText(name));
      return WalkResult::interrupt();
    }
    used.insert(found);
    if (!std::equal(shape.begin(), shape.end(), found->shape.begin(), found->shape.end()))
      return refuse(*found,
                    fmt::format("is {}, expected {}", fmt::join(found->shape, "x"), fmt::join(shape, "x")));
    if (!quant::schemeForGgmlType(found->type))
      return refuse(*found, fmt::format("has type {}, expected one of: {}", found->typeName(), knownTypes()));
    return WalkResult::advance();
  }

  bool nothingLeftOut() {
    for (const formats::WeightTensor &tensor : file.tensors())
      if (!used.count(&tensor) && !mayBeLeftOut(tensor.name)) {
        refuse(tensor, "has no place in a model of this architecture");
        return false;
      }
    return true;
  }

private:
  WalkResult refuse(const formats::WeightTensor &tensor, const std::string &what) {
    error = fmt::format("{}: tensor {} {}", file.partOf(tensor), formats::quotedText(tensor.name), what);
    return WalkResult::interrupt();
  }
  const formats::WeightFile &file;
  std::string &error;
  std::unordered_set<const formats::WeightTensor *> used;
};

} // namespace

bool checkTensors(lm::ModelOp model, const formats::WeightFile &file, std::string &error) {
  Check check(file, error);
  WalkResult result = model.walk([&](lm::WeightRefOp op) {
    ArrayRef<int64_t> shape = cast<lm::WeightType>(op.getW().getType()).getShape();
    auto layers = op->getParentOfType<lm::LayersOp>();
    if (!layers)
      return check.tensor(op.getTensor().str(), shape);
    int64_t kind = op->getParentRegion()->getRegionNumber();
    for (int64_t layer = 0, count = layers.getCount(); layer < count; ++layer)
      if (layers.kindOf(layer) == kind &&
          check.tensor(lm::nameInLayer(op.getTensor(), layer), shape).wasInterrupted())
        return WalkResult::interrupt();
    return WalkResult::advance();
  });
  return !result.wasInterrupted() && check.nothingLeftOut();
}

} // namespace llmc::frontend
