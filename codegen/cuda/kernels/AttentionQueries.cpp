//===- AttentionQueries.cpp - the queries that a block works on -----------===//
#include "codegen/cuda/kernels/AttentionQueries.h"

#include "codegen/cuda/Entry.h"

using namespace mlir;

namespace llmc::cuda {

namespace {
/// Bytes of each array.
struct Arrays {
  Arrays(const AttentionShape &shape, int64_t sets, int64_t copiers, int64_t stageBytes)
      : queries(sets * shape.spec.dimK * powerOfTwo(shape.rows) * 4), visible(sets * shape.rows * 8),
        probabilities(AttentionShape::warps * AttentionShape::unitKeys * powerOfTwo(shape.rows) * 4),
        stages(copiers * 2 * stageBytes), scales(copiers * AttentionCopier::scaleBytes(shape)) {}
  int64_t queries, visible, probabilities, stages, scales;
};
} // namespace

int64_t AttentionQueries::sharedBytes(const AttentionShape &shape, int64_t sets, int64_t copiers,
                                      int64_t stageBytes) {
  Arrays arrays(shape, sets, copiers, shape.stages(stageBytes).bytes);
  return arrays.queries + arrays.visible + arrays.probabilities + arrays.stages + arrays.scales;
}

AttentionQueries::AttentionQueries(WarpEmitter &e, ModuleOp module, const std::string &name,
                                   const AttentionShape &shape, AttentionRows &rows, int64_t sets,
                                   int64_t copiers, int64_t stageBytes)
    : e(e), shape(shape), rows(rows), sets(sets), stage(shape.stages(stageBytes)) {
  Arrays arrays(shape, sets, copiers, stage.bytes);
  queries = sharedArray(e, module, name + "_queries", arrays.queries);
  visible = sharedArray(e, module, name + "_visible", arrays.visible);
  probabilities = sharedArray(e, module, name + "_probabilities", arrays.probabilities);
  stages = sharedArray(e, module, name + "_stages", arrays.stages);
  if (arrays.scales)
    scales = sharedArray(e, module, name + "_scales", arrays.scales);
}

void AttentionQueries::fill(Value kvHead, Value first, Value total, int64_t perSet,
                            llvm::function_ref<Owner(Value token)> owner) {
  const int64_t all = sets * perSet, pad = powerOfTwo(perSet), group = shape.group;
  Value threads = e.n(AttentionShape::threads);
  e.loop(rows.tid, e.n(all), threads, [&](Value i) {
    Value number = e.add(first, i), address = e.at(visible, e.mul(i, 8));
    e.when(
        e.less(number, total),
        [&] {
          Owner token = owner(e.div(number, group));
          e.store(rows.oldest(token.position), address);
          e.store(e.add(token.position, 1), address, 4);
        },
        [&] {
          e.store(e.n(0), address);
          e.store(e.n(0), address, 4);
        });
  });
  using Head = AttentionRows::Head;
  using Put = AttentionRows::Put;
  auto withQuery = [&](Value i, llvm::function_ref<void(const Head &, Value position, Put)> body) {
    Value number = e.add(first, i);
    e.when(e.less(number, total), [&] {
      Owner token = owner(e.div(number, group));
      Value head = e.add(e.mul(kvHead, group), e.rem(number, group));
      Value set = queriesOf(e.div(i, perSet), perSet), query = e.rem(i, perSet);
      body(rows.queryHead(token.row, head), token.position, [&](Value d, Value element) {
        e.store(element, e.at(set, e.mul(e.add(e.mul(d, pad), query), 4)));
      });
    });
  };
  const int64_t pieces = rows.pieces();
  if (!rows.hasNorms())
    return e.loop(rows.tid, e.n(all * pieces), threads, [&](Value item) {
      withQuery(e.div(item, pieces), [&](const Head &head, Value position, Put put) {
        rows.rotate(head, position, e.rem(item, pieces), put);
      });
    });
  // A warp a query: its lanes need the sum over all of it.
  e.loop(rows.warp, e.n(all), e.n(AttentionShape::warps), [&](Value i) {
    withQuery(i, [&](const Head &head, Value position, Put put) {
      e.loop(rows.lane, e.n(pieces), e.n(warpLanes),
             [&](Value piece) { rows.rotate(head, position, piece, put); });
    });
  });
}

AttentionUnit::Range AttentionQueries::positions(Value set, int64_t perSet, Value number) {
  Value address = e.at(visible, e.mul(e.add(e.mul(set, perSet), number), 8));
  return {e.load(e.i32(), address), e.load(e.i32(), address, 4)};
}

AttentionUnit::Range AttentionQueries::seen(Value set, int64_t perSet, Value number, Value base) {
  AttentionUnit::Range range = positions(set, perSet, number);
  auto inUnit = [&](Value position) {
    return e.min(e.max(e.sub(position, base), e.n(0)), e.n(AttentionShape::unitKeys));
  };
  return {inUnit(range.from), inUnit(range.to)};
}

AttentionCopier AttentionQueries::copier(Value number, Value lane, int64_t lanes,
                                         std::function<void()> meet) {
  Value ofScales = scales ? e.at(scales, e.mul(number, AttentionCopier::scaleBytes(shape))) : Value();
  return {lane, lanes, stage, e.at(stages, e.mul(number, 2 * stage.bytes)), ofScales, std::move(meet)};
}

} // namespace llmc::cuda
