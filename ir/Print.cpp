//===- Print.cpp - IR for people ------------------------------------------===//
#include "ir/Print.h"

#include "ir/Locations.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/OwningOpRef.h"

using namespace mlir;

/// Calls `change` with the locations of all ops and block arguments.
static void changeLocations(Operation *root, function_ref<Location(Operation *)> ofOp,
                            function_ref<Location(BlockArgument)> ofArgument) {
  root->walk([&](Operation *op) {
    op->setLoc(ofOp(op));
    for (Region &region : op->getRegions())
      for (BlockArgument argument : region.getArguments())
        argument.setLoc(ofArgument(argument));
  });
}

/// The name that the op itself gives its first result; empty if none.
static std::string ownName(Operation *op) {
  std::string own;
  if (auto asmOp = dyn_cast<OpAsmOpInterface>(op))
    asmOp.getAsmResultNames([&](Value, StringRef name) {
      if (own.empty())
        own = name.str();
    });
  return own;
}

void llmc::printNamed(Operation *op, llvm::raw_ostream &out) {
  // The printer takes names from locations: give it a copy that has nothing else in them.
  auto nameOrNone = [](Location loc) -> Location {
    StringRef name = valueName(loc);
    return name.empty() ? Location(UnknownLoc::get(loc.getContext()))
                        : NameLoc::get(StringAttr::get(loc.getContext(), name));
  };
  OwningOpRef<Operation *> copy(op->clone());
  changeLocations(
      *copy,
      [&](Operation *inner) -> Location {
        // An op that tells its results apart does it better than one name for all.
        if (inner->getNumResults() > 1 && !ownName(inner).empty())
          return UnknownLoc::get(inner->getContext());
        return nameOrNone(inner->getLoc());
      },
      [&](BlockArgument argument) { return nameOrNone(argument.getLoc()); });
  copy->print(out, OpPrintingFlags().printNameLocAsPrefix().useLocalScope());
  out << "\n";
}

void llmc::printLocated(Operation *op, llvm::raw_ostream &out) {
  // Of a value without a name, the printer would take that of its place.
  auto named = [](Location loc, StringRef name) {
    return valueName(loc).empty() && loc->findInstanceOf<NameLoc>() ? valueNamed(name, loc) : loc;
  };
  OwningOpRef<Operation *> copy(op->clone());
  changeLocations(
      *copy,
      [&](Operation *inner) {
        if (!inner->getNumResults())
          return inner->getLoc();
        std::string own = inner->getNumResults() == 1 ? ownName(inner) : "";
        return named(inner->getLoc(), own.empty() ? inner->getName().stripDialect() : StringRef(own));
      },
      [&](BlockArgument argument) { return named(argument.getLoc(), "arg"); });
  copy->print(out, OpPrintingFlags().printNameLocAsPrefix().enableDebugInfo().assumeVerified());
  out << "\n";
}
