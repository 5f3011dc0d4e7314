//===- WeightSource.cpp - weight expressions on the model's files ---------===//
#include "codegen/WeightSource.h"

#include "ir/quant/quantize/Quantize.h"

#include "mlir/IR/Diagnostics.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/TypeSwitch.h"

#include <cmath>
#include <cstring>

using namespace mlir;

namespace llmc::codegen {

namespace {

const quant::QuantScheme *float32() { return quant::schemeByName("f32"); }

std::string shapeText(ArrayRef<int64_t> shape) {
  return "<" + llvm::join(llvm::map_range(shape, [](int64_t d) { return std::to_string(d); }), "x") + ">";
}

/// The most numbers that one expression may make in memory: 16 GiB of them.
constexpr int64_t mostNumbers = int64_t(1) << 32;

LogicalResult checkSize(Operation *op, int64_t rows, int64_t columns) {
  if (columns == 0 || rows <= mostNumbers / columns)
    return success();
  return op->emitOpError() << "makes " << rows << " rows of " << columns << " numbers, expected at most "
                           << mostNumbers << " numbers";
}

} // namespace

/// One walk over an expression, with data or for the scheme alone.
class WeightEvaluator {
public:
  WeightEvaluator(const WeightSource &source, std::optional<int64_t> layer, bool withData)
      : source(source), layer(layer), withData(withData) {}

  FailureOr<WeightRows> evaluate(Value weight) {
    Operation *op = weight.getDefiningOp();
    if (!op)
      return emitError(weight.getLoc(), "expected a weight expression but got a block argument"), failure();
    return llvm::TypeSwitch<Operation *, FailureOr<WeightRows>>(op)
        .Case([&](lm::WeightRefOp ref) { return tensor(ref); })
        .Case([&](lm::WRowsOp rows) { return someRows(rows); })
        .Case([&](lm::WPermuteOp permute) { return permuted(permute); })
        .Case([&](lm::WConcatOp concat) { return joined(concat); })
        .Case([&](lm::WQuantizeOp quantize) { return quantized(quantize); })
        .Case([&](lm::WTransposeOp transpose) { return transposed(transpose); })
        .Case([&](lm::WScaleOp scale) {
          float factor = static_cast<float>(scale.getFactor().convertToDouble());
          return arithmetic(scale, [=](ArrayRef<float> in, float *out) {
            for (float x : in)
              *out++ = x * factor;
          });
        })
        .Case([&](lm::WAddOp add) { return sum(add); })
        .Case([&](lm::WMulOp mul) { return product(mul); })
        .Default([](Operation *other) -> FailureOr<WeightRows> {
          return other->emitOpError("is not a weight expression");
        });
  }

private:
  static ArrayRef<int64_t> shapeOf(Value weight) { return cast<lm::WeightType>(weight.getType()).getShape(); }
  static int64_t columnsOf(ArrayRef<int64_t> shape) {
    int64_t n = 1;
    for (int64_t d : shape.drop_front())
      n *= d;
    return n;
  }

  FailureOr<WeightRows> tensor(lm::WeightRefOp op) {
    std::string name = op.getTensor().str();
    if (name.find("{i}") != std::string::npos) {
      if (!layer)
        return op.emitOpError() << "names '" << name << "' outside the stack of layers", failure();
      name = lm::nameInLayer(name, *layer);
    }
    if (source.isRandom)
      return randomTensor(op, name);
    std::string error;
    std::optional<WeightSource::Tensor> found = source.lookup(name, error);
    if (!found)
      return emitError(op.getLoc(), error), failure();
    ArrayRef<int64_t> shape = shapeOf(op.getW());
    SmallVector<int64_t> stored(found->stored->shape.begin(), found->stored->shape.end());
    if (shape != ArrayRef<int64_t>(stored))
      return emitError(op.getLoc()) << *found->file << ": tensor '" << name << "' is " << shapeText(stored)
                                    << ", expected " << shapeText(shape),
             failure();
    WeightRows result;
    result.kind = found->scheme;
    result.width = columnsOf(shape);
    // A vector in blocks has no rows of one value.
    bool isBlocks = found->scheme->blockValues > 1;
    if (isBlocks && result.width % found->scheme->blockValues != 0)
      return emitError(op.getLoc()) << *found->file << ": tensor '" << name << "' has rows of "
                                    << result.width << " values, expected a multiple of "
                                    << found->scheme->blockValues << " for " << found->scheme->name,
             failure();
    if (!withData)
      return result;
    int64_t rowBytes = found->scheme->rowBytes(result.width);
    const uint8_t *begin = found->stored->data.data();
    result.stored.reserve(shape[0]);
    for (int64_t r = 0; r < shape[0]; ++r)
      result.stored.push_back({begin + r * rowBytes, result.kind});
    result.origins.push_back({std::move(name), begin, begin + shape[0] * rowBytes, rowBytes});
    return result;
  }

  FailureOr<WeightRows> randomTensor(lm::WeightRefOp op, StringRef name) {
    ArrayRef<int64_t> shape = shapeOf(op.getW());
    const int64_t columns = columnsOf(shape);
    if (failed(checkSize(op, shape[0], columns)))
      return failure();
    if (!withData)
      return empty(float32(), columns);
    auto buffer = std::make_shared<std::vector<float>>(shape[0] * columns);
    uint64_t seed = 14695981039346656037u; // FNV-1a of the name
    for (char c : name)
      seed = (seed ^ static_cast<uint8_t>(c)) * 1099511628211u;
    // Rows of matrices keep the size of what they multiply; vectors are mostly gains, which lie around one.
    const bool isVector = shape.size() == 1;
    const float mean = isVector ? 1 : 0,
                deviation = isVector ? 0.1f : 1 / std::sqrt(static_cast<float>(columns));
    for (float &x : *buffer) { // splitmix64; the sum of four uniform numbers is nearly normal
      uint64_t z = seed += 0x9e3779b97f4a7c15u;
      z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
      z = (z ^ z >> 27) * 0x94d049bb133111ebu;
      z ^= z >> 31;
      const auto sum =
          static_cast<int64_t>((z & 0xffff) + (z >> 16 & 0xffff) + (z >> 32 & 0xffff) + (z >> 48));
      x = mean + deviation * static_cast<float>(sum - 131070) / 37837.2f; // of 4 * 65536^2 / 12
    }
    return owning(float32(), shape[0], columns, std::move(buffer));
  }

  FailureOr<WeightRows> someRows(lm::WRowsOp op) {
    FailureOr<WeightRows> a = evaluate(op.getA());
    if (failed(a) || !withData)
      return a;
    a->stored.erase(a->stored.begin() + op.getTo(), a->stored.end());
    a->stored.erase(a->stored.begin(), a->stored.begin() + op.getFrom());
    return a;
  }

  /// Row r of the result, seen as an index of the transposed shape, is the row of the operand at the same
  /// index.
  FailureOr<WeightRows> permuted(lm::WPermuteOp op) {
    FailureOr<WeightRows> a = evaluate(op.getA());
    if (failed(a) || !withData)
      return a;
    ArrayRef<int64_t> shape = op.getShape(), order = op.getOrder();
    SmallVector<int64_t> stride(shape.size(), 1);
    for (size_t i = shape.size(); i-- > 1;)
      stride[i - 1] = stride[i] * shape[i];
    std::vector<WeightRows::Row> moved(a->stored.size());
    SmallVector<int64_t> index(shape.size(), 0); // by axis of the result
    for (WeightRows::Row &row : moved) {
      int64_t from = 0;
      for (size_t i = 0; i < order.size(); ++i)
        from += index[i] * stride[order[i]];
      row = a->stored[from];
      for (size_t i = order.size(); i-- > 0;) {
        if (++index[i] < shape[order[i]])
          break;
        index[i] = 0;
      }
    }
    a->stored = std::move(moved);
    return a;
  }

  FailureOr<WeightRows> joined(lm::WConcatOp op) {
    std::vector<WeightRows> parts;
    bool isUniform = true;
    for (Value part : op.getParts()) {
      FailureOr<WeightRows> rows = evaluate(part);
      if (failed(rows))
        return failure();
      isUniform &= !rows->through && (parts.empty() || rows->kind == parts.front().kind);
      parts.push_back(std::move(*rows));
    }
    if (!isUniform)
      widened(op, "parts have different storage types");
    WeightRows result = empty(isUniform ? parts.front().kind : float32(), parts.front().width);
    for (WeightRows &part : parts) {
      // Rows of another scheme than the result's are widened as they are read.
      if (!isUniform && withData && failed(settle(op, part)))
        return failure();
      llvm::append_range(result.stored, part.stored);
      llvm::append_range(result.origins, part.origins);
      llvm::append_range(result.owned, part.owned);
    }
    return result;
  }

  FailureOr<WeightRows> quantized(lm::WQuantizeOp op) {
    FailureOr<WeightRows> a = evaluate(op.getA());
    if (failed(a))
      return failure();
    StringRef name = op.schemeIn(layer);
    if (name == "keep" || name == StringRef(a->kind->name))
      return a;
    const quant::QuantScheme *to = quant::schemeByName(std::string_view(name.data(), name.size()));
    if (!to || !quant::quantizerByName(to->name))
      return op.emitOpError() << "expected a scheme to quantize to but got '" << name << "'", failure();
    if (withData) {
      if (a->kind->isInteger())
        emitRemark(op.getLoc()) << "'" << op->getName() << "' quantizes " << a->kind->name
                                << " once more, to " << name;
      if (failed(settle(op, *a)))
        return failure();
    }
    a->kind = to;
    a->alter = source.alteration;
    if (source.decoder) {
      a->kind = float32();
      a->through = to;
      a->decode = source.decoder;
    }
    return a;
  }

  FailureOr<WeightRows> transposed(lm::WTransposeOp op) {
    FailureOr<WeightRows> a = evaluate(op.getA());
    if (failed(a))
      return failure();
    ArrayRef<int64_t> shape = shapeOf(op.getW());
    if (failed(checkSize(op, shape[0], shape[1])))
      return failure();
    if (a->kind->isInteger())
      widened(op, "transposing breaks up blocks");
    const quant::QuantScheme *kind = a->kind->isInteger() ? float32() : a->kind;
    if (!withData)
      return empty(kind, shape[1]);
    if (failed(settle(op, *a)))
      return failure();
    WeightRows from = a->kind == kind && a->isStoredAsIs() ? std::move(*a) : toFloat(*a);
    size_t bytes = kind->blockBytes;
    auto buffer = std::make_shared<std::vector<float>>((shape[0] * shape[1] * bytes + 3) / 4);
    auto *out = reinterpret_cast<uint8_t *>(buffer->data());
    for (int64_t c = 0; c < shape[1]; ++c)
      for (int64_t r = 0; r < shape[0]; ++r)
        std::memcpy(out + (r * shape[1] + c) * bytes, from.stored[c].bytes + r * bytes, bytes);
    return owning(kind, shape[0], shape[1], std::move(buffer));
  }

  /// f32 rows made one by one from the operand's.
  template <typename Op, typename Function> FailureOr<WeightRows> arithmetic(Op op, Function function) {
    FailureOr<WeightRows> a = evaluate(op.getA());
    if (failed(a))
      return failure();
    if (a->kind != float32())
      widened(op, "arithmetic needs floats");
    if (failed(checkSize(op, shapeOf(op.getW())[0], a->width)))
      return failure();
    if (!withData)
      return empty(float32(), a->width);
    if (failed(settle(op, *a)))
      return failure();
    auto buffer = std::make_shared<std::vector<float>>(a->rows() * a->width);
    std::vector<float> in(a->width);
    for (int64_t r = 0; r < a->rows(); ++r) {
      a->floats(r, in.data());
      function(ArrayRef<float>(in), buffer->data() + r * a->width);
    }
    return owning(float32(), a->rows(), a->width, std::move(buffer));
  }

  FailureOr<WeightRows> sum(lm::WAddOp op) {
    FailureOr<WeightRows> b = evaluate(op.getB());
    if (failed(b) || failed(settle(op, *b)))
      return failure();
    int64_t row = 0;
    std::vector<float> second(b->width);
    return arithmetic(op, [&](ArrayRef<float> in, float *out) {
      b->floats(row++, second.data());
      for (size_t i = 0; i < in.size(); ++i)
        out[i] = in[i] + second[i];
    });
  }

  FailureOr<WeightRows> product(lm::WMulOp op) {
    FailureOr<WeightRows> b = evaluate(op.getB());
    if (failed(b))
      return failure();
    int64_t columns = b->width;
    if (failed(checkSize(op, shapeOf(op.getW())[0], columns)) ||
        failed(checkSize(op, shapeOf(op.getB())[0], columns)))
      return failure();
    std::vector<float> right;
    if (failed(settle(op, *b)))
      return failure();
    if (withData) {
      right.resize(b->rows() * columns);
      for (int64_t r = 0; r < b->rows(); ++r)
        b->floats(r, right.data() + r * columns);
    }
    FailureOr<WeightRows> a = evaluate(op.getA());
    if (failed(a))
      return failure();
    if (a->kind != float32() || b->kind != float32())
      widened(op, "arithmetic needs floats");
    if (!withData)
      return empty(float32(), columns);
    if (failed(settle(op, *a)))
      return failure();
    auto buffer = std::make_shared<std::vector<float>>(a->rows() * columns);
    std::vector<float> left(a->width);
    std::vector<double> sums(columns);
    for (int64_t r = 0; r < a->rows(); ++r) {
      a->floats(r, left.data());
      std::fill(sums.begin(), sums.end(), 0.0);
      for (int64_t k = 0; k < a->width; ++k)
        for (int64_t c = 0; c < columns; ++c)
          sums[c] += static_cast<double>(left[k]) * right[k * columns + c];
      std::copy(sums.begin(), sums.end(), buffer->begin() + r * columns);
    }
    return owning(float32(), a->rows(), columns, std::move(buffer));
  }

  static WeightRows empty(const quant::QuantScheme *kind, int64_t width) {
    WeightRows rows;
    rows.kind = kind;
    rows.width = width;
    return rows;
  }

  static WeightRows owning(const quant::QuantScheme *kind, int64_t rows, int64_t width,
                           std::shared_ptr<std::vector<float>> buffer) {
    WeightRows result = empty(kind, width);
    const int64_t rowBytes = result.rowBytes();
    const auto *bytes = reinterpret_cast<const uint8_t *>(buffer->data());
    for (int64_t r = 0; r < rows; ++r)
      result.stored.push_back({bytes + r * rowBytes, kind});
    result.owned.push_back(std::move(buffer));
    return result;
  }

  /// Makes the rows that would be quantized as they are read, since their exact values are asked for.
  LogicalResult settle(Operation *op, WeightRows &in) {
    if (!withData || in.isExact())
      return success();
    if (failed(checkSize(op, in.rows(), in.width)))
      return failure();
    const int64_t rowBytes = in.rowBytes();
    auto buffer = std::make_shared<std::vector<float>>((in.rows() * rowBytes + 3) / 4);
    auto *bytes = reinterpret_cast<uint8_t *>(buffer->data());
    std::string error;
    for (int64_t r = 0; r < in.rows(); ++r) {
      const uint8_t *row = in.read(r, bytes + r * rowBytes, error);
      if (!row)
        return op->emitOpError(error);
      if (row != bytes + r * rowBytes)
        std::memcpy(bytes + r * rowBytes, row, rowBytes);
    }
    in = owning(in.kind, in.rows(), in.width, std::move(buffer));
    return success();
  }

  static WeightRows toFloat(const WeightRows &in) {
    if (in.kind == float32() && in.isStoredAsIs())
      return in;
    auto buffer = std::make_shared<std::vector<float>>(in.rows() * in.width);
    for (int64_t r = 0; r < in.rows(); ++r)
      in.floats(r, buffer->data() + r * in.width);
    return owning(float32(), in.rows(), in.width, std::move(buffer));
  }

  void widened(Operation *op, const char *why) {
    if (withData)
      emitRemark(op->getLoc()) << "'" << op->getName() << "' is stored as f32: " << why;
  }

  const WeightSource &source;
  std::optional<int64_t> layer;
  bool withData;
};

std::unique_ptr<WeightSource> WeightSource::open(ArrayRef<std::string> paths, std::string &error) {
  auto source = std::make_unique<WeightSource>();
  for (const std::string &path : paths)
    if (!source->add(path, error))
      return nullptr;
  return source;
}

bool WeightSource::add(const std::string &path, std::string &error) {
  std::shared_ptr<const formats::WeightFile> file = formats::WeightFile::open(path, error);
  if (!file)
    return false;
  add(std::move(file));
  return true;
}

std::optional<WeightSource::Tensor> WeightSource::lookup(StringRef name, std::string &error) const {
  for (const auto &file : files) {
    const formats::WeightTensor *stored = file->tensor(std::string_view(name.data(), name.size()));
    if (!stored)
      continue;
    if (const quant::QuantScheme *scheme = quant::schemeForGgmlType(stored->type))
      return Tensor{scheme, stored, &file->partOf(*stored)};
    error = file->partOf(*stored) + ": tensor '" + name.str() + "' has type " + stored->typeName() +
            ", expected one of: " + quant::fileSchemeNames();
    return std::nullopt;
  }
  std::string searched = llvm::join(llvm::map_range(files, [](auto &file) { return file->path(); }), ", ");
  error = searched.empty() ? "the model names no file of weights, but reads tensor '" + name.str() + "'"
                           : searched + ": there is no tensor '" + name.str() + "'";
  return std::nullopt;
}

FailureOr<const quant::QuantScheme *> WeightSource::schemeOf(Value weight,
                                                             std::optional<int64_t> layer) const {
  FailureOr<WeightRows> rows = WeightEvaluator(*this, layer, /*withData=*/false).evaluate(weight);
  if (failed(rows))
    return failure();
  return &rows->scheme();
}

FailureOr<std::unique_ptr<WeightRows>> WeightSource::evaluate(Value weight,
                                                              std::optional<int64_t> layer) const {
  FailureOr<WeightRows> rows = WeightEvaluator(*this, layer, /*withData=*/true).evaluate(weight);
  if (failed(rows))
    return failure();
  return std::make_unique<WeightRows>(std::move(*rows));
}

void WeightSource::release(const WeightRows &rows) const {
  for (const WeightRows::Origin &origin : rows.origins)
    for (const auto &file : files)
      file->release({origin.begin, origin.end});
}

} // namespace llmc::codegen
