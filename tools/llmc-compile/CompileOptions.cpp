//===- CompileOptions.cpp - llmc compile: its options ---------------------===//
#include "Commands.h"
#include "CompileArguments.h"

#include "codegen/LMPasses.h"
#include "codegen/PlantBug.h"
#include "ir/quant/quantize/Quantize.h"
#include "tools/gate/LayerList.h"

#include <CLI/CLI.hpp>

#include "llvm/ADT/StringExtras.h"

#include <cstdlib>

using namespace llmc;
using namespace llmc::codegen;
using namespace llmc::tools;

static void addNumberOptions(CLI::App &command, CompileArguments &arguments) {
  PipelineOptions &options = arguments.pipeline;
  command
      .add_option(
          "--activations", options.activations,
          "type that activations are rounded to before each matmul: f32 is exact; f16 (11 bits, up to "
          "65504) and bf16 (8 bits) compute what a model run in that type computes, with sums in f32; int8 "
          "in groups of 32 is fastest, for integer weights; auto is int8 for integer weights, else f32; on "
          "devices, which know no int8, f32 takes its place")
      ->check(CLI::IsMember({"auto", "f32", "f16", "bf16", "int8"}))
      ->capture_default_str();
  command
      .add_option("--kv", options.cacheTypes,
                  "types of the KV cache that a session chooses from, the default first: auto (f32 with f32 "
                  "activations, else f16), f32, f16, bf16, q8 (int8 in groups of 32)")
      ->type_name("LIST")
      ->capture_default_str();
  command
      .add_option(
          "--quantize", arguments.quantize,
          "scheme to store weights in, may be repeated: SCHEME for all matrices; REGEX=SCHEME for those "
          "whose tensor's name the expression matches somewhere (blk.3.ffn_down.weight), the last that "
          "matches decides; @FILE with one of both a line and # comments. SCHEME is one of " +
              quant::quantizerNames() +
              ", or keep. A four-bit SCHEME for all means q6_k for the embedding and the output; where rows "
              "are no "
              "multiple of 256, q4_k for all means q5_0 there, and q6_k means q8_0. REGEX overrides both. "
              "Vectors stay f32")
      ->type_name("RULE")
      ->allow_extra_args(false);
}

static void addTargetOptions(CLI::App &command, CompileArguments &arguments) {
  PipelineOptions &options = arguments.pipeline;
  command
      .add_option("--cpu", arguments.variants,
                  "variants to compile: native (the best that runs here), or some of "
                  "avx2,avx2-vnni,avx512,avx512-bf16,amx,amx-fast (default: the first three; the first four "
                  "with --activations bf16, and with int8 for families whose CPUs are quick in bf16). "
                  "avx512-bf16 multiplies weights and activations of bf16 by instructions for them, and "
                  "attention over a cache of 16 bits or fewer where activations are bf16 or int8. amx "
                  "multiplies int8 activations' weights as bf16, in tiles: more exact, long prompts are "
                  "several times as fast, single tokens slower")
      ->type_name("LIST");
  command
      .add_option("--tune", arguments.tune,
                  "the family of CPUs whose tile sizes and prefetching kernels get: native (that of this "
                  "machine), zen4, or generic (all others); the model runs anywhere with any, and each "
                  "variant gives the same bits (default: native)")
      ->type_name("FAMILY");
  command
      .add_option(
          "--target", arguments.targets,
          "what to compile for, the code for all over one set of weights: cpu, cuda (NVIDIA GPUs from "
          "sm_80 on)")
      ->type_name("LIST")
      ->capture_default_str();
  command
      .add_option("--gpu-arch", arguments.architectures,
                  "GPUs to make code for beside sm_80, whose PTX runs on all later ones: sm_90, sm_90a, ...")
      ->type_name("LIST");
  command
      .add_option(
          "--ptxas", arguments.ptxas,
          "NVIDIA's assembler, for machine code beside each PTX, so that no driver compiles it at load; "
          "none does without (default: $LLMC_PTXAS, else the ptxas in PATH, or in bin of CUDA_HOME or "
          "CUDA_PATH, if there is one)")
      ->type_name("FILE");
  command.add_flag(
      "--fast", arguments.isFast,
      "add the variant amx-fast: on CPUs with AMX, steps of 8 tokens or more multiply bf16 in tiles, "
      "shorter ones int8; logits then depend, within int8's error, on how many tokens a step has");
  command.add_flag(
      "--portable-bits", options.portableBits,
      "the same logits, bit for bit, on every CPU, for every number of threads and grouping of tokens; "
      "leaves out avx512-bf16, amx and amx-fast, the only variants that compute otherwise, and costs "
      "nothing on others");
}

static void addDumpOptions(CLI::App &command, CompileArguments &arguments) {
  command
      .add_option("--dump-ir", arguments.dumpDir,
                  "folder for the IR after each pass, and each kernel's LLVM IR and assembly")
      ->type_name("DIR");
  command
      .add_option("--dump-filter", arguments.dumpFilter,
                  "write files of --dump-ir only for passes and kernels whose names match")
      ->type_name("REGEX");
}

/// What is wrong with --verify-passes=TOL; nothing if it is a tolerance.
static std::string readTolerance(const std::string &text, GateOptions &options) {
  char *end = nullptr;
  const double number = std::strtod(text.c_str(), &end);
  const bool isNumber = end != text.c_str() && *end == 0;
  if (text != "auto" && !(isNumber && number > 0 && number < 1e6))
    return "expected a number above 0 but got '" + text + "'";
  options.tolerance = text == "auto" ? 0 : number;
  return "";
}

static void addVerifyOptions(CLI::App &command, CompileArguments &arguments) {
  command
      .add_flag("--verify-passes{auto}", arguments.tolerance,
                "run the model before and after each pass on a few tokens, then model.so itself, and stop "
                "where numbers differ by more than rounding can do; =TOL: where they differ by more than TOL "
                "standard deviations")
      ->check(CLI::Validator([&arguments](std::string &text) { return readTolerance(text, arguments.gate); },
                             ""));
  command
      .add_option_function<std::string>(
          "--verify-layers",
          [&arguments](const std::string &text) {
            GateOptions &gate = arguments.gate;
            if (std::string words = readLayerList(text, gate.layers); !words.empty())
              throw CLI::ValidationError("--verify-layers", words);
            gate.isLayerCount = llvm::all_of(text, llvm::isDigit);
          },
          "run only some layers for --verify-passes (large models): the first N, or those of a list, from 0: "
          "0-1,15,31 (7-7: that one alone)")
      ->type_name("N|LIST");
  command.add_flag(
      "--verify-device", arguments.verifiesDevice,
      "with --verify-passes: also run the code for cuda, in the emulator (slow: for small models)");
}

static void addCacheOptions(CLI::App &command, CompileArguments &arguments) {
  PipelineOptions &options = arguments.pipeline;
  options.cacheDir = defaultCacheDir();
  CLI::Option *cacheDir =
      command
          .add_option("--cache-dir", options.cacheDir,
                      "folder that keeps compiled kernels for the next compile, at most 256 MiB (default: "
                      "llmc/kernels in XDG_CACHE_HOME or ~/.cache)")
          ->type_name("DIR");
  command.add_flag("--no-cache", arguments.isUncached, "compile every kernel, keep none")->excludes(cacheDir);
}

static void addTestOptions(CLI::App &command, CompileArguments &arguments) {
  PipelineOptions &options = arguments.pipeline;
  command.add_option("--plant-bug", options.plantedBug, "compile with a known mistake (for tests)")
      ->check(CLI::IsMember(plantableBugs()))
      ->group("");
  command.add_flag("--count-loads", options.countLoads, "kernels report what they read (for tests)")
      ->group("");
}

void tools::addCompileOptions(CLI::App &command, CompileArguments &arguments) {
  PipelineOptions &options = arguments.pipeline;
  command
      .add_option("SRC", arguments.source,
                  "model.mlir, model.gguf, a Hugging Face directory, or a file of --dump-ir")
      ->required()
      ->type_name("FILE");
  command
      .add_option("-o,--output", options.output,
                  "file to write (with --stop-after: the text; - is the terminal)")
      ->type_name("FILE");
  addNumberOptions(command, arguments);
  addTargetOptions(command, arguments);
  command
      .add_option("--disable-pass", options.disabledPasses,
                  "an optimization to leave out, may be repeated: " + llvm::join(optionalPasses(), ", "))
      ->type_name("NAME")
      ->allow_extra_args(false);
  addContextOption(command, arguments.import);
  addDumpOptions(command, arguments);
  addVerifyOptions(command, arguments);
  command
      .add_option("--start-from", arguments.startFrom,
                  "phase to start from, where SRC is a file of --dump-ir: fuse, quantize, plan, step, llvm "
                  "(default: the one that the file stands before)")
      ->type_name("PHASE");
  command
      .add_option("--stop-after", arguments.stopAfter,
                  "phase to stop after: import, fuse, quantize, plan, step, llvm, link")
      ->capture_default_str();
  addCacheOptions(command, arguments);
  command.add_flag("--times", arguments.showTimes, "print how long each phase took");
  command.add_flag("-v,--verbose", arguments.isVerbose, "show remarks");
  command.add_flag("--default-kernels", options.defaultKernels,
                   "compile every op from its decomposition (slow; for checks)");
  command.add_flag("--random-weights", options.randomWeights,
                   "read no file of weights and no tokenizer: fill tensors of the shapes in the text with "
                   "numbers that depend on their names alone (for checks)");
  addTestOptions(command, arguments);
  command.footer("Examples:\n"
                 "  llmc compile smollm2.gguf -o smollm2.so\n"
                 "  llmc compile SmolLM2-135M-Instruct/ -o smollm2.so\n"
                 "  llmc compile model-f16.gguf -o model.so --quantize q4_k --quantize 'ffn_down=q6_k'\n"
                 "  llmc compile model.mlir -o model.so --activations f32 --dump-ir dumps\n"
                 "  llmc compile dumps/00-import.mlir -o model.so\n"
                 "  llmc compile model.mlir --stop-after fuse");
}
