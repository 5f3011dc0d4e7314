//===- RopeScaling.h - rotary frequencies of long contexts ------*- C++ -*-===//
//
// The rules by which models stretch rotary positions over contexts longer than those they were first trained
// on, as numbers that a RopeSpec takes: one frequency for each pair and one factor for all. Which keys of a
// file state a rule is the readers' matter.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_FRONTEND_ROPESCALING_H
#define LLMC_FRONTEND_ROPESCALING_H

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace llmc::frontend {

enum class RopeRule {
  None,
  Linear,   // positions divided by the factor; arXiv:2306.15595
  Dynamic,  // the base grows with the length of the sequence ("dynamic NTK")
  Llama3,   // long wavelengths divided, short ones kept, smooth between
  Yarn,     // the same idea by rotations over the trained context; arXiv:2309.00071
  LongRope, // a divisor for each pair, one list for short and one for long sequences; arXiv:2402.13753
  Divisors, // a divisor for each pair, already worked out
};

struct RopeScaling {
  RopeRule rule = RopeRule::None;
  double factor = 1.0;
  double originalContext = 0;                   // length of the first training
  double lowFreqFactor = 1, highFreqFactor = 4; // Llama3
  double betaFast = 32, betaSlow = 1;           // Yarn
  bool truncate = true;                         // Yarn: whole pairs at the ends of the ramp
  double mscale = 0, mscaleAllDim = 0;          // Yarn: the factor as a quotient, if both are given
  std::optional<double> attentionFactor = {};   // of cos and sin; absent: the rule's own
  std::vector<double> shortDivisors = {};       // LongRope; Divisors
  std::vector<double> longDivisors = {};        // LongRope
};

/// What a rule comes to: dims / 2 frequencies, none where base^(-2j / dims) stays, and the factor of cos and
/// sin.
struct RopeNumbers {
  std::vector<double> freqs;
  double factor = 1.0;
};

/// Dynamic and LongRope depend on the length of the sequence; cached keys must not change with it, so these
/// are fixed for sequences of up to `context` tokens. On failure `problem` says which number is wrong.
std::optional<RopeNumbers> ropeNumbers(const RopeScaling &scaling, double base, int64_t dims, int64_t context,
                                       std::string &problem);

/// The first and the last of the contexts that come to the same numbers as `context`; nothing if all do.
std::optional<std::pair<int64_t, int64_t>> contextsOfRope(const RopeScaling &scaling, int64_t context);

/// What a user should know of a rule that was fixed for a context; empty for other rules.
std::string fixedRopeNote(const RopeScaling &scaling, int64_t context);

} // namespace llmc::frontend
#endif
