//===- Library.cpp - bitcode of GPU kernels => code for the emulator ------===//
#include "codegen/simt/Library.h"

#include "codegen/Backend.h"
#include "codegen/Link.h"
#include "codegen/ObjectCache.h"
#include "codegen/Parallel.h"
#include "codegen/WriteFile.h"
#include "codegen/simt/Rewrite.h"
#include "runtime/include/llmc/simt_abi.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Bitcode/BitcodeReader.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Verifier.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"

#include <cstddef>
#include <cstring>
#include <vector>

#define XXH_INLINE_ALL
#include <xxhash.h>

using namespace llvm;
using namespace llmc::codegen;
using namespace llmc::codegen::simt;

namespace {
struct Unit {
  StringRef bitcode;
  uint64_t hash;
  std::string symbol, error;
  SmallString<0> object;
};
} // namespace

static std::string compileUnit(Unit &unit, const LibraryOptions &options) {
  LLVMContext context;
  Expected<std::unique_ptr<Module>> module =
      parseBitcodeFile(MemoryBufferRef(unit.bitcode, unit.symbol), context);
  if (!module)
    return unit.symbol + ": the bitcode cannot be read: " + toString(module.takeError());
  std::string error = rewriteForEmulator(**module, {options.instrument, unit.hash, unit.symbol});
  if (!error.empty())
    return error;
  raw_string_ostream out(error);
  if (verifyModule(**module, &out))
    return unit.symbol + ": the rewrite for the emulator went wrong: " + error;
  return emitObject(**module, unit.object); // GPU kernels are stored as their back end got them: optimized
}

/// The object with the one symbol that is exported.
static std::string makeTable(ArrayRef<Unit> units, bool isInstrumented, SmallString<0> &object) {
  LLVMContext context;
  Module module("library", context);
  auto *ptr = PointerType::getUnqual(context);
  auto *i8 = Type::getInt8Ty(context), *i32 = Type::getInt32Ty(context);
  SmallVector<Constant *> codes;
  for (const Unit &unit : units) {
    auto *code = new GlobalVariable(module, i8, /*isConstant=*/true, GlobalValue::ExternalLinkage,
                                    /*Initializer=*/nullptr, unit.symbol);
    code->setVisibility(GlobalValue::HiddenVisibility);
    codes.push_back(code);
  }
  auto *list = ConstantArray::get(ArrayType::get(ptr, codes.size()), codes);
  static_assert(sizeof(llmc_simt_library) == 32 && offsetof(llmc_simt_library, codes) == 24);
  auto word = [&](uint64_t value) { return ConstantInt::get(i32, value); };
  Constant *table = ConstantStruct::getAnon(
      context,
      {ConstantDataArray::getString(context, LLMC_SIMT_MAGIC), word(LLMC_SIMT_ABI),
       word(sizeof(llmc_simt_library)), word(units.size()), word(isInstrumented),
       new GlobalVariable(module, list->getType(), true, GlobalValue::PrivateLinkage, list, "codes")});
  auto *global = new GlobalVariable(module, table->getType(), /*isConstant=*/true,
                                    GlobalValue::ExternalLinkage, table, LLMC_SIMT_SYMBOL);
  global->setAlignment(Align(8));
  return compileModule(module, object);
}

/// What tells that the file is whole.
static void addFooter(std::string &file) {
  llmc_simt_footer footer = {LLMC_SIMT_FOOTER_MAGIC, 0};
  file.append(footer.magic, sizeof footer.magic);
  footer.hash = XXH3_64bits(file.data(), file.size());
  file.append(reinterpret_cast<const char *>(&footer.hash), sizeof footer.hash);
}

std::string simt::buildLibrary(ArrayRef<StringRef> bitcodes, const LibraryOptions &options,
                               const std::string &path) {
  std::vector<Unit> units;
  StringSet<> known;
  for (StringRef bitcode : bitcodes) {
    const uint64_t hash = XXH3_64bits(bitcode.data(), bitcode.size());
    std::string symbol = "llmc_simt_code." + utohexstr(hash, /*LowerCase=*/true);
    if (known.insert(symbol).second)
      units.push_back({bitcode, hash, symbol, "", {}});
  }
  ObjectCache cache(options.cacheDir);
  std::vector<Unit *> jobs;
  for (Unit &unit : units)
    jobs.push_back(&unit);
  forEachInParallel<Unit>(jobs, [&](Unit &unit) {
    const std::string key = ObjectCache::keyOf(
        (options.instrument ? "simt code, instrumented\n" : "simt code\n") + unit.bitcode.str());
    if (cache.find(key, unit.object))
      return;
    unit.error = compileUnit(unit, options);
    if (unit.error.empty())
      cache.store(key, unit.object);
  });
  SmallVector<StringRef> objects;
  for (const Unit &unit : units) {
    if (!unit.error.empty())
      return unit.error;
    objects.push_back(unit.object);
  }
  SmallString<0> table;
  std::string error = makeTable(units, options.instrument, table), shared;
  if (!error.empty())
    return error;
  objects.push_back(table);
  if (error = linkSharedObject(objects, path, shared); !error.empty())
    return error;
  addFooter(shared);
  return writeFile(path, [&](raw_ostream &out) { out << shared; });
}
