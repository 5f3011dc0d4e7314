//===- CacheKey.cpp - the files of a model and their content --------------===//
#include "frontend/formats/WeightFile.h"
#include "tools/llmc/Cache.h"
#include "tools/llmc/Files.h"
#include "tools/llmc/Interrupt.h"
#include "tools/support/Progress.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <fstream>
#include <regex>
#include <sstream>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace llmc::cli {

namespace fs = std::filesystem;

namespace {

std::string hex(XXH128_hash_t hash) { return fmt::format("{:016x}{:016x}", hash.high64, hash.low64); }

/// Every string in a model.mlir that is the path of a regular file.
std::vector<fs::path> filesNamedIn(const fs::path &mlir) {
  std::ifstream stream(mlir);
  std::ostringstream content;
  content << stream.rdbuf();
  std::string text = content.str();
  std::vector<fs::path> files;
  std::error_code error;
  for (size_t open = text.find('"'); open != std::string::npos;) {
    size_t close = text.find('"', open + 1);
    if (close == std::string::npos)
      break;
    size_t length = close - open - 1;
    fs::path file = mlir.parent_path() / text.substr(open + 1, length);
    if (length && length < 4096 && fs::is_regular_file(file, error))
      files.push_back(file);
    open = text.find('"', close + 1);
  }
  return files;
}

/// model-00001-of-00003.gguf: all three.
std::vector<fs::path> splitParts(const fs::path &gguf) {
  std::smatch match;
  std::string name = gguf.filename();
  if (!std::regex_match(name, match, std::regex("(.*)-[0-9]{5}-of-([0-9]{5})\\.gguf")))
    return {gguf};
  std::vector<fs::path> parts = {gguf};
  std::error_code error;
  for (int i = 1, n = std::stoi(match[2]); i <= n; ++i)
    if (fs::path part =
            gguf.parent_path() / fmt::format("{}-{:05}-of-{}.gguf", match[1].str(), i, match[2].str());
        part != gguf && fs::is_regular_file(part, error))
      parts.push_back(part);
  return parts;
}

std::vector<fs::path> filesOfDirectory(const fs::path &directory) {
  std::vector<fs::path> files;
  std::error_code error;
  for (fs::recursive_directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
    std::string extension = at->path().extension(), name = at->path().filename();
    if (name.starts_with('.') || at.depth() > 1) {
      at.disable_recursion_pending();
      continue;
    }
    std::error_code statError;
    constexpr std::string_view known[] = {".json", ".safetensors", ".model", ".jinja",
                                          ".txt",  ".gguf",        ".mlir"};
    if (std::ranges::find(known, extension) != std::end(known) && at->is_regular_file(statError))
      files.push_back(at->path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

/// What a model.mlir names stands for more than itself: parts of a split file, shards behind an index, and
/// whatever beside a tokenizer says of its templates and end tokens.
std::vector<fs::path> filesBehind(const fs::path &named) {
  const std::string name = named.filename(), extension = named.extension();
  std::vector<fs::path> files = splitParts(named);
  std::string unused; // what is wrong with it, the compiler says
  if (name.ends_with(".safetensors.index.json"))
    if (auto weights = formats::WeightFile::open(named, unused))
      files.insert(files.end(), weights->parts().begin(), weights->parts().end());
  if (name.starts_with("tokenizer") && (extension == ".json" || extension == ".model"))
    for (const fs::path &beside : filesOfDirectory(named.parent_path()))
      if (beside != named && beside.extension() != ".safetensors" && beside.extension() != ".gguf" &&
          beside.extension() != ".mlir")
        files.push_back(beside);
  return files;
}

std::string hashBytes(const fs::path &path, uint64_t size) {
  FileDescriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  XXH3_state_t state;
  XXH3_128bits_reset(&state);
  std::vector<char> buffer(1 << 20);
  Progress progress("read " + path.filename().string(), size);
  InterruptScope scope;
  ssize_t n = -1;
  for (uint64_t done = 0; file && (n = read(file.get(), buffer.data(), buffer.size())) > 0;
       progress.update(done)) {
    scope.check();
    XXH3_128bits_update(&state, buffer.data(), size_t(n));
    done += uint64_t(n);
  }
  if (n < 0) {
    int reason = errno;
    scope.check(); // a read that Ctrl-C ended
    throw Failure(fmt::format("{}: cannot read: {}", path.string(), std::strerror(reason)));
  }
  return hex(XXH3_128bits_digest(&state));
}

/// One line that changes when the file is another or was changed, as far as the system tells.
std::string identity(const fs::path &path, struct stat &status) {
  if (stat(path.c_str(), &status) != 0)
    throw Failure(fmt::format("{}: cannot open: {}", path.string(), std::strerror(errno)));
  return fmt::format("{} {} {}.{:09} {}.{:09}", status.st_dev, status.st_ino, status.st_mtim.tv_sec,
                     status.st_mtim.tv_nsec, status.st_ctim.tv_sec, status.st_ctim.tv_nsec) +
         fmt::format(" {}", status.st_size);
}

} // namespace

std::vector<fs::path> sourceFiles(const fs::path &model) {
  switch (fileKind(model)) {
  case FileKind::Gguf:
    return splitParts(model);
  case FileKind::Directory:
    return filesOfDirectory(model);
  case FileKind::Mlir: {
    std::vector<fs::path> files = {model};
    for (const fs::path &named : filesNamedIn(model))
      for (const fs::path &part : filesBehind(named))
        files.push_back(part);
    return files;
  }
  default:
    return {model};
  }
}

std::string contentHash(const fs::path &path, const fs::path &memory) {
  struct stat status;
  std::error_code error;
  std::string place = fs::weakly_canonical(path, error), before = identity(path, status), known, hash;
  fs::path note = memory / hex(XXH3_128bits(place.data(), place.size()));
  std::ifstream stream(note);
  if (std::getline(stream, known) && std::getline(stream, hash) && known == before && hash.size() == 32) {
    fs::last_write_time(note, fs::file_time_type::clock::now(), error);
    return hash;
  }
  time_t start = time(nullptr);
  hash = hashBytes(path, uint64_t(status.st_size));
  if (identity(path, status) != before)
    throw Failure(fmt::format("{}: is being written to", path.string()));
  // What changed a moment ago may change again within the same tick of the file system's clock.
  if (std::max(status.st_mtim.tv_sec, status.st_ctim.tv_sec) >= start - 2)
    return hash;
  fs::path aside = note;
  aside += fmt::format(".{}", getpid());
  std::ofstream(aside) << before << '\n' << hash << '\n';
  fs::rename(aside, note, error);
  return hash;
}

} // namespace llmc::cli
