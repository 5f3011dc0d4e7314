//===- StepOps.h - the step dialect in C++ ----------------------*- C++ -*-===//
#ifndef LLMC_IR_STEPOPS_H
#define LLMC_IR_STEPOPS_H

#include "ir/LMOps.h"

#include "ir/StepDialect.h.inc"

#define GET_OP_CLASSES
#include "ir/StepOps.h.inc"

#endif
