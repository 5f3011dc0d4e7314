//===- DeviceTarget.h - code for devices beside the CPU ---------*- C++ -*-===//
//
// A kind of device lowers the model to a program of its own and compiles its kernels to images, which stand
// in model.so beside the CPU's code and over the same weights (llmc_device in module_abi.h). What there is
// comes from the list LLMC_DEVICES in CMakeLists.txt, a folder each.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_CODEGEN_DEVICETARGET_H
#define LLMC_CODEGEN_DEVICETARGET_H

#include "codegen/CompileKernels.h"

#include <optional>

namespace llmc::codegen {

/// On the module: which of its programs are for which device, {program = "cuda"}. Others are for the CPU.
constexpr llvm::StringLiteral devicesAttribute = "step.devices";

/// llmc_device_image with its bytes.
struct DeviceImage {
  uint32_t kind = 0, arch = 0;
  bool isExact = false;
  std::string bytes;
};

/// The fields of llmc_device_launch.
struct DeviceLaunch {
  std::string entry;
  uint32_t threads = 0, blocks = 1;
  uint32_t minRows = 0, maxRows = UINT32_MAX;
  uint32_t rowsPerBlock = 0, maxRowBlocks = 0, keysPerBlock = 0, maxKeyBlocks = 0;
};

/// The fields of llmc_device_sampling.
struct DeviceSampling {
  uint32_t most = 0, sums = 0;
  uint64_t rowBytes = 0, workBytes = 0;
};

struct DeviceKernel {
  KernelFacts facts;
  std::vector<DeviceLaunch> launches;
  uint64_t commonPerRow = 0, commonPerRowKey = 0, commonRows = 0; // as in llmc_device_kernel
  std::vector<DeviceImage> images;
  std::optional<DeviceSampling> sampling; // of the one that no dispatch names
  std::string slowSchemes; // "q4_k" of a matmul that runs by its decomposition though others do not
};

class DeviceTarget {
public:
  virtual ~DeviceTarget() = default;
  virtual llvm::StringRef name() const = 0;
  /// The dialects that its kernels use beside those of the CPU's, and their translation to LLVM IR.
  virtual void registerDialects(mlir::DialectRegistry &registry) const = 0;
  /// Whether the op can be a kernel as it is; if not, it is split into the ops it is made from. With
  /// `defaultKernels` no kernel has an emitter of its own.
  virtual bool hasKernel(mlir::Operation *op, bool defaultKernels) const = 0;
  /// Bytes a row of the packed-activation buffer of the kernel; 0: it has none.
  virtual mlir::FailureOr<int64_t> packedRowBytes(step::KernelOp kernel, bool defaultKernels) const = 0;
  /// The architectures of a list as `--gpu-arch` takes it, those that are always there among them, which
  /// are all without a list; else words that say what is wrong.
  virtual std::string readArchitectures(std::optional<llvm::StringRef> list,
                                        std::vector<std::string> &names) const = 0;

  /// PTX or the like without a kernel: whether an assembler knows the architecture.
  virtual std::string emptyText(llvm::StringRef architecture) const = 0;

  /// In the program's order; behind them may be one that finds the best of the program's logits.
  using Kernels = llvm::MapVector<mlir::StringAttr, DeviceKernel>;
  virtual mlir::FailureOr<Kernels> compile(step::ProgramOp program, llvm::ArrayRef<std::string> architectures,
                                           const CompileKernelsOptions &options,
                                           const std::function<void(uint64_t, uint64_t)> &progress) const = 0;
};

llvm::ArrayRef<const DeviceTarget *> allDevices();
const DeviceTarget *deviceByName(llvm::StringRef name);
/// The device that a program is for; null for the CPU.
const DeviceTarget *deviceOf(step::ProgramOp program);

} // namespace llmc::codegen
#endif
