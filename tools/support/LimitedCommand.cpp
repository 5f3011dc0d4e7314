//===- LimitedCommand.cpp - a program held to time and memory -------------===//
#include "tools/support/LimitedCommand.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace llmc;

/// The process groups that run; one that finds no free place cannot be ended from outside.
static std::atomic<pid_t> runningGroups[64];
static_assert(std::atomic<pid_t>::is_always_lock_free);

void llmc::endRunningCommands() {
  for (std::atomic<pid_t> &place : runningGroups) {
    const pid_t group = place.load();
    if (!group)
      continue;
    kill(-group, SIGKILL);
    while (waitpid(group, nullptr, 0) < 0 && errno == EINTR) { // what it writes may be removed then
    }
  }
}

/// Notes a group as running while it stands.
namespace {
class RunningGroup {
public:
  explicit RunningGroup(pid_t group) {
    for (std::atomic<pid_t> &candidate : runningGroups)
      if (pid_t none = 0; candidate.compare_exchange_strong(none, group)) {
        place = &candidate;
        return;
      }
  }
  ~RunningGroup() {
    if (place)
      *place = 0;
  }

private:
  std::atomic<pid_t> *place = nullptr;
};
} // namespace

/// Between fork and exec: only what is async-signal-safe.
[[noreturn]] static void becomeCommand(char *const *arguments, int output, const CommandLimits &limits) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  rlimit space = {limits.mebibytes << 20, limits.mebibytes << 20}, core = {0, 0};
  setrlimit(RLIMIT_AS, &space);
  setrlimit(RLIMIT_CORE, &core);
  dup2(open("/dev/null", O_RDONLY), STDIN_FILENO);
  dup2(output, STDOUT_FILENO);
  dup2(output, STDERR_FILENO);
  execv(arguments[0], arguments);
  _exit(127);
}

/// Reads until the last writer has gone or time is over; false if it is over.
static bool readOutput(int from, std::string &text, std::chrono::steady_clock::time_point end) {
  constexpr size_t most = 1 << 20;
  char buffer[4096];
  for (;;) {
    auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    if (left.count() <= 0)
      return false;
    pollfd waiting = {from, POLLIN, 0};
    if (poll(&waiting, 1, static_cast<int>(left.count())) <= 0)
      continue;
    ssize_t n = read(from, buffer, sizeof buffer);
    if (n <= 0)
      return true;
    text.append(buffer, std::min<size_t>(n, most - text.size()));
  }
}

/// Waits until the command has ended, but does not take its end yet, so that its number stays its own; false
/// if time is over first.
static bool awaitEnd(pid_t child, std::chrono::steady_clock::time_point end) {
  siginfo_t info = {};
  while (waitid(P_PID, child, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == 0) {
    if (std::chrono::steady_clock::now() >= end)
      return false;
    usleep(1000); // it has closed its output, so it hardly takes longer
  }
  return true;
}

CommandEnd llmc::runLimited(const std::vector<std::string> &arguments, const CommandLimits &limits,
                            std::string &error) {
  CommandEnd result;
  std::vector<char *> pointers;
  for (const std::string &argument : arguments)
    pointers.push_back(const_cast<char *>(argument.c_str()));
  pointers.push_back(nullptr);
  int ends[2];
  pid_t child = pipe2(ends, O_CLOEXEC) == 0 ? fork() : -1;
  if (child == 0)
    becomeCommand(pointers.data(), ends[1], limits);
  if (child < 0) {
    error = arguments[0] + ": cannot start: " + std::strerror(errno);
    return result;
  }
  setpgid(child, child); // here too: nobody knows who runs first
  const RunningGroup running(child);
  close(ends[1]);
  // A command that leaves a process behind counts until that has ended, too: its output is the same pipe.
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(limits.seconds);
  result.isLate = !readOutput(ends[0], result.output, end) || !awaitEnd(child, end);
  close(ends[0]);
  kill(-child, SIGKILL); // what is left of it, also of one that has ended
  int status = 0;
  pid_t ended = -1;
  while ((ended = waitpid(child, &status, 0)) < 0 && errno == EINTR) {
  }
  if (result.isLate || ended != child) // endRunningCommands has its end
    return result;
  if (WIFEXITED(status))
    result.exitCode = WEXITSTATUS(status);
  else if (WIFSIGNALED(status))
    result.signal = WTERMSIG(status);
  return result;
}
