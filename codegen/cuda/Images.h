//===- Images.h - LLVM modules => PTX and bitcode ---------------*- C++ -*-===//
#ifndef LLMC_CODEGEN_CUDA_IMAGES_H
#define LLMC_CODEGEN_CUDA_IMAGES_H

#include "codegen/DeviceTarget.h"

#include "llvm/IR/Module.h"

namespace llmc::cuda {

/// Optimizes the module of one kernel and makes its images: the bitcode of exactly what the backend is given,
/// PTX of it for each architecture, and where there is an assembler machine code, too. Empty on success, else
/// one sentence. Where `details` are asked for, fills them in, too. May run in several threads, one module
/// and context each.
std::string makeImages(llvm::Module &module, llvm::ArrayRef<std::string> architectures,
                       const codegen::DeviceAssembler *assembler, std::vector<codegen::DeviceImage> &images,
                       codegen::CompiledUnit *details = nullptr);

/// PTX without a kernel, of the version that others for this architecture have.
std::string emptyPtx(llvm::StringRef architecture);

/// As they are kept in the cache. False if the bytes are none of these.
std::string writeImages(llvm::ArrayRef<codegen::DeviceImage> images);
bool readImages(llvm::StringRef bytes, std::vector<codegen::DeviceImage> &images);

} // namespace llmc::cuda
#endif
