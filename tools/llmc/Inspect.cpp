//===- Inspect.cpp - llmc inspect -----------------------------------------===//
//
// Says what a model file is without executing anything in it: of a compiled model the footer, its hashes, the
// manifest and the tokenizer's header; of a GGUF file the metadata and the tensors by type; of safetensors
// files and Hugging Face directories the tensors.
//
//===----------------------------------------------------------------------===//
#include "frontend/formats/Gguf.h"
#include "frontend/formats/HfDirectory.h"
#include "frontend/formats/Quote.h"
#include "tools/llmc/Common.h"
#include "tools/llmc/Files.h"
#include "tools/llmc/InspectMemory.h"
#include "tools/llmc/TensorTable.h"
#include "tools/llmc/TokenizerFacts.h"
#include "tools/support/Progress.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <nlohmann/json.hpp>
#include <vector>

namespace llmc::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t shownLength = 100; // of a value, for people; what is cut off is told

std::string dump(const Json &json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

/// Cut for display, on a character's border, in one line, and nothing in it commands the terminal.
std::string shorten(std::string text) {
  const size_t bytes = text.size();
  const bool isLong = bytes > shownLength;
  size_t end = std::min(text.size(), shownLength);
  while (isLong && end && (uint8_t(text[end]) & 0xC0) == 0x80)
    --end;
  text.resize(end);
  for (size_t at = 0; (at = text.find('\n', at)) != std::string::npos; at += 2)
    text.replace(at, 1, "\\n");
  return formats::printableText(text) +
         (isLong ? fmt::format("… ({} of {} bytes, all with --json)", end, bytes) : "");
}

/// A value of the manifest in a line; lists, which are JSON, by their length where they are long.
std::string manifestLine(const std::string &value) {
  if (value.size() > shownLength && value.starts_with('['))
    if (Json list = Json::parse(value, nullptr, /*allow_exceptions=*/false); list.is_array())
      return fmt::format("{} entries, with --json", list.size());
  return shorten(value);
}

/// "  quantize  rules=…": the passes that ran, with their options.
std::string passesText(const Json &manifest) {
  std::string text;
  try {
    for (const Json &pass : manifest.at("passes")) {
      const std::string name = formats::printableText(pass.at("name").get<std::string>()),
                        given = formats::printableText(pass.at("options").get<std::string>());
      text += given.empty() ? fmt::format("  {}\n", name) : fmt::format("  {:<20} {}\n", name, given);
    }
  } catch (const Json::exception &) { // another form: as every value below
    return "";
  }
  return text.empty() ? "" : "passes\n" + text;
}

Json tokenizerJson(std::span<const uint8_t> block) {
  std::optional<TokenizerFacts> facts = tokenizerFacts(block);
  return facts ? Json{{"kind", facts->kind}, {"vocab", facts->vocab}, {"version", facts->version}} : Json();
}

/// The weights of a manifest or of a file's description; nothing if it lists none in this form.
std::vector<TensorLine> tensorLines(const Json &json) {
  std::vector<TensorLine> tensors;
  try {
    for (const Json &tensor : json.at("tensors"))
      tensors.push_back({tensor.at("name"), tensor.at("scheme"), tensor.at("shape"), tensor.at("bytes")});
  } catch (const Json::exception &) {
    return {};
  }
  return tensors;
}

std::vector<TensorLine> moduleTensors(const Json &manifest) {
  return manifest.is_object() && manifest.contains("weights") ? tensorLines(manifest["weights"])
                                                              : std::vector<TensorLine>();
}

std::string tensorSection(const std::vector<TensorLine> &tensors) {
  return tensors.empty() ? ""
                         : fmt::format("{} tensors, {:.3f} bits a weight\n{}", tensors.size(),
                                       bitsPerWeight(tensors), tensorTable(tensors));
}

/// With the bits a weight of each tensor and of all.
Json manifestJson(const ModuleContents &module) {
  Json manifest = Json::parse(module.manifest.begin(), module.manifest.end());
  std::vector<TensorLine> tensors = moduleTensors(manifest);
  for (size_t i = 0; i < tensors.size(); ++i)
    manifest["weights"]["tensors"][i]["bits_per_weight"] = tensors[i].bitsPerWeight();
  if (!tensors.empty())
    manifest["weights"]["bits_per_weight"] = bitsPerWeight(tensors);
  return manifest;
}

Json moduleJson(const std::string &path, const MappedFile &file, const ModuleContents &module) {
  const llmc_footer &footer = module.footer;
  auto part = [](uint64_t offset, uint64_t size) { return Json{{"offset", offset}, {"size", size}}; };
  return {{"file", path},
          {"kind", "module"},
          {"abi", footer.abi},
          {"file_size", footer.file_size},
          {"parts",
           {{"elf", part(0, footer.elf_size)},
            {"manifest", part(footer.manifest_offset, footer.manifest_size)},
            {"tokenizer", part(footer.tokenizer_offset, footer.tokenizer_size)},
            {"weights", part(footer.weights_offset, footer.weights_size)}}},
          {"head_hash", fmt::format("{:016x}", footer.head_hash)},
          {"weights_hash", fmt::format("{:016x}", footer.weights_hash)},
          {"tokenizer", tokenizerJson(module.tokenizer)},
          {"memory", memoryJson(path, file.bytes().first(footer.elf_size), footer)},
          {"manifest", manifestJson(module)}};
}

/// "f16 (23040 bytes a token), q8 (12240 bytes a token)": what a session can choose from, the default first.
std::string cacheText(const Json &manifest) {
  std::map<std::string, uint64_t> bytes;
  std::vector<std::string> types;
  for (const Json &cache : manifest.value("caches", Json::array())) {
    std::string type = formats::printableText(cache.value("type", ""));
    if (!bytes.count(type))
      types.push_back(type);
    bytes[type] += cache.value("token_bytes", uint64_t(0));
  }
  std::string text;
  for (const std::string &type : types)
    text += fmt::format("{}{} ({} bytes a token)", text.empty() ? "" : ", ", type, bytes[type]);
  return text.empty() ? "none" : text;
}

/// "  cuda       sm_80, sm_90 (PTX, machine code by ptxas 13.0.88); 13 kernels, 12.0 launches a layer": a
/// line for each device.
std::string devicesText(const Json &manifest) {
  std::string text;
  try {
    for (const Json &device : manifest.value("devices", Json::array())) {
      std::string architectures;
      for (const Json &name : device.at("architectures"))
        architectures += (architectures.empty() ? "" : ", ") + name.get<std::string>();
      const std::string assembler = device.value("assembler", "");
      const std::string code = assembler.empty() ? "PTX" : "PTX, machine code by ptxas " + assembler;
      text += fmt::format("  {:<10} {} ({}); {} kernels, {:.1f} launches a layer\n",
                          formats::printableText(device.at("name").get<std::string>()),
                          formats::printableText(architectures), formats::printableText(code),
                          device.at("kernels").size(), device.value("launches_per_layer", 0.0));
      uint64_t slow = 0;
      std::string schemes;
      const Json bySchemes = device.value("slow_matmuls", Json::object());
      for (const auto &[names, count] : bySchemes.items()) {
        slow += count.get<uint64_t>();
        schemes += fmt::format("{}{} {}", schemes.empty() ? "" : ", ", formats::printableText(names),
                               count.get<uint64_t>());
      }
      if (slow)
        text += fmt::format("  {:<10} {} matmuls without a kernel of their own, which is slow ({})\n", "",
                            slow, schemes);
    }
  } catch (const Json::exception &) { // another form: as every value below
    return "";
  }
  return text;
}

void printModule(const Json &json, const ModuleContents &module) {
  const llmc_footer &footer = module.footer;
  print(fmt::format("{}: compiled model, module ABI {}, {}\n", json["file"].get<std::string>(), footer.abi,
                    bytesText(footer.file_size)));
  print(fmt::format("  code       {}, xxh3 {} with tables, manifest and tokenizer\n",
                    bytesText(footer.elf_size), json["head_hash"].get<std::string>()));
  const Json &tokenizer = json["tokenizer"];
  print(tokenizer.is_null()
            ? "  tokenizer  none\n"
            : fmt::format("  tokenizer  {}, {} tokens, {}\n", tokenizer["kind"].get<std::string>(),
                          tokenizer["vocab"].get<uint32_t>(), bytesText(footer.tokenizer_size)));
  print(fmt::format("  weights    {}{}, xxh3 {}\n", bytesText(footer.weights_size),
                    json.contains("weights_verified") ? " (verified)" : "",
                    json["weights_hash"].get<std::string>()));
  print(fmt::format("  kv cache   {}\n", cacheText(json["manifest"])));
  print(devicesText(json["manifest"]));
  if (RopeContexts contexts = ropeContexts(module); contexts.last)
    print(fmt::format("  rope       frequencies for contexts of {} to {} tokens\n", contexts.first,
                      contexts.last));
  print(tensorSection(moduleTensors(json["manifest"])));
  print(memoryText(json["memory"]));
  const std::string passes = passesText(json["manifest"]);
  print(passes);
  print("manifest\n");
  for (const auto &[key, value] : module.meta)
    if (key != "weights.tensors" && (key != "passes" || passes.empty()))
      print(fmt::format("  {}: {}\n", formats::printableText(key), manifestLine(value)));
}

/// A value of GGUF metadata; arrays only by their size, they are tables of a tokenizer.
Json metadataJson(const formats::GgufValue &value) {
  return std::visit(
      [](const auto &v) -> Json {
        if constexpr (std::is_same_v<std::decay_t<decltype(v)>, formats::GgufArray>)
          return {{"array_size", v.size()}};
        else
          return v;
      },
      value);
}

/// Adds the tensors of a file, one by one and by type.
void addTensors(const formats::WeightFile &file, Json &json) {
  Json types = Json::object(), tensors = Json::array();
  struct Count {
    uint64_t tensors = 0, values = 0, bytes = 0;
  };
  std::map<std::string, Count> counts;
  uint64_t parameters = 0;
  for (const formats::WeightTensor &tensor : file.tensors()) {
    const std::string typeName = tensor.typeName();
    Count &count = counts[typeName];
    TensorLine line{tensor.name, typeName, {tensor.shape.begin(), tensor.shape.end()}, tensor.data.size()};
    const uint64_t values = line.values();
    tensors.push_back({{"name", line.name},
                       {"shape", line.shape},
                       {"scheme", line.scheme},
                       {"bytes", line.bytes},
                       {"bits_per_weight", line.bitsPerWeight()}});
    count.tensors += 1;
    count.values += values;
    count.bytes += tensor.data.size();
    parameters += values;
  }
  for (const auto &[name, count] : counts)
    types[name] = {{"tensors", count.tensors}, {"values", count.values}, {"bytes", count.bytes}};
  json["parameters"] = parameters;
  json["types"] = std::move(types);
  json["tensors"] = std::move(tensors);
}

Json ggufJson(const std::string &path, const formats::GgufFile &file) {
  Json json = {{"file", path}, {"kind", "gguf"}, {"version", file.version()}}, metadata = Json::object();
  for (const auto &[key, value] : file.metadata())
    metadata[key] = metadataJson(value);
  addTensors(file, json);
  json["metadata"] = std::move(metadata);
  return json;
}

std::string typesText(const Json &json) {
  std::string text;
  for (const auto &[type, count] : json["types"].items())
    text += fmt::format("  {:<10} {} tensors, {}\n", formats::printableText(type),
                        count["tensors"].get<uint64_t>(), bytesText(count["bytes"].get<uint64_t>()));
  return text + tensorSection(tensorLines(json));
}

void printGguf(const Json &json) {
  print(fmt::format("{}: GGUF version {}, {:.1f} M parameters\n", json["file"].get<std::string>(),
                    json["version"].get<uint32_t>(), json["parameters"].get<double>() / 1e6));
  print(typesText(json));
  print("metadata\n");
  for (const auto &[key, value] : json["metadata"].items())
    print(
        value.is_object()
            ? fmt::format("  {}: {} values\n", formats::printableText(key), value["array_size"].get<size_t>())
            : fmt::format("  {}: {}\n", formats::printableText(key),
                          shorten(value.is_string() ? value.get<std::string>() : dump(value))));
}

/// A safetensors file, the index of several, or a directory with one of both.
Json safetensorsJson(const std::string &path, bool isDirectory) {
  Json json = {{"file", path}, {"kind", isDirectory ? "directory" : "safetensors"}};
  std::string weights = path, error;
  if (isDirectory) {
    auto directory = formats::HfDirectory::open(path, error);
    if (!directory)
      throw Failure(error);
    weights = directory->weights;
    json["name"] = directory->name;
    const formats::JsonValue *names = directory->config.find("architectures");
    const formats::JsonValue::Array *list = names ? names->array() : nullptr;
    const std::string *architecture = list && !list->empty() ? list->front().string() : nullptr;
    json["architecture"] = architecture ? Json(*architecture) : Json();
    json["tokenizer"] = directory->tokenizer.empty() ? Json() : Json(directory->tokenizer);
  }
  auto file = formats::WeightFile::open(weights, error);
  if (!file)
    throw Failure(error);
  json["parts"] = file->parts();
  addTensors(*file, json);
  return json;
}

void printSafetensors(const Json &json) {
  print(fmt::format("{}: safetensors, {:.1f} M parameters in {} file{}\n", json["file"].get<std::string>(),
                    json["parameters"].get<double>() / 1e6, json["parts"].size(),
                    json["parts"].size() == 1 ? "" : "s"));
  for (const char *key : {"architecture", "tokenizer"})
    if (json.contains(key))
      print(fmt::format("  {:<13} {}\n", key,
                        json[key].is_string() ? shorten(json[key].get<std::string>()) : "none"));
  print(typesText(json));
}

void verify(const std::string &path, const ModuleContents &contents) {
  Progress progress("verify weights", contents.weights.size());
  auto update = [](const char *, uint64_t done, uint64_t, void *bar) {
    static_cast<Progress *>(bar)->update(done);
    return true;
  };
  if (verifyWeights(contents, path.c_str(), update, &progress) != LLMC_OK)
    throw Failure(llmc::lastError());
}

} // namespace

int inspect(const InspectOptions &options) {
  FileKind kind = fileKind(options.model);
  if (options.verify && kind == FileKind::Gguf)
    throw Failure(fmt::format("{}: --verify needs a compiled model, {} holds no hash of its weights",
                              options.model, describe(kind)));
  if (kind == FileKind::Gguf) {
    std::string error;
    auto file = formats::GgufFile::open(options.model, error);
    if (!file)
      throw Failure(error);
    Json json = ggufJson(options.model, *file);
    options.json ? print(dump(json) + "\n") : printGguf(json);
  } else if (kind == FileKind::Directory || options.model.ends_with(".safetensors") ||
             options.model.ends_with(".safetensors.index.json")) {
    Json json = safetensorsJson(options.model, kind == FileKind::Directory);
    options.json ? print(dump(json) + "\n") : printSafetensors(json);
  } else {
    if (kind != FileKind::Module)
      throw Failure(fmt::format(
          "{}: expected a compiled model, a GGUF or safetensors file or a Hugging Face directory, found {}",
          options.model, describe(kind)));
    MappedFile file;
    ModuleContents contents;
    openModule(options.model, file, contents);
    if (options.verify)
      verify(options.model, contents);
    Json json = moduleJson(options.model, file, contents);
    if (options.verify)
      json["weights_verified"] = true;
    options.json ? print(dump(json) + "\n") : printModule(json, contents);
  }
  flushOutput();
  return 0;
}

} // namespace llmc::cli
