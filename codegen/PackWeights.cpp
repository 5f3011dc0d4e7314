//===- PackWeights.cpp - the weights of a program as they lie in model.so -===//
#include "codegen/PackWeights.h"

#include "mlir/IR/Diagnostics.h"
#include "llvm/Support/ThreadPool.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#define XXH_INLINE_ALL
#include <xxhash.h>

using namespace mlir;

namespace llmc::codegen {
namespace {

constexpr int64_t vectorLanes = 16;
constexpr int64_t alignment = 64;
// Of packed panels: enough work for all threads, little enough to stay in the cache until it is written.
constexpr size_t batchBytes = 1 << 20;

int64_t paddedFloatBytes(int64_t n) {
  return (n + vectorLanes - 1) / vectorLanes * vectorLanes * sizeof(float);
}

/// Hashes and writes what is put into its buffer, on a thread of its own: of two buffers one is filled while
/// the other one is written.
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
      size_t n = std::min<uint64_t>(end - position(), batchBytes);
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
    awaitWriting();
    return XXH3_64bits_digest(&hash);
  }

private:
  void flush() {
    if (used == 0)
      return;
    awaitWriting();
    std::swap(buffer, inWriting);
    writer.async([this, n = used] {
      XXH3_64bits_update(&hash, inWriting.data(), n);
      out.write(reinterpret_cast<const char *>(inWriting.data()), n);
    });
    flushed += used;
    used = 0;
  }

  void awaitWriting() {
    writer.wait();
    if (progress && flushed != 0)
      progress(flushed, total);
  }

  llvm::raw_ostream &out;
  uint64_t total;
  llvm::function_ref<void(uint64_t, uint64_t)> progress;
  std::vector<uint8_t> buffer = std::vector<uint8_t>(batchBytes), inWriting = buffer;
  size_t used = 0;
  uint64_t flushed = 0; // being written or already there
  XXH3_state_t hash;
  llvm::DefaultThreadPool writer{llvm::hardware_concurrency(1)}; // goes first: it uses the rest
};

/// Packs weights on all cores: a matrix in batches of panels, which the threads share.
class Packer {
public:
  explicit Packer(Stream &stream) : stream(stream) {}
  LogicalResult pack(step::WeightOp op, const WeightSource &source);

private:
  std::string packMatrix(const WeightRows &weight);

  Stream &stream;
  llvm::DefaultThreadPool threads{llvm::hardware_concurrency()};
};

/// The panel of rows `first` and following. The empty string, or why a row cannot be stored.
std::string packPanel(const WeightRows &weight, int64_t first, uint8_t *out) {
  const quant::QuantScheme &scheme = weight.scheme();
  // What a thread needs for one panel lives from panel to panel.
  thread_local std::vector<uint8_t> room;
  const int64_t rowBytes = weight.rowBytes(), n = std::min(quant::panelRows, weight.rows() - first);
  if (static_cast<int64_t>(room.size()) < rowBytes * quant::panelRows)
    room.resize(rowBytes * quant::panelRows);
  const uint8_t *rows[quant::panelRows];
  std::string error;
  for (int64_t r = 0; r < n; ++r)
    if (rows[r] = weight.read(first + r, room.data() + r * rowBytes, error); !rows[r])
      return error;
  if (!scheme.packPanel({rows, static_cast<size_t>(n)}, weight.columns(), out))
    return weight.describeRow(first) + " and those behind it hold numbers of more different exponents than " +
           std::string(scheme.name) + " has room for; --quantize REGEX=bf16 stores them in 16 bits";
  return error;
}

std::string Packer::packMatrix(const WeightRows &weight) {
  const int64_t panelBytes = weight.scheme().panelBytes(weight.columns()),
                panels = weight.scheme().panels(weight.rows());
  const int64_t batch = std::max<int64_t>(1, int64_t(batchBytes) / panelBytes);
  std::vector<std::string> errors(batch);
  for (int64_t first = 0; first < panels; first += batch) {
    const int64_t n = std::min(batch, panels - first);
    uint8_t *out = stream.take(n * panelBytes);
    auto packShare = [&](std::atomic<int64_t> &next) {
      for (int64_t i = next++; i < n; i = next++)
        errors[i] = packPanel(weight, (first + i) * quant::panelRows, out + i * panelBytes);
    };
    std::atomic<int64_t> next = 0;
    for (unsigned i = 1; i < threads.getMaxConcurrency() && i < n; ++i)
      threads.async([&] { packShare(next); });
    packShare(next);
    threads.wait();
    for (const std::string &error : errors)
      if (!error.empty())
        return error;
  }
  return {};
}

LogicalResult Packer::pack(step::WeightOp op, const WeightSource &source) {
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
  // Widening is exact; anything else is for lm.w.quantize to say.
  if (scheme->name == "f32" && (*weight)->isExact())
    (*weight)->widen();
  if (scheme != &(*weight)->scheme())
    return op.emitOpError() << "is stored as " << (*weight)->scheme().name << " and cannot be packed as "
                            << scheme->name;
  if (std::string error = packMatrix(**weight); !error.empty())
    return emitError(op.getLoc()) << error;
  source.release(**weight);
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
  auto addItems = [&](step::ProgramOp from, const llvm::DenseSet<uint64_t> &known) {
    for (Operation &op : from->getRegion(0).front()) {
      std::optional<uint64_t> offset;
      if (auto weight = dyn_cast<step::WeightOp>(op))
        offset = weight.getOffset();
      else if (auto constant = dyn_cast<step::ConstantOp>(op))
        offset = constant.getOffset();
      if (offset && !known.contains(*offset))
        items.emplace_back(*offset, &op);
    }
  };
  addItems(program, {});
  // Programs for devices have the same weights in the same places, and perhaps some of their own.
  for (auto other : program->getBlock()->getOps<step::ProgramOp>())
    if (other != program) {
      llvm::DenseSet<uint64_t> known;
      for (auto &item : items)
        known.insert(item.first);
      addItems(other, known);
    }
  llvm::sort(items, llvm::less_first()); // equal offsets overlap and are refused below

  uint64_t total = program.getWeightBytes();
  Stream stream(out, total, progress);
  Packer packer(stream);
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
    else if (failed(packer.pack(cast<step::WeightOp>(op), source)))
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
