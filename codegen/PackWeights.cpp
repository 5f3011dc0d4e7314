//===- PackWeights.cpp - the weights of a program as they lie in model.so -===//
#include "codegen/PackWeights.h"

#include "mlir/IR/Diagnostics.h"

#include <algorithm>
#include <cstring>

#define XXH_INLINE_ALL
#include <xxhash.h>

using namespace mlir;

namespace llmc::codegen {
namespace {

constexpr int64_t vectorLanes = 16;
constexpr int64_t alignment = 64;
// Big enough to keep the calls rare, small enough to stay in the cache between packing, hashing and writing.
constexpr size_t chunkBytes = 1 << 18;

int64_t paddedFloatBytes(int64_t n) {
  return (n + vectorLanes - 1) / vectorLanes * vectorLanes * sizeof(float);
}

/// Writes and hashes what is put into its buffer.
class Stream {
public:
  Stream(llvm::raw_ostream &out, uint64_t total, llvm::function_ref<void(uint64_t, uint64_t)> progress)
      : out(out), total(total), progress(progress) {
    XXH3_64bits_reset(&hash);
  }

  uint64_t position() const { return flushed + used; }

  /// Room for `n` bytes, which are then part of the stream.
  uint8_t *take(size_t n) {
    if (used + n > buffer.size()) {
      flush();
      if (n > buffer.size())
        buffer.resize(n);
    }
    used += n;
    return buffer.data() + used - n;
  }

  void zerosTo(uint64_t end) {
    while (position() < end) {
      size_t n = std::min<uint64_t>(end - position(), chunkBytes);
      std::memset(take(n), 0, n);
    }
  }

  void floats(llvm::ArrayRef<float> values) {
    size_t n = paddedFloatBytes(values.size());
    uint8_t *bytes = take(n);
    std::memset(bytes, 0, n);
    if (!values.empty())
      std::memcpy(bytes, values.data(), values.size() * sizeof(float));
  }

  uint64_t finish() {
    flush();
    return XXH3_64bits_digest(&hash);
  }

private:
  void flush() {
    if (used == 0)
      return;
    XXH3_64bits_update(&hash, buffer.data(), used);
    out.write(reinterpret_cast<const char *>(buffer.data()), used);
    flushed += used;
    used = 0;
    if (progress)
      progress(flushed, total);
  }

  llvm::raw_ostream &out;
  uint64_t total;
  llvm::function_ref<void(uint64_t, uint64_t)> progress;
  std::vector<uint8_t> buffer = std::vector<uint8_t>(chunkBytes);
  size_t used = 0;
  uint64_t flushed = 0;
  XXH3_state_t hash;
};

/// Panels of 16 rows; short of `scheme`, rows are first widened to it.
void packMatrix(const WeightRows &weight, const quant::QuantScheme &scheme, Stream &stream) {
  int64_t k = weight.columns(), panelBytes = scheme.panelBytes(k);
  bool isWidened = &scheme != &weight.scheme();
  std::vector<float> widened(isWidened ? quant::panelRows * k : 0);
  const uint8_t *rows[quant::panelRows];
  for (int64_t first = 0; first < weight.rows(); first += quant::panelRows) {
    int64_t n = std::min(quant::panelRows, weight.rows() - first);
    for (int64_t r = 0; r < n; ++r) {
      rows[r] = weight.row(first + r);
      if (isWidened) {
        weight.floats(first + r, widened.data() + r * k);
        rows[r] = reinterpret_cast<const uint8_t *>(widened.data() + r * k);
      }
    }
    scheme.packPanel({rows, static_cast<size_t>(n)}, k, stream.take(panelBytes));
  }
}

LogicalResult packWeight(step::WeightOp op, const WeightSource &source, Stream &stream) {
  auto result = dyn_cast<step::ReturnOp>(op->getRegion(0).front().back());
  if (!result || result.getValues().size() != 1 || !isa<lm::WeightType>(result.getValues()[0].getType()))
    return op.emitOpError("expected a region that returns one weight");
  Value expression = result.getValues()[0];
  ArrayRef<int64_t> shape = cast<lm::WeightType>(expression.getType()).getShape();

  bool isVector = op.getScheme() == "vector";
  const quant::QuantScheme *scheme = isVector ? nullptr : quant::schemeByName(op.getScheme().str());
  if (!isVector && !scheme)
    return op.emitOpError() << "has an unknown scheme '" << op.getScheme() << "'";
  if (isVector != (shape.size() == 1))
    return op.emitOpError() << "with scheme '" << op.getScheme() << "' expected a "
                            << (isVector ? "vector" : "matrix") << " but got " << expression.getType();
  if (int64_t expected = packedBytes(scheme, shape); static_cast<int64_t>(op.getBytes()) != expected)
    return op.emitOpError() << "has " << op.getBytes() << " 'bytes' but packs to " << expected;

  FailureOr<std::unique_ptr<WeightRows>> weight = source.evaluate(expression, std::nullopt);
  if (failed(weight))
    return failure();
  if (isVector) {
    std::vector<float> values((*weight)->rows());
    for (int64_t r = 0; r < (*weight)->rows(); ++r)
      (*weight)->floats(r, &values[r]);
    stream.floats(values);
    return success();
  }
  // Widening is exact; anything else would requantize, which is the business of a pass that says so.
  if (scheme != &(*weight)->scheme() && scheme->name != "f32")
    return op.emitOpError() << "is stored as " << (*weight)->scheme().name << " and cannot be packed as "
                            << scheme->name;
  packMatrix(**weight, *scheme, stream);
  return success();
}

} // namespace

int64_t packedBytes(const quant::QuantScheme *scheme, ArrayRef<int64_t> shape) {
  if (!scheme || shape.size() == 1)
    return paddedFloatBytes(shape[0]);
  int64_t columns = 1;
  for (int64_t d : shape.drop_front())
    columns *= d;
  return scheme->packedBytes(shape[0], columns);
}

FailureOr<PackedWeights> packWeights(step::ProgramOp program, const WeightSource &source,
                                     llvm::raw_ostream &out,
                                     llvm::function_ref<void(uint64_t, uint64_t)> progress) {
  std::vector<std::pair<uint64_t, Operation *>> items;
  for (Operation &op : program->getRegion(0).front()) {
    if (auto weight = dyn_cast<step::WeightOp>(op))
      items.emplace_back(weight.getOffset(), weight);
    else if (auto constant = dyn_cast<step::ConstantOp>(op))
      items.emplace_back(constant.getOffset(), constant);
  }
  llvm::sort(items, llvm::less_first()); // equal offsets overlap and are refused below

  uint64_t total = program.getWeightBytes();
  Stream stream(out, total, progress);
  for (auto [offset, op] : items) {
    if (offset % alignment != 0)
      return op->emitOpError() << "has offset " << offset << ", expected a multiple of " << alignment,
             failure();
    if (offset < stream.position())
      return op->emitOpError() << "at offset " << offset << " overlaps the one before, which ends at "
                               << stream.position(),
             failure();
    stream.zerosTo(offset);
    if (auto constant = dyn_cast<step::ConstantOp>(op))
      stream.floats(constant.getValues());
    else if (failed(packWeight(cast<step::WeightOp>(op), source, stream)))
      return failure();
  }
  if (stream.position() > total)
    return program.emitOpError() << "has " << total << " 'weight_bytes' but its weights end at "
                                 << stream.position(),
           failure();
  stream.zerosTo(total);
  uint64_t hash = stream.finish();
  return PackedWeights{total, hash};
}

} // namespace llmc::codegen
