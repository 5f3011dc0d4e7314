//===- Progress.cpp - a progress bar on stderr ----------------------------===//
#include "tools/support/Progress.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <sys/ioctl.h>
#include <unistd.h>

namespace llmc {
namespace {

constexpr int64_t drawEveryMicros = 100'000;
constexpr double quietSeconds = 2;

std::string_view environment(const char *name) {
  const char *value = std::getenv(name);
  return value ? value : "";
}

/// One write per redraw, so that a bar is never half drawn. Progress is a courtesy: errors are nobody's
/// business.
void put(const std::string &text) {
  if (write(STDERR_FILENO, text.data(), text.size()) < 0) {
  }
}

std::string duration(double seconds) {
  char text[32];
  if (seconds < 60)
    std::snprintf(text, sizeof text, "%.1f s", seconds);
  else
    std::snprintf(text, sizeof text, "%d min %02d s", int(std::min(seconds, 1e6)) / 60,
                  int(std::min(seconds, 1e6)) % 60);
  return text;
}

size_t terminalWidth() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col : 80;
}

} // namespace

Progress::Progress(std::string stageName, uint64_t totalWork)
    : stage(std::move(stageName)), total(totalWork), mode(Mode::Silent),
      colored(environment("NO_COLOR").empty()), start(Clock::now()), nextDraw(drawEveryMicros) {
  std::string_view wish = environment("LLMC_PROGRESS");
  if (wish == "0")
    return;
  if (isatty(STDERR_FILENO) && environment("TERM") != "dumb")
    mode = Mode::Bar;
  else if (wish == "1")
    mode = Mode::Lines;
}

Progress::~Progress() {
  if (drawn && !finished)
    put("\r\033[K");
}

void Progress::update(uint64_t done) {
  if (mode == Mode::Silent)
    return;
  double seconds = elapsed();
  int64_t micros = int64_t(seconds * 1e6), due = nextDraw.load(std::memory_order_relaxed);
  if (micros < due || !nextDraw.compare_exchange_strong(due, micros + drawEveryMicros))
    return;
  std::lock_guard lock(mutex);
  if (finished)
    return;
  done = total ? std::min(done, total) : done;
  mode == Mode::Bar ? draw(done, seconds) : line(done, seconds);
}

void Progress::finish() {
  std::lock_guard lock(mutex);
  if (mode == Mode::Silent || finished)
    return;
  finished = true;
  std::string text = stage + ": " + duration(elapsed()) + "\n";
  put(mode == Mode::Bar ? "\r\033[K" + text : text);
}

void Progress::draw(uint64_t done, double seconds) {
  std::string text = "\r\033[K" + stage;
  if (total) {
    double part = double(done) / double(total);
    char percent[16];
    std::snprintf(percent, sizeof percent, " %3d %%", int(part * 100));
    std::string left = part > 0.01 ? "  " + duration(seconds / part - seconds) + " left" : "";
    size_t fixed = stage.size() + 9 + left.size(), width = terminalWidth();
    if (fixed + 10 < width) { // a terminal too narrow for a bar gets the number alone
      size_t cells = std::min<size_t>(width - fixed - 2, 40), full = size_t(part * double(cells));
      text += " " + std::string(colored ? "\033[36m" : "");
      for (size_t i = 0; i < cells; ++i)
        text += i < full ? "█" : "░";
      text += colored ? "\033[0m" : "";
    }
    text += percent + left;
  } else {
    text += "  " + std::to_string(done) + "  " + duration(seconds);
  }
  drawn = true;
  put(text);
}

void Progress::line(uint64_t done, double seconds) {
  if (!total || seconds < quietSeconds)
    return;
  uint64_t tenth = uint64_t(double(done) / double(total) * 10);
  if (tenth <= tenths || tenth >= 10)
    return;
  tenths = tenth;
  put(stage + ": " + std::to_string(tenth * 10) + " %\n");
}

} // namespace llmc
