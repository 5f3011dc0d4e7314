//===- Kernels.h - the CPU kernel families ----------------------*- C++ -*-===//
//
// Each family is described by a spec (codegen/emit/Specs.h) and emitted as MLIR functions with the signature
// of llmc_kernel_fn (module_abi.h): llvm pointers and i32 only. An emitter writes `<name>` (the run phase)
// and, where it has one, `<name>.prepare` into the module, for one instruction set.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_CODEGEN_CPU_KERNELS_H
#define LLMC_CODEGEN_CPU_KERNELS_H

#include "codegen/emit/Specs.h"

#include "mlir/IR/BuiltinOps.h"

#include <string>

namespace llmc::cpu {

using namespace emit; // as in Entry.h
struct Isa;           // isa/Isa.h

/// Bytes a row of LinearSpec's `packed`.
int64_t packedRowBytes(const LinearSpec &);

/// Whether a kernel multiplies pairs of bf16 (Isa::hasBF16Dots): activations and weights are bf16, in pairs.
bool usesBF16Dots(const LinearSpec &, const Isa &);
/// Whether a kernel for this instruction set multiplies in tiles, if there are enough rows (Isa::tileRows):
/// int8 activations, and bf16 ones with weights of bf16 whose rows fill tiles.
bool usesTiles(const LinearSpec &, const Isa &);
/// Whether steps of few rows multiply in the dot unit although there are tiles.
bool mixesUnits(const LinearSpec &, const Isa &);
/// Whether the kernel is another one than that of the variant's base: it uses what only the variant has.
bool differsFromBase(const LinearSpec &, const Isa &);

/// Whether pages that many queries see are multiplied in tiles.
bool usesTiles(const AttentionSpec &, const Isa &);
/// Whether pages are multiplied in pairs of bf16 (PageProducts.h): not those that are stored as f32, which says
/// that more is wanted.
bool usesBF16Dots(const AttentionSpec &, const Isa &);
bool differsFromBase(const AttentionSpec &, const Isa &);

/// What the tables of module_abi.h must know of a kernel. A spec that cannot be emitted is reported at the
/// module's location.
struct KernelResult {
  bool hasPrepare = false;
  uint32_t prepareMinRows = 0, runUnits = 0;
  uint64_t scratchConstant = 0, scratchPerRow = 0, scratchPerKey = 0;
};

mlir::FailureOr<KernelResult> emitLinear(mlir::ModuleOp, llvm::StringRef name, const LinearSpec &,
                                         const Isa &);
mlir::FailureOr<KernelResult> emitNorm(mlir::ModuleOp, llvm::StringRef name, const NormSpec &, const Isa &);
mlir::FailureOr<KernelResult> emitAttention(mlir::ModuleOp, llvm::StringRef name, const AttentionSpec &,
                                            const Isa &);
mlir::FailureOr<KernelResult> emitEmbed(mlir::ModuleOp, llvm::StringRef name, const EmbedSpec &, const Isa &);

} // namespace llmc::cpu
#endif
