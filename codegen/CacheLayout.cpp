//===- CacheLayout.cpp - the cache of a step.kernel -----------------------===//
#include "codegen/CacheLayout.h"

using namespace mlir;
using namespace llmc;

FailureOr<emit::KVLayout> codegen::cacheLayout(step::KernelOp kernel) {
  DictionaryAttr cache = kernel.getCache().value_or(nullptr);
  bool isComplete = bool(cache);
  auto number = [&](StringRef key) -> int64_t {
    auto value = cache ? cache.getAs<IntegerAttr>(key) : nullptr;
    isComplete &= value && value.getInt() > 0;
    return value ? value.getInt() : 1;
  };
  emit::KVLayout layout{nullptr, number("heads"), number("dim_k"), number("dim_v"), number("page_tokens")};
  auto type = cache ? cache.getAs<StringAttr>("type") : nullptr;
  if (!isComplete || !type)
    return kernel.emitOpError("expected 'cache' to give heads, dim_k, dim_v, page_tokens and type");
  layout.type = emit::kvTypeByName(type.getValue());
  if (!layout.type)
    return kernel.emitOpError() << "stores its cache as '" << type.getValue() << "', which is not known";
  return layout;
}

emit::KVLayout codegen::cacheLayout(lm::CacheOp cache, StringRef type) {
  return {&emit::kvType(type), static_cast<int64_t>(cache.getHeads()), static_cast<int64_t>(cache.getDimK()),
          static_cast<int64_t>(cache.getDimV()), static_cast<int64_t>(*cache.getPageTokens())};
}
