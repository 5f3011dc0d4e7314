//===- Interrupt.cpp - Ctrl-C ---------------------------------------------===//
#include "tools/llmc/Interrupt.h"
#include "tools/llmc/Common.h"

#include <algorithm>
#include <atomic>
#include <cassert>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <string_view>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace llmc::cli {
namespace {

// What the signal handler touches: lock-free atomics only.
std::atomic<llmc_session *> runningSession;
std::atomic<int> interrupts, scopes;
std::atomic<int64_t> firstInterrupt; // when it came, in nanoseconds
std::atomic<const char *> unfinished[8];
std::atomic<void (*)()> lastWords;
std::atomic<int> notice = -1; // an eventfd

/// Removes a file, or a folder of files, with what a signal handler may call.
void removeFrom(int parent, const char *path) {
  if (unlinkat(parent, path, 0) == 0 || (errno != EISDIR && errno != EPERM))
    return;
  int folder = openat(parent, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (folder < 0)
    return;
  alignas(dirent64) char entries[4096];
  for (bool hasRemoved = true; hasRemoved;) { // what is removed moves the rest
    hasRemoved = false;
    lseek(folder, 0, SEEK_SET);
    for (long n; (n = syscall(SYS_getdents64, folder, entries, sizeof entries)) > 0;)
      for (long at = 0; at < n;) {
        const auto *entry = reinterpret_cast<const dirent64 *>(entries + at);
        hasRemoved |= entry->d_type != DT_DIR && unlinkat(folder, entry->d_name, 0) == 0;
        at += entry->d_reclen;
      }
  }
  close(folder);
  unlinkat(parent, path, AT_REMOVEDIR);
}

void removeUnfinished() {
  for (auto &path : unfinished)
    if (const char *name = path.exchange(nullptr))
      removeFrom(AT_FDCWD, name);
}

int64_t now() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return int64_t(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

/// The second Ctrl-C of somebody who waits in vain. What comes at once after the first is the same one: some
/// programs signal a process and then its group.
constexpr int64_t patience = 200'000'000;

void onInterrupt(int signal) {
  bool isFirst = interrupts.fetch_add(signal == SIGINT ? 1 : 2) == 0;
  if (isFirst)
    firstInterrupt = now();
  if (!isFirst && scopes.load() > 0 && now() - firstInterrupt.load() > patience) {
    removeUnfinished();
    if (void (*words)() = lastWords.load())
      words();
    constexpr std::string_view sentence = "llmc: error: interrupted\n"; // of Main, which has no turn any more
    if (write(STDERR_FILENO, sentence.data(), sentence.size()) < 0) {
    }
    _exit(1);
  }
  if (notice.load() >= 0) {
    int before = errno;
    eventfd_write(notice.load(), 1);
    errno = before;
  }
  if (llmc_session *session = runningSession.load())
    llmc_session_interrupt(session);
}

void handle(void (*handler)(int)) {
  struct sigaction action = {};
  action.sa_handler = handler; // without SA_RESTART: a read ends with EINTR
  sigemptyset(&action.sa_mask);
  for (int signal : {SIGINT, SIGTERM})
    sigaction(signal, &action, nullptr);
}

bool catchesForGood = false;

/// Where nobody waits for a flag: ends the program as the signal does, without what is unfinished.
void onKill(int signal) {
  removeUnfinished();
  struct sigaction action = {};
  action.sa_handler = SIG_DFL;
  sigaction(signal, &action, nullptr);
  raise(signal); // comes when this handler returns
}

void chooseHandler() {
  const bool hasUnfinished =
      std::ranges::any_of(unfinished, [](auto &path) { return path.load() != nullptr; });
  handle(scopes.load() > 0 || catchesForGood ? onInterrupt : hasUnfinished ? onKill : SIG_DFL);
}

} // namespace

void catchInterrupts() {
  catchesForGood = true;
  if (notice.load() < 0)
    notice = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  chooseHandler();
}

int takeInterrupts() {
  eventfd_t ignored;
  eventfd_read(notice.load(), &ignored);
  return interrupts.exchange(0);
}
int interruptDescriptor() { return notice.load(); }
void setLastWords(void (*words)()) { lastWords = words; }

InterruptScope::InterruptScope(llmc_session *session) {
  if (scopes.fetch_add(1) == 0)
    interrupts = 0;
  runningSession = session;
  chooseHandler();
}
InterruptScope::~InterruptScope() {
  runningSession = nullptr;
  scopes.fetch_sub(1);
  chooseHandler();
}
bool InterruptScope::interrupted() const { return interrupts.load() > 0; }
void InterruptScope::check() const {
  if (interrupted())
    throw Failure("interrupted");
}

Unfinished::Unfinished(std::string path) : name(std::move(path)), slot(0) {
  const char *none = nullptr;
  while (slot < int(std::size(unfinished)) && !unfinished[slot].compare_exchange_strong(none, name.c_str()))
    none = nullptr, ++slot;
  assert(slot < int(std::size(unfinished)));
  chooseHandler();
}
Unfinished::~Unfinished() {
  if (const char *path = unfinished[slot].exchange(nullptr))
    removeFrom(AT_FDCWD, path);
  chooseHandler();
}
void Unfinished::moveTo(const std::string &place) {
  if (std::rename(name.c_str(), place.c_str()) != 0)
    throw Failure(fmt::format("{}: cannot write: {}", place, std::strerror(errno)));
  keep();
}
void Unfinished::keep() {
  unfinished[slot] = nullptr;
  chooseHandler();
}

} // namespace llmc::cli
