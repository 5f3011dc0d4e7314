//===- Manifest.cpp - what a model.so says of itself ----------------------===//
#include "codegen/Manifest.h"

#include "codegen/ModuleTables.h"
#include "runtime/include/llmc/module_abi.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

using namespace mlir;
using namespace llmc;
using namespace llmc::codegen;

static llvm::json::Array strings(ArrayRef<std::string> values) { return llvm::json::Array(values); }

static void update(XXH3_state_t &hash, const void *data, size_t bytes) {
  XXH3_64bits_update(&hash, data, bytes);
}

/// One hash for each file of weights: over its tensors in the order of their names, so that it does not
/// depend on how a model is cut into parts.
static llvm::json::Array hashSources(const WeightSource &weights) {
  llvm::json::Array sources;
  for (const auto &file : weights.openFiles()) {
    std::vector<const formats::WeightTensor *> tensors;
    for (const formats::WeightTensor &tensor : file->tensors())
      tensors.push_back(&tensor);
    llvm::sort(tensors, [](auto *a, auto *b) { return a->name < b->name; });
    XXH3_state_t hash;
    XXH3_64bits_reset(&hash);
    int64_t bytes = 0;
    for (const formats::WeightTensor *tensor : tensors) {
      update(hash, tensor->name.c_str(), tensor->name.size() + 1);
      update(hash, &tensor->type, sizeof tensor->type);
      uint64_t rank = tensor->shape.size();
      update(hash, &rank, sizeof rank);
      update(hash, tensor->shape.data(), rank * sizeof(uint64_t));
      update(hash, tensor->data.data(), tensor->data.size());
      file->release(tensor->data);
      bytes += static_cast<int64_t>(tensor->data.size());
    }
    sources.push_back(llvm::json::Object{
        {"bytes", bytes}, {"xxh3", llvm::formatv("{0:x-16}", XXH3_64bits_digest(&hash)).str()}});
  }
  return sources;
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

/// Every matrix and vector in the order of the file, under the names of the tensors it is made from.
static llvm::json::Array tensors(step::ProgramOp program) {
  llvm::json::Array list;
  for (auto weight : program.getBody().getOps<step::WeightOp>()) {
    std::vector<std::string> names;
    weight.getBody().walk([&](lm::WeightRefOp reference) { names.push_back(reference.getTensor().str()); });
    auto value = cast<step::ReturnOp>(weight.getBody().front().back()).getValues().front();
    list.push_back(
        llvm::json::Object{{"name", llvm::join(names, " ")},
                           {"shape", llvm::json::Array(cast<lm::WeightType>(value.getType()).getShape())},
                           {"scheme", weight.getScheme() == "vector" ? "f32" : weight.getScheme()},
                           {"bytes", static_cast<int64_t>(weight.getBytes())}});
  }
  return list;
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
    if (dispatch.getStorage())
      row["cache"] = *dispatch.getStorage();
    rows.push_back(std::move(row));
  }
  return rows;
}

std::string codegen::makeManifest(step::ProgramOp program, const ManifestFacts &facts) {
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
    caches.push_back(llvm::json::Object{{"name", cache.getOf().value_or(cache.getSymName())},
                                        {"layers", static_cast<int64_t>(cache.getLayers())},
                                        {"type", cache.getType()},
                                        {"page_tokens", static_cast<int64_t>(cache.getPageTokens())},
                                        {"page_bytes", static_cast<int64_t>(cache.getPageBytes())},
                                        {"token_bytes", static_cast<int64_t>(cache.getPageBytes()) /
                                                            static_cast<int64_t>(cache.getPageTokens())}});
  llvm::json::Object manifest{
      {"format", "llmc model"},
      {"abi", static_cast<int64_t>(LLMC_MODULE_ABI)},
      {"llmc", LLMC_VERSION},
      {"model", std::move(model)},
      {"options", llvm::json::Object{{"activations", facts.activations},
                                     {"kv", facts.cacheType},
                                     {"quantize", strings(facts.quantize)}}},
      {"passes", strings(facts.passes)},
      {"cpu", std::move(variants)},
      {"sources", hashSources(facts.weights)},
      {"weights", llvm::json::Object{{"bytes", static_cast<int64_t>(program.getWeightBytes())},
                                     {"schemes", bytesByScheme(program)},
                                     {"tensors", tensors(program)}}},
      {"caches", std::move(caches)},
      {"kernels", std::move(kernels)},
      {"dispatches", dispatches(program)}};
  return llvm::formatv("{0}", llvm::json::Value(std::move(manifest))).str();
}
