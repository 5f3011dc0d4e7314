//===- TableConstants.h - constants of the module with tables ---*- C++ -*-===//
#ifndef LLMC_CODEGEN_TABLECONSTANTS_H
#define LLMC_CODEGEN_TABLECONSTANTS_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/Module.h"

#include <vector>

namespace llmc::codegen {

/// Private constants, aligned to 8 bytes.
class TableConstants {
public:
  explicit TableConstants(llvm::Module &module) : module(module) {}

  llvm::GlobalVariable *add(llvm::Constant *value, const char *name) {
    auto *global = new llvm::GlobalVariable(module, value->getType(), true, llvm::GlobalValue::PrivateLinkage,
                                            value, name);
    global->setAlignment(llvm::Align(8));
    return global;
  }
  llvm::GlobalVariable *bytes(llvm::StringRef raw, const char *name, bool addNull = false) {
    return add(llvm::ConstantDataArray::getString(module.getContext(), raw, addNull), name);
  }
  template <typename T> llvm::GlobalVariable *table(const std::vector<T> &rows, const char *name) {
    return bytes(llvm::StringRef(reinterpret_cast<const char *>(rows.data()), rows.size() * sizeof(T)), name);
  }
  llvm::GlobalVariable *array(llvm::StructType *type, llvm::ArrayRef<llvm::Constant *> rows,
                              const char *name) {
    return add(llvm::ConstantArray::get(llvm::ArrayType::get(type, rows.size()), rows), name);
  }

  llvm::Module &module;
};

} // namespace llmc::codegen
#endif
