//===- Edits.h - ways to make a model smaller -------------------*- C++ -*-===//
//
// An edit is one step that may break the failure that is looked for, or the model: whoever applies some takes
// a copy, removes what is dead, and verifies.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TOOLS_REDUCE_EDITS_H
#define LLMC_TOOLS_REDUCE_EDITS_H

#include "ir/LMOps.h"

#include <functional>
#include <vector>

namespace llmc::tools {

/// Bound to the ops of one model.
using Edits = std::vector<std::function<void()>>;

struct EditKind {
  const char *name;
  /// In an order that depends on the model's text alone. Several may be applied together, in their order,
  /// unless `isAlone`.
  Edits (*find)(lm::ModelOp model);
  bool isAlone;
};

/// What to try, in this order.
llvm::ArrayRef<EditKind> editKinds();

/// Fewer layers, one layer of the stack alone, no stack.
Edits layerEdits(lm::ModelOp model);

/// Erases what nobody reads and what nobody names.
void removeDead(lm::ModelOp model);

} // namespace llmc::tools
#endif
