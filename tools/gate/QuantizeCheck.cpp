//===- QuantizeCheck.cpp - what may be said of quantize exactly -----------===//
#include "tools/gate/QuantizeCheck.h"

#include "codegen/PlantBug.h"
#include "codegen/WeightSource.h"
#include "ir/LMOps.h"
#include "ir/Locations.h"
#include "ir/Print.h"
#include "ir/quant/quantize/Quantize.h"
#include "tools/gate/PlainDecoder.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FormatVariadic.h"

#include <algorithm>
#include <cmath>

using namespace mlir;
using namespace llmc;
using namespace llmc::codegen;
using namespace llmc::tools;

codegen::RowDecoder tools::plainDecoder() {
  return [](const quant::QuantScheme &scheme, const uint8_t *row, int64_t k, float *out) {
    decodeRow(scheme.name, row, k, out);
  };
}

/// The text of a module whose weights are stored as they come.
static std::string textWithoutQuantize(ModuleOp module) {
  OwningOpRef<ModuleOp> copy = module.clone();
  SmallVector<lm::WQuantizeOp> ops;
  copy->walk([&](lm::WQuantizeOp op) { ops.push_back(op); });
  for (lm::WQuantizeOp op : ops) {
    op.getW().replaceAllUsesWith(op.getA());
    op.erase();
  }
  std::string text;
  llvm::raw_string_ostream out(text);
  printNamed(*copy, out);
  return text;
}

std::string tools::findOtherChanges(ModuleOp before, ModuleOp after) {
  const std::string a = textWithoutQuantize(before), b = textWithoutQuantize(after);
  if (a == b)
    return "";
  StringRef restA = a, restB = b;
  while (true) {
    auto [lineA, tailA] = restA.split('\n');
    auto [lineB, tailB] = restB.split('\n');
    if (lineA != lineB)
      return ("quantize changes more than how weights are stored: '" + lineA.trim() + "' has become '" +
              lineB.trim() + "'")
          .str();
    restA = tailA;
    restB = tailB;
  }
}

namespace {
/// Rows of one weight in one layer, as they are and as they are stored.
class PackErrors {
public:
  PackErrors(lm::WQuantizeOp op, std::optional<int64_t> layer, const WeightSource &source)
      : op(op), layer(layer), source(source) {}

  std::string check() const {
    FailureOr<std::unique_ptr<WeightRows>> stored = source.evaluate(op.getW(), layer),
                                           exact = source.evaluate(op.getA(), layer);
    if (failed(stored) || failed(exact) || !(*exact)->isExact())
      return ""; // what cannot be read fails when it is packed; what was rounded before has no exact rows
    const quant::Quantizer *quantizer = quant::quantizerByName((*stored)->scheme().name);
    if (!quantizer || (*stored)->isStoredAsIs())
      return "";
    const int64_t rows = (*stored)->rows(), k = (*stored)->columns();
    std::vector<uint8_t> room((*stored)->rowBytes());
    std::vector<float> numbers(k), decoded(k);
    // A mistake of a scheme is one of all rows.
    for (int64_t r = 0, step = std::max<int64_t>(1, rows / mostRows); r < rows; r += step) {
      std::string error;
      const uint8_t *bytes = (*stored)->read(r, room.data(), error);
      if (!bytes)
        return "";
      (*exact)->floats(r, numbers.data());
      decodeRow(quantizer->scheme, bytes, k, decoded.data());
      if (std::string words = checkRow(*quantizer, numbers, decoded, r); !words.empty())
        return words;
    }
    return "";
  }

private:
  static constexpr int64_t mostRows = 16;

  /// Group by group: the root mean square error, as a part of what the group spans.
  std::string checkRow(const quant::Quantizer &quantizer, ArrayRef<float> exact, ArrayRef<float> decoded,
                       int64_t row) const {
    const bool hasMinimum = StringRef(quantizer.scheme).ends_with("_1") || quantizer.scheme == "q4_k";
    const size_t width = quantizer.group ? quantizer.group : exact.size();
    for (size_t first = 0; first < exact.size(); first += width) {
      const size_t n = std::min(width, exact.size() - first);
      double squares = 0, low = 0, top = 0;
      for (size_t i = first; i < first + n; ++i) {
        const double off = static_cast<double>(exact[i]) - decoded[i];
        squares += off * off;
        low = std::min<double>(low, exact[i]);
        top = std::max<double>(top, exact[i]);
      }
      const double span = hasMinimum ? top - low : std::max(top, -low);
      const double error = std::sqrt(squares / static_cast<double>(n));
      if (!(error <= quantizer.budget * span + smallest))
        return llvm::formatv("quantize stores {0}, row {1}, columns {2} to {3} with an error of {4:e2}, at "
                             "most {5:e2} is allowed for {6}",
                             describeWeight(), row, first, first + n - 1, error,
                             quantizer.budget * span + smallest, quantizer.scheme);
    }
    return "";
  }

  /// Scales of f16 know nothing below.
  static constexpr double smallest = 0x1p-20;

  std::string describeWeight() const {
    std::string place = describeLocation(op.getLoc());
    if (auto tensor = op.getA().getDefiningOp<lm::WeightRefOp>())
      place = "'" + (layer ? lm::nameInLayer(tensor.getTensor(), *layer) : tensor.getTensor().str()) + "'";
    else if (layer)
      place += " of layer " + std::to_string(*layer);
    return place;
  }

  mutable lm::WQuantizeOp op; // a handle
  std::optional<int64_t> layer;
  const WeightSource &source;
};
} // namespace

std::string tools::checkPackErrors(ModuleOp module, const PipelineOptions &options) {
  std::string error;
  std::unique_ptr<WeightSource> source = WeightSource::open(options.weightFiles, error);
  if (!source)
    return error;
  if (options.randomWeights)
    source->makeRandom();
  source->alterQuantized(plantedInRows(options.plantedBug));
  ScopedDiagnosticHandler quiet(module.getContext(), [](Diagnostic &) { return success(); });
  module.walk([&](lm::WQuantizeOp op) {
    auto stack = op->getParentOfType<lm::LayersOp>();
    const int64_t layers = stack ? static_cast<int64_t>(stack.getCount()) : 1;
    for (int64_t i = 0; i < layers && error.empty(); ++i)
      if (!stack || stack.getBodies()[stack.kindOf(i)].isAncestor(op->getParentRegion()))
        error = PackErrors(op, stack ? std::optional(i) : std::nullopt, *source).check();
    return error.empty() ? WalkResult::advance() : WalkResult::interrupt();
  });
  return error;
}
