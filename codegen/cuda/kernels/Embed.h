//===- Embed.h - rows of an embedding table on a GPU ------------*- C++ -*-===//
#ifndef LLMC_CODEGEN_CUDA_KERNELS_EMBED_H
#define LLMC_CODEGEN_CUDA_KERNELS_EMBED_H

#include "codegen/DeviceTarget.h"
#include "codegen/emit/Specs.h"

namespace llmc::cuda {

codegen::DeviceKernel emitEmbed(mlir::ModuleOp module, llvm::StringRef name, const emit::EmbedSpec &spec);

} // namespace llmc::cuda
#endif
