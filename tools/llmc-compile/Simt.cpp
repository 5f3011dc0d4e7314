//===- Simt.cpp - llmc-compile simt: GPU kernels for the emulator ---------===//
//
// What `llmc --device simt` starts. The bitcode that a model.so keeps of its GPU kernels becomes code for the
// CPU; model.so is checked as a loader does it, since its tables are read by loading it.
//
//===----------------------------------------------------------------------===//
#include "Commands.h"

#include "codegen/simt/Library.h"
#include "frontend/formats/NewFile.h"
#include "runtime/Module.h"
#include "runtime/device/DeviceNames.h"

#include <CLI/CLI.hpp>

#include <array>
#include <cstdio>
#include <memory>
#include <span>

using namespace llmc;
using namespace llmc::tools;

namespace {
struct SimtArguments {
  std::string model, output, cacheDir;
  bool isInstrumented = false, isUncached = false;
};
} // namespace

static int fail(const std::string &words) {
  std::fprintf(stderr, "llmc: error: %s\n", words.c_str());
  return 1;
}

/// The bitcode of all kernels for the device that the emulator runs; the bytes belong to `code`. False:
/// lastError() says why.
static bool readBitcodes(const std::string &path, ModuleCode &code, std::vector<llvm::StringRef> &out) {
  MappedFile file;
  ModuleContents contents;
  OpenFile opened;
  if (file.open(path.c_str(), &opened) || readModule(file.bytes(), path.c_str(), contents) ||
      code.load(path.c_str(), opened.descriptor, contents.weights.size()))
    return false;
  const llmc_module &module = code.tables();
  const char *target = deviceTarget(simtDevice);
  for (const llmc_device &device : std::span(module.devices, module.n_devices))
    if (device.name == std::string_view(target))
      for (const llmc_device_image &image : std::span(device.images, device.n_images))
        if (image.kind == LLMC_IMAGE_BITCODE)
          out.push_back({static_cast<const char *>(image.data), image.size});
  if (out.empty())
    setError(LLMC_EUNSUPPORTED, "%s: it has no code for %s: compile it with --target %s", path.c_str(),
             target, target);
  return !out.empty();
}

static int runSimt(SimtArguments &arguments) {
  if (std::string why = formats::preparePlace(arguments.output, std::array{arguments.model}); !why.empty())
    return fail(why);
  ModuleCode code;
  std::vector<llvm::StringRef> bitcodes;
  if (!readBitcodes(arguments.model, code, bitcodes))
    return fail(lastError());
  const std::string cacheDir = arguments.isUncached ? "" : arguments.cacheDir;
  const std::string error =
      codegen::simt::buildLibrary(bitcodes, {arguments.isInstrumented, cacheDir}, arguments.output);
  return error.empty() ? 0 : fail(error);
}

void tools::addSimtCommand(CLI::App &app, int &status) {
  auto arguments = std::make_shared<SimtArguments>();
  CLI::App *command = app.add_subcommand(
      "simt", "Compile a model's GPU kernels for the emulator; llmc --device simt does it by itself.");
  command->add_option("MODEL", arguments->model, "model.so with code for cuda")
      ->required()
      ->type_name("FILE");
  command->add_option("-o,--output", arguments->output, "file to write, for the device simt:code=FILE")
      ->required()
      ->type_name("FILE");
  command->add_flag("--checks", arguments->isInstrumented,
                    "code that the emulator can check: bounds, races, bytes that are moved");
  arguments->cacheDir = defaultCacheDir();
  CLI::Option *cacheDir =
      command->add_option("--cache-dir", arguments->cacheDir, "where compiled kernels are kept")
          ->type_name("DIR");
  command->add_flag("--no-cache", arguments->isUncached, "compile every kernel, keep none")
      ->excludes(cacheDir);
  command->callback([arguments, &status] { status = runSimt(*arguments); });
}
