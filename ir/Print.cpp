//===- Print.cpp - IR for people ------------------------------------------===//
#include "ir/Print.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Location.h"
#include "mlir/IR/OwningOpRef.h"

using namespace mlir;

static NameLoc resultName(Location loc) {
  if (auto place = dyn_cast<NameLoc>(loc))
    return dyn_cast<NameLoc>(place.getChildLoc());
  if (auto fused = dyn_cast<FusedLoc>(loc))
    for (Location part : llvm::reverse(fused.getLocations()))
      if (NameLoc name = resultName(part))
        return name;
  return {};
}

void llmc::printNamed(Operation *op, llvm::raw_ostream &out) {
  // The printer takes names from locations: give it a copy that has nothing else in them.
  auto nameOrNone = [](Location loc) -> Location {
    NameLoc name = resultName(loc);
    return name ? Location(name) : UnknownLoc::get(loc.getContext());
  };
  OwningOpRef<Operation *> copy(op->clone());
  copy->walk([&](Operation *inner) {
    bool isSingle = inner->getNumResults() == 1;
    inner->setLoc(isSingle ? nameOrNone(inner->getLoc()) : UnknownLoc::get(inner->getContext()));
    for (Region &region : inner->getRegions())
      for (BlockArgument argument : region.getArguments())
        argument.setLoc(nameOrNone(argument.getLoc()));
  });
  copy->print(out, OpPrintingFlags().printNameLocAsPrefix().useLocalScope());
  out << "\n";
}
