//===- OpenModel.cpp - from MODEL on the command line to a loaded model ---===//
#include "runtime/device/DeviceOptions.h"
#include "tools/llmc/Cache.h"
#include "tools/llmc/Compiler.h"
#include "tools/llmc/Interrupt.h"
#include "tools/llmc/NewFile.h"
#include "tools/support/Progress.h"

#include <cstdlib>
#include <cstring>
#include <fmt/format.h>
#include <memory>

namespace llmc::cli {

namespace {

/// A bar for each stage of a load.
struct LoadProgress {
  std::string stage;
  std::unique_ptr<Progress> bar;
  InterruptScope scope;

  static bool update(const char *stage, uint64_t done, uint64_t total, void *ud) {
    auto &self = *static_cast<LoadProgress *>(ud);
    if (!self.bar || self.stage != stage) {
      self.stage = stage;
      self.bar = std::make_unique<Progress>(self.stage == "weights"   ? "copy weights"
                                            : self.stage == "kernels" ? "compile kernels"
                                                                      : stage,
                                            total);
    }
    self.bar->update(done);
    return !self.scope.interrupted();
  }
};

/// The kernels of a model as the emulator runs them, made for this load and gone after it.
class EmulatorCode {
public:
  explicit EmulatorCode(bool keepsCode) : keepsCode(keepsCode) {}
  /// The device with its code, where the options name the emulator without saying where its code is.
  std::string deviceFor(const std::string &modelPath, const std::string &device) {
    DeviceOptions options;
    readDeviceOptions(device, options); // the command line was checked
    if (deviceWord(device) != simtDevice || !options.code.empty())
      return device;
    folder = newTemporaryFolder();
    unfinished.emplace(folder);
    const std::string file = folder + "/kernels.so";
    std::vector<std::string> arguments = {"simt", modelPath, "-o", file};
    if (options.needsChecks)
      arguments.push_back("--checks");
    if (!keepsCode)
      arguments.push_back("--no-cache");
    if (int code = runCompiler(arguments, -1))
      throw Exit{code}; // the compiler has said why
    const std::string_view given = std::string_view(device).substr(std::string_view(simtDevice).size());
    return fmt::format("{}:code={}{}{}", simtDevice, file, given.size() > 1 ? "," : "",
                       given.substr(!given.empty()));
  }

private:
  bool keepsCode;
  std::string folder;
  std::optional<Unfinished> unfinished; // removes it
};

llmc_status load(const std::string &path, const ModelOptions &options, LoadFor purpose, ModelPtr &out) {
  LoadProgress progress;
  EmulatorCode emulatorCode(!options.noCache);
  const std::string device =
      purpose == LoadFor::Plan ? options.device : emulatorCode.deviceFor(path, options.device);
  llmc_model_params params;
  llmc_model_params_init(&params, sizeof params);
  params.device = device == anyDevice ? nullptr : device.c_str();
  const char *cpu = std::getenv("LLMC_CPU");
  params.cpu_variant = cpu && *cpu ? cpu : nullptr;
  params.n_threads = options.threads;
  params.flags = options.copyWeights ? LLMC_LOAD_COPY_WEIGHTS : 0;
  if (purpose == LoadFor::Plan)
    params.flags |= LLMC_LOAD_PLAN_ONLY;
  params.progress = LoadProgress::update;
  params.progress_ud = &progress;
  llmc_model *model = nullptr;
  llmc_status status = llmc_model_load(path.c_str(), &params, &model);
  out.reset(model);
  progress.scope.check();
  if (std::string words = lastSentence(); status == LLMC_EARG && words.find("cpu_variant is") != words.npos)
    throw Failure("LLMC_CPU: " + words);
  return status;
}

} // namespace

ModelPtr openModel(const ModelOptions &options, double *seconds, LoadFor purpose) {
  noteInput(options.model);
  ModelPtr model;
  for (bool isFirst = true;; isFirst = false) {
    // Other processes may remove a cache entry once this one has loaded it: a loaded model keeps its file.
    CompiledModel compiled = compiledModel(options, purpose);
    Stopwatch watch;
    llmc_status status = load(compiled.path, options, purpose, model);
    if (seconds)
      *seconds = watch.seconds();
    const bool isOfModel = std::string_view(llmc_last_error()).starts_with(compiled.path + ":");
    if (isFirst && compiled.isCached && isOfModel && (status == LLMC_EFORMAT || status == LLMC_ENOTFOUND)) {
      std::error_code error; // damaged, by a power cut or a full disk: it is made again
      std::filesystem::remove(compiled.path, error);
      continue;
    }
    check(status);
    return model;
  }
}

} // namespace llmc::cli
