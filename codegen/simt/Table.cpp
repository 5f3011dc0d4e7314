//===- Table.cpp - the table of rewritten kernels -------------------------===//
#include "codegen/simt/Rewriter.h"

#include "llvm/IR/Constants.h"

#include <cstddef>

using namespace llvm;
using namespace llmc::codegen::simt;

/// Takes the parameters by their addresses, as a launch gives them.
Function *Rewriter::makeEntry(Function &kernel) {
  LLVMContext &context = module.getContext();
  auto *type = FunctionType::get(Type::getVoidTy(context), {PointerType::getUnqual(context)}, false);
  Function *entry = Function::Create(type, GlobalValue::InternalLinkage, kernel.getName() + ".entry", module);
  entry->addFnAttr(Attribute::NoUnwind);
  entry->addFnAttr("no-builtins");
  IRBuilder<> builder(BasicBlock::Create(context, "", entry));
  SmallVector<Value *> arguments;
  for (Argument &argument : kernel.args()) {
    Value *address = builder.CreateLoad(
        builder.getPtrTy(),
        builder.CreateConstGEP1_32(builder.getPtrTy(), entry->getArg(0), argument.getArgNo()));
    arguments.push_back(argument.hasByValAttr() ? builder.CreateAddrSpaceCast(address, argument.getType())
                                                : builder.CreateLoad(argument.getType(), address));
  }
  builder.CreateCall(&kernel, arguments);
  builder.CreateRetVoid();
  return entry;
}

GlobalVariable *Rewriter::constant(Constant *value, StringRef name) {
  auto *global = new GlobalVariable(module, value->getType(), /*isConstant=*/true,
                                    GlobalValue::PrivateLinkage, value, name);
  global->setAlignment(Align(8));
  return global;
}

Constant *Rewriter::text(StringRef words) {
  return constant(ConstantDataArray::getString(module.getContext(), words), "llmc_simt_text");
}

Constant *Rewriter::tableOf(StructType *type, const std::vector<Constant *> &rows, StringRef name) {
  if (rows.empty())
    return ConstantPointerNull::get(PointerType::getUnqual(module.getContext()));
  return constant(ConstantArray::get(ArrayType::get(type, rows.size()), rows), name);
}

void Rewriter::addTable() {
  LLVMContext &context = module.getContext();
  auto *i32 = Type::getInt32Ty(context), *i64 = Type::getInt64Ty(context);
  auto *ptr = PointerType::getUnqual(context);
  auto word = [&](uint64_t value) { return ConstantInt::get(i32, value); };
  auto wide = [&](uint64_t value) { return ConstantInt::get(i64, value); };

  std::vector<Constant *> globals, kernelRows, siteRows, sharedRows;
  auto *globalType = StructType::get(context, {ptr, ptr, i64});
  static_assert(sizeof(llmc_simt_global) == 24);
  SmallVector<GlobalVariable *> variables;
  for (GlobalVariable &variable : module.globals())
    if (&variable != calls && !variable.isDeclaration())
      variables.push_back(&variable);
  for (GlobalVariable *variable : variables) {
    variable->setLinkage(GlobalValue::InternalLinkage);
    variable->setVisibility(GlobalValue::DefaultVisibility);
    globals.push_back(ConstantStruct::get(
        globalType, {text(variable->getName()), ConstantExpr::getPointerBitCastOrAddrSpaceCast(variable, ptr),
                     wide(module.getDataLayout().getTypeAllocSize(variable->getValueType()))}));
  }
  auto *kernelType = StructType::get(context, {ptr, ptr, ptr, i32, i32, i32, i32});
  static_assert(sizeof(llmc_simt_kernel) == 40);
  for (const Kernel &kernel : kernels) {
    Constant *list = kernel.shared.empty()
                         ? static_cast<Constant *>(ConstantPointerNull::get(ptr))
                         : constant(ConstantDataArray::get(context, kernel.shared), "llmc_simt_used");
    kernelRows.push_back(ConstantStruct::get(
        kernelType, {text(kernel.function->getName()), makeEntry(*kernel.function), list,
                     word(kernel.shared.size()), word(kernel.function->arg_size()), word(kernel.maxThreads),
                     word(std::min<uint64_t>(kernel.sharedBytes, UINT32_MAX))}));
  }
  auto *i8 = Type::getInt8Ty(context);
  auto *siteType = StructType::get(context, {i32, i32, i32, i8, i8, i8, i8, ptr});
  static_assert(sizeof(llmc_simt_site) == 24);
  for (const Site &site : sites) {
    auto byte = [&](uint8_t value) { return ConstantInt::get(i8, value); };
    siteRows.push_back(ConstantStruct::get(
        siteType, {word(site.operation), word(site.count), word(site.space), byte(site.run),
                   byte(site.sumFrom), byte(site.columnsFrom), byte(site.columnsWord), text(site.text)}));
  }
  auto *sharedType = StructType::get(context, {ptr, i64, i64});
  static_assert(sizeof(llmc_simt_shared) == 24);
  for (auto [number, place] : enumerate(shared))
    sharedRows.push_back(
        ConstantStruct::get(sharedType, {text(sharedNames[number]), wide(place.offset), wide(place.bytes)}));

  static_assert(sizeof(llmc_simt_code) == 72 && offsetof(llmc_simt_code, calls) == 32);
  Constant *table = ConstantStruct::getAnon(
      context,
      {wide(options.sourceHash), wide(sharedBytes), word(kernels.size()), word(sites.size()),
       word(shared.size()), word(globals.size()), calls, tableOf(kernelType, kernelRows, "llmc_simt_kernels"),
       tableOf(siteType, siteRows, "llmc_simt_sites"), tableOf(sharedType, sharedRows, "llmc_simt_shared"),
       tableOf(globalType, globals, "llmc_simt_globals")});
  auto *global = new GlobalVariable(module, table->getType(), /*isConstant=*/true,
                                    GlobalValue::ExternalLinkage, table, options.symbol);
  global->setAlignment(Align(8));
  global->setVisibility(GlobalValue::HiddenVisibility);
}
