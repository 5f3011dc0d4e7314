//===- Compile.cpp - llmc compile: a model file to model.so ---------------===//
#include "Commands.h"

#include "codegen/DeviceTarget.h"
#include "codegen/DumpText.h"
#include "codegen/Pipeline.h"
#include "codegen/PlantBug.h"
#include "codegen/WriteFile.h"
#include "codegen/emit/KVStorage.h"
#include "frontend/Importer.h"
#include "frontend/formats/NewFile.h"
#include "ir/Locations.h"
#include "ir/Print.h"
#include "ir/quant/quantize/Quantize.h"
#include "passes/QuantizeRules.h"
#include "tools/dump/DumpWriter.h"
#include "tools/gate/Gate.h"
#include "tools/gate/LayerList.h"
#include "tools/support/Progress.h"

#include <CLI/CLI.hpp>

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

#include <chrono>

using namespace llmc;
using namespace llmc::codegen;
using namespace llmc::tools;

namespace {
struct CompileArguments {
  PipelineOptions pipeline;
  frontend::ImportOptions import;
  std::string source;
  std::vector<std::string> quantize;
  std::string stopAfter = "link";
  std::string startFrom; // empty: what the dump says
  std::string variants;  // "avx2,amx"; empty: those that are compiled for by default
  std::string tune;      // empty: native
  std::string targets = "cpu", ptxas;
  std::optional<std::string> architectures;
  bool isFast = false;
  std::string dumpDir, dumpFilter;
  std::string tolerance; // of --verify-passes; auto: what the budgets say
  GateOptions gate;
  bool isUncached = false, verifiesDevice = false;
  bool isVerbose = false, showTimes = false;
};

/// Shows, for -v, what passes have left undone and why.
class MissedRemarkPrinter : public PipelineObserver {
public:
  mlir::LogicalResult passRan(const PassRun &run) override {
    for (const PassRemark &remark : run.remarks)
      if (remark.kind == "missed")
        std::fprintf(stderr, "llmc: %s: %s: %s\n", describeLocation(remark.loc).c_str(),
                     run.name.str().c_str(), remark.message.c_str());
    return mlir::success();
  }
};
} // namespace

/// Options that a dump carries.
static const char *const carriedOptions[] = {"--activations",   "--kv",
                                             "--quantize",      "--cpu",
                                             "--tune",          "--target",
                                             "--gpu-arch",      "--disable-pass",
                                             "--ctx",           "--default-kernels",
                                             "--count-loads",   "--portable-bits",
                                             "--random-weights"};

/// The variants of `--cpu`: names, or `native` for the best that this machine can run.
static std::string chooseVariants(llvm::StringRef list, cpu::Wishes wishes,
                                  std::vector<const cpu::Isa *> &variants) {
  llvm::SmallVector<llvm::StringRef> names;
  list.split(names, ',', /*MaxSplit=*/-1, /*KeepEmpty=*/false);
  const cpu::Isa *native = cpu::bestHere(wishes);
  for (const cpu::Isa &isa : cpu::allIsas())
    if ((names.empty() && cpu::isOffered(isa, wishes)) || llvm::is_contained(names, isa.name) ||
        (llvm::is_contained(names, "native") && &isa == native))
      variants.push_back(&isa);
  for (llvm::StringRef name : names)
    if (name != "native" && !cpu::isaByName(name)) {
      std::vector<std::string> known;
      for (const cpu::Isa &isa : cpu::allIsas())
        known.push_back(isa.name.str());
      return "--cpu: expected native or some of " + llvm::join(known, ", ") + " but got '" + name.str() + "'";
    }
  auto mixesUnits = [](const cpu::Isa *isa) { return isa->mixesUnits(); };
  if (wishes.isFast && !names.empty() && !llvm::is_contained(names, "native") &&
      llvm::none_of(variants, mixesUnits))
    return "--fast: chooses nothing among the variants that --cpu names: add amx-fast to them, or native";
  return variants.empty() ? "--cpu: this machine's CPU runs none of the variants" : "";
}

/// The family of CPUs of `--tune`.
static std::string chooseFamily(llvm::StringRef name, const cpu::CpuFamily *&family) {
  family = name.empty() || name == "native" ? &cpu::familyHere() : cpu::familyByName(name);
  if (family)
    return "";
  std::vector<std::string> known;
  for (const cpu::CpuFamily &one : cpu::allFamilies())
    known.push_back(one.name.str());
  return "--tune: expected native or one of " + llvm::join(known, ", ") + " but got '" + name.str() + "'";
}

/// What --portable-bits cannot be asked for together with.
static std::string checkPortableBits(const CompileArguments &arguments) {
  if (!arguments.pipeline.portableBits)
    return "";
  if (arguments.isFast)
    return "--portable-bits: logits with --fast depend on the CPU and on how many tokens a step has";
  if (!arguments.pipeline.devices.empty())
    return "--portable-bits: kernels for " + arguments.pipeline.devices.front().target->name().str() +
           " sum in another order than those for CPUs, which gives other bits";
  std::vector<std::string> portable;
  for (const cpu::Isa &isa : cpu::allIsas())
    if (isa.isPortable())
      portable.push_back(isa.name.str());
  for (const cpu::Isa *isa : arguments.pipeline.variants)
    if (!isa->isPortable())
      return "--portable-bits: the variant " + isa->name.str() +
             " does not give the same bits as others: expected some of " + llvm::join(portable, ", ");
  return "";
}

/// The list of `--target`, with the variants and architectures that belong to it.
static std::string chooseTargets(const CompileArguments &arguments, PipelineOptions &options) {
  llvm::SmallVector<llvm::StringRef> words;
  llvm::StringRef(arguments.targets).split(words, ',');
  std::vector<std::string> known = {"cpu"};
  for (const DeviceTarget *device : allDevices())
    known.push_back(device->name().str());
  for (size_t i = 0; i < words.size(); ++i) {
    if (!llvm::is_contained(known, words[i]))
      return "--target: expected some of " + llvm::join(known, ", ") + " but got '" + words[i].str() + "'";
    if (llvm::is_contained(llvm::ArrayRef(words).take_front(i), words[i]))
      return "--target: names " + words[i].str() + " twice";
    if (const DeviceTarget *device = deviceByName(words[i])) {
      DeviceChoice choice = {device, {}};
      if (std::string why = device->readArchitectures(arguments.architectures, choice.architectures);
          !why.empty())
        return "--gpu-arch: " + why;
      options.devices.push_back(std::move(choice));
    }
  }
  if (options.devices.empty() && arguments.architectures)
    return "--gpu-arch: belongs to --target cuda, which is not given";
  if (llvm::is_contained(words, "cpu")) {
    if (std::string why = chooseFamily(arguments.tune, options.family); !why.empty())
      return why;
    const bool usesBF16 = options.activations == "bf16" && !options.portableBits;
    return chooseVariants(arguments.variants, {arguments.isFast, usesBF16}, options.variants);
  }
  if (!arguments.variants.empty())
    return "--cpu: belongs to --target cpu, which is not given";
  if (arguments.isFast)
    return "--fast: belongs to --target cpu, which is not given";
  if (!arguments.tune.empty())
    return "--tune: belongs to --target cpu, which is not given";
  if (options.activations == "int8")
    return "--activations: kernels for " + arguments.targets + " multiply in f32, f16 or bf16, not in int8";
  return "";
}

static std::string checkCacheTypes(llvm::StringRef list) {
  llvm::SmallVector<llvm::StringRef> words;
  list.split(words, ',');
  std::vector<std::string> known = {"auto"};
  for (const emit::KVType &type : emit::allKVTypes())
    known.push_back(type.name.str());
  for (size_t i = 0; i < words.size(); ++i) {
    if (!llvm::is_contained(known, words[i]))
      return "--kv: expected some of " + llvm::join(known, ",") + " but got '" + words[i].str() + "'";
    if (llvm::is_contained(llvm::ArrayRef(words).take_front(i), words[i]))
      return "--kv: names the type " + words[i].str() + " twice";
  }
  return "";
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

/// Options whose value is one of a list that only the pipeline knows.
static std::string checkArguments(CompileArguments &arguments) {
  std::optional<Phase> phase = phaseByName(arguments.stopAfter);
  if (!phase)
    return "--stop-after: expected one of " + llvm::join(phaseNames(), ", ") + " but got '" +
           arguments.stopAfter + "'";
  arguments.pipeline.stopAfter = *phase;
  for (const std::string &name : arguments.pipeline.disabledPasses)
    if (!llvm::is_contained(optionalPasses(), name))
      return "--disable-pass: expected one of " + llvm::join(optionalPasses(), ", ") + " but got '" + name +
             "'";
  std::string words;
  std::optional<QuantizeRules> rules = QuantizeRules::parse(arguments.quantize, words);
  if (!rules)
    return "--quantize: " + words;
  arguments.pipeline.quantize = std::move(*rules);
  if (!arguments.startFrom.empty() && !phaseByName(arguments.startFrom))
    return "--start-from: expected one of fuse, quantize, plan, step, llvm but got '" + arguments.startFrom +
           "'";
  if (std::string why; !llvm::Regex(arguments.dumpFilter).isValid(why) && !arguments.dumpFilter.empty())
    return "--dump-filter: expected a regular expression but got '" + arguments.dumpFilter + "': " + why;
  if (!arguments.dumpFilter.empty() && arguments.dumpDir.empty())
    return "--dump-filter: belongs to --dump-ir, which is not given";
  if (!arguments.gate.layers.empty() && arguments.tolerance.empty())
    return "--verify-layers: belongs to --verify-passes, which is not given";
  if (!arguments.gate.layers.empty() && arguments.verifiesDevice)
    return "--verify-device: runs whole models, not what --verify-layers leaves of one";
  if (arguments.verifiesDevice && arguments.tolerance.empty())
    return "--verify-device: belongs to --verify-passes, which is not given";
  if (*phase == Phase::LLVM && arguments.dumpDir.empty())
    return "--stop-after llvm: leaves its results in the folder of --dump-ir, which is not given";
  if (*phase == Phase::Link && arguments.pipeline.output == "-")
    return "-o -: a model.so needs a file; the terminal is for the text of --stop-after";
  if (arguments.pipeline.output.empty()) {
    if (*phase == Phase::Link)
      return "-o is required";
    arguments.pipeline.output = "-";
  }
  if (arguments.isUncached)
    arguments.pipeline.cacheDir.clear();
  if (std::string usage = checkCacheTypes(arguments.pipeline.cacheTypes); !usage.empty())
    return usage;
  if (std::string usage = chooseTargets(arguments, arguments.pipeline); !usage.empty())
    return usage;
  if (arguments.verifiesDevice && arguments.pipeline.devices.empty())
    return "--verify-device: belongs to --target cuda, which is not given";
  if (arguments.pipeline.variants.empty() && !arguments.tolerance.empty())
    return "--verify-passes: checks code for the CPU: add cpu to --target";
  return checkPortableBits(arguments);
}

/// A model file, or a dump with all that it carries.
static mlir::OwningOpRef<mlir::ModuleOp> readSource(Session &session, CompileArguments &arguments,
                                                    std::string &error) {
  PipelineOptions &options = arguments.pipeline;
  if (!isDump(arguments.source)) {
    arguments.import.files = options.files.get();
    mlir::OwningOpRef<mlir::ModuleOp> module =
        frontend::importModel(session.context, arguments.source, arguments.import, error);
    if (!module)
      return nullptr;
    frontend::ModelFiles files =
        frontend::findModelFiles(frontend::modelOf(*module), frontend::folderOf(arguments.source));
    if (!options.randomWeights) {
      options.weightFiles = files.weights;
      options.tokenizerFile = files.tokenizer;
    }
    return module;
  }
  auto module = readDump(session.context, arguments.source, phaseByName(arguments.startFrom), options, error);
  if (module && options.stopAfter < options.startFrom)
    error = "--stop-after: the compile starts from the phase " + nameOf(options.startFrom).str() +
            ", behind the phase " + nameOf(options.stopAfter).str();
  return error.empty() ? std::move(module) : nullptr;
}

static std::string checkSource(const CLI::App &command, const CompileArguments &arguments) {
  if (!isDump(arguments.source))
    return arguments.startFrom.empty() ? ""
                                       : "--start-from: " + arguments.source + " is no dump of --dump-ir";
  for (const char *option : carriedOptions)
    if (command.count(option))
      return std::string(option) + ": cannot be given here, a dump carries the options of its compile";
  return "";
}

/// What makes machine code of PTX for the devices that the command line or a dump names. Returns what is
/// wrong with the wish for it; `error` says what it failed at.
static std::string chooseAssembler(CompileArguments &arguments, std::string &error) {
  PipelineOptions &options = arguments.pipeline;
  const char *everywhere = std::getenv("LLMC_PTXAS");
  const bool isGiven = !arguments.ptxas.empty();
  if (options.devices.empty())
    return isGiven ? "--ptxas: belongs to --target cuda, which is not given" : "";
  const std::string wish = isGiven || !everywhere ? arguments.ptxas : everywhere;
  std::string usage, note;
  options.assembler = findAssembler(wish, options.devices, usage, error, note);
  if (!note.empty())
    options.note(note);
  if (!error.empty())
    error += " (--ptxas none does without it)";
  return usage.empty() ? "" : (isGiven ? "--ptxas: " : "LLMC_PTXAS: ") + usage;
}

static int usageError(const std::string &words) {
  std::fprintf(stderr, "llmc: error: %s\n", words.c_str());
  return 2;
}

static int runCompile(const CLI::App &command, CompileArguments &arguments) {
  PipelineOptions &options = arguments.pipeline;
  std::string usage = checkSource(command, arguments);
  if (usage.empty())
    usage = checkArguments(arguments);
  std::string error;
  std::vector<std::string> notes; // for the end, when no progress bar stands in the way
  options.note = [&](const std::string &line) { notes.push_back(line); };
  if (!usage.empty())
    return usageError(usage);
  auto start = std::chrono::steady_clock::now();
  auto milliseconds = [&] {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  };
  Session session(arguments.isVerbose);
  mlir::OwningOpRef<mlir::ModuleOp> module = readSource(session, arguments, error);
  if (!module)
    return session.fail(error);
  if (usage = chooseAssembler(arguments, error); !usage.empty())
    return usageError(usage);
  if (!error.empty())
    return session.fail(error);
  const double readMilliseconds = milliseconds();
  std::vector<std::string> inputs = options.weightFiles;
  inputs.insert(inputs.end(), {arguments.source, options.tokenizerFile});
  if (options.output != "-" && options.stopAfter != Phase::LLVM)
    if (std::string words = formats::checkPlace(options.output, inputs); !words.empty())
      return session.fail(words);
  MissedRemarkPrinter missedRemarks;
  if (arguments.isVerbose)
    options.observers.push_back(&missedRemarks);
  std::optional<DumpWriter> dump;
  if (!arguments.dumpDir.empty()) {
    // What an earlier dump has left in the folder is removed first.
    llvm::StringRef folder = llvm::sys::path::parent_path(arguments.source);
    if (llvm::StringRef(arguments.source).ends_with(".mlir") &&
        llvm::sys::fs::exists(arguments.dumpDir + "/passes.json") &&
        llvm::sys::fs::equivalent(folder.empty() ? "." : folder, arguments.dumpDir))
      return session.fail("--dump-ir: " + arguments.dumpDir + ": holds " + arguments.source +
                          ", which is read; give another folder");
    dump.emplace(arguments.dumpDir, arguments.dumpFilter);
    if (error = dump->open(); !error.empty())
      return session.fail(error);
    dump->sourceRead(readMilliseconds);
    options.observers.push_back(&*dump);
  }
  std::optional<Gate> gate;
  if (command.count("--verify-passes")) {
    arguments.gate.cacheDir = options.cacheDir;
    if (arguments.verifiesDevice)
      arguments.gate.compiler = compilerAt("");
    arguments.gate.reproducer = (options.output == "-" ? "llmc" : options.output) + ".failed";
    options.observers.push_back(&gate.emplace(arguments.gate));
    if (dump)
      dump->addFact("verified", [&] { return gate->json(); });
  }
  if (arguments.showTimes) {
    std::fprintf(stderr, "%-24s %8.1f ms\n", "import", readMilliseconds);
    options.timing = [](const std::string &line) { std::fprintf(stderr, "%s\n", line.c_str()); };
  }
  noteUnwritableCache(options.cacheDir);
  std::unique_ptr<Progress> bar;
  std::string stageOfBar;
  options.progress = [&](const char *stage, uint64_t done, uint64_t total) {
    if (stageOfBar != stage) {
      bar = std::make_unique<Progress>(stage, total);
      stageOfBar = stage;
    }
    bar->update(done);
    if (done == total)
      bar->finish();
  };
  const bool isCompiled = succeeded(runPipeline(*module, options));
  bar.reset();
  if (gate)
    gate->printTable(llvm::errs());
  if (!isCompiled)
    return session.fail();
  for (const std::string &note : notes)
    std::fprintf(stderr, "llmc: %s\n", note.c_str());
  if (arguments.showTimes)
    std::fprintf(stderr, "%-24s %8.1f ms\n", "total", milliseconds());
  if (options.stopAfter == Phase::Link || options.stopAfter == Phase::LLVM)
    return 0;
  error = writeFile(options.output, [&](llvm::raw_ostream &out) { printNamed(*module, out); });
  return error.empty() ? 0 : session.fail(error);
}

void tools::addCompileCommand(CLI::App &app, int &status) {
  auto arguments = std::make_shared<CompileArguments>();
  PipelineOptions &options = arguments->pipeline;
  CLI::App *command = app.add_subcommand("compile", "Compile a model file into one model.so.");
  command
      ->add_option("SRC", arguments->source,
                   "model.mlir, model.gguf, a Hugging Face directory, or a file of --dump-ir")
      ->required();
  command->add_option("-o,--output", options.output,
                      "file to write (with --stop-after: the text; - is the terminal)");
  command
      ->add_option(
          "--activations", options.activations,
          "type that activations are rounded to before each matmul: f32 is exact; f16 (11 bits, up to "
          "65504) and bf16 (8 bits) compute what a model run in that type computes, with sums in f32; int8 "
          "in groups of 32 is fastest, for integer weights; auto is int8 for integer weights, else f32; on "
          "devices, which know no int8, f32 takes its place")
      ->check(CLI::IsMember({"auto", "f32", "f16", "bf16", "int8"}))
      ->capture_default_str();
  command
      ->add_option("--kv", options.cacheTypes,
                   "types of the KV cache that a session chooses from, the default first: auto (f32 with f32 "
                   "activations, else f16), f32, f16, bf16, q8 (int8 in groups of 32)")
      ->type_name("LIST")
      ->capture_default_str();
  command
      ->add_option(
          "--quantize", arguments->quantize,
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
  command
      ->add_option("--cpu", arguments->variants,
                   "variants to compile: native (the best that runs here), or some of "
                   "avx2,avx2-vnni,avx512,avx512-bf16,amx,amx-fast (default: the "
                   "first three, with --activations bf16 the first four). avx512-bf16 multiplies weights and "
                   "activations of bf16 by instructions for them. amx multiplies int8 activations' weights "
                   "as bf16, in tiles: more exact, "
                   "long prompts are "
                   "several times as fast, single tokens slower")
      ->type_name("LIST");
  command
      ->add_option("--tune", arguments->tune,
                   "the family of CPUs whose tile sizes and prefetching kernels get: native (that of this "
                   "machine), zen4, or generic (all others); the model runs anywhere with any, and gives the "
                   "same bits (default: native)")
      ->type_name("FAMILY");
  command
      ->add_option(
          "--target", arguments->targets,
          "what to compile for, the code for all over one set of weights: cpu, cuda (NVIDIA GPUs from "
          "sm_80 on)")
      ->type_name("LIST")
      ->capture_default_str();
  command
      ->add_option_function<std::string>(
          "--gpu-arch", [arguments](const std::string &text) { arguments->architectures = text; },
          "GPUs to make code for beside sm_80, whose PTX runs on all later ones: sm_90, sm_90a, ...")
      ->type_name("LIST");
  command
      ->add_option(
          "--ptxas", arguments->ptxas,
          "NVIDIA's assembler, for machine code beside each PTX, so that no driver compiles it at load; "
          "none does without (default: $LLMC_PTXAS, else the ptxas in PATH, or in bin of CUDA_HOME or "
          "CUDA_PATH, if there is one)")
      ->type_name("FILE");
  command->add_flag(
      "--fast", arguments->isFast,
      "add the variant amx-fast: on CPUs with AMX, steps of 8 tokens or more multiply bf16 in tiles, "
      "shorter ones int8; logits then depend, within int8's error, on how many tokens a step has");
  command->add_flag(
      "--portable-bits", options.portableBits,
      "the same logits, bit for bit, on every CPU, for every number of threads and grouping of tokens; "
      "leaves out "
      "amx and amx-fast, the only variants that compute otherwise, and costs nothing on others");
  command
      ->add_option("--disable-pass", options.disabledPasses,
                   "an optimization to leave out, may be repeated: " + llvm::join(optionalPasses(), ", "))
      ->type_name("NAME")
      ->allow_extra_args(false);
  addContextOption(*command, arguments->import);
  command
      ->add_option("--dump-ir", arguments->dumpDir,
                   "folder for the IR after each pass, and each kernel's LLVM IR and assembly")
      ->type_name("DIR");
  command
      ->add_option("--dump-filter", arguments->dumpFilter,
                   "write files of --dump-ir only for passes and kernels whose names match")
      ->type_name("REGEX");
  command
      ->add_flag(
          "--verify-passes{auto}", arguments->tolerance,
          "run the model before and after each pass on a few tokens, then model.so itself, and stop "
          "where numbers differ by more than rounding can do; =TOL: where they differ by more than TOL "
          "standard deviations")
      ->check(CLI::Validator([arguments](std::string &text) { return readTolerance(text, arguments->gate); },
                             ""));
  command
      ->add_option_function<std::string>(
          "--verify-layers",
          [arguments](const std::string &text) {
            GateOptions &gate = arguments->gate;
            if (std::string words = readLayerList(text, gate.layers); !words.empty())
              throw CLI::ValidationError("--verify-layers", words);
            gate.isLayerCount = llvm::all_of(text, llvm::isDigit);
          },
          "run only some layers for --verify-passes (large models): the first N, or those of a list, from 0: "
          "0-1,15,31 (7-7: that one alone)")
      ->type_name("N|LIST");
  command->add_flag(
      "--verify-device", arguments->verifiesDevice,
      "with --verify-passes: also run the code for cuda, in the emulator (slow: for small models)");
  command
      ->add_option("--start-from", arguments->startFrom,
                   "phase to start from, where SRC is a file of --dump-ir: fuse, quantize, plan, step, llvm "
                   "(default: the one that the file stands before)")
      ->type_name("PHASE");
  command
      ->add_option("--stop-after", arguments->stopAfter,
                   "phase to stop after: import, fuse, quantize, plan, step, llvm, link")
      ->capture_default_str();
  options.cacheDir = defaultCacheDir();
  CLI::Option *cacheDir =
      command
          ->add_option("--cache-dir", options.cacheDir,
                       "folder that keeps compiled kernels for the next compile, at most 256 MiB (default: "
                       "llmc/kernels in XDG_CACHE_HOME or ~/.cache)")
          ->type_name("DIR");
  command->add_flag("--no-cache", arguments->isUncached, "compile every kernel, keep none")
      ->excludes(cacheDir);
  command->add_flag("--times", arguments->showTimes, "print how long each phase took");
  command->add_flag("-v,--verbose", arguments->isVerbose, "show remarks");
  command->add_flag("--default-kernels", options.defaultKernels,
                    "compile every op from its decomposition (slow; for checks)");
  command->add_flag("--random-weights", options.randomWeights,
                    "read no file of weights and no tokenizer: fill tensors of the shapes in the text with "
                    "numbers that depend on their names alone (for checks)");
  command->add_option("--plant-bug", options.plantedBug, "compile with a known mistake (for tests)")
      ->check(CLI::IsMember(plantableBugs()))
      ->group("");
  command->add_flag("--count-loads", options.countLoads, "kernels report what they read (for tests)")
      ->group("");
  command->footer("Examples:\n"
                  "  llmc compile smollm2.gguf -o smollm2.so\n"
                  "  llmc compile SmolLM2-135M-Instruct/ -o smollm2.so\n"
                  "  llmc compile model-f16.gguf -o model.so --quantize q4_k --quantize 'ffn_down=q6_k'\n"
                  "  llmc compile model.mlir -o model.so --activations f32 --dump-ir dumps\n"
                  "  llmc compile dumps/00-import.mlir -o model.so\n"
                  "  llmc compile model.mlir --stop-after fuse");
  command->callback([command, arguments, &status] { status = runCompile(*command, *arguments); });
}
