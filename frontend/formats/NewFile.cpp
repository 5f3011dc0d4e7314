//===- NewFile.cpp - results under a name of their own --------------------===//
#include "frontend/formats/NewFile.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <set>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace fs = std::filesystem;

/// Whether the file is its owner's from now on. Not if removeLeftovers has found it before it was locked.
/// Where there are no locks nothing is ever removed.
static bool own(int descriptor) {
  if (flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
    return false;
  struct stat status;
  return fstat(descriptor, &status) != 0 || status.st_nlink > 0;
}

int llmc::formats::createBeside(const std::string &place, std::string_view suffix, std::string &name) {
  static std::atomic<uint64_t> made{0};
  for (int tries = 0; tries < 1000; ++tries) {
    const auto now =
        static_cast<unsigned long long>(std::chrono::system_clock::now().time_since_epoch().count());
    char middle[80];
    std::snprintf(middle, sizeof middle, ".%016llx-%d-%llu", now, static_cast<int>(getpid()),
                  static_cast<unsigned long long>(made.fetch_add(1)));
    name = place + middle;
    name += suffix;
    // Not mkstemp, whose files are private: those of the user are as readable as the mask says, which the
    // system applies here and which a program with other threads cannot ask for.
    const int descriptor = open(name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor >= 0 ? own(descriptor) : errno != EEXIST)
      return descriptor;
    if (descriptor >= 0)
      close(descriptor);
  }
  return -1;
}

/// The part of a name behind that of the place that createBeside has made, ".tmp" with it; 0: it has not.
/// Sixteen digits of a time, so that nobody's own dates are taken for one.
static size_t lengthOfMark(std::string_view rest) {
  size_t at = 0;
  auto skip = [&](std::string_view set) {
    const size_t start = at;
    at = std::min(rest.find_first_not_of(set, at), rest.size());
    return at - start;
  };
  constexpr std::string_view digits = "0123456789";
  if (skip(".") != 1 || skip("0123456789abcdef") != 16 || skip("-") != 1 || skip(digits) == 0 ||
      skip("-") != 1 || skip(digits) == 0)
    return 0;
  if (rest.substr(at).starts_with(".tmp"))
    at += 4;
  return at == rest.size() || rest[at] == '.' ? at : 0;
}

void llmc::formats::removeLeftovers(const std::string &place) {
  const fs::path path(place), folder = path.has_parent_path() ? path.parent_path() : ".";
  const std::string start = path.filename().string();
  std::set<std::string> marked, more; // what carries the lock, and what goes with it
  std::error_code code;
  for (fs::directory_iterator at(folder, code), end; !code && at != end; at.increment(code)) {
    const std::string name = at->path().filename().string();
    if (!name.starts_with(start))
      continue;
    if (const size_t length = lengthOfMark(std::string_view(name).substr(start.size())))
      (start.size() + length == name.size() ? marked : more).insert(name);
  }
  for (const std::string &name : marked) {
    const std::string file = (folder / name).string();
    // O_NONBLOCK: a pipe that has such a name must not hang. Open for writing, which locks of NFS need.
    const int descriptor = open(file.c_str(), O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (descriptor < 0)
      continue;
    struct stat status;
    if (fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode) &&
        flock(descriptor, LOCK_EX | LOCK_NB) == 0) {
      for (auto other = more.lower_bound(name + "."); other != more.end() && other->starts_with(name + ".");
           ++other)
        unlink((folder / *other).c_str());
      unlink(file.c_str());
    }
    close(descriptor);
  }
}

std::string llmc::formats::preparePlace(std::string &place, std::span<const std::string> inputs) {
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
  removeLeftovers(place);
  return "";
}
