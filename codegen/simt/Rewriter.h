//===- Rewriter.h - what the parts of the rewrite share ---------*- C++ -*-===//
#ifndef LLMC_CODEGEN_SIMT_REWRITER_H
#define LLMC_CODEGEN_SIMT_REWRITER_H

#include "codegen/simt/Rewrite.h"
#include "runtime/include/llmc/simt_abi.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/Instructions.h"

#include <array>
#include <string>
#include <vector>

namespace llmc::codegen::simt {

/// The functions of llmc_simt_calls, in its order.
enum class Call { Number, Shared, Barrier, Warp, CopyAsync, CommitCopies, WaitCopies, Math, Access, Fence };

class Rewriter {
public:
  Rewriter(llvm::Module &module, const RewriteOptions &options);
  std::string run();

  /// Calls the emulator at the builder's place.
  llvm::Value *call(llvm::IRBuilder<> &builder, Call what, llvm::ArrayRef<llvm::Value *> arguments = {});
  /// The number of a new site. `count` as in llmc_simt_site.
  llvm::Value *site(llvm::IRBuilder<> &builder, uint32_t operation, uint32_t count,
                    const llvm::Instruction &instruction, llvm::StringRef what, uint32_t space = 0);
  /// Room for words of warp operations in this function's frame: operands and results.
  llvm::Value *words(llvm::Function &function, bool isResult);
  /// Stores operands from this word on: one for each, two for an address.
  static void putWords(llvm::IRBuilder<> &builder, llvm::Value *words, unsigned first,
                       llvm::ArrayRef<llvm::Value *> operands);
  /// A result of this type, a structure or one word, that stands from this word on.
  static llvm::Value *takeWords(llvm::IRBuilder<> &builder, llvm::Type *type, llvm::Value *words,
                                unsigned first);
  /// Keeps the first sentence.
  void fail(const llvm::Instruction &instruction, const llvm::Twine &message);

private:
  struct Site {
    uint32_t operation, count, space;
    std::string text;
    uint8_t run = 0, sumFrom = 0, columnsFrom = 0, columnsWord = 0; // as in llmc_simt_site
  };
  /// Matrix operations of a basic block that are done together, and what has to move behind the last of them.
  struct Run {
    llvm::SmallVector<llvm::CallInst *> calls;
    llvm::SmallVector<llvm::Instruction *> behind;
  };
  struct Kernel {
    llvm::Function *function;
    uint32_t maxThreads;
    std::vector<uint32_t> shared = {}; // numbers of variables
    uint64_t sharedBytes = 0;
  };
  struct Shared {
    llvm::GlobalVariable *variable;
    uint64_t offset, bytes;
  };

  // Each step of run() by itself, in its order.
  void findKernels();
  void expandMemoryIntrinsics();
  void findRuns();    // Runs.cpp
  void instrument();  // Instrument.cpp
  void placeShared(); // SharedMemory.cpp
  void replaceShared();
  void rewriteCalls();
  void rewriteCall(llvm::CallInst &call); // Intrinsics.cpp
  void rewriteRun(const Run &run);        // Runs.cpp
  void rewriteBfloats();
  void checkStack();
  void shedTarget();
  void addTable(); // Table.cpp
  llvm::Function *makeEntry(llvm::Function &kernel);
  llvm::Constant *text(llvm::StringRef words);
  llvm::GlobalVariable *constant(llvm::Constant *value, llvm::StringRef name);
  llvm::Constant *tableOf(llvm::StructType *type, const std::vector<llvm::Constant *> &rows,
                          llvm::StringRef name);
  std::string nameOf(const llvm::Instruction &instruction) const;

  llvm::Module &module;
  const RewriteOptions &options;
  llvm::GlobalVariable *calls; // where the emulator puts the address of its functions
  std::vector<Kernel> kernels;
  std::vector<Shared> shared;
  std::vector<std::string> sharedNames;
  uint64_t sharedBytes = 0;
  std::vector<Site> sites;
  std::vector<Run> runs;
  llvm::DenseMap<llvm::CallInst *, size_t> runOf;
  llvm::DenseMap<llvm::Function *, size_t> longestRun;
  llvm::DenseMap<llvm::Function *, std::array<llvm::Value *, 2>> frames; // operands, results
  std::string error;
};

} // namespace llmc::codegen::simt
#endif
