//===- OpenModel.cpp - from MODEL on the command line to a loaded model ---===//
#include "tools/llmc/Cache.h"
#include "tools/llmc/Compiler.h"
#include "tools/llmc/NewFile.h"
#include "tools/support/Progress.h"

#include <cerrno>
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
    return true;
  }
};

/// The kernels of a model as the emulator runs them, made for this load and gone after it.
class EmulatorCode {
public:
  /// The device with its code, where the options name the emulator without saying where its code is.
  std::string deviceFor(const std::string &modelPath, const std::string &device) {
    if (deviceWord(device) != simtDevice || device.find("code=") != std::string::npos)
      return device;
    folder = (std::filesystem::temp_directory_path() / "llmc-XXXXXX").string();
    if (!mkdtemp(folder.data()))
      throw Failure(
          fmt::format("{}: cannot make a folder: {}", std::exchange(folder, ""), std::strerror(errno)));
    const std::string file = folder + "/kernels.so";
    std::vector<std::string> arguments = {"simt", modelPath, "-o", file};
    if (device.find("checks=") != std::string::npos || device.find("counts=") != std::string::npos)
      arguments.push_back("--checks");
    if (int code = runCompiler(arguments, -1))
      throw Exit{code}; // the compiler has said why
    return device + (device == simtDevice ? ":code=" : ",code=") + file;
  }
  ~EmulatorCode() {
    std::error_code error;
    if (!folder.empty())
      std::filesystem::remove_all(folder, error);
  }

private:
  std::string folder;
};

llmc_status load(const std::string &path, const ModelOptions &options, ModelPtr &out) {
  EmulatorCode emulatorCode;
  const std::string device = emulatorCode.deviceFor(path, options.device);
  llmc_model_params params;
  llmc_model_params_init(&params, sizeof params);
  params.device = device == anyDevice ? nullptr : device.c_str();
  const char *cpu = std::getenv("LLMC_CPU");
  params.cpu_variant = cpu && *cpu ? cpu : nullptr;
  params.n_threads = options.threads;
  params.flags = options.copyWeights ? LLMC_LOAD_COPY_WEIGHTS : 0;
  LoadProgress progress;
  params.progress = LoadProgress::update;
  params.progress_ud = &progress;
  llmc_model *model = nullptr;
  llmc_status status = llmc_model_load(path.c_str(), &params, &model);
  out.reset(model);
  return status;
}

} // namespace

ModelPtr openModel(const ModelOptions &options, double *seconds) {
  noteInput(options.model);
  ModelPtr model;
  for (bool isFirst = true;; isFirst = false) {
    // Other processes may remove a cache entry once this one has loaded it: a loaded model keeps its file.
    CompiledModel compiled = compiledModel(options);
    Stopwatch watch;
    llmc_status status = load(compiled.path, options, model);
    if (seconds)
      *seconds = watch.seconds();
    if (isFirst && compiled.isCached && (status == LLMC_EFORMAT || status == LLMC_ENOTFOUND)) {
      std::error_code error; // damaged, by a power cut or a full disk: it is made again
      std::filesystem::remove(compiled.path, error);
      continue;
    }
    check(status);
    return model;
  }
}

} // namespace llmc::cli
