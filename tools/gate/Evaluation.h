//===- Evaluation.h - what a model.so computes, value by value --*- C++ -*-===//
//
// Runs a compiled model on a schedule of tokens through llmc.h alone, and keeps what its dispatches wrote:
// rows of numbers that know their token, by layer and by what the model's text calls them. So two builds of a
// model can be compared that share neither dispatches nor buffers.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TOOLS_GATE_EVALUATION_H
#define LLMC_TOOLS_GATE_EVALUATION_H

#include "tools/gate/Schedule.h"

#include <compare>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace llmc::tools {

/// Which row: a token of a sequence.
struct RowPlace {
  int32_t sequence, position;
  auto operator<=>(const RowPlace &) const = default;
};

/// What makes a value the same one in two builds.
struct ValueKey {
  int64_t layer = -1; // -1: outside the layers
  /// What the text calls it ("h_attn"). Without a name: the kernel and the place that it comes from.
  std::string name;
  unsigned number = 0; // among those of the same layer and name, in the order of a step
  auto operator<=>(const ValueKey &) const = default;
  /// "'h_attn' of layer 3".
  std::string describe() const;
};

struct EvaluatedValue {
  ValueKey key;
  bool hasName = false;
  std::string kernel, location; // location: "blk.{i}.attn_q" or "model.mlir:12"; may be empty
  uint64_t columns = 0;         // of the value; every `stride`-th is kept
  uint64_t stride = 1;
  std::map<RowPlace, std::vector<float>> rows; // a later step's count
};

/// Everything but keys and values read back from the cache, in the order in which the first step wrote it.
struct Evaluation {
  std::vector<EvaluatedValue> values;
  EvaluatedValue logits; // as llmc_logits hands them out

  const EvaluatedValue *find(const ValueKey &key) const;
};

/// By the kernels of a variant ("avx2"; empty: the best) or of the emulator ("simt:code=FILE"), over the
/// cache that a session takes by itself. Nothing and one sentence if the model cannot be loaded or run. Code
/// that crashes takes the caller with it; `onValue` is told of each value that has been computed.
std::optional<Evaluation> runModule(const std::string &path, const Schedule &schedule,
                                    const std::string &variant, std::string &error,
                                    const std::function<void(const ValueKey &)> &onValue = nullptr);

} // namespace llmc::tools
#endif
