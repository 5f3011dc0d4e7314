//===- Stopwatch.h - how long something takes -------------------*- C++ -*-===//
#ifndef LLMC_CODEGEN_STOPWATCH_H
#define LLMC_CODEGEN_STOPWATCH_H

#include <chrono>
#include <utility>

namespace llmc::codegen {

class Stopwatch {
public:
  double milliseconds() const { return between(start, Clock::now()); }
  /// The same, and begins anew.
  double lap() {
    auto begin = std::exchange(start, Clock::now());
    return between(begin, start);
  }

private:
  using Clock = std::chrono::steady_clock;
  static double between(Clock::time_point from, Clock::time_point to) {
    return std::chrono::duration<double, std::milli>(to - from).count();
  }

  Clock::time_point start = Clock::now();
};

} // namespace llmc::codegen
#endif
