//===- TensorCheck.cpp - a model against the tensors of a file ------------===//
#include "frontend/TensorCheck.h"

#include "frontend/GgufConfig.h"
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
  Check(const formats::GgufFile &file, std::string &error) : file(file), error(error) {}

  WalkResult tensor(const std::string &name, ArrayRef<int64_t> shape) {
    used.insert(name);
    const formats::GgufTensor *found = file.tensor(name);
    if (!found)
      return refuse(name, "is missing");
    if (!std::equal(shape.begin(), shape.end(), found->shape.begin(), found->shape.end()))
      return refuse(name,
                    fmt::format("is {}, expected {}", fmt::join(found->shape, "x"), fmt::join(shape, "x")));
    if (!quant::schemeForGgmlType(found->type)) {
      const formats::GgmlTypeInfo *info = formats::ggmlTypeInfo(found->type);
      return refuse(name, fmt::format("has type {}, expected one of: {}",
                                      info ? std::string(info->name) : fmt::format("number {}", found->type),
                                      knownTypes()));
    }
    return WalkResult::advance();
  }

  bool nothingLeftOut() {
    for (const formats::GgufTensor &tensor : file.tensors())
      if (!used.count(tensor.name) && !mayBeLeftOut(tensor.name)) {
        refuse(tensor.name, "has no place in a model of this architecture");
        return false;
      }
    return true;
  }

private:
  WalkResult refuse(const std::string &name, const std::string &what) {
    error = fmt::format("{}: tensor {} {}", file.path(), quotedText(name), what);
    return WalkResult::interrupt();
  }
  const formats::GgufFile &file;
  std::string &error;
  std::unordered_set<std::string> used;
};

} // namespace

bool checkTensors(lm::ModelOp model, const formats::GgufFile &file, std::string &error) {
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
