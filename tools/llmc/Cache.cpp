//===- Cache.cpp - models compiled on the way to running them -------------===//
//
// `llmc run model.gguf` compiles into a cache folder first. An entry is named after the source and a hash of
// all that decides its bytes: path, size and time of the source, of the files that a model.mlir names, and of
// the compiler. Entries are written aside and renamed, so a reader never sees half of one; the ones unused
// for longest go when the folder grows beyond its bound.
//
//===----------------------------------------------------------------------===//
#include "tools/llmc/Common.h"
#include "tools/llmc/Files.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <sstream>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace llmc::cli {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t cacheBytes = uint64_t(16) << 30;

fs::path cacheFolder() {
  const char *cache = std::getenv("XDG_CACHE_HOME"), *home = std::getenv("HOME");
  if (cache && *cache == '/')
    return fs::path(cache) / "llmc";
  if (home && *home == '/')
    return fs::path(home) / ".cache" / "llmc";
  throw Failure(
      "no cache folder: neither XDG_CACHE_HOME nor HOME is set; use llmc compile and run its result");
}

/// One line that changes whenever the file does; empty if it is no regular file.
std::string identity(const fs::path &path) {
  struct stat status;
  if (stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode))
    return "";
  std::error_code error;
  return fmt::format("{} {} {}.{}\n", fs::weakly_canonical(path, error).string(), status.st_size,
                     status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
}

/// The identities of the files that a model.mlir names: every string in it that is a path relative to its
/// folder.
std::string namedFiles(const fs::path &mlir) {
  std::ifstream stream(mlir);
  std::ostringstream content;
  content << stream.rdbuf();
  std::string text = content.str(), found;
  for (size_t open = text.find('"'); open != std::string::npos;) {
    size_t close = text.find('"', open + 1);
    if (close == std::string::npos)
      break;
    if (size_t length = close - open - 1; length && length < 4096)
      found += identity(mlir.parent_path() / text.substr(open + 1, length));
    open = text.find('"', close + 1);
  }
  return found;
}

/// Removes what was used longest ago until the folder is within its bound. `keep` stays. Failures are no
/// reason to stop: another process may be doing the same.
void evict(const fs::path &folder, const fs::path &keep) {
  struct Entry {
    fs::file_time_type used;
    uint64_t size;
    fs::path path;
  };
  std::vector<Entry> entries;
  uint64_t total = 0;
  std::error_code error;
  for (const fs::directory_entry &file : fs::directory_iterator(folder, error)) {
    std::error_code timeError, sizeError;
    Entry entry{file.last_write_time(timeError), file.file_size(sizeError), file.path()};
    if (timeError || sizeError || file.path().extension() != ".so")
      continue;
    total += entry.size;
    if (entry.path != keep)
      entries.push_back(std::move(entry));
  }
  std::sort(entries.begin(), entries.end(), [](const Entry &a, const Entry &b) { return a.used < b.used; });
  for (const Entry &entry : entries) {
    if (total <= cacheBytes)
      return;
    if (fs::remove(entry.path, error))
      total -= entry.size;
  }
}

/// Removes what compilations that never ended left behind: part-PID-… of a process that is gone, or that
/// nobody has written to for an hour.
void sweepParts(const fs::path &folder) {
  std::error_code error;
  for (const fs::directory_entry &file : fs::directory_iterator(folder, error)) {
    std::string name = file.path().filename();
    constexpr std::string_view start = "part-";
    pid_t process = 0;
    if (!name.starts_with(start) ||
        std::from_chars(name.data() + start.size(), name.data() + name.size(), process).ec != std::errc() ||
        process <= 0)
      continue;
    std::error_code timeError, removeError;
    auto written = file.last_write_time(timeError);
    bool isOld = !timeError && fs::file_time_type::clock::now() - written > std::chrono::hours(1);
    bool isOrphan = kill(process, 0) != 0 && errno == ESRCH;
    if (isOld || isOrphan)
      fs::remove(file.path(), removeError);
  }
}

} // namespace

std::string compiledModel(const std::string &given, bool verbose) {
  FileKind kind = fileKind(given);
  if (kind != FileKind::Gguf && kind != FileKind::Mlir)
    return given; // a compiled model, or something that the loader refuses with its reason
  fs::path source = fs::absolute(given), folder = cacheFolder();
  std::string key = identity(source) + identity(compilerPath());
  if (kind == FileKind::Mlir)
    key += namedFiles(source);
  std::string name =
      fmt::format("{}-{:016x}.so", source.stem().string(), XXH3_64bits(key.data(), key.size()));
  fs::path entry = folder / name;

  std::error_code error;
  if (fs::exists(entry, error)) {
    fs::last_write_time(entry, fs::file_time_type::clock::now(), error); // the time of its last use
    if (verbose)
      fmt::print(stderr, "llmc: using {}\n", entry.string());
    return entry;
  }
  fs::create_directories(folder, error);
  if (error)
    throw Failure(fmt::format("{}: cannot make the cache folder: {}", folder.string(), error.message()));
  sweepParts(folder);
  fmt::print(stderr, "llmc: compiling {} to {}\n", given, entry.string());
  fs::path aside = folder / fmt::format("part-{}-{}", getpid(), name);
  if (int code = runCompiler({"compile", source.string(), "-o", aside.string()})) {
    fs::remove(aside, error);
    throw Exit{code}; // the compiler has said why
  }
  fs::rename(aside, entry, error);
  if (error)
    throw Failure(
        fmt::format("{}: cannot rename to {}: {}", aside.string(), entry.string(), error.message()));
  evict(folder, entry);
  return entry;
}

} // namespace llmc::cli
