//===- TensorCheck.cpp - a model against the tensors of a file ------------===//
#include "frontend/TensorCheck.h"

#include "frontend/formats/Quote.h"
#include "ir/quant/QuantScheme.h"

#include <fmt/format.h>
#include <unordered_set>

using namespace mlir;

namespace llmc::frontend {
namespace {

/// Tensors that files may hold beside the model's: numbers that the importer has used, or that follow from
/// others, and the parts of models for other things than text.
const char *const alwaysLeftOut[] = {
    // GGUF
    "rope_freqs.weight",
    "rope_factors_long.weight",
    "rope_factors_short.weight",
    "*.attn_rot_embd.weight",
    "*.rope_freqs.weight",
    // Hugging Face
    "*.rotary_emb.inv_freq",
    "*.attn.bias",
    "*.attn.masked_bias",
    "*.attention.bias",
    "*.attention.masked_bias",
    "vision_tower.*",
    "vision_model.*",
    "audio_tower.*",
    "multi_modal_projector.*",
    "visual.*",
    "model.vision_tower.*",
    "model.vision_model.*",
    "model.audio_tower.*",
    "model.multi_modal_projector.*",
    "model.visual.*",
};

/// Whether a name is that of the pattern; a `*` in the pattern stands for anything.
bool matches(StringRef name, StringRef pattern) {
  auto [head, tail] = pattern.split('*');
  return head.size() == pattern.size()
             ? name == pattern
             : name.size() >= head.size() + tail.size() && name.starts_with(head) && name.ends_with(tail);
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
      return refuse(*found, fmt::format("has type {}, expected one of: {}", found->typeName(),
                                        quant::fileSchemeNames()));
    return WalkResult::advance();
  }

  bool nothingLeftOut(ArrayRef<std::string> leftOut) {
    auto mayBeLeftOut = [&](StringRef name) {
      auto isName = [&](StringRef pattern) { return matches(name, pattern); };
      return llvm::any_of(alwaysLeftOut, isName) || llvm::any_of(leftOut, isName);
    };
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

bool checkTensors(lm::ModelOp model, const formats::WeightFile &file, ArrayRef<std::string> leftOut,
                  std::string &error) {
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
  return !result.wasInterrupted() && check.nothingLeftOut(leftOut);
}

} // namespace llmc::frontend
