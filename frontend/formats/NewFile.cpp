//===- NewFile.cpp - results under a name of their own --------------------===//
#include "frontend/formats/NewFile.h"

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <unistd.h>

namespace fs = std::filesystem;

int llmc::formats::createBeside(const std::string &place, std::string_view suffix, std::string &name) {
  static std::atomic<uint64_t> made{0};
  for (int tries = 0; tries < 1000; ++tries) {
    const auto now =
        static_cast<unsigned long long>(std::chrono::system_clock::now().time_since_epoch().count());
    char middle[80];
    std::snprintf(middle, sizeof middle, ".%llx-%d-%llu", now, static_cast<int>(getpid()),
                  static_cast<unsigned long long>(made.fetch_add(1)));
    name = place + middle;
    name += suffix;
    // Not mkstemp, whose files are private: those of the user are as readable as the mask says, which the
    // system applies here and which a program with other threads cannot ask for.
    const int descriptor = open(name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor >= 0 || errno != EEXIST)
      return descriptor;
  }
  return -1;
}

std::string llmc::formats::checkPlace(std::string &place, std::span<const std::string> inputs) {
  std::error_code code;
  const fs::file_status status = fs::status(place, code);
  if (fs::exists(status) && !fs::is_regular_file(status))
    return place + ": is there and not a regular file";
  for (const std::string &input : inputs)
    if (fs::equivalent(place, input, code) && !code)
      return place + ": cannot be written, it is also read as " + input;
  // A link to nothing yet, too: the file is made where it points. As many as the system follows.
  for (int links = 0; links < 40 && fs::is_symlink(fs::symlink_status(place, code)); ++links)
    place = (fs::path(place).parent_path() / fs::read_symlink(place, code)).string();
  // The file is made beside its place and renamed; said now, not behind minutes of work.
  const fs::path folder = fs::path(place).parent_path();
  if (access(folder.empty() ? "." : folder.c_str(), W_OK | X_OK) != 0)
    return place + ": cannot write: " + std::strerror(errno);
  return "";
}
