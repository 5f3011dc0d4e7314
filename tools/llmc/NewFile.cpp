//===- NewFile.cpp - a file that appears when it is whole -----------------===//
#include "tools/llmc/NewFile.h"
#include "frontend/formats/NewFile.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>

namespace llmc::cli {

namespace fs = std::filesystem;

static std::vector<std::string> &inputs() {
  static std::vector<std::string> list;
  return list;
}

std::string newTemporaryFolder() {
  const char *wish = std::getenv("TMPDIR");
  const bool isWished = wish && *wish;
  const std::string place = isWished ? wish : "/tmp";
  std::string folder = place + "/llmc-XXXXXX";
  if (!mkdtemp(folder.data()))
    throw Failure(fmt::format("{}{}: cannot make a folder: {}", isWished ? "TMPDIR=" : "", place,
                              std::strerror(errno)));
  return folder;
}

void noteInput(const std::string &path) { inputs().push_back(path); }

/// What a directory holds of a model or of a dump, by the ends of names; a profile, say, may be kept beside
/// it.
static bool isReadInDirectories(const std::string &name) {
  constexpr std::string_view ends[] = {".safetensors", ".safetensors.index.json",
                                       "config.json",  "tokenizer.json",
                                       ".model",       "special_tokens_map.json",
                                       "vocab.json",   "merges.txt",
                                       ".jinja",       "passes.json",
                                       "kernels.json", ".mlir",
                                       ".ll",          ".s"};
  return std::ranges::any_of(ends, [&](std::string_view end) { return name.ends_with(end); });
}

/// The inputs, and in place of a directory the file itself where it belongs to the directory's.
static std::vector<std::string> inputsAt(const std::string &place) {
  std::error_code code;
  const fs::path real = fs::weakly_canonical(place, code), folder = real.parent_path();
  std::vector<std::string> list;
  for (const std::string &input : inputs()) {
    const bool isInside =
        fs::equivalent(folder, input, code) || fs::equivalent(folder.parent_path(), input, code);
    list.push_back(isInside && isReadInDirectories(real.string()) ? real.string() : input);
  }
  return list;
}

/// Makes a link what it points at, once the place is known to be free.
static void follow(std::string &place) {
  if (std::string words = formats::preparePlace(place, inputsAt(place)); !words.empty())
    throw Failure(words);
}

void preparePlace(std::string path) { follow(path); }

NewFile::NewFile(std::string path) : place(std::move(path)) {
  follow(place);
  std::string name;
  lock = FileDescriptor(formats::createBeside(place, "", name));
  if (lock)
    unfinished.emplace(name);
  const int written = lock ? fcntl(lock.get(), F_DUPFD_CLOEXEC, 0) : -1;
  if (written < 0)
    throw Failure(fmt::format("{}: cannot write: {}", place, std::strerror(errno)));
  file.reset(fdopen(written, "wb"));
}

void NewFile::write(const void *bytes, size_t n) {
  if (std::fwrite(bytes, 1, n, file.get()) != n)
    throw Failure(fmt::format("{}: cannot write: {}", place, std::strerror(errno)));
}

void NewFile::finish() {
  if (std::fclose(file.release()) != 0)
    throw Failure(fmt::format("{}: cannot write: {}", place, std::strerror(errno)));
  unfinished->moveTo(place);
  lock.close();
}

} // namespace llmc::cli
