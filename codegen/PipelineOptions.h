//===- PipelineOptions.h - what a compile is told ---------------*- C++ -*-===//
#ifndef LLMC_CODEGEN_PIPELINEOPTIONS_H
#define LLMC_CODEGEN_PIPELINEOPTIONS_H

#include "codegen/Observer.h"
#include "codegen/WeightRows.h"
#include "codegen/cpu/isa/Isa.h"
#include "frontend/formats/OpenFiles.h"
#include "passes/QuantizeRules.h"

#include <functional>
#include <string>
#include <vector>

namespace llmc::codegen {

using ProgressFn = std::function<void(const char *stage, uint64_t done, uint64_t total)>;

/// A file of weights as it was read. The hash is over its tensors in the order of their names, so that it
/// does not depend on how a model is cut into parts; empty where the file could not be read.
struct SourceHash {
  std::string path, xxh3;
  int64_t bytes = 0;
};

/// What a compile has found out on its way, beside the module.
struct PipelineState {
  std::string activations, cacheType; // what `auto` stands for; empty before the phase `plan`
  std::vector<std::string> passes;    // that ran, with their options: "quantize{rules=q4_0}"
  std::vector<SourceHash> sources;    // of PipelineOptions::weightFiles; empty if nobody has asked yet
  std::string tokenizerHash;          // of the tokenizer's blob, likewise
};

/// Makes machine code of the text for a GPU: a program of its own, where there is one. May be called from
/// several threads.
struct DeviceAssembler {
  std::string version; // for people
  std::string key;     // whatever else its results depend on: part of the key of what is kept
  /// One sentence, or empty.
  std::function<std::string(const std::string &text, const std::string &architecture, std::string &code)>
      assemble;
};

class DeviceTarget;
/// A device to compile for, and its architectures ("sm_80").
struct DeviceChoice {
  const DeviceTarget *target;
  std::vector<std::string> architectures;
};

struct PipelineOptions {
  std::vector<std::string> weightFiles; // what the model's lm.weights name
  std::shared_ptr<formats::OpenFiles> files = std::make_shared<formats::OpenFiles>(); // read so far
  std::string tokenizerFile; // GGUF, tokenizer.json or tokenizer.model; empty: the model has none
  std::string output;
  std::string activations = "auto"; // auto: int8 for weights of an integer scheme; f32; f16; bf16; int8
  // What a session chooses from, by commas, the default first. auto: f32 where activations are, else f16;
  // f32; f16; bf16; q8
  std::string cacheTypes = "auto";
  QuantizeRules quantize; // of lm-quantize
  std::vector<std::string> disabledPasses;
  std::vector<const cpu::Isa *> variants;           // of the CPU; empty: no code for CPUs
  const cpu::CpuFamily *family = &cpu::otherCpus(); // whose sizes their kernels have
  bool portableBits = false;         // variants give the same bits: those that cannot are refused
  std::vector<DeviceChoice> devices; // beside the CPU
  std::shared_ptr<const DeviceAssembler> assembler; // null: devices get text alone
  std::string cacheDir;                             // of compiled kernels; empty: none
  Phase startFrom = Phase::Fuse;                    // the module is what the phases before have left
  PipelineState startState;                         // and so is this
  Phase stopAfter = Phase::Link;
  RowDecoder decodeQuantized; // what is quantized here is packed as the f32 numbers that this makes of it
  bool defaultKernels = false, countLoads = false;
  bool randomWeights = false; // made from the names and shapes of tensors; no file is read
  std::string plantedBug;     // for tests only (PlantBug.h)
  std::vector<PipelineObserver *> observers;
  ProgressFn progress = [](const char *, uint64_t, uint64_t) {};
  std::function<void(const std::string &)> note = [](const std::string &) {};   // what a user should know
  std::function<void(const std::string &)> timing = [](const std::string &) {}; // a line for each phase
};

} // namespace llmc::codegen
#endif
