//===- ModuleReport.cpp - a model.so as a report --------------------------===//
//
// An artefact holds the manifest, the tables that the runtime reads, code, tokenizer and weights. It holds no
// IR: what passes have done is in a dump only, and the page says so.
//
//===----------------------------------------------------------------------===//
#include "tools/explore/ElfTables.h"
#include "tools/explore/Fields.h"
#include "tools/explore/Profile.h"
#include "tools/explore/Report.h"
#include "tools/explore/StepText.h"

#include <algorithm>

using namespace llmc;
using namespace llmc::explore;

constexpr const char *rowSpaces[] = {"tokens", "asked", "keys", "hidden"};
constexpr const char *storageTypes[] = {"", "f32", "f16", "bf16", "q8"};

static const char *nameIn(std::span<const char *const> names, uint32_t number) {
  return number < names.size() ? names[number] : "?";
}

/// "model.mlir:3 + blk.{i}.attn_q" => both.
static std::vector<std::string> partsOf(std::string_view text) {
  constexpr std::string_view between = " + ";
  std::vector<std::string> parts;
  while (!text.empty()) {
    size_t end = text.find(between);
    parts.emplace_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + between.size());
  }
  return parts;
}

static void addDispatches(const ElfTables &tables, Program &program) {
  for (const llmc_dispatch &dispatch : tables.dispatches) {
    DispatchRow row;
    if (dispatch.kernel < tables.kernels.size())
      row.kernel = tables.text(tables.kernels[dispatch.kernel].name);
    row.rows = nameIn(rowSpaces, dispatch.rows);
    row.layer = dispatch.layer == LLMC_NONE ? -1 : dispatch.layer;
    row.hasBarrier = dispatch.barrier != 0;
    if (dispatch.cache < tables.caches.size())
      row.cache = dispatch.cache;
    row.from = partsOf(tables.text(dispatch.location));
    row.weightBytes = static_cast<int64_t>(dispatch.weight_bytes);
    row.rowBytes = static_cast<int64_t>(dispatch.row_bytes);
    row.keyBytes = static_cast<int64_t>(dispatch.key_bytes);
    row.flopsPerRow = static_cast<int64_t>(dispatch.flops_per_row);
    row.flopsPerKey = static_cast<int64_t>(dispatch.flops_per_key);
    bool isWritten = false;
    const uint64_t end = uint64_t(dispatch.first_arg) + dispatch.n_args;
    for (uint64_t i = dispatch.first_arg; i < std::min<uint64_t>(end, tables.args.size()); ++i) {
      const llmc_arg &arg = tables.args[i];
      if (arg.kind != LLMC_ARG_BUFFER || arg.value >= tables.buffers.size())
        continue;
      isWritten |= arg.value == dispatch.output;
      (isWritten ? row.writes : row.reads).push_back(static_cast<int64_t>(arg.value));
    }
    program.dispatches.push_back(std::move(row));
  }
}

static void addTables(const ElfTables &tables, Program &program) {
  const llmc_module &head = tables.head;
  for (auto [key, value] : {std::pair("vocab", head.vocab),
                            {"context", head.context},
                            {"layers", head.layers},
                            {"hidden", head.hidden},
                            {"heads", head.heads},
                            {"kv_heads", head.kv_heads}})
    program.model[key] = value;
  program.model["parameters"] = head.parameters;
  for (const llmc_buffer &buffer : tables.buffers)
    program.buffers.push_back({tables.text(buffer.name), nameIn(rowSpaces, buffer.rows), "",
                               static_cast<int64_t>(buffer.row_bytes)});
  for (const llmc_kv_layout &cache : tables.caches)
    program.caches.push_back({tables.text(cache.name), nameIn(storageTypes, cache.type_k), cache.layers,
                              cache.heads, cache.dim_k, cache.dim_v, std::max<int64_t>(1, cache.page_tokens),
                              static_cast<int64_t>(cache.page_bytes)});
  addDispatches(tables, program);
}

/// Of each variant of a kernel the functions that are its own, by their symbols.
static Json kernelTable(const ElfTables &tables) {
  Json kernels = Json::array();
  for (const llmc_kernel &kernel : tables.kernels) {
    const std::string name = tables.text(kernel.name);
    Json variants = Json::array();
    for (const std::string &variant : tables.variants) {
      const std::string symbol = name + "." + variant;
      Json functions = Json::array();
      uint64_t code = 0;
      for (const ElfFunction &function : tables.functions)
        if (function.name == symbol || function.name.starts_with(symbol + ".")) {
          functions.push_back({{"name", function.name}, {"code", function.bytes}});
          code += function.bytes;
        }
      variants.push_back(
          {{"variant", variant}, {"unit", symbol}, {"code", code}, {"functions", std::move(functions)}});
    }
    kernels.push_back(
        {{"name", name}, {"op", ""}, {"text", ""}, {"location", ""}, {"variants", std::move(variants)}});
  }
  return kernels;
}

static Json sharedTable(const ElfTables &tables) {
  Json shared = Json::array();
  for (const ElfFunction &function : tables.functions)
    if (function.name.starts_with("llmc."))
      shared.push_back({{"name", function.name},
                        {"variant", ""},
                        {"unit", function.name},
                        {"code", function.bytes},
                        {"functions", Json::array()}});
  return shared;
}

static void addTensors(const Fields &weights, Program &program) {
  if (!weights.has("tensors"))
    return;
  for (const Fields &tensor : weights.objects("tensors")) {
    WeightRow row;
    row.id = "w" + std::to_string(program.weights.size());
    row.name = tensor.string("name");
    row.scheme = tensor.string("scheme");
    row.shape = tensor.integers("shape");
    row.bytes = tensor.integer("bytes");
    row.offset = -1; // not stored
    program.weights.push_back(std::move(row));
  }
}

Report llmc::explore::readModule(const std::string &name, const ModuleParts &parts,
                                 const std::string &profile) {
  formats::JsonValue value;
  std::string error;
  std::string_view text(reinterpret_cast<const char *>(parts.manifest.data()), parts.manifest.size());
  if (!formats::parseJson(text, {}, value, error))
    throw std::runtime_error(name + ": the manifest " + error);
  const Fields manifest(value, name + ": manifest");
  Program program;
  Json missing = {"A compiled model holds no IR: passes, their remarks and the graph are in a dump "
                  "(llmc compile --dump-ir)."};
  Json kernels = Json::array(), shared = Json::array(), passes = Json::array();
  std::optional<ElfTables> tables = readElfTables(parts.elf, error);
  if (tables) {
    addTables(*tables, program);
    kernels = kernelTable(*tables);
    shared = sharedTable(*tables);
    missing.push_back(
        tables->functions.empty()
            ? "Its symbols were removed: sizes of kernels are not known."
            : "Code is there as machine code only, by size; LLVM IR and assembly are in a dump.");
  } else {
    missing.push_back("The dispatch table was not read: " + error + ".");
  }
  missing.push_back("Sources are known by hash, not by name or path.");
  if (profile.empty())
    missing.push_back(
        "No profile was given (--profile): times in the roofline are predictions, not measurements.");
  Report report;
  report.title = "model";
  if (manifest.has("model")) {
    const Fields model = manifest.object("model");
    report.title = model.stringOr("name", report.title);
    program.model["name"] = report.title;
    if (model.has("family"))
      program.model["family"] = model.string("family");
  }
  if (manifest.has("weights"))
    addTensors(manifest.object("weights"), program);
  if (manifest.has("passes"))
    for (const Fields &pass : manifest.objects("passes"))
      passes.push_back(
          {{"name", pass.string("name")}, {"phase", ""}, {"options", pass.stringOr("options", "")}});
  Json sources = Json::array();
  if (manifest.has("sources"))
    for (const Fields &source : manifest.objects("sources"))
      sources.push_back(
          {{"path", ""}, {"xxh3", source.stringOr("xxh3", "")}, {"bytes", source.integerOr("bytes", 0)}});
  Json tokenizer = nullptr;
  if (!parts.tokenizerKind.empty())
    tokenizer = {
        {"kind", parts.tokenizerKind}, {"vocab", parts.tokenizerVocab}, {"bytes", parts.tokenizerBytes}};
  Json data{{"kind", "module"},
            {"title", report.title},
            {"llmc", manifest.stringOr("llmc", "")},
            {"options", manifest.has("options") ? manifest.object("options").any() : Json::object()},
            {"sources", std::move(sources)},
            {"missing", std::move(missing)},
            {"model", program.model},
            {"passes", std::move(passes)},
            {"places", Json::array({Json::array()})},
            {"kernels", std::move(kernels)},
            {"shared", std::move(shared)},
            {"units", Json::object()},
            {"program", program.json()},
            {"profile", readProfile(profile, {report.title, parts.headHash, program})},
            {"file",
             {{"bytes", parts.fileBytes},
              {"code", parts.elf.size()},
              {"manifest", parts.manifest.size()},
              {"weights", parts.weightBytes},
              {"weights_hash", parts.weightsHash},
              {"abi", LLMC_MODULE_ABI},
              {"variants", tables ? Json(tables->variants) : Json::array()},
              {"tokenizer", std::move(tokenizer)}}}};
  report.data = data.dump(-1, ' ', false, Json::error_handler_t::replace);
  return report;
}
