//===- CacheTable.cpp - the caches of a program ---------------------------===//
#include "codegen/CacheTable.h"

#include "codegen/CacheLayout.h"

using namespace mlir;

namespace llmc::codegen {

std::string CacheTable::Plan::nameOf(unsigned type) {
  std::string name = cache.getSymName().str();
  return type ? name + "." + cache.storageTypes()[type].str() : name;
}

FlatSymbolRefAttr CacheTable::Plan::symbolOf(unsigned type) {
  return FlatSymbolRefAttr::get(cache.getContext(), nameOf(type));
}

CacheTable::CacheTable(lm::ModelOp model) {
  for (lm::CacheOp cache : model.getBody().getOps<lm::CacheOp>())
    plans[cache.getSymNameAttr()].cache = cache;
}

FailureOr<CacheTable::Plan *> CacheTable::planOf(Operation *op) {
  auto name = op->getAttrOfType<FlatSymbolRefAttr>("cache");
  if (!name)
    return static_cast<Plan *>(nullptr);
  auto found = plans.find(name.getAttr());
  if (found == plans.end() || !found->second.cache.getPageTokens() || !found->second.cache.getType())
    return op->emitOpError() << "uses the cache " << name
                             << ", which has no plan (lm-plan-kv-cache has not run)";
  used.insert(found->first);
  return &found->second;
}

void CacheTable::addArgs(Operation *op, Plan &plan, unsigned type, std::optional<int64_t> layer,
                         DispatchList::Call &call) {
  StringAttr name = plan.cache.getSymNameAttr();
  int64_t number = type;
  for (StringAttr before : used) {
    if (before == name)
      break;
    number += plans[before].cache.storageTypes().size();
  }
  auto [slot, isNew] = slots.try_emplace({name.str(), layer.value_or(-1)}, plan.layers);
  plan.layers += isNew;
  emit::KVLayout layout = cacheLayout(plan.cache, plan.cache.storageTypes()[type]);
  int64_t offset = slot->second * (layout.pageBytesK() + layout.pageBytesV());
  Builder builder(op->getContext());
  for (int64_t argument : {number, offset, offset + layout.pageBytesK()})
    call.args.push_back(DispatchList::Arg::of(builder.getI64IntegerAttr(argument)));
  std::string touched = name.str() + "." + std::to_string(slot->second);
  if (isa<lm::KVViewOp>(op))
    call.readsCache = touched;
  else
    call.writesCache = touched;
}

void CacheTable::create(OpBuilder &builder) {
  for (StringAttr name : used) {
    Plan &plan = plans[name];
    lm::CacheOp cache = plan.cache;
    for (auto [number, type] : llvm::enumerate(cache.storageTypes())) {
      emit::KVLayout layout = cacheLayout(cache, type);
      step::CacheOp::create(
          builder, cache.getLoc(), builder.getStringAttr(plan.nameOf(number)),
          builder.getI64IntegerAttr(plan.layers), cache.getHeadsAttr(), cache.getDimKAttr(),
          cache.getDimVAttr(), cache.getPageTokensAttr(), builder.getStringAttr(type),
          builder.getI64IntegerAttr(plan.layers * (layout.pageBytesK() + layout.pageBytesV())),
          number ? cache.getSymNameAttr() : StringAttr());
    }
  }
}

} // namespace llmc::codegen
