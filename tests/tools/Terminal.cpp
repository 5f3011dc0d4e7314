#include "tests/tools/Terminal.h"

#include <chrono>
#include <csignal>
#include <cstdio>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

using Clock = std::chrono::steady_clock;

static double secondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

Terminal::Terminal(const std::vector<std::string> &arguments) {
  winsize size = {24, 80, 0, 0};
  child = forkpty(&descriptor, nullptr, nullptr, &size);
  if (child < 0) { // a process number of -1 would be all processes
    perror("no terminal can be made here (is /dev/pts mounted?)");
    _exit(noTerminal);
  }
  if (child == 0) {
    std::vector<char *> words;
    for (const std::string &argument : arguments)
      words.push_back(const_cast<char *>(argument.c_str()));
    words.push_back(nullptr);
    setenv("TERM", "xterm", 1);
    execv(words[0], words.data());
    _exit(127);
  }
  fcntl(descriptor, F_SETFL, O_NONBLOCK);
}

Terminal::~Terminal() {
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  close(descriptor);
}

void Terminal::read(double seconds) {
  pollfd input = {descriptor, POLLIN, 0};
  if (poll(&input, 1, int(seconds * 1000)) <= 0)
    return;
  char buffer[65536];
  ssize_t n = ::read(descriptor, buffer, sizeof buffer);
  if (n > 0)
    output.append(buffer, size_t(n));
  else
    usleep(10000); // the other end is closed
}

void Terminal::type(std::string_view text) {
  Clock::time_point start = Clock::now();
  while (!text.empty() && secondsSince(start) < 60) {
    ssize_t n = write(descriptor, text.data(), std::min<size_t>(text.size(), 1024));
    if (n > 0)
      text.remove_prefix(size_t(n));
    read(0.001);
  }
}

bool Terminal::expect(std::string_view text, double seconds) {
  Clock::time_point start = Clock::now();
  for (;;) {
    if (size_t at = output.find(text, seen); at != std::string::npos) {
      seen = at + text.size();
      return true;
    }
    if (secondsSince(start) > seconds)
      return false;
    read(0.1);
  }
}

int Terminal::wait(double seconds) {
  Clock::time_point start = Clock::now();
  while (secondsSince(start) < seconds) {
    int status = 0;
    if (waitpid(child, &status, WNOHANG) == child)
      return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    read(0.05);
  }
  return -1;
}
