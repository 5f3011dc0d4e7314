//===- Compiler.cpp - starting llmc-compile -------------------------------===//
//
// llmc itself links no LLVM: what needs a compiler lives in llmc-compile, beside this program in a build
// tree, in
// ../libexec/llmc once installed.
//
//===----------------------------------------------------------------------===//
#include "tools/llmc/Common.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

namespace llmc::cli {

namespace fs = std::filesystem;

std::string compilerPath() {
  std::error_code error;
  fs::path self = fs::read_symlink("/proc/self/exe", error);
  if (error)
    throw Failure(fmt::format("/proc/self/exe: {}", error.message()));
  fs::path beside = self.parent_path() / "llmc-compile";
  fs::path installed = self.parent_path().parent_path() / "libexec" / "llmc" / "llmc-compile";
  for (const fs::path &place : {beside, installed})
    if (access(place.c_str(), X_OK) == 0)
      return place;
  throw Failure(fmt::format("no compiler: there is neither {} nor {}", beside.string(), installed.string()));
}

int becomeCompiler(int argc, char **argv) {
  std::string path = compilerPath();
  std::vector<char *> arguments = {path.data()};
  arguments.insert(arguments.end(), argv + 1, argv + argc);
  arguments.push_back(nullptr);
  execv(path.c_str(), arguments.data());
  throw Failure(fmt::format("{}: {}", path, std::strerror(errno)));
}

int runCompiler(const std::vector<std::string> &given) {
  std::string path = compilerPath();
  std::vector<char *> arguments = {path.data()};
  for (const std::string &argument : given)
    arguments.push_back(const_cast<char *>(argument.c_str()));
  arguments.push_back(nullptr);
  pid_t child;
  if (int error = posix_spawn(&child, path.c_str(), nullptr, nullptr, arguments.data(), environ))
    throw Failure(fmt::format("{}: {}", path, std::strerror(error)));
  int status = 0;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR)
      throw Failure(fmt::format("{}: {}", path, std::strerror(errno)));
  if (WIFSIGNALED(status))
    throw Failure(
        fmt::format("{} was ended by signal {} ({})", path, WTERMSIG(status), strsignal(WTERMSIG(status))));
  return WEXITSTATUS(status);
}

} // namespace llmc::cli
