//===- InspectMemory.cpp - the memory plan of a compiled model ------------===//
#include "tools/llmc/InspectMemory.h"

#include "frontend/formats/Quote.h"
#include "runtime/Workspace.h"
#include "tools/explore/ElfTables.h"
#include "tools/llmc/TensorTable.h"

#include <fmt/format.h>

namespace llmc::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char *rowSpaces[LLMC_ROW_SPACES] = {"tokens", "asked", "keys", "hidden"};

/// The tables with addresses, but without code.
llmc_module moduleOf(const explore::ElfTables &tables) {
  llmc_module module = tables.head;
  module.n_variants = 0;
  module.variants = nullptr;
  module.n_devices = 0;
  module.devices = nullptr;
  module.kernels = tables.kernels.data();
  module.buffers = tables.buffers.data();
  module.dispatches = tables.dispatches.data();
  module.args = tables.args.data();
  module.caches = tables.caches.data();
  module.strings = tables.strings.data();
  return module;
}

Json arenaJson(const explore::ElfTables &tables, const WorkspacePlan &plan) {
  Json list = Json::array();
  for (size_t i = 0; i < tables.buffers.size(); ++i) {
    const llmc_buffer &buffer = tables.buffers[i];
    const uint64_t end = i + 1 < plan.bufferOffsets.size() ? plan.bufferOffsets[i + 1] : plan.arenaBytes;
    list.push_back({{"name", tables.text(buffer.name)},
                    {"rows", rowSpaces[buffer.rows]},
                    {"row_bytes", buffer.row_bytes},
                    {"offset", plan.bufferOffsets[i]},
                    {"bytes", end - plan.bufferOffsets[i]}});
  }
  return list;
}

Json cachesJson(const explore::ElfTables &tables, const WorkspacePlan &plan) {
  Json list = Json::array();
  for (size_t i = 0; i < tables.caches.size(); ++i) {
    const llmc_kv_layout &cache = tables.caches[i];
    list.push_back({{"name", tables.text(cache.name)},
                    {"type", storageName(cache.type_k)},
                    {"default", plan.usesCache[i] != 0},
                    {"layers", cache.layers},
                    {"heads", cache.heads},
                    {"dim_k", cache.dim_k},
                    {"dim_v", cache.dim_v},
                    {"page_tokens", cache.page_tokens},
                    {"page_bytes", cache.page_bytes},
                    {"layer_page_bytes", cache.page_bytes / std::max(1u, cache.layers)},
                    {"pages", plan.usesCache[i] ? cachePages(plan.cache, cache.page_tokens) : 0}});
  }
  return list;
}

/// Kernels with scratch; what it grows with.
Json scratchJson(const explore::ElfTables &tables) {
  Json list = Json::array();
  for (const llmc_kernel &kernel : tables.kernels)
    if (kernel.scratch_constant || kernel.scratch_per_row || kernel.scratch_per_key ||
        kernel.scratch_per_row_key)
      list.push_back({{"kernel", tables.text(kernel.name)},
                      {"bytes", kernel.scratch_constant},
                      {"row_bytes", kernel.scratch_per_row},
                      {"key_bytes", kernel.scratch_per_key},
                      {"row_key_bytes", kernel.scratch_per_row_key}});
  return list;
}

} // namespace

Json memoryJson(const std::string &path, std::span<const uint8_t> elf, const llmc_footer &footer) {
  std::string error;
  std::optional<explore::ElfTables> tables = explore::readElfTables(elf, error);
  if (!tables)
    return {{"unknown", error}};
  const llmc_module module = moduleOf(*tables);
  WorkspacePlan plan;
  llmc_session_params session;
  uint64_t arena = 0, scratch = 0;
  if (checkModuleTables(module, footer.weights_size, path.c_str()) != LLMC_OK ||
      planWorkspace(module, nullptr, "inspect", plan, session) != LLMC_OK)
    return {{"unknown", llmc::lastError()}};
  if (!Region::rounded(plan.arenaBytes, arena) || !Region::rounded(plan.scratchBytes, scratch))
    return {{"unknown", "its sizes do not fit in 64 bits"}};
  return {{"session",
           {{"ctx", session.n_ctx},
            {"seqs", session.n_seq_max},
            {"batch", session.n_batch},
            {"threads", 1},
            {"weights", footer.weights_size},
            {"kv", plan.cacheBytes},
            {"arena", arena},
            {"scratch", scratch},
            {"workspace", arena + scratch},
            {"total", footer.weights_size + plan.cacheBytes + arena + scratch}}},
          {"caches", cachesJson(*tables, plan)},
          {"arena", arenaJson(*tables, plan)},
          {"scratch", scratchJson(*tables)}};
}

std::string memoryText(const Json &memory) {
  if (memory.contains("unknown"))
    return fmt::format("memory: not known: {}\n",
                       formats::printableText(memory["unknown"].get<std::string>()));
  auto number = [](const Json &of, const char *key) { return of[key].get<uint64_t>(); };
  auto word = [](const Json &of, const char *key) {
    return formats::printableText(of[key].get<std::string>());
  };
  const Json &session = memory["session"];
  std::string text = fmt::format("memory of a session of {} tokens in steps of {} (llmc plan: of others)\n",
                                 number(session, "ctx"), number(session, "batch"));
  text += fmt::format("  kv cache   {}\n", bytesText(number(session, "kv")));
  for (const Json &cache : memory["caches"])
    text += fmt::format("    {} {}: pages of {} tokens, {} bytes in each of {} layers{}\n",
                        word(cache, "name"), word(cache, "type"), number(cache, "page_tokens"),
                        number(cache, "layer_page_bytes"), number(cache, "layers"),
                        cache["default"].get<bool>() ? fmt::format(", {} pages", number(cache, "pages"))
                                                     : ", with --kv");
  text += fmt::format("  workspace  {}, and {} for each thread\n", bytesText(number(session, "arena")),
                      bytesText(number(session, "scratch")));
  for (const Json &buffer : memory["arena"])
    text += fmt::format("    {:<10} at {:>10}: {:>10} bytes, {} for each of {}\n", word(buffer, "name"),
                        number(buffer, "offset"), number(buffer, "bytes"), number(buffer, "row_bytes"),
                        word(buffer, "rows"));
  return text;
}

} // namespace llmc::cli
