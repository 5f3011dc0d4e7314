//===- KernelTable.cpp - step kernels without duplicates ------------------===//
#include "codegen/KernelTable.h"

#include "codegen/CpuTarget.h"
#include "codegen/DeviceTarget.h"
#include "codegen/KernelSpecs.h"
#include "ir/Locations.h"

#include "llvm/ADT/StringExtras.h"

using namespace mlir;

namespace llmc::codegen {

/// Activations are rounded for matrices only, to int8 only if all of them are integers.
StringRef KernelTable::activationsOf(Operation *op, ArrayRef<WeightTable::Entry> weights) const {
  bool allIntegers = true, anyMatrix = false;
  for (const WeightTable::Entry &entry : weights)
    if (entry.scheme != "vector") {
      anyMatrix = true;
      allIntegers &= entry.isInteger;
    }
  if (!anyMatrix || isa<lm::EmbedOp>(op) || (options.activations == "int8" && !allIntegers))
    return "f32";
  return options.activations;
}

/// All that decides the code of a kernel. The frequencies of a rope and a window are arguments, not code.
static std::string keyOf(Operation *op, StringRef space, ArrayRef<StringRef> schemes, StringRef activations,
                         StringRef storage) {
  UnitAttr isThere = UnitAttr::get(op->getContext());
  NamedAttrList attrs(op->getAttrDictionary());
  attrs.erase("rope_freqs");
  if (attrs.get("rope_base"))
    attrs.set("rope_base", isThere);
  if (isa<lm::CachedAttentionOp>(op) && attrs.get("window"))
    attrs.set("window", isThere);
  std::string key;
  llvm::raw_string_ostream os(key);
  os << op->getName() << attrs.getDictionary(op->getContext()) << space << activations << storage;
  llvm::interleave(schemes, os, ",");
  for (Type type : llvm::concat<const Type>(SmallVector<Type>(op->getOperandTypes()),
                                            SmallVector<Type>(op->getResultTypes())))
    os << type;
  return key;
}

FailureOr<step::KernelOp> KernelTable::kernelFor(Operation *op, StringRef space,
                                                 ArrayRef<WeightTable::Entry> weights, lm::CacheOp cache,
                                                 unsigned type) {
  SmallVector<StringRef> schemes;
  for (const WeightTable::Entry &entry : weights)
    schemes.push_back(entry.scheme);
  StringRef activations = activationsOf(op, weights);
  StringRef storage = cache ? cache.storageTypes()[type] : StringRef();
  step::KernelOp &kernel = kernels[keyOf(op, space, schemes, activations, storage)];
  if (!kernel) {
    FailureOr<step::KernelOp> made = make(op, space, schemes, activations, cache, storage);
    if (failed(made))
      return failure();
    kernel = *made;
  }
  places[kernel].insert(op->getLoc());
  return kernel;
}

FailureOr<step::KernelOp> KernelTable::make(Operation *op, StringRef space, ArrayRef<StringRef> schemes,
                                            StringRef activations, lm::CacheOp cache, StringRef storage) {
  std::string name = kernelName(op, schemes, space, activations);
  if (cache && cache.storageTypes().size() > 1)
    name += "_" + storage.str();
  if (int count = names[name]++)
    name += "_v" + std::to_string(count + 1);
  DictionaryAttr cacheAttr;
  if (cache)
    cacheAttr = builder.getDictionaryAttr({builder.getNamedAttr("heads", cache.getHeadsAttr()),
                                           builder.getNamedAttr("dim_k", cache.getDimKAttr()),
                                           builder.getNamedAttr("dim_v", cache.getDimVAttr()),
                                           builder.getNamedAttr("page_tokens", cache.getPageTokensAttr()),
                                           builder.getNamedAttr("type", builder.getStringAttr(storage))});
  auto kernel = step::KernelOp::create(builder, op->getLoc(), name, builder.getStrArrayAttr(schemes),
                                       builder.getStringAttr(activations), builder.getStringAttr(space),
                                       IntegerAttr(), cacheAttr);
  Block &body = kernel.getBody().emplaceBlock();
  OpBuilder inner = OpBuilder::atBlockEnd(&body);
  Operation *computed = op->clone();
  for (OpOperand &operand : computed->getOpOperands())
    operand.set(body.addArgument(operand.get().getType(), operand.get().getLoc()));
  inner.insert(computed);
  step::ReturnOp::create(inner, op->getLoc(), computed->getResults());
  FailureOr<int64_t> packed = options.target ? options.target->packedRowBytes(kernel, options.defaultKernels)
                                             : cpu::packedRowBytes(kernel);
  if (failed(packed))
    return failure();
  if (*packed)
    kernel.setPackedRowBytes(*packed);
  return kernel;
}

void KernelTable::setPlaces() {
  for (auto &[kernel, all] : places)
    kernel->setLoc(fuseLocations(kernel.getContext(), all.getArrayRef()));
}

} // namespace llmc::codegen
