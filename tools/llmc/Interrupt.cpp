//===- Interrupt.cpp - Ctrl-C ---------------------------------------------===//
#include "tools/llmc/Interrupt.h"
#include "tools/llmc/Common.h"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace llmc::cli {
namespace {

// What the signal handler touches: lock-free atomics only.
std::atomic<llmc_session *> runningSession;
std::atomic<int> interrupts, scopes;
std::atomic<int64_t> firstInterrupt; // when it came, in nanoseconds
std::atomic<const char *> unfinished;
std::atomic<void (*)()> lastWords;
std::atomic<int> notice = -1; // an eventfd

void removeUnfinished() {
  if (const char *path = unfinished.exchange(nullptr))
    unlink(path);
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

} // namespace

void catchInterrupts() {
  catchesForGood = true;
  if (notice.load() < 0)
    notice = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  handle(onInterrupt);
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
  handle(onInterrupt);
}
InterruptScope::~InterruptScope() {
  runningSession = nullptr;
  if (scopes.fetch_sub(1) == 1 && !catchesForGood)
    handle(SIG_DFL);
}
bool InterruptScope::interrupted() const { return interrupts.load() > 0; }
void InterruptScope::check() const {
  if (interrupted())
    throw Failure("interrupted");
}

UnfinishedFile::UnfinishedFile(std::string path) : name(std::move(path)) { unfinished = name.c_str(); }
UnfinishedFile::~UnfinishedFile() { removeUnfinished(); }
void UnfinishedFile::moveTo(const std::string &place) {
  if (std::rename(name.c_str(), place.c_str()) != 0)
    throw Failure(fmt::format("{}: cannot write: {}", place, std::strerror(errno)));
  unfinished = nullptr;
}

} // namespace llmc::cli
