//===- Interrupt.cpp - Ctrl-C ---------------------------------------------===//
#include "tools/llmc/Interrupt.h"
#include "tools/llmc/Common.h"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace llmc::cli {
namespace {

// What the signal handler touches: lock-free atomics only.
std::atomic<llmc_session *> runningSession;
std::atomic<int> interrupts, scopes;
std::atomic<const char *> unfinished;
std::atomic<void (*)()> lastWords;
std::atomic<int> notice = -1; // an eventfd

void removeUnfinished() {
  if (const char *path = unfinished.exchange(nullptr))
    unlink(path);
}

void onInterrupt(int signal) {
  if (interrupts.fetch_add(signal == SIGINT ? 1 : 2) > 0 && scopes.load() > 0) { // not heard in time
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
