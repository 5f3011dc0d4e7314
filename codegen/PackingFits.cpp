//===- PackingFits.cpp - which bf16 weights fit 12 bits -------------------===//
#include "codegen/PackingFits.h"

#include "codegen/Parallel.h"

#include "mlir/IR/Diagnostics.h"

using namespace mlir;

namespace llmc::codegen {
namespace {

bool isBF16(const quant::QuantScheme &scheme) { return scheme.name == "bf16"; }

/// Rows that a thread looks at without asking whether others have found a panel that does not fit.
struct Share {
  int64_t first, last;
};

bool allFit(const WeightRows &weight, const quant::QuantScheme &packed) {
  constexpr int64_t ofShare = 16 * quant::panelRows;
  std::vector<Share> shares;
  for (int64_t row = 0; row < weight.rows(); row += ofShare)
    shares.push_back({row, std::min(row + ofShare, weight.rows())});
  std::vector<Share *> jobs;
  for (Share &share : shares)
    jobs.push_back(&share);
  std::atomic<bool> fits = true;
  forEachInParallel<Share>(jobs, [&](Share &share) {
    std::vector<uint8_t> room(weight.rowBytes() * quant::panelRows);
    for (int64_t first = share.first; fits && first < share.last; first += quant::panelRows) {
      const uint8_t *rows[quant::panelRows];
      const int64_t n = std::min(quant::panelRows, share.last - first);
      std::string error; // said when the weight is packed
      for (int64_t r = 0; r < n; ++r)
        if (rows[r] = weight.read(first + r, room.data() + r * weight.rowBytes(), error); !rows[r])
          fits = false;
      if (fits && !packed.fits({rows, size_t(n)}, weight.columns()))
        fits = false;
    }
  });
  return fits;
}

} // namespace

PackingFits packingOf(const WeightSource &source, const PipelineOptions &options) {
  if (!options.devices.empty() || options.defaultKernels || options.activations == "bf16")
    return nullptr;
  uint64_t total = 0;
  for (const auto &file : source.openFiles())
    for (const formats::WeightTensor &tensor : file->tensors())
      if (const quant::QuantScheme *scheme = quant::schemeForGgmlType(tensor.type); scheme && isBF16(*scheme))
        total += tensor.data.size();
  return [&source, &options, total, done = uint64_t(0)](Value matrix, std::optional<int64_t> layer) mutable {
    // What is wrong with an expression is said when it is lowered.
    ScopedDiagnosticHandler quiet(matrix.getContext(), [](Diagnostic &) { return success(); });
    FailureOr<const quant::QuantScheme *> scheme = source.schemeOf(matrix, layer);
    if (failed(scheme) || !isBF16(**scheme))
      return false;
    FailureOr<std::unique_ptr<WeightRows>> weight = source.evaluate(matrix, layer);
    if (failed(weight))
      return false;
    const bool fits = allFit(**weight, *quant::schemeByName("bf16z"));
    source.release(**weight);
    done += (*weight)->rows() * (*weight)->rowBytes();
    if (done <= total) // what is rounded to bf16 here stands in no file as such
      options.progress("look at weights", done, total);
    return fits;
  };
}

} // namespace llmc::codegen
