//===- Compiler.cpp - starting llmc-compile -------------------------------===//
//
// llmc itself links no LLVM: what needs a compiler lives in llmc-compile, beside this program in a build
// tree, in ../libexec/llmc once installed.
//
//===----------------------------------------------------------------------===//
#include "tools/llmc/Compiler.h"
#include "tools/llmc/Common.h"
#include "tools/llmc/Interrupt.h"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

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

namespace {

/// llmc-compile as a child that does not outlive this process.
pid_t start(const std::string &path, const std::vector<std::string> &given, int keepOpen, int output) {
  std::vector<char *> arguments = {const_cast<char *>(path.c_str())};
  for (const std::string &argument : given)
    arguments.push_back(const_cast<char *>(argument.c_str()));
  arguments.push_back(nullptr);
  pid_t parent = getpid(), child = fork();
  if (child < 0)
    throw Failure(fmt::format("{}: {}", path, std::strerror(errno)));
  if (child > 0)
    return child;
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent)
    _exit(1);
  if (keepOpen >= 0)
    fcntl(keepOpen, F_SETFD, 0);
  if (output >= 0)
    dup2(output, STDOUT_FILENO);
  execv(path.c_str(), arguments.data());
  _exit(127);
}

/// Its exit code. Ctrl-C ends it too; it removes what it has begun before it goes.
int await(const std::string &path, pid_t child) {
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR)
      throw Failure(fmt::format("{}: {}", path, std::strerror(errno)));
    kill(child, SIGTERM); // whoever signalled this process may have left that one out
  }
  if (WIFSIGNALED(status))
    throw Failure(
        fmt::format("{} was ended by signal {} ({})", path, WTERMSIG(status), strsignal(WTERMSIG(status))));
  return WEXITSTATUS(status);
}

} // namespace

int runCompiler(const std::vector<std::string> &given, int keepOpen) {
  std::string path = compilerPath();
  InterruptScope scope;
  try {
    return await(path, start(path, given, keepOpen, -1));
  } catch (const Failure &) {
    if (scope.interrupted())
      throw Failure("interrupted");
    throw;
  }
}

std::string compilerOutput(const std::vector<std::string> &given) {
  std::string path = compilerPath(), text;
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0)
    throw Failure(fmt::format("{}: {}", path, std::strerror(errno)));
  FileDescriptor read(ends[0]), write(ends[1]);
  pid_t child = start(path, given, -1, write.get());
  write.close();
  char buffer[4096];
  for (ssize_t n; (n = ::read(read.get(), buffer, sizeof buffer)) > 0;)
    text.append(buffer, size_t(n));
  if (int code = await(path, child))
    throw Failure(fmt::format("{} {}: exit code {}", path, given.front(), code));
  return text;
}

} // namespace llmc::cli
