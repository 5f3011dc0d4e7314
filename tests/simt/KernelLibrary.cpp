#include "tests/simt/KernelLibrary.h"

#include "codegen/simt/Library.h"

#include "llvm/AsmParser/Parser.h"
#include "llvm/Bitcode/BitcodeWriter.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Support/xxhash.h"

#include <cstdio>
#include <fstream>
#include <gtest/gtest.h>
#include <sstream>
#include <unistd.h>

namespace llmc::test {

std::string kernelText(const std::string &name, const std::map<std::string, std::string> &replaced) {
  std::ifstream in(std::string(LLMC_SIMT_KERNELS) + "/" + name + ".ll");
  std::stringstream text;
  text << in.rdbuf();
  std::string result = text.str();
  EXPECT_FALSE(result.empty()) << name;
  for (const auto &[from, to] : replaced) {
    size_t at = result.find(from);
    EXPECT_NE(at, std::string::npos) << name << " has no '" << from << "'";
    EXPECT_NE(from, to);
    for (; at != std::string::npos; at = result.find(from, at + to.size()))
      result.replace(at, from.size(), to);
  }
  return result;
}

std::string kernelOf(const std::string &body, const std::string &declarations) {
  return "target triple = \"nvptx64-nvidia-cuda\"\n" + declarations +
         "\ndefine ptx_kernel void @k(ptr addrspace(1) %out) {\n" + body + "\n  ret void\n}\n";
}

std::string buildKernels(const std::string &text, bool isInstrumented, uint64_t &hash) {
  llvm::LLVMContext context;
  llvm::SMDiagnostic diagnostic;
  std::string bitcode, failure;
  hash = 0;
  std::unique_ptr<llvm::Module> module = llvm::parseAssemblyString(text, diagnostic, context);
  if (!module) {
    llvm::raw_string_ostream out(failure);
    diagnostic.print("kernel", out);
    return failure;
  }
  llvm::raw_string_ostream out(bitcode);
  llvm::WriteBitcodeToFile(*module, out);
  static int number = 0;
  const std::string path = std::string(LLMC_SIMT_WORK) + "/kernels." + std::to_string(getpid()) + "." +
                           std::to_string(number++) + ".so";
  failure = codegen::simt::buildLibrary({bitcode}, {.instrument = isInstrumented, .cacheDir = {}}, path);
  if (!failure.empty())
    return failure;
  hash = llvm::xxh3_64bits(bitcode);
  return path;
}

KernelLibrary::KernelLibrary(const std::string &text, bool isInstrumented) {
  uint64_t hash;
  const std::string path = buildKernels(text, isInstrumented, hash);
  failure = hash ? library.load(path) : path;
  if (hash)
    std::remove(path.c_str());
  if (failure.empty())
    emulator.add(library);
}

KernelLibrary::~KernelLibrary() {
  if (failure.empty())
    emulator.remove(library);
}

std::string KernelLibrary::launchWith(const char *name, simt::Extent grid, simt::Extent block,
                                      void *const *params) {
  const llmc_simt_code &code = *library.table().codes[0];
  const llmc_simt_kernel *kernel = simt::findKernel(code, name);
  if (!kernel)
    return std::string("no kernel '") + name + "'";
  return emulator.launch({&code, kernel, grid, block, dynamicShared, params},
                         library.table().is_instrumented);
}

} // namespace llmc::test
