//===- HfDirectory.cpp - the files of a Hugging Face checkpoint -----------===//
#include "frontend/formats/HfDirectory.h"
#include "frontend/formats/MappedFile.h"
#include "frontend/formats/TokenizerBlob.h"

#include <algorithm>
#include <filesystem>
#include <vector>

namespace fs = std::filesystem;

namespace llmc::formats {
namespace {

constexpr size_t maxConfig = 16 << 20;
const char *const singleFile = "model.safetensors";
const char *const indexFile = "model.safetensors.index.json";

bool isFile(const fs::path &path) {
  std::error_code code;
  return fs::is_regular_file(path, code);
}

/// The names of the files in a folder, in order.
std::vector<std::string> filesOf(const fs::path &folder) {
  std::vector<std::string> names;
  std::error_code code;
  for (fs::directory_iterator it(folder, code), end; !code && it != end; it.increment(code))
    if (isFile(it->path()))
      names.push_back(it->path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

bool isShard(const std::string &name) { return name.find("-of-") != name.npos; }

/// The file of weights in a folder; empty with a sentence if there is none, or not one.
std::string findWeights(const fs::path &folder, std::string &error) {
  for (const char *usual : {singleFile, indexFile})
    if (isFile(folder / usual))
      return (folder / usual).string();
  std::vector<std::string> others;
  std::string pickle;
  for (const std::string &name : filesOf(folder)) {
    if (name.ends_with(".safetensors"))
      others.push_back(name);
    if (pickle.empty() && (name.ends_with(".bin") || name.ends_with(".pth") || name.ends_with(".pt")))
      pickle = name;
  }
  error = folder.string() + ": ";
  if (others.size() == 1 && !isShard(others[0]))
    return (folder / others[0]).string();
  if (others.empty() && !pickle.empty())
    error += "its weights are in " + pickle +
             ", a pickle, which is a program; convert it to safetensors (save_pretrained does)";
  else if (others.empty())
    error += std::string("has no weights, expected ") + singleFile + " or " + indexFile;
  else if (isShard(others[0]))
    error += others[0] + " is one of several shards, but there is no " + indexFile;
  else
    error += "has several files of weights, " + others[0] + " and " + others[1] + "; name one of them";
  return "";
}

/// The folder's name; that of the repository in a cache of the hub (models--OWNER--NAME/snapshots/HASH).
std::string nameOf(const fs::path &folder) {
  std::error_code code;
  fs::path whole = fs::absolute(folder, code).lexically_normal();
  if (!whole.has_filename())
    whole = whole.parent_path();
  if (whole.parent_path().filename() == "snapshots") {
    std::string repository = whole.parent_path().parent_path().filename().string();
    if (size_t at = repository.rfind("--"); at != repository.npos)
      return repository.substr(at + 2);
  }
  return whole.filename().string();
}

} // namespace

std::optional<HfDirectory> HfDirectory::open(const std::string &source, std::string &error) {
  std::error_code code;
  bool isFolder = fs::is_directory(source, code);
  fs::path folder = isFolder ? fs::path(source) : fs::path(source).parent_path();
  if (folder.empty())
    folder = ".";
  HfDirectory result;
  result.folder = folder.string();
  result.configPath = (folder / "config.json").string();
  result.name = nameOf(folder);
  if (!isFile(result.configPath)) {
    error = result.folder + ": has no config.json, expected a Hugging Face directory";
    for (const std::string &name : filesOf(folder))
      if (name.ends_with(".gguf") || name.ends_with(".mlir")) {
        error += "; there is " + (folder / name).string();
        break;
      }
    return std::nullopt;
  }
  if (!readJsonFile(result.configPath, maxConfig, {}, result.config, error))
    return std::nullopt;
  if (!result.config.object()) {
    error = result.configPath + ": is " + result.config.describe() + ", expected an object";
    return std::nullopt;
  }
  // A shard stands for all of them.
  std::string file = isFolder ? "" : fs::path(source).filename().string();
  bool isWeights = (file.ends_with(".safetensors") && !(isShard(file) && isFile(folder / indexFile))) ||
                   file.ends_with(".safetensors.index.json");
  result.weights = isWeights ? source : findWeights(folder, error);
  if (result.weights.empty())
    return std::nullopt;
  result.tokenizer = tokenizerIn(folder.string());
  if (!result.tokenizer.empty() && !MappedFile::open(result.tokenizer, error))
    return std::nullopt;
  return result;
}

} // namespace llmc::formats
