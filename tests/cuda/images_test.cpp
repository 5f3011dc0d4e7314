//===- images_test.cpp - what no image can be made of ---------------------===//
//
// PTX could not say it, or no GPU would load it: the compile stops with a sentence instead.
//
//===----------------------------------------------------------------------===//
#include "codegen/cuda/Images.h"

#include "llvm/AsmParser/Parser.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/Support/SourceMgr.h"

#include <gtest/gtest.h>

using namespace llmc;

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

TEST(Images, OfAKernelThatNeedsNothing) {
  EXPECT_EQ(sentence("", "  store i32 1, ptr addrspace(1) %p"), "");
  EXPECT_EQ(sentence(sharedBytes(48 << 10), useShared), "");
  EXPECT_EQ(sentence("", "  %v = atomicrmw add ptr addrspace(1) %p, i32 1 syncscope(\"device\") monotonic"), "");
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
