//===- LMDecomposeNorm.cpp - what the norms mean --------------------------===//
//
// x [T, N] is seen as groups [T, N/G, G] (without `group`: one group, the row itself); statistics are one
// number a group.
//
//===----------------------------------------------------------------------===//
#include "ir/DecomposeBuilder.h"

using namespace mlir;
using namespace llmc::lm;

namespace {
/// A norm's loops: (t, g, j), or (t, j) without groups.
struct Groups {
  DecomposeBuilder &b;
  Value x; // [T, N/G, G] or [T, N]
  int64_t width, group;
  bool grouped;
  DecomposeBuilder::Dims all, outer;

  Groups(DecomposeBuilder &b, Value rows, std::optional<uint64_t> size)
      : b(b), x(rows), width(widthOf(rows)), group(size ? static_cast<int64_t>(*size) : width),
        grouped(size) {
    if (grouped)
      x = b.split(rows, 1, group);
    for (unsigned i = 0, rank = grouped ? 3 : 2; i < rank; ++i)
      all.push_back(i);
    outer = all;
    outer.pop_back();
  }

  unsigned loops() const { return all.size(); }

  /// One number a group: the mean of f over its columns.
  Value mean(ValueRange perGroup, llvm::function_ref<Value(Value, ValueRange)> f) {
    Sizes extents = b.sizes(x);
    extents.pop_back();
    SmallVector<Value> inputs{x};
    SmallVector<DecomposeBuilder::Dims> maps{all};
    for (Value v : perGroup) {
      inputs.push_back(v);
      maps.push_back(outer);
    }
    maps.push_back(outer);
    Value sum =
        b.generic(loops(), inputs, maps, b.filled(extents, b.real(0)), loops() - 1,
                  [&](ValueRange e) { return b.add(e.back(), f(e.front(), e.drop_front().drop_back())); });
    return b.elementwise(sum, [&](ValueRange e) { return b.div(e[0], b.real(static_cast<double>(group))); });
  }

  Value inverseRoot(Value squares, double eps) {
    return b.elementwise(squares, [&](ValueRange e) -> Value {
      return b.div(b.real(1), math::SqrtOp::create(b, b.add(e[0], b.real(eps))));
    });
  }

  /// y = f(x, one number a group.., one number a column..)
  Value apply(ValueRange perGroup, ValueRange weights, llvm::function_ref<Value(ValueRange)> f) {
    SmallVector<Value> inputs{x};
    SmallVector<DecomposeBuilder::Dims> maps{all};
    for (Value v : perGroup) {
      inputs.push_back(v);
      maps.push_back(outer);
    }
    for (Value w : weights) {
      Value values = b.weight(w);
      bool ofRow = grouped && cast<WeightType>(w.getType()).dim(0) != group;
      inputs.push_back(ofRow ? b.split(values, 0, group) : values);
      maps.push_back(ofRow ? DecomposeBuilder::Dims{1, 2} : DecomposeBuilder::Dims{loops() - 1});
    }
    maps.push_back(all);
    Value y = b.generic(loops(), inputs, maps, b.empty(b.sizes(x)), {}, f);
    return grouped ? b.flatten(y) : y;
  }
};
} // namespace

Decomposed RMSNormOp::decompose(OpBuilder &builder) {
  DecomposeBuilder b(builder, getLoc());
  Groups groups(b, getX(), getGroup());
  Value squares = groups.mean({}, [&](Value x, ValueRange) { return b.mul(x, x); });
  Value inverse = groups.inverseRoot(squares, getEps().convertToDouble());
  SmallVector<Value> gain;
  if (getGain())
    gain.push_back(getGain());
  Value y = groups.apply(inverse, gain, [&](ValueRange e) {
    Value scaled = b.mul(e[0], e[1]);
    if (gain.empty())
      return scaled;
    return b.mul(scaled, getPlusOne() ? b.add(b.real(1), e[2]) : e[2]);
  });
  return SmallVector<Value>{y};
}

Decomposed LayerNormOp::decompose(OpBuilder &builder) {
  DecomposeBuilder b(builder, getLoc());
  Groups groups(b, getX(), getGroup());
  Value mean = groups.mean({}, [](Value x, ValueRange) { return x; });
  Value variance = groups.mean(mean, [&](Value x, ValueRange m) {
    Value d = b.sub(x, m[0]);
    return b.mul(d, d);
  });
  Value inverse = groups.inverseRoot(variance, getEps().convertToDouble());
  SmallVector<Value> weights;
  if (getGain())
    weights.push_back(getGain());
  if (getBias())
    weights.push_back(getBias());
  Value y = groups.apply({mean, inverse}, weights, [&](ValueRange e) {
    Value scaled = b.mul(b.sub(e[0], e[1]), e[2]);
    unsigned next = 3;
    if (getGain())
      scaled = b.mul(scaled, e[next++]);
    return getBias() ? b.add(scaled, e[next]) : scaled;
  });
  return SmallVector<Value>{y};
}
