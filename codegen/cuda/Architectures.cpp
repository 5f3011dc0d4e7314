//===- Architectures.cpp - the GPUs that PTX is made for ------------------===//
#include "codegen/cuda/Architectures.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

namespace llmc::cuda {

// LLVM picks for each the oldest version of PTX that has it. A driver that does not know that version takes
// the next best image; that of the first, PTX 7.0, is known to all drivers that the runtime accepts.
static const Architecture architectures[] = {
    {"sm_80", 80, false},   {"sm_86", 86, false},   {"sm_87", 87, false},   {"sm_89", 89, false},
    {"sm_90", 90, false},   {"sm_90a", 90, true},   {"sm_100", 100, false}, {"sm_100a", 100, true},
    {"sm_103", 103, false}, {"sm_103a", 103, true}, {"sm_110", 110, false}, {"sm_110a", 110, true},
    {"sm_120", 120, false}, {"sm_120a", 120, true}, {"sm_121", 121, false}, {"sm_121a", 121, true},
};

llvm::ArrayRef<Architecture> allArchitectures() { return architectures; }

const Architecture *architectureByName(llvm::StringRef name) {
  const auto *found = llvm::find_if(architectures, [&](const Architecture &a) { return a.name == name; });
  return found == std::end(architectures) ? nullptr : found;
}

std::string readArchitectures(std::optional<llvm::StringRef> list, std::vector<std::string> &names) {
  names = {architectures[0].name.str()};
  llvm::SmallVector<llvm::StringRef> words;
  if (list)
    list->split(words, ',');
  for (llvm::StringRef word : words) {
    if (!architectureByName(word)) {
      std::vector<std::string> known;
      for (const Architecture &architecture : architectures)
        known.push_back(architecture.name.str());
      return "expected some of " + llvm::join(known, ", ") + " but got '" + word.str() + "'";
    }
    if (!llvm::is_contained(names, word))
      names.push_back(word.str());
  }
  return "";
}

} // namespace llmc::cuda
