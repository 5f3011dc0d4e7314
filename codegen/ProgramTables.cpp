//===- ProgramTables.cpp - one step.program => one llmc_module ------------===//
//
// The structs are filled as the runtime will read them and become constant bytes; only what holds addresses
// (the entries of kernels, the variants, the module itself) is built from LLVM constants, so that the linker
// relocates it.
//
//===----------------------------------------------------------------------===//
#include "codegen/ProgramTables.h"

#include "codegen/KernelSpecs.h"
#include "codegen/RowSpace.h"
#include "codegen/TableConstants.h"
#include "ir/Locations.h"
#include "runtime/include/llmc/module_abi.h"

#include <cstddef>
#include <cstring>

using namespace mlir;
using namespace llmc;
using namespace llmc::codegen;

llvm::GlobalVariable *codegen::declareModule(llvm::Module &module, llvm::GlobalValue::LinkageTypes linkage,
                                             StringRef name) {
  llvm::LLVMContext &context = module.getContext();
  SmallVector<llvm::Type *> fields(9, llvm::PointerType::getUnqual(context));
  fields[0] = llvm::ArrayType::get(llvm::Type::getInt8Ty(context), offsetof(llmc_module, variants));
  auto *global =
      new llvm::GlobalVariable(module, llvm::StructType::get(context, fields), true, linkage, nullptr, name);
  global->setAlignment(llvm::Align(16));
  return global;
}

namespace {

class Strings {
public:
  uint32_t offsetOf(StringRef text) {
    if (text.empty())
      return LLMC_NONE;
    auto [known, isNew] = offsets.try_emplace(text, bytes.size());
    if (isNew) {
      bytes += text;
      bytes += '\0';
    }
    return known->second;
  }
  std::string bytes = std::string(1, '\0');

private:
  llvm::StringMap<uint32_t> offsets;
};

/// One program => one llmc_module.
class TableBuilder {
public:
  TableBuilder(llvm::Module &module, step::ProgramOp program, const AllFacts &facts)
      : module(module), constants(module), program(program), facts(facts) {}

  void build(llvm::GlobalVariable *into, ArrayRef<const cpu::Isa *> variants, llvm::Constant *devices,
             uint32_t numDevices) {
    number();
    fillKernels();
    fillDispatches();
    emit(into, variants, devices, numDevices);
  }

private:
  void number();
  void fillKernels();
  void fillDispatches();
  llmc_arg argument(Attribute attr, uint64_t &weightBytes);
  uint32_t valuesOf(Location loc, ValueRange results);
  void emit(llvm::GlobalVariable *into, ArrayRef<const cpu::Isa *> variants, llvm::Constant *devices,
            uint32_t numDevices);
  llvm::Constant *entriesOf(const cpu::Isa &isa);
  llvm::Function *declareKernel(const std::string &name);

  llvm::Module &module;
  TableConstants constants;
  step::ProgramOp program;
  const AllFacts &facts;
  Strings strings;
  llvm::StringMap<uint32_t> kernelNumbers, bufferNumbers, cacheNumbers;
  llvm::StringMap<std::pair<uint64_t, uint64_t>> weightPlaces; // offset, bytes
  std::vector<llmc_kernel> kernelTable;
  std::vector<llmc_buffer> bufferTable;
  std::vector<llmc_dispatch> dispatchTable;
  std::vector<llmc_arg> argTable;
  std::vector<llmc_kv_layout> cacheTable;
};

void TableBuilder::number() {
  Block &body = program.getBody().front();
  for (auto buffer : body.getOps<step::BufferOp>()) {
    bufferNumbers[buffer.getSymName()] = bufferTable.size();
    bufferTable.push_back({rowSpaceNumber(buffer.getRows()), strings.offsetOf(buffer.getSymName()),
                           static_cast<uint64_t>(buffer.getRowBytes())});
  }
  for (auto weight : body.getOps<step::WeightOp>())
    weightPlaces[weight.getSymName()] = {weight.getOffset(), weight.getBytes()};
  for (auto values : body.getOps<step::ConstantOp>())
    weightPlaces[values.getSymName()] = {values.getOffset(), values.getValues().size() * sizeof(float)};
  for (auto cache : body.getOps<step::CacheOp>()) {
    uint32_t type = emit::kvType(cache.getType()).number;
    cacheNumbers[cache.getSymName()] = cacheTable.size();
    cacheTable.push_back({strings.offsetOf(cache.getOf().value_or(cache.getSymName())),
                          static_cast<uint32_t>(cache.getLayers()), static_cast<uint32_t>(cache.getHeads()),
                          static_cast<uint32_t>(cache.getDimK()), static_cast<uint32_t>(cache.getDimV()),
                          static_cast<uint32_t>(cache.getPageTokens()), type, type,
                          static_cast<uint64_t>(cache.getPageBytes())});
  }
}

void TableBuilder::fillKernels() {
  llvm::StringMap<StringRef> activations;
  for (auto kernel : program.getBody().getOps<step::KernelOp>())
    activations[kernel.getSymName()] = kernel.getActivations();
  for (const auto &[name, facts] : facts) {
    kernelNumbers[name.getValue()] = kernelTable.size();
    // Attention in pairs of bf16 is a kernel of its own; other variants, if any has one, are held against
    // bf16 as far as they know it.
    StringRef type = activations.lookup(name);
    const bool isBF16 = type == "bf16" ||
                        llvm::any_of(facts.compiledFor, [](const cpu::Isa *isa) { return isa->hasBF16Dots; });
    const uint32_t arithmetic = type == "int8" ? LLMC_ARITHMETIC_INT8
                                : isBF16       ? LLMC_ARITHMETIC_BF16
                                               : LLMC_ARITHMETIC_F32;
    kernelTable.push_back({strings.offsetOf(name), facts.prepareMinRows, facts.runUnits, arithmetic,
                           facts.scratchConstant, facts.scratchPerRow, facts.scratchPerKey,
                           facts.scratchPerRowKey});
  }
}

llmc_arg TableBuilder::argument(Attribute attr, uint64_t &weightBytes) {
  if (auto integer = dyn_cast<IntegerAttr>(attr))
    return {LLMC_ARG_IMMEDIATE, static_cast<uint64_t>(integer.getInt())};
  StringRef name = cast<FlatSymbolRefAttr>(attr).getValue();
  if (auto buffer = bufferNumbers.find(name); buffer != bufferNumbers.end())
    return {LLMC_ARG_BUFFER, buffer->second};
  auto [offset, bytes] = weightPlaces.lookup(name);
  weightBytes += bytes;
  return {LLMC_ARG_WEIGHT, offset};
}

/// Names and columns of what a dispatch writes; its results are arguments one behind the other, the first the
/// output.
uint32_t TableBuilder::valuesOf(Location loc, ValueRange results) {
  std::string list;
  for (auto [name, result] : llvm::zip(valueNames(loc, results.size()), results)) {
    auto type = dyn_cast<RankedTensorType>(result.getType());
    if (!type || type.getRank() != 2)
      return 0;
    list += name.str() + '\0' + std::to_string(type.getDimSize(1)) + '\0';
  }
  return list.empty() ? 0 : strings.offsetOf(list);
}

void TableBuilder::fillDispatches() {
  llvm::StringMap<KernelWork> works;
  llvm::StringMap<bool> isLookup; // reads some rows of its table only
  llvm::StringMap<Operation *> computed;
  for (auto kernel : program.getBody().getOps<step::KernelOp>()) {
    works[kernel.getSymName()] = kernelWork(kernel);
    computed[kernel.getSymName()] = kernel.computed();
    isLookup[kernel.getSymName()] = isa<lm::EmbedOp, lm::PositionEmbedOp>(kernel.computed());
  }
  for (auto dispatch : program.getBody().getOps<step::DispatchOp>()) {
    llmc_dispatch row = {};
    row.kernel = kernelNumbers.lookup(dispatch.getKernel());
    row.layer = dispatch.getLayer() ? static_cast<uint32_t>(*dispatch.getLayer()) : LLMC_NONE;
    row.rows = rowSpaceNumber(dispatch.getRows());
    row.barrier = dispatch.getBarrier();
    row.first_arg = argTable.size();
    row.location = strings.offsetOf(describeLocation(dispatch.getLoc()));
    row.output = dispatch.getOutput() ? bufferNumbers.lookup(*dispatch.getOutput()) : LLMC_NONE;
    if (dispatch.getOutput())
      row.values = valuesOf(dispatch.getLoc(), computed.lookup(dispatch.getKernel())->getResults());
    for (Attribute arg : dispatch.getArgs()) {
      argTable.push_back(argument(arg, row.weight_bytes));
      if (argTable.back().kind == LLMC_ARG_BUFFER)
        row.row_bytes += bufferTable[argTable.back().value].row_bytes;
    }
    row.n_args = argTable.size() - row.first_arg;
    if (isLookup.lookup(dispatch.getKernel()))
      row.weight_bytes = 0;
    KernelWork work = works.lookup(dispatch.getKernel());
    row.flops_per_row = work.flopsPerRow;
    row.flops_per_key = work.flopsPerKey;
    row.key_bytes = work.keyBytes;
    row.cache = dispatch.getStorage() ? cacheNumbers.lookup(*dispatch.getStorage()) : LLMC_NONE;
    dispatchTable.push_back(row);
  }
}

llvm::Function *TableBuilder::declareKernel(const std::string &name) {
  if (llvm::Function *present = module.getFunction(name)) // of another variant
    return present;
  llvm::LLVMContext &context = module.getContext();
  llvm::Type *ptr = llvm::PointerType::getUnqual(context), *i32 = llvm::Type::getInt32Ty(context);
  auto *type = llvm::FunctionType::get(llvm::Type::getVoidTy(context), {ptr, ptr, i32, i32}, false);
  auto *function = llvm::Function::Create(type, llvm::GlobalValue::ExternalLinkage, name, module);
  function->setVisibility(llvm::GlobalValue::HiddenVisibility);
  return function;
}

llvm::Constant *TableBuilder::entriesOf(const cpu::Isa &isa) {
  auto *ptr = llvm::PointerType::getUnqual(module.getContext());
  auto *entryType = llvm::StructType::get(module.getContext(), {ptr, ptr});
  SmallVector<llvm::Constant *> entries;
  for (const auto &[name, facts] : facts) {
    std::string symbol = kernelSymbol(name, facts, isa);
    llvm::Constant *prepare = facts.hasPrepare
                                  ? static_cast<llvm::Constant *>(declareKernel(symbol + ".prepare"))
                                  : llvm::ConstantPointerNull::get(ptr);
    entries.push_back(llvm::ConstantStruct::get(entryType, {prepare, declareKernel(symbol)}));
  }
  return llvm::ConstantArray::get(llvm::ArrayType::get(entryType, entries.size()), entries);
}

void TableBuilder::emit(llvm::GlobalVariable *into, ArrayRef<const cpu::Isa *> isas, llvm::Constant *devices,
                        uint32_t numDevices) {
  llvm::LLVMContext &context = module.getContext();
  auto *ptr = llvm::PointerType::getUnqual(context);
  auto *i64 = llvm::Type::getInt64Ty(context);

  auto *variantType = llvm::StructType::get(context, {ptr, i64, ptr});
  static_assert(sizeof(llmc_variant) == 24 && sizeof(llmc_kernel_entry) == 16);
  SmallVector<llvm::Constant *> variants;
  for (const cpu::Isa *isa : isas) {
    llvm::Constant *name = constants.bytes(isa->name, "variant_name", /*addNull=*/true);
    llvm::Constant *features = llvm::ConstantInt::get(i64, isa->features);
    variants.push_back(
        llvm::ConstantStruct::get(variantType, {name, features, constants.add(entriesOf(*isa), "entries")}));
  }

  bool usesKeys =
      llvm::any_of(facts, [](auto &entry) { return entry.second.usesKeys; }) ||
      llvm::any_of(bufferTable, [](const llmc_buffer &buffer) { return buffer.rows == LLMC_ROWS_KEYS; });
  llmc_module head = {};
  std::memcpy(head.magic, LLMC_MODULE_MAGIC, sizeof(LLMC_MODULE_MAGIC));
  head.abi = LLMC_MODULE_ABI;
  head.struct_size = sizeof(llmc_module);
  head.n_variants = variants.size();
  head.n_kernels = kernelTable.size();
  head.n_buffers = bufferTable.size();
  head.n_dispatches = dispatchTable.size();
  head.n_args = argTable.size();
  head.n_caches = cacheTable.size();
  head.vocab = program.getVocab();
  head.context = program.getContext();
  head.layers = program.getLayers();
  head.hidden = program.getHidden();
  head.heads = program.getHeads();
  head.kv_heads = program.getKvHeads();
  head.logits_buffer = bufferNumbers.lookup(program.getLogits());
  head.hidden_buffer = program.getHiddenRows() ? bufferNumbers.lookup(*program.getHiddenRows()) : LLMC_NONE;
  head.uses_keys = usesKeys;
  head.n_strings = strings.bytes.size();
  head.n_devices = numDevices;
  head.parameters = program.getParameters();
  head.weight_bytes = program.getWeightBytes();

  // The part without addresses as bytes, then the pointers in the struct's order.
  constexpr size_t prefix = offsetof(llmc_module, variants);
  static_assert(sizeof(llmc_module) == prefix + 8 * sizeof(void *) && prefix % sizeof(void *) == 0);
  StringRef headBytes(reinterpret_cast<const char *>(&head), prefix);
  std::vector<char> text(strings.bytes.begin(), strings.bytes.end());
  SmallVector<llvm::Constant *> fields = {
      llvm::ConstantDataArray::getString(context, headBytes, /*AddNull=*/false),
      constants.array(variantType, variants, "variants"),
      constants.table(kernelTable, "kernels"),
      constants.table(bufferTable, "buffers"),
      constants.table(dispatchTable, "dispatches"),
      constants.table(argTable, "args"),
      constants.table(cacheTable, "caches"),
      constants.table(text, "strings"),
      devices};
  into->setInitializer(llvm::ConstantStruct::get(cast<llvm::StructType>(into->getValueType()), fields));
}

} // namespace

void codegen::fillModule(llvm::GlobalVariable *declared, step::ProgramOp program, const AllFacts &facts,
                         ArrayRef<const cpu::Isa *> variants, llvm::Constant *devices, uint32_t numDevices) {
  TableBuilder(*declared->getParent(), program, facts).build(declared, variants, devices, numDevices);
}
