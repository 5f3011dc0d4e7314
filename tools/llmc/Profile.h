//===- Profile.h - where the time of steps goes -----------------*- C++ -*-===//
//
// What the library noted of each worker in each dispatch, added up by dispatch and by kernel, with the bytes
// and operations that the compiler counted, against this machine's roofline.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TOOLS_LLMC_PROFILE_H
#define LLMC_TOOLS_LLMC_PROFILE_H

#include "tools/llmc/Common.h"
#include "tools/llmc/Roofline.h"

#include <map>

namespace llmc::cli {

/// Work and time of some calls. Seconds are those of the step that the calls stand for: the mean over its
/// workers, each from where it begins a dispatch to where it begins the next.
struct Work {
  uint64_t calls = 0, weightBytes = 0, rowBytes = 0, keyBytes = 0, operations = 0;
  double seconds = 0, waiting = 0; // of the seconds, those at barriers
  double predicted = 0;            // by the roofline: what memory or arithmetic takes, whichever is more

  uint64_t bytes() const { return weightBytes + rowBytes + keyBytes; }
  void add(const Work &);
};

struct DispatchProfile {
  std::string kernel, location, value;
  uint32_t layer = UINT32_MAX;
  Arithmetic arithmetic = Arithmetic::F32;
  Work work;
  std::string name() const; // "3.h_attn"
};

/// One worker: busy in kernels, waiting at barriers, idle before its first dispatch of a step.
struct ThreadProfile {
  double busy = 0, barrier = 0, idle = 0;
};

/// Steps of one kind: prompts, or generation, where every token asks for logits.
struct Phase {
  std::string name;
  uint64_t steps = 0, tokens = 0;
  double seconds = 0;
  std::map<uint32_t, DispatchProfile> dispatches; // by number
  std::vector<ThreadProfile> threads;

  std::map<std::string, DispatchProfile> kernels() const;
  Work total() const;
};

/// Which model a profile is of: its name, and the hash of just this build (LLMC_INFO_HASH).
struct ProfiledModel {
  std::string name;
  uint64_t hash = 0;
};

class Profiler {
public:
  Profiler(llmc_model *, const ProfileOptions &, const Roofline &);
  /// From here on steps are noted.
  void begin(llmc_session *);
  /// Adds what was noted; nothing is noted from here on.
  void end();
  /// The table for people on standard error, and the files that were asked for.
  void report() const;

private:
  void writeTrace() const;
  Phase &phaseOf(const llmc_profile_step &);
  void addStep(uint64_t number, const llmc_profile_step &);
  void addEvent(Phase &, const llmc_profile_step &, const llmc_profile_event &, uint64_t next);
  void trace(const llmc_profile_step &, const std::vector<llmc_profile_event> &);

  llmc_model *model;
  llmc_session *session = nullptr;
  const ProfileOptions &options;
  Roofline roofline;
  ProfiledModel profiledModel;
  uint64_t weightBytes;
  std::vector<DispatchProfile> known; // all dispatches, without work
  std::vector<llmc_dispatch_cost> costs;
  std::vector<Phase> phases;
  Stopwatch clock;
  double beganAt = 0;              // seconds of the clock
  std::vector<std::string> slices; // of the trace, one a line
  uint64_t missed = 0;             // steps that did not fit in memory
};

/// A profiler if a profile was asked for.
std::unique_ptr<Profiler> newProfiler(llmc_model *, const ProfileOptions &);

std::string profileTable(const std::vector<Phase> &, const Roofline &, uint64_t weightBytes, uint64_t missed);
std::string profileJson(const ProfiledModel &, const std::vector<Phase> &, const Roofline &, uint64_t missed);

} // namespace llmc::cli
#endif
