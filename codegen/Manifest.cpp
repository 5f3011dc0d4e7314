//===- Manifest.cpp - what a model.so says of itself ----------------------===//
#include "codegen/Manifest.h"

#include "codegen/ModuleTables.h"
#include "runtime/include/llmc/module_abi.h"

#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

using namespace mlir;
using namespace llmc;
using namespace llmc::codegen;

static llvm::json::Array strings(ArrayRef<std::string> values) { return llvm::json::Array(values); }

static FailureOr<llvm::json::Array> hashFiles(step::ProgramOp program, ArrayRef<std::string> paths) {
  llvm::json::Array files;
  for (const std::string &path : paths) {
    auto buffer = llvm::MemoryBuffer::getFile(path, /*IsText=*/false, /*RequiresNullTerminator=*/false);
    if (!buffer)
      return program.emitError() << path << ": cannot read: " << buffer.getError().message();
    uint64_t hash = XXH3_64bits((*buffer)->getBufferStart(), (*buffer)->getBufferSize());
    files.push_back(llvm::json::Object{{"bytes", static_cast<int64_t>((*buffer)->getBufferSize())},
                                       {"xxh3", llvm::formatv("{0:x-16}", hash).str()}});
  }
  return files;
}

/// Bytes of packed weights by scheme.
static llvm::json::Object bytesByScheme(step::ProgramOp program) {
  llvm::MapVector<StringRef, int64_t> bytes;
  for (auto weight : program.getBody().getOps<step::WeightOp>())
    bytes[weight.getScheme()] += weight.getBytes();
  llvm::json::Object object;
  for (auto [scheme, count] : bytes)
    object[scheme] = count;
  return object;
}

static llvm::json::Array dispatches(step::ProgramOp program) {
  llvm::json::Array rows;
  for (auto dispatch : program.getBody().getOps<step::DispatchOp>()) {
    llvm::json::Object row{{"kernel", dispatch.getKernel()},
                           {"barrier", static_cast<bool>(dispatch.getBarrier())}};
    if (dispatch.getLayer())
      row["layer"] = static_cast<int64_t>(*dispatch.getLayer());
    if (std::string from = describeLocation(dispatch.getLoc()); !from.empty())
      row["from"] = from;
    rows.push_back(std::move(row));
  }
  return rows;
}

FailureOr<std::string> codegen::makeManifest(step::ProgramOp program, const ManifestFacts &facts) {
  FailureOr<llvm::json::Array> files = hashFiles(program, facts.files);
  if (failed(files))
    return failure();
  llvm::json::Object model{{"name", program.getSymName()},
                           {"vocab", static_cast<int64_t>(program.getVocab())},
                           {"context", static_cast<int64_t>(program.getContext())},
                           {"layers", static_cast<int64_t>(program.getLayers())},
                           {"hidden", static_cast<int64_t>(program.getHidden())},
                           {"heads", static_cast<int64_t>(program.getHeads())},
                           {"kv_heads", static_cast<int64_t>(program.getKvHeads())},
                           {"parameters", static_cast<int64_t>(program.getParameters())}};
  if (program.getFamily())
    model["family"] = *program.getFamily();
  llvm::json::Array variants, kernels, caches;
  for (const cpu::Isa *isa : facts.variants)
    variants.push_back(isa->name);
  for (auto kernel : program.getBody().getOps<step::KernelOp>())
    kernels.push_back(kernel.getSymName());
  for (auto cache : program.getBody().getOps<step::CacheOp>())
    caches.push_back(llvm::json::Object{{"name", cache.getSymName()},
                                        {"layers", static_cast<int64_t>(cache.getLayers())},
                                        {"type", cache.getType()},
                                        {"page_tokens", static_cast<int64_t>(cache.getPageTokens())},
                                        {"page_bytes", static_cast<int64_t>(cache.getPageBytes())}});
  llvm::json::Object manifest{
      {"format", "llmc model"},
      {"abi", static_cast<int64_t>(LLMC_MODULE_ABI)},
      {"llmc", LLMC_VERSION},
      {"model", std::move(model)},
      {"options", llvm::json::Object{{"activations", facts.activations}, {"kv", facts.cacheType}}},
      {"passes", strings(facts.passes)},
      {"cpu", std::move(variants)},
      {"sources", std::move(*files)},
      {"weights", llvm::json::Object{{"bytes", static_cast<int64_t>(program.getWeightBytes())},
                                     {"schemes", bytesByScheme(program)}}},
      {"caches", std::move(caches)},
      {"kernels", std::move(kernels)},
      {"dispatches", dispatches(program)}};
  return llvm::formatv("{0}", llvm::json::Value(std::move(manifest))).str();
}
