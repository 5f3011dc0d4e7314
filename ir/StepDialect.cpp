//===- StepDialect.cpp - the step dialect: generated classes --------------===//
#include "ir/StepOps.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::step;
using lm::isWord;

#include "ir/StepDialect.cpp.inc"
#define GET_OP_CLASSES
#include "ir/StepOps.cpp.inc"

void StepDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "ir/StepOps.cpp.inc"
      >();
}
