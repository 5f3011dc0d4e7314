//===- KernelLines.cpp - emitted kernels and their lines ------------------===//
#include "tools/dump/KernelLines.h"

#include "mlir/IR/AsmState.h"

using namespace mlir;

std::string llmc::tools::placeInText(ModuleOp kernels, StringRef file, size_t linesBefore) {
  std::string text;
  llvm::raw_string_ostream out(text);
  AsmState::LocationMap places;
  AsmState state(kernels, OpPrintingFlags().enableDebugInfo(), &places);
  kernels->print(out, state);
  out << "\n";

  auto name = StringAttr::get(kernels.getContext(), file);
  auto place = [&](Operation *op) {
    // Text leaves out some ops, such as the end of a loop without values: they stand where their parent does.
    auto found = places.find(op);
    if (found != places.end())
      op->setLoc(FileLineColLoc::get(name, linesBefore + found->second.first, found->second.second));
    else if (Operation *parent = op->getParentOp())
      op->setLoc(parent->getLoc());
    for (Region &region : op->getRegions())
      for (BlockArgument argument : region.getArguments())
        argument.setLoc(op->getLoc());
  };
  kernels->walk<WalkOrder::PreOrder>(place);
  return text;
}
