//===- CacheList.cpp - llmc cache -----------------------------------------===//
//
// What the cache folder holds: models that were compiled on the way to running them, each with the time of
// its last use, and beside them the compiler's kernels and notes of what files contain.
//
//===----------------------------------------------------------------------===//
#include "tools/llmc/Cache.h"

#include <algorithm>
#include <cctype>
#include <ctime>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>

namespace llmc::cli {
namespace {

namespace fs = std::filesystem;

struct Entry {
  fs::path path;
  uint64_t bytes = 0;
  std::time_t used = 0;

  /// The model's name: that of the file without the hash that it ends with, and what may follow it.
  std::string model() const {
    constexpr size_t digits = 32;
    std::string name = path.stem().string();
    for (size_t at = name.rfind('-'); at != std::string::npos && at; at = name.rfind('-', at - 1)) {
      const std::string rest = name.substr(at + 1);
      auto isHex = [](unsigned char c) { return std::isxdigit(c) != 0; };
      if (rest.size() >= digits && std::all_of(rest.begin(), rest.begin() + digits, isHex) &&
          (rest.size() == digits || rest[digits] == '-'))
        return name.substr(0, at);
    }
    return name;
  }
  std::string date(const char *format) const {
    char text[32];
    std::tm local;
    bool isGood = localtime_r(&used, &local) && std::strftime(text, sizeof text, format, &local);
    return isGood ? text : "";
  }
};

/// The regular files right in `folder`, where `wanted` says so. One that goes meanwhile is none.
template <typename Wanted> std::vector<Entry> filesIn(const fs::path &folder, Wanted wanted) {
  std::vector<Entry> entries;
  std::error_code error;
  for (const fs::directory_entry &file : fs::directory_iterator(folder, error)) {
    struct stat status;
    if (wanted(file.path()) && stat(file.path().c_str(), &status) == 0 && S_ISREG(status.st_mode))
      entries.push_back({file.path(), uint64_t(status.st_size), status.st_mtime});
  }
  std::sort(entries.begin(), entries.end(), [](const Entry &a, const Entry &b) { return a.used > b.used; });
  return entries;
}

bool isModel(const fs::path &path) { return path.extension() == ".so"; }
bool isAny(const fs::path &) { return true; }

uint64_t totalOf(const std::vector<Entry> &entries) {
  uint64_t total = 0;
  for (const Entry &entry : entries)
    total += entry.bytes;
  return total;
}

std::string megabytes(uint64_t bytes) { return fmt::format("{:.1f} MB", double(bytes) / 1e6); }

int clear(const fs::path &folder) {
  uint64_t freed = 0, kept = 0;
  for (const Entry &entry : filesIn(folder, isModel))
    removeUnused(entry.path) ? freed += entry.bytes : kept += 1;
  std::error_code error;
  for (const char *part : {"kernels", "hashes"})
    for (const Entry &entry : filesIn(folder / part, isAny))
      if (fs::remove(entry.path, error))
        freed += entry.bytes;
  print(fmt::format(
      "{}: {} removed{}\n", folder.string(), megabytes(freed),
      kept ? fmt::format("; {} model{} in use or not removable", kept, kept == 1 ? " is" : "s are") : ""));
  flushOutput();
  return 0;
}

} // namespace

int cache(const CacheOptions &options) {
  if (options.clear && options.json)
    throw UsageError("--clear and --json exclude each other");
  const fs::path folder = cacheFolder();
  if (options.clear)
    return clear(folder);
  const std::vector<Entry> models = filesIn(folder, isModel);
  const uint64_t kernels = totalOf(filesIn(folder / "kernels", isAny)), bytes = totalOf(models);
  if (options.json) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const Entry &entry : models)
      list.push_back({{"model", entry.model()},
                      {"file", entry.path.string()},
                      {"bytes", entry.bytes},
                      {"last_used", entry.used}});
    nlohmann::ordered_json object = {{"folder", folder.string()},
                                     {"bytes", bytes},
                                     {"limit", cacheBytes()},
                                     {"kernel_bytes", kernels},
                                     {"models", std::move(list)}};
    print(object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  } else {
    print(fmt::format("{}: {} of at most {}, and {} of compiled kernels\n", folder.string(), megabytes(bytes),
                      megabytes(cacheBytes()), megabytes(kernels)));
    if (!models.empty())
      print(fmt::format("{:<16} {:>12}  model\n", "last used", "size"));
    for (const Entry &entry : models)
      print(fmt::format("{:<16} {:>12}  {}\n", entry.date("%Y-%m-%d %H:%M"), megabytes(entry.bytes),
                        entry.model()));
  }
  flushOutput();
  return 0;
}

} // namespace llmc::cli
