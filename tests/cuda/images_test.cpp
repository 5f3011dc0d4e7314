//===- images_test.cpp - the images of a kernel, and what none are made of ===//
//
// What the emulator runs is what PTX was made of. What PTX could not say, or no GPU would load, stops the
// compile with a sentence.
//
//===----------------------------------------------------------------------===//
#include "codegen/cuda/Images.h"

#include "DeviceKernelRunner.h"
#include "codegen/Backend.h"
#include "codegen/cuda/kernels/Attention.h"
#include "codegen/cuda/kernels/Choose.h"
#include "codegen/cuda/kernels/Linear.h"
#include "tests/codegen/AttentionCase.h"

#include "llvm/AsmParser/Parser.h"
#include "llvm/Bitcode/BitcodeReader.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Target/TargetMachine.h"

#include <gtest/gtest.h>

using namespace llmc;
using namespace llmc::test;

namespace {

/// What is said of a kernel with this body, in a module with these declarations; empty: it has images.
std::string sentence(const std::string &declarations, const std::string &body) {
  llvm::LLVMContext context;
  llvm::SMDiagnostic diagnostic;
  std::unique_ptr<llvm::Module> module = llvm::parseAssemblyString(
      declarations + "\ndefine ptx_kernel void @kernel(ptr addrspace(1) %p) {\n" + body + "\n  ret void\n}\n",
      diagnostic, context);
  EXPECT_TRUE(module) << diagnostic.getMessage().str();
  std::vector<codegen::DeviceImage> images;
  std::string error = cuda::makeImages(*module, {"sm_80"}, nullptr, images);
  EXPECT_EQ(images.empty(), !error.empty());
  return error;
}

std::string sharedBytes(int bytes) {
  return "@shared = internal addrspace(3) global [" + std::to_string(bytes) + " x i8] undef, align 16";
}
const std::string useShared = "  %v = load volatile i32, ptr addrspace(3) @shared\n"
                              "  store volatile i32 %v, ptr addrspace(1) %p";

/// What the backend makes of the bitcode that the emulator is given, and the PTX beside it.
void expectSamePtx(const EmitKernel &emit) {
  std::string error;
  const codegen::DeviceKernel kernel = compileKernel(emit, error);
  ASSERT_EQ(error, "");
  llvm::LLVMContext context;
  auto module = llvm::parseBitcodeFile({imageOf(kernel, LLMC_IMAGE_BITCODE), "kernel"}, context);
  ASSERT_TRUE(bool(module));
  auto machine =
      codegen::makeTargetMachine((*module)->getTargetTriple(), "sm_80", /*relocation=*/std::nullopt, error);
  ASSERT_TRUE(machine) << error;
  llvm::SmallString<0> ptx;
  llvm::raw_svector_ostream out(ptx);
  EXPECT_EQ(codegen::emitFile(**module, *machine, llvm::CodeGenFileType::AssemblyFile, out), "");
  EXPECT_GT(ptx.size(), 1000u);
  EXPECT_TRUE(ptx == imageOf(kernel, LLMC_IMAGE_PTX));
}

TEST(Images, BitcodeIsWhatPtxWasMadeOf) {
  emit::LinearSpec linear;
  linear.k = 320;
  linear.norm = emit::Norm::Rms;
  linear.weights = {{quant::schemeByName("q4_0"), 80}};
  expectSamePtx([&](mlir::ModuleOp module) { return cuda::emitLinear(module, "linear", linear); });
  emit::AttentionSpec attention = makeSpec(4, 2, 64);
  attention.cacheType = &emit::kvType("q8");
  expectSamePtx([&](mlir::ModuleOp module) { return cuda::emitAttention(module, "attention", attention); });
  expectSamePtx([](mlir::ModuleOp module) { return cuda::emitChoose(module, "choose", 1000); });
}

TEST(Images, OfAKernelThatNeedsNothing) {
  EXPECT_EQ(sentence("", "  store i32 1, ptr addrspace(1) %p"), "");
  EXPECT_EQ(sentence(sharedBytes(48 << 10), useShared), "");
  EXPECT_EQ(sentence("", "  %v = atomicrmw add ptr addrspace(1) %p, i32 1 syncscope(\"device\") monotonic"),
            "");
}

TEST(Images, NotWithAFunctionThatNobodyHas) {
  EXPECT_EQ(sentence("declare float @sinf(float)",
                     "  %v = call float @sinf(float 1.0)\n  store volatile float %v, ptr addrspace(1) %p")
                .rfind("its PTX needs what no module has: .extern .func", 0),
            0u);
}

TEST(Images, NotWithMoreSharedMemoryThanABlockHas) {
  EXPECT_EQ(sentence(sharedBytes((48 << 10) + 4), useShared),
            "the blocks of kernel want more than 49152 bytes of static shared memory");
}

TEST(Images, NotWithAnAtomicOperationThatOrders) {
  EXPECT_NE(sentence("", "  %v = atomicrmw add ptr addrspace(1) %p, i32 1 syncscope(\"device\") acq_rel")
                .find("it has an atomic operation that orders memory"),
            std::string::npos);
}

} // namespace
