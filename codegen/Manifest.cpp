//===- Manifest.cpp - what a model.so says of itself ----------------------===//
#include "codegen/Manifest.h"

#include "codegen/DeviceTarget.h"
#include "ir/Locations.h"
#include "runtime/include/llmc/module_abi.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::codegen;

static llvm::json::Array strings(ArrayRef<std::string> values) { return llvm::json::Array(values); }

static llvm::json::Array sources(ArrayRef<SourceHash> files) {
  llvm::json::Array list;
  for (const SourceHash &file : files) // by content, never by path
    list.push_back(llvm::json::Object{{"bytes", file.bytes}, {"xxh3", file.xxh3}});
  return list;
}

/// "quantize{rules=q4_0}" => {"name": "quantize", "options": "rules=q4_0"}
static llvm::json::Array passes(ArrayRef<std::string> runs) {
  llvm::json::Array list;
  for (StringRef run : runs) {
    auto [name, options] = run.split('{');
    options.consume_back("}");
    list.push_back(llvm::json::Object{{"name", name}, {"options", options}});
  }
  return list;
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

/// Launches of the kernel in a step of one row.
static int64_t launchesOfOneRow(const DeviceCode &code, StringAttr kernel) {
  auto found = code.kernels.find(kernel);
  return found == code.kernels.end() ? 0 : llvm::count_if(found->second.launches, [](const DeviceLaunch &l) {
    return l.minRows <= 1 && l.maxRows >= 1;
  });
}

std::map<std::string, int64_t> codegen::slowMatmuls(const DeviceCode &code) {
  std::map<std::string, int64_t> counts;
  step::ProgramOp program = code.program;
  for (auto dispatch : program.getBody().getOps<step::DispatchOp>()) {
    auto found = code.kernels.find(StringAttr::get(program->getContext(), dispatch.getKernel()));
    if (found != code.kernels.end() && !found->second.slowSchemes.empty())
      ++counts[found->second.slowSchemes];
  }
  return counts;
}

/// Of each device the architectures, the kernels, how many launches a layer takes for a single token, and
/// what made machine code.
static llvm::json::Array devices(step::ProgramOp program, const ManifestFacts &facts,
                                 ArrayRef<DeviceCode> compiled) {
  llvm::json::Array list;
  for (auto other : program->getBlock()->getOps<step::ProgramOp>()) {
    const DeviceTarget *target = deviceOf(other);
    const auto choice =
        llvm::find_if(facts.devices, [&](const DeviceChoice &each) { return each.target == target; });
    const auto *code = llvm::find_if(compiled, [&](const DeviceCode &each) { return each.program == other; });
    if (choice == facts.devices.end() || code == compiled.end())
      continue;
    // Of a cache with several storage types a session runs the dispatches of one.
    StringRef storage;
    int64_t inLayers = 0;
    for (auto dispatch : other.getBody().getOps<step::DispatchOp>()) {
      if (dispatch.getStorage() && storage.empty())
        storage = *dispatch.getStorage();
      if (dispatch.getLayer() && (!dispatch.getStorage() || *dispatch.getStorage() == storage))
        inLayers += launchesOfOneRow(*code, StringAttr::get(program->getContext(), dispatch.getKernel()));
    }
    llvm::json::Array kernels;
    for (const auto &[name, kernel] : code->kernels)
      kernels.push_back(name.getValue());
    llvm::json::Object device{{"name", target->name()},
                              {"architectures", strings(choice->architectures)},
                              {"kernels", std::move(kernels)}};
    if (other.getLayers())
      device["launches_per_layer"] = static_cast<double>(inLayers) / static_cast<double>(other.getLayers());
    if (!facts.assembler.empty())
      device["assembler"] = facts.assembler;
    llvm::json::Object slow;
    for (const auto &[schemes, count] : slowMatmuls(*code))
      slow[schemes] = count;
    if (!slow.empty())
      device["slow_matmuls"] = std::move(slow);
    list.push_back(std::move(device));
  }
  return list;
}

std::string codegen::makeManifest(step::ProgramOp program, const ManifestFacts &facts,
                                  ArrayRef<DeviceCode> compiled) {
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
  // Of a file whose frequencies depend on the longest sequence: the lengths that those chosen are for.
  if (auto contexts = program->getParentOp()->getAttrOfType<DenseI64ArrayAttr>("lm.rope_contexts");
      contexts && contexts.size() == 2)
    model["rope_contexts"] = llvm::json::Object{{"first", contexts[0]}, {"last", contexts[1]}};
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
      {"options", llvm::json::Object{{"activations", facts.state.activations},
                                     {"kv", facts.state.cacheType},
                                     {"quantize", strings(facts.quantize)}}},
      {"passes", passes(facts.state.passes)},
      {"cpu", std::move(variants)},
      {"sources", sources(facts.state.sources)},
      {"weights", llvm::json::Object{{"bytes", static_cast<int64_t>(program.getWeightBytes())},
                                     {"schemes", bytesByScheme(program)},
                                     {"tensors", tensors(program)}}},
      {"caches", std::move(caches)},
      {"kernels", std::move(kernels)},
      {"dispatches", dispatches(program)}};
  if (!facts.devices.empty())
    manifest["devices"] = devices(program, facts, compiled);
  if (!facts.variants.empty())
    (*manifest.getObject("options"))["tune"] = facts.family;
  if (facts.portableBits)
    (*manifest.getObject("options"))["portable_bits"] = true;
  if (facts.randomWeights)
    (*manifest.getObject("options"))["random_weights"] = true;
  if (!facts.plantedBug.empty()) // nobody should take such a file for the model
    (*manifest.getObject("options"))["planted_bug"] = facts.plantedBug;
  return llvm::formatv("{0}", llvm::json::Value(std::move(manifest))).str();
}
