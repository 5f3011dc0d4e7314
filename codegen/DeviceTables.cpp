//===- DeviceTables.cpp - compiled devices => their tables ----------------===//
#include "codegen/DeviceTables.h"

#include "codegen/ProgramTables.h"
#include "codegen/TableConstants.h"
#include "runtime/include/llmc/module_abi.h"

#include <cstring>

#define XXH_INLINE_ALL
#include <xxhash.h>

using namespace mlir;
using namespace llmc;
using namespace llmc::codegen;

namespace {

class DeviceTables {
public:
  DeviceTables(llvm::Module &module, llvm::GlobalVariable *outer, step::ProgramOp outerProgram)
      : module(module), constants(module), outer(outer), outerProgram(outerProgram),
        ptr(llvm::PointerType::getUnqual(module.getContext())) {}

  llvm::Constant *build(ArrayRef<DeviceCode> devices) {
    if (devices.empty())
      return llvm::ConstantPointerNull::get(ptr);
    auto *i64 = llvm::Type::getInt64Ty(module.getContext());
    auto *words = llvm::ArrayType::get(llvm::Type::getInt32Ty(module.getContext()), 8);
    auto *type = llvm::StructType::get(module.getContext(), {ptr, ptr, ptr, ptr, ptr, i64, i64, words});
    static_assert(sizeof(llmc_device) == 88 && sizeof(llmc_device_sampling) == 32);
    SmallVector<llvm::Constant *> rows;
    for (const DeviceCode &device : devices) {
      size_t numImages = 0, numLaunches = 0;
      for (const auto &[name, kernel] : device.kernels) {
        numImages += kernel.images.size();
        numLaunches += kernel.launches.size();
      }
      rows.push_back(llvm::ConstantStruct::get(
          type,
          {constants.bytes(device.target->name(), "device_name", /*addNull=*/true), programOf(device),
           kernelsOf(device), launchesOf(device), imagesOf(device), llvm::ConstantInt::get(i64, numImages),
           llvm::ConstantInt::get(i64, numLaunches), samplingOf(device)}));
    }
    return constants.array(type, rows, "devices");
  }

private:
  llvm::Constant *numbers(ArrayRef<uint32_t> values) {
    return llvm::ConstantDataArray::get(module.getContext(), values);
  }

  llvm::Constant *programOf(const DeviceCode &device) {
    if (device.program == outerProgram)
      return outer;
    AllFacts facts;
    for (const auto &[name, kernel] : device.kernels)
      facts[name] = kernel.facts;
    auto *inner = declareModule(module, llvm::GlobalValue::PrivateLinkage, "device_program");
    fillModule(inner, device.program, facts, {}, llvm::ConstantPointerNull::get(ptr), 0);
    return inner;
  }

  llvm::Constant *kernelsOf(const DeviceCode &device) {
    std::vector<llmc_device_kernel> rows;
    uint32_t first = 0;
    for (const auto &[name, kernel] : device.kernels) {
      rows.push_back({first, uint32_t(kernel.launches.size()), kernel.commonPerRow, kernel.commonPerRowKey,
                      kernel.commonRows});
      first += rows.back().n_launches;
    }
    return constants.table(rows, "device_kernels");
  }

  llvm::Constant *samplingOf(const DeviceCode &device) {
    llmc_device_sampling result = {};
    uint32_t number = 0;
    for (const auto &[name, kernel] : device.kernels) {
      if (const auto &made = kernel.sampling)
        result = {number, made->most, made->sums, 0, made->rowBytes, made->workBytes};
      ++number;
    }
    uint32_t words[sizeof result / 4];
    std::memcpy(words, &result, sizeof result);
    return numbers(words);
  }

  llvm::Constant *launchesOf(const DeviceCode &device) {
    auto *words = llvm::ArrayType::get(llvm::Type::getInt32Ty(module.getContext()), 8);
    auto *type = llvm::StructType::get(module.getContext(), {ptr, words});
    static_assert(sizeof(llmc_device_launch) == 40);
    SmallVector<llvm::Constant *> rows;
    for (const auto &[name, kernel] : device.kernels)
      for (const DeviceLaunch &launch : kernel.launches)
        rows.push_back(llvm::ConstantStruct::get(
            type,
            {constants.bytes(launch.entry, "device_entry", /*addNull=*/true),
             numbers({launch.threads, launch.blocks, launch.minRows, launch.maxRows, launch.rowsPerBlock,
                      launch.maxRowBlocks, launch.keysPerBlock, launch.maxKeyBlocks})}));
    return constants.array(type, rows, "device_launches");
  }

  llvm::Constant *imagesOf(const DeviceCode &device) {
    auto *i32 = llvm::Type::getInt32Ty(module.getContext()),
         *i64 = llvm::Type::getInt64Ty(module.getContext());
    auto *type = llvm::StructType::get(module.getContext(),
                                       {llvm::ArrayType::get(i32, 4), llvm::ArrayType::get(i64, 2), ptr});
    static_assert(sizeof(llmc_device_image) == 40);
    SmallVector<llvm::Constant *> rows;
    uint32_t number = 0;
    for (const auto &[name, kernel] : device.kernels) {
      for (const DeviceImage &image : kernel.images)
        rows.push_back(llvm::ConstantStruct::get(
            type,
            {numbers({number, image.kind, image.arch, image.isExact}),
             llvm::ConstantDataArray::get(
                 module.getContext(),
                 ArrayRef<uint64_t>{image.bytes.size(), XXH3_64bits(image.bytes.data(), image.bytes.size())}),
             constants.bytes(image.bytes, "device_image", /*addNull=*/true)}));
      ++number;
    }
    return constants.array(type, rows, "device_images");
  }

  llvm::Module &module;
  TableConstants constants;
  llvm::GlobalVariable *outer;
  step::ProgramOp outerProgram;
  llvm::PointerType *ptr;
};

} // namespace

llvm::Constant *codegen::addDeviceTables(llvm::Module &module, llvm::GlobalVariable *outer,
                                         step::ProgramOp outerProgram, ArrayRef<DeviceCode> devices) {
  return DeviceTables(module, outer, outerProgram).build(devices);
}
