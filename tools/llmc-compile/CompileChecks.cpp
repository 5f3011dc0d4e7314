//===- CompileChecks.cpp - llmc compile: what options say together --------===//
#include "Commands.h"
#include "CompileArguments.h"

#include "codegen/DeviceTarget.h"
#include "codegen/DumpText.h"
#include "codegen/LMPasses.h"
#include "codegen/emit/KVStorage.h"
#include "passes/QuantizeRules.h"

#include <CLI/CLI.hpp>

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Regex.h"

using namespace llmc;
using namespace llmc::codegen;
using namespace llmc::tools;

/// Options that a dump carries.
static const char *const carriedOptions[] = {"--activations",   "--kv",
                                             "--quantize",      "--cpu",
                                             "--tune",          "--target",
                                             "--gpu-arch",      "--disable-pass",
                                             "--ctx",           "--default-kernels",
                                             "--count-loads",   "--portable-bits",
                                             "--random-weights"};

/// "--gpu-arch: belongs to --target cuda, which is not given"
static std::string needsDevice(const char *option) {
  std::vector<std::string> names;
  for (const DeviceTarget *device : allDevices())
    names.push_back(device->name().str());
  return std::string(option) + ": belongs to --target " + llvm::join(names, " or ") + ", which is not given";
}

/// What is wrong with an option's list that has a word twice; `kind` says what its words are.
static std::string repeatedWord(const char *option, llvm::ArrayRef<llvm::StringRef> words,
                                const char *kind = "") {
  for (size_t i = 0; i < words.size(); ++i)
    if (llvm::is_contained(words.take_front(i), words[i]))
      return std::string(option) + ": names " + kind + words[i].str() + " twice";
  return "";
}

/// The variants of `--cpu`: names, or `native` for the best that this machine can run.
static std::string chooseVariants(const std::optional<std::string> &list, cpu::Wishes wishes,
                                  std::vector<const cpu::Isa *> &variants) {
  llvm::SmallVector<llvm::StringRef> names;
  if (list)
    llvm::StringRef(*list).split(names, ',');
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
  if (std::string why = repeatedWord("--cpu", names); !why.empty())
    return why;
  auto mixesUnits = [](const cpu::Isa *isa) { return isa->mixesUnits(); };
  if (wishes.isFast && !names.empty() && !llvm::is_contained(names, "native") &&
      llvm::none_of(variants, mixesUnits))
    return "--fast: chooses nothing among the variants that --cpu names: add amx-fast to them, or native";
  return variants.empty() ? "--cpu: this machine's CPU runs none of the variants" : "";
}

/// The family of CPUs of `--tune`.
static std::string chooseFamily(llvm::StringRef name, const cpu::CpuFamily *&family) {
  family = name == "native" ? &cpu::familyHere() : cpu::familyByName(name);
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
  for (llvm::StringRef word : words) {
    if (!llvm::is_contained(known, word))
      return "--target: expected some of " + llvm::join(known, ", ") + " but got '" + word.str() + "'";
    if (const DeviceTarget *device = deviceByName(word)) {
      DeviceChoice choice = {device, {}};
      if (std::string why = device->readArchitectures(arguments.architectures, choice.architectures);
          !why.empty())
        return "--gpu-arch: " + why;
      options.devices.push_back(std::move(choice));
    }
  }
  if (std::string why = repeatedWord("--target", words); !why.empty())
    return why;
  if (options.devices.empty() && arguments.architectures)
    return needsDevice("--gpu-arch");
  llvm::SmallVector<llvm::StringRef> architectures;
  if (arguments.architectures)
    llvm::StringRef(*arguments.architectures).split(architectures, ',');
  if (std::string why = repeatedWord("--gpu-arch", architectures); !why.empty())
    return why;
  if (llvm::is_contained(words, "cpu")) {
    if (std::string why = chooseFamily(arguments.tune.value_or("native"), options.family); !why.empty())
      return why;
    const bool mayRound = options.activations == "auto" || options.activations == "int8";
    const bool usesBF16 = !options.portableBits &&
                          (options.activations == "bf16" || (mayRound && options.family->hasQuickBF16Dots));
    return chooseVariants(arguments.variants, {arguments.isFast, usesBF16}, options.variants);
  }
  if (arguments.variants)
    return "--cpu: belongs to --target cpu, which is not given";
  if (arguments.isFast)
    return "--fast: belongs to --target cpu, which is not given";
  if (options.countLoads)
    return "--count-loads: belongs to --target cpu, which is not given";
  if (arguments.tune)
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
  for (llvm::StringRef word : words)
    if (!llvm::is_contained(known, word))
      return "--kv: expected some of " + llvm::join(known, ",") + " but got '" + word.str() + "'";
  return repeatedWord("--kv", words, "the type ");
}

std::string tools::checkArguments(CompileArguments &arguments) {
  std::optional<Phase> phase = phaseByName(arguments.stopAfter);
  if (!phase)
    return "--stop-after: expected one of " + llvm::join(phaseNames(), ", ") + " but got '" +
           arguments.stopAfter + "'";
  arguments.pipeline.stopAfter = *phase;
  for (const std::string &name : arguments.pipeline.disabledPasses)
    if (!llvm::is_contained(optionalPasses(), name))
      return "--disable-pass: expected one of " + llvm::join(optionalPasses(), ", ") + " but got '" + name +
             "'";
  if (const std::string &type = arguments.pipeline.activations;
      arguments.pipeline.defaultKernels && type != "auto" && type != "f32")
    return "--default-kernels: decompositions compute in f32, not with --activations " + type;
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
  if (arguments.verifiesDevice && arguments.pipeline.devices.empty() && !isDump(arguments.source))
    return needsDevice("--verify-device");
  if (arguments.pipeline.variants.empty() && !arguments.tolerance.empty())
    return "--verify-passes: checks code for the CPU: add cpu to --target";
  return checkPortableBits(arguments);
}

std::string tools::checkSource(const CLI::App &command, const CompileArguments &arguments) {
  if (!isDump(arguments.source))
    return arguments.startFrom.empty() ? ""
                                       : "--start-from: " + arguments.source + " is no dump of --dump-ir";
  for (const char *option : carriedOptions)
    if (command.count(option))
      return std::string(option) + ": cannot be given here, a dump carries the options of its compile";
  return "";
}

std::string tools::chooseAssembler(CompileArguments &arguments, std::string &error) {
  PipelineOptions &options = arguments.pipeline;
  const char *everywhere = std::getenv("LLMC_PTXAS");
  const bool isGiven = !arguments.ptxas.empty();
  if (options.devices.empty())
    return isGiven ? needsDevice("--ptxas") : "";
  const std::string wish = isGiven || !everywhere ? arguments.ptxas : everywhere;
  std::string usage, note;
  options.assembler = findAssembler(wish, options.devices, usage, error, note);
  if (!note.empty())
    options.note(note);
  if (!error.empty())
    error += " (--ptxas none does without it)";
  return usage.empty() ? "" : (isGiven ? "--ptxas: " : "LLMC_PTXAS: ") + usage;
}
