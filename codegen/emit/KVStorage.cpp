//===- KVStorage.cpp - the table of storage types of a KV cache -----------===//
#include "codegen/emit/KVStorage.h"

#include "runtime/include/llmc/module_abi.h"

#include "llvm/Support/ErrorHandling.h"

namespace llmc::emit {

static const KVType types[] = {{"f32", LLMC_STORE_F32, 4, 0},
                               {"f16", LLMC_STORE_F16, 2, 0},
                               {"bf16", LLMC_STORE_BF16, 2, 0},
                               {"q8", LLMC_STORE_Q8, 1, 32}};

llvm::ArrayRef<KVType> allKVTypes() { return types; }

const KVType *kvTypeByName(llvm::StringRef name) {
  for (const KVType &type : types)
    if (type.name == name)
      return &type;
  return nullptr;
}

const KVType &kvType(llvm::StringRef name) {
  const KVType *type = kvTypeByName(name);
  if (!type)
    llvm::report_fatal_error("unknown cache type");
  return *type;
}

} // namespace llmc::emit
