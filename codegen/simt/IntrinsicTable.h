//===- IntrinsicTable.h - the intrinsics that are known ---------*- C++ -*-===//
#ifndef LLMC_CODEGEN_SIMT_INTRINSICTABLE_H
#define LLMC_CODEGEN_SIMT_INTRINSICTABLE_H

#include "llvm/ADT/StringRef.h"

#include <cstdint>

namespace llmc::codegen::simt {

enum class IntrinsicKind {
  Number,    // a number that the thread asks for
  Constant,  // a number that is always the same
  Barrier,   // of the block
  Warp,      // mask and operands in, results out
  Matrix,    // likewise, of the whole warp: no mask among its operands
  Load,      // ldmatrix: as Matrix; the number is the count of matrices
  CopyAsync, // the count of bytes stands in its name
  Commit,
  WaitGroup,
  WaitAll,
  Math, // of one number in f32; the emulator's function
  Arithmetic,
  Dot,  // four products of bytes
  Pack, // two f32 as a vector of halves or bf16, the second one below
  Convert,
  Nothing, // orders what is in order here, or hints
};

/// Numbers of IntrinsicKind::Arithmetic. Flush, or-ed: denormal operands and results are zero.
enum { Sqrt, Rsqrt, Rcp, Fma, Add, Mul, Max, Min, MaxNaN, MinNaN, Flush = 16 };

/// A family of intrinsics: a beginning of the name, and what may follow it, by blanks; nothing, if nothing is
/// listed; anything after "*". Whatever else follows makes it another operation.
struct IntrinsicRow {
  llvm::StringLiteral name, rest;
  IntrinsicKind kind;
  uint32_t number;
};

/// Null: it is not known.
const IntrinsicRow *findIntrinsic(llvm::StringRef name);

} // namespace llmc::codegen::simt
#endif
