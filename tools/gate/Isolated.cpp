//===- Isolated.cpp - work that may crash, in a process of its own --------===//
//
// The copy writes its result and what it says to standard error into files in memory, which are read when it
// has ended: neither side ever waits for the other to read.
//
//===----------------------------------------------------------------------===//
#include "tools/gate/Isolated.h"

#include "llvm/Support/Signals.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace llmc::tools;

static constexpr size_t noteBytes = 512;

IsolatedNote::IsolatedNote() {
  void *mapped = mmap(nullptr, noteBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  room = mapped == MAP_FAILED ? nullptr : static_cast<char *>(mapped);
}

IsolatedNote::~IsolatedNote() {
  if (room)
    munmap(room, noteBytes);
}

void IsolatedNote::set(llvm::StringRef text) {
  if (!room)
    return;
  const size_t n = std::min(text.size(), noteBytes - 1);
  std::memcpy(room, text.data(), n);
  room[n] = 0;
}

std::string IsolatedNote::get() const { return room ? std::string(room, strnlen(room, noteBytes)) : ""; }

namespace {
/// A file without a name.
class MemoryFile {
public:
  explicit MemoryFile(const char *name) : fd(memfd_create(name, MFD_CLOEXEC)) {}
  ~MemoryFile() {
    if (fd >= 0)
      close(fd);
  }
  MemoryFile(const MemoryFile &) = delete;
  MemoryFile &operator=(const MemoryFile &) = delete;

  std::string read() const {
    const off_t size = lseek(fd, 0, SEEK_END);
    std::string bytes(size > 0 ? size : 0, 0);
    for (size_t done = 0; done < bytes.size();) {
      const ssize_t n = pread(fd, bytes.data() + done, bytes.size() - done, static_cast<off_t>(done));
      if (n <= 0) {
        bytes.resize(done);
        break;
      }
      done += n;
    }
    return bytes;
  }

  const int fd;
};
} // namespace

/// Who ends it says so; the copy only removes its files and goes.
[[noreturn]] static void work(llvm::function_ref<void(llvm::raw_ostream &)> function, int result, int words) {
  llvm::sys::SetInterruptFunction([] { _exit(1); });
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  const rlimit core = {0, 0};
  setrlimit(RLIMIT_CORE, &core);
  dup2(words, STDERR_FILENO);
  {
    llvm::raw_fd_ostream out(result, /*shouldClose=*/false);
    function(out);
    out.flush();
    if (out.has_error())
      _exit(1);
  }
  _exit(0); // nothing that the other process has begun is ended here
}

/// The first line of text: of several the one that says what happened.
static std::string firstLine(llvm::StringRef text) {
  constexpr size_t most = 300;
  return text.trim().split('\n').first.trim().take_front(most).str();
}

/// One that has been joined may take a moment more to go.
static bool hasOtherThreads() {
  for (int milliseconds = 0; milliseconds < 200; ++milliseconds) {
    std::error_code code;
    const std::filesystem::directory_iterator threads("/proc/self/task", code);
    if (code || std::distance(begin(threads), {}) == 1)
      return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

IsolatedEnd llmc::tools::runIsolated(llvm::function_ref<void(llvm::raw_ostream &)> function) {
  if (hasOtherThreads())
    return {"", "other threads run"};
  MemoryFile result("llmc-result"), words("llmc-words");
  const pid_t child = result.fd < 0 || words.fd < 0 ? -1 : fork();
  if (child == 0)
    work(function, result.fd, words.fd);
  if (child < 0)
    return {"", std::string("no process could be started for it: ") + std::strerror(errno)};
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
    return {result.read(), ""};
  std::string crash =
      WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "exit code " + std::to_string(WEXITSTATUS(status));
  if (std::string line = firstLine(words.read()); !line.empty())
    crash += ": " + line;
  return {"", crash};
}
