//===- KernelTable.h - what a dump tells of each kernel ---------*- C++ -*-===//
#ifndef LLMC_TOOLS_DUMP_KERNELTABLE_H
#define LLMC_TOOLS_DUMP_KERNELTABLE_H

#include "codegen/KernelSpecs.h"
#include "codegen/Observer.h"
#include "ir/StepOps.h"

#include "llvm/Support/JSON.h"

#include <map>
#include <set>

namespace llmc::tools {

class KernelTable {
public:
  /// Reads which dispatches use which kernel.
  void addProgram(step::ProgramOp program);
  /// Reads the sizes and what else it uses. `hasFiles` says whether its text is in the folder.
  void addUnit(const codegen::CompiledUnit &unit, bool hasFiles);

  /// What stands above the text of a unit, each line behind `comment`.
  std::string header(llvm::StringRef unit, llvm::StringRef comment) const;
  llvm::json::Value json() const;

private:
  struct Use {
    std::string op, location;
    llvm::json::Array dispatches;
    std::set<int64_t> layers;
    bool isOutsideLayers = false;
    codegen::KernelWork work;
  };
  struct Function {
    std::string name;
    int64_t codeBytes = 0, stackBytes = 0;
  };
  struct Unit {
    std::string kernel, variant; // kernel is empty for a function that kernels share
    std::vector<Function> functions;
    std::vector<std::string> uses; // shared functions
    bool hasFiles = false;
    std::string assemblySuffix;
  };
  static std::pair<std::string, std::string> splitName(llvm::StringRef unit);
  /// Null of a kernel that no dispatch names.
  const Use *useOf(const std::string &kernel, llvm::StringRef variant) const;

  /// By target and kernel: a device has kernels of the same names, and dispatches of its own.
  std::map<std::pair<std::string, std::string>, Use> uses;
  std::map<std::string, Unit> units;
};

} // namespace llmc::tools
#endif
