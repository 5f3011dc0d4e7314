//===- DispatchList.cpp - values to buffers, calls to dispatches ----------===//
#include "codegen/DispatchList.h"

#include "ir/Locations.h"

#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::codegen;

DispatchList::ValueId DispatchList::addValue(StringAttr space, int64_t rowBytes, Location loc) {
  values.push_back({space, rowBytes, loc});
  return values.size() - 1;
}

void DispatchList::findLifetimes() {
  for (auto [number, call] : llvm::enumerate(calls))
    for (const Arg &arg : call.args)
      if (!arg.constant)
        values[arg.value].lastCall = number;
}

unsigned DispatchList::takeBuffer(const Value &value, std::vector<bool> &isFree) {
  for (auto [number, buffer] : llvm::enumerate(buffers))
    if (isFree[number] && buffer.space == value.space && buffer.rowBytes == value.rowBytes) {
      isFree[number] = false;
      buffers[number].locs.insert(value.loc);
      return number;
    }
  buffers.push_back({value.space, value.rowBytes, {}, {}});
  buffers.back().locs.insert(value.loc);
  isFree.push_back(false);
  return buffers.size() - 1;
}

/// A value keeps its buffer from the first call that touches it to the last one.
void DispatchList::placeValues() {
  findLifetimes();
  std::vector<bool> isFree;
  std::vector<bool> isPlaced(values.size(), false);
  for (auto [number, call] : llvm::enumerate(calls)) {
    for (const Arg &arg : call.args)
      if (!arg.constant && !isPlaced[arg.value]) {
        values[arg.value].buffer = takeBuffer(values[arg.value], isFree);
        isPlaced[arg.value] = true;
      }
    for (const Arg &arg : call.args)
      if (!arg.constant && values[arg.value].lastCall == number && !values[arg.value].isPinned)
        isFree[values[arg.value].buffer] = true;
  }
}

void DispatchList::buildBuffers(OpBuilder &builder) {
  MLIRContext *context = builder.getContext();
  for (auto [number, buffer] : llvm::enumerate(buffers)) {
    std::string name = "b" + std::to_string(number);
    buffer.name = FlatSymbolRefAttr::get(context, name);
    step::BufferOp::create(builder, fuseLocations(context, buffer.locs.getArrayRef()),
                           builder.getStringAttr(name), buffer.space,
                           builder.getI64IntegerAttr(buffer.rowBytes));
  }
}

namespace {
/// What the calls since the last barrier have touched.
class Hazards {
public:
  /// Notes one access; true if it collides with an earlier call's.
  bool collides(StringRef what, Access access) const {
    return written.contains(what) || (access != Access::Read && read.contains(what));
  }
  void note(StringRef what, Access access) {
    if (access != Access::Write)
      read.insert(what);
    if (access != Access::Read)
      written.insert(what);
  }
  void clear() {
    read.clear();
    written.clear();
  }

private:
  llvm::StringSet<> read, written;
};
} // namespace

/// A barrier stands before a call that collides with one since the last barrier.
void DispatchList::buildDispatches(OpBuilder &builder) {
  Hazards hazards;
  bool needsBarrier = false;
  for (const Call &call : calls) {
    SmallVector<std::pair<std::string, Access>> touched;
    SmallVector<Attribute> args;
    FlatSymbolRefAttr output;
    for (const Arg &arg : call.args) {
      if (arg.constant) {
        args.push_back(arg.constant);
        continue;
      }
      FlatSymbolRefAttr name = buffers[values[arg.value].buffer].name;
      args.push_back(name);
      touched.push_back({name.getValue().str(), arg.access});
      if (arg.access == Access::Write && !output)
        output = name;
    }
    if (!call.readsCache.empty())
      touched.push_back({"cache " + call.readsCache, Access::Read});
    if (!call.writesCache.empty())
      touched.push_back({"cache " + call.writesCache, Access::Write});

    if (!call.isAlternative) {
      needsBarrier =
          llvm::any_of(touched, [&](auto &item) { return hazards.collides(item.first, item.second); });
      if (needsBarrier)
        hazards.clear();
    }
    for (auto &[what, access] : touched)
      hazards.note(what, access);
    step::DispatchOp::create(builder, call.loc, FlatSymbolRefAttr::get(call.kernel),
                             builder.getArrayAttr(args),
                             call.layer ? builder.getI64IntegerAttr(*call.layer) : IntegerAttr(), call.space,
                             needsBarrier ? builder.getUnitAttr() : UnitAttr(), output, call.storage);
  }
}

llvm::DenseMap<DispatchList::ValueId, FlatSymbolRefAttr> DispatchList::build(OpBuilder &builder) {
  placeValues();
  buildBuffers(builder);
  buildDispatches(builder);
  llvm::DenseMap<ValueId, FlatSymbolRefAttr> pinned;
  for (auto [number, value] : llvm::enumerate(values))
    if (value.isPinned)
      pinned[number] = buffers[value.buffer].name;
  return pinned;
}
