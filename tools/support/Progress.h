//===- Progress.h - a progress bar on stderr --------------------*- C++ -*-===//
//
// One bar with an estimate of the time left, redrawn at most ten times a second, on a terminal only.
// Elsewhere it is silent, unless LLMC_PROGRESS=1 asks for one line per ten percent of whatever takes longer
// than two seconds, and one at the end. LLMC_PROGRESS=0 silences it everywhere; NO_COLOR is honoured.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TOOLS_SUPPORT_PROGRESS_H
#define LLMC_TOOLS_SUPPORT_PROGRESS_H

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>

namespace llmc {

class Progress {
public:
  /// `stage` is a short phrase ("pack weights"). A total of 0 means that it is not known.
  Progress(std::string stage, uint64_t total);
  ~Progress(); // a bar that was not finished is wiped away
  Progress(const Progress &) = delete;
  Progress &operator=(const Progress &) = delete;

  /// Somebody reads it.
  bool isShown() const { return mode != Mode::Silent; }
  /// Says how much is done. Cheap; any thread may call it.
  void update(uint64_t done);
  /// The stage has ended well: leaves a line with the time it took. Later calls do nothing.
  void finish();

private:
  using Clock = std::chrono::steady_clock;
  enum class Mode { Silent, Lines, Bar };

  void draw(uint64_t done, double seconds);
  void line(uint64_t done, double seconds);
  double elapsed() const { return std::chrono::duration<double>(Clock::now() - start).count(); }

  const std::string stage;
  const uint64_t total;
  Mode mode;
  bool colored;
  const Clock::time_point start;
  std::atomic<int64_t> nextDraw; // microseconds after start
  std::mutex mutex;              // guards what follows, and the terminal
  uint64_t tenths = 0;           // last tenth that got a line
  bool drawn = false, finished = false;
};

} // namespace llmc
#endif
