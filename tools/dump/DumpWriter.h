//===- DumpWriter.h - the IR of each pass in a folder -----------*- C++ -*-===//
//
// What `--dump-ir DIR` writes; README.md here says what is in the folder. Of a compile that dies the folder
// holds what was finished until then, and its table says so.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TOOLS_DUMP_DUMPWRITER_H
#define LLMC_TOOLS_DUMP_DUMPWRITER_H

#include "codegen/PipelineOptions.h"
#include "tools/dump/KernelTable.h"

#include "llvm/Support/JSON.h"
#include "llvm/Support/Regex.h"
#include "llvm/Support/raw_ostream.h"

#include <functional>
#include <map>
#include <memory>

namespace llmc::tools {

class DumpWriter : public codegen::PipelineObserver {
public:
  /// Only files of passes and kernels whose names match `filter` are written; empty: all.
  DumpWriter(std::string folder, llvm::StringRef filter);

  /// Makes the folder and removes what an earlier dump has left in it; one sentence if that fails.
  std::string open();

  /// What passes.json says beside the passes, asked for when it is written.
  void addFact(llvm::StringRef key, std::function<llvm::json::Value()> value) {
    facts.emplace_back(key.str(), std::move(value));
  }

  /// How long it took to read the model, which happens before anybody looks on.
  void sourceRead(double milliseconds) { readMilliseconds = milliseconds; }

  mlir::LogicalResult passRan(const codegen::PassRun &run) override;
  bool wantsKernels() const override { return true; }
  void kernelsEmitted(llvm::StringRef target, llvm::StringRef variantOrUnit, mlir::ModuleOp kernels,
                      double milliseconds) override;
  void kernelPassRan(const codegen::KernelPassRun &run) override;
  void unitCompiled(const codegen::CompiledUnit &unit) override;
  mlir::LogicalResult moduleMade(const std::string &path) override;
  mlir::LogicalResult ended(bool succeeded) override;

private:
  using Counts = std::map<std::string, int64_t>;
  /// One element of "passes".
  struct Entry {
    std::string name, phase, options, restart;
    std::string file; // empty: none was written
    bool isChanged = false;
    double milliseconds = 0;
    Counts before, after, statistics;
    llvm::json::Array remarks;
    std::unique_ptr<llvm::raw_fd_ostream> open; // while units are added to it
    size_t emittedLines = 0;                    // of its file, if it is that of emitted kernels
  };
  bool isWanted(llvm::StringRef name) const { return isAll || filter.match(name); }
  std::string path(llvm::StringRef file) const { return folder + "/" + file.str(); }
  std::string numbered(llvm::StringRef name, size_t index) const;
  std::string fileOf(const Entry &entry) const;
  void note(std::string error);
  void write(llvm::StringRef file, llvm::function_ref<void(llvm::raw_ostream &)> print);
  Entry &kernelEntry(llvm::StringRef target, llvm::StringRef stage);
  bool isWantedIn(const Entry &entry, llvm::StringRef unit) const {
    return isWanted(entry.name) || isWanted(unit);
  }
  void addUnit(Entry &entry, llvm::StringRef unit, llvm::StringRef text);
  llvm::json::Value passesJson() const;
  void writeJson(llvm::StringRef file, llvm::json::Value value);
  void writeIndex(bool isComplete);

  std::string folder;
  bool isAll;
  llvm::Regex filter;
  std::vector<Entry> entries;
  double readMilliseconds = 0;
  KernelTable kernels;
  std::vector<std::pair<std::string, std::function<llvm::json::Value()>>> facts;
  llvm::json::Object about; // what was compiled, and how
  mlir::MLIRContext *context = nullptr;
  std::string firstError;
};

} // namespace llmc::tools
#endif
