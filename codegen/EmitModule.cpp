//===- EmitModule.cpp - step.program => model.so --------------------------===//
#include "codegen/EmitModule.h"

#include "codegen/Backend.h"
#include "codegen/Link.h"
#include "codegen/ModuleTables.h"
#include "codegen/PackWeights.h"
#include "codegen/WriteFile.h"
#include "runtime/include/llmc/module_abi.h"

#define XXH_INLINE_ALL
#include <cstddef>
#include <cstring>
#include <xxhash.h>

using namespace mlir;
using namespace llmc;
using namespace llmc::codegen;

/// A failure that is the machine's, not the model's.
static InFlightDiagnostic fail(step::ProgramOp program) {
  return emitError(UnknownLoc::get(program->getContext()));
}

FailureOr<CompiledPrograms> codegen::compilePrograms(step::ProgramOp first,
                                                     const CompileKernelsOptions &options,
                                                     const ProgressFn &progress) {
  CompiledPrograms compiled;
  for (auto program : first->getBlock()->getOps<step::ProgramOp>()) {
    const DeviceTarget *target = deviceOf(program);
    const std::string stage = target ? "compile " + target->name().str() : "compile kernels";
    auto tell = [&](uint64_t done, uint64_t total) { progress(stage.c_str(), done, total); };
    if (!target) {
      FailureOr<CompiledKernels> kernels = compileKernels(program, options, tell);
      if (failed(kernels))
        return failure();
      compiled.kernels = std::move(*kernels);
      continue;
    }
    const auto choice =
        llvm::find_if(options.devices, [&](const DeviceChoice &each) { return each.target == target; });
    if (choice == options.devices.end())
      return program.emitOpError() << "is for the device '" << target->name() << "', which nobody asked for";
    FailureOr<DeviceTarget::Kernels> kernels = target->compile(program, choice->architectures, options, tell);
    if (failed(kernels))
      return failure();
    compiled.devices.push_back({target, program, std::move(*kernels)});
  }
  return compiled;
}

/// The bytes of kernels and tables as one shared object, made beside `path`.
static LogicalResult linkKernels(step::ProgramOp program, const CompiledPrograms &compiled,
                                 const CompileKernelsOptions &options, const std::string &path,
                                 std::string &elf) {
  const CompiledKernels &kernels = compiled.kernels;
  llvm::LLVMContext context;
  llvm::Module tables("tables", context);
  addModuleTables(tables, program, kernels, options.variants, compiled.devices);
  llvm::SmallString<0> tablesObject;
  std::string error = compileModule(tables, tablesObject);
  if (error.empty()) {
    SmallVector<StringRef> objects = {tablesObject};
    objects.append(kernels.objects.begin(), kernels.objects.end());
    error = linkSharedObject(objects, path, elf);
  }
  return error.empty() ? success() : LogicalResult(fail(program) << error);
}

/// Everything before the weights, and where its parts are.
static std::string makeHead(StringRef elf, const std::string &manifest, const std::string &tokenizer,
                            llmc_footer &footer) {
  std::string head = elf.str();
  footer.elf_size = head.size();
  auto append = [&](const std::string &part, uint64_t &offset, uint64_t &size) {
    head.resize(llvm::alignTo(head.size(), 64));
    offset = head.size();
    size = part.size();
    head += part;
  };
  append(manifest, footer.manifest_offset, footer.manifest_size);
  append(tokenizer, footer.tokenizer_offset, footer.tokenizer_size);
  head.resize(llvm::alignTo(head.size(), LLMC_MODULE_ALIGN));
  footer.weights_offset = head.size();
  footer.head_hash = XXH3_64bits(head.data(), head.size());
  return head;
}

LogicalResult codegen::emitModule(step::ProgramOp program, const WeightSource &weights, ManifestFn manifest,
                                  const std::string &tokenizer, const CompileKernelsOptions &options,
                                  const std::string &path, const ProgressFn &progress) {
  // Beside the result, so that the last step is a rename.
  TemporaryFile result(path, ".tmp");
  if (!result.error().empty())
    return fail(program) << result.error();
  llvm::raw_fd_ostream &out = result.stream();

  std::string elf;
  std::string text;
  {
    FailureOr<CompiledPrograms> compiled = compilePrograms(program, options, progress);
    if (failed(compiled) || failed(linkKernels(program, *compiled, options, path, elf)))
      return failure();
    text = manifest(*compiled);
  }

  llmc_footer footer = {};
  std::memcpy(footer.magic, LLMC_FOOTER_MAGIC, sizeof(LLMC_FOOTER_MAGIC));
  footer.abi = LLMC_MODULE_ABI;
  footer.footer_size = sizeof(llmc_footer);
  out << makeHead(elf, text, tokenizer, footer);
  FailureOr<PackedWeights> packed = packWeights(
      program, weights, out, [&](uint64_t done, uint64_t total) { progress("pack weights", done, total); });
  if (failed(packed))
    return failure();
  footer.weights_size = packed->bytes;
  footer.weights_hash = packed->hash;
  footer.file_size = footer.weights_offset + footer.weights_size + sizeof(llmc_footer);
  footer.footer_hash = XXH3_64bits(&footer, offsetof(llmc_footer, footer_hash));
  out.write(reinterpret_cast<const char *>(&footer), sizeof(footer));
  out.flush();
  for (PipelineObserver *observer : options.observers)
    if (!out.has_error() && failed(observer->moduleMade(result.path())))
      return failure();
  std::string error = result.moveTo(path);
  return error.empty() ? success() : LogicalResult(fail(program) << error);
}
