// What cannot be emulated is refused by name, and what is built holds what it says.
#include "tests/simt/KernelLibrary.h"

#include "codegen/simt/Library.h"

#include <gtest/gtest.h>

using namespace llmc;
using namespace llmc::test;

namespace {

std::string errorOf(const std::string &text) { return KernelLibrary(text, true).error(); }

TEST(Rewrite, an_intrinsic_that_is_not_known_is_named) {
  const std::string error =
      errorOf(kernelOf("  call void @llvm.nvvm.wgmma.fence.sync.aligned()",
                       "declare void @llvm.nvvm.wgmma.fence.sync.aligned() convergent"));
  EXPECT_NE(error.find("'k': 'llvm.nvvm.wgmma.fence.sync.aligned' cannot be emulated"), std::string::npos)
      << error;
}

TEST(Rewrite, a_known_one_with_a_modifier_is_not_taken_for_another) {
  const std::string error = errorOf(
      kernelOf("  %h = call half @llvm.nvvm.f2f16.rn.relu(float 1.0)\n  store half %h, ptr addrspace(1) %out",
               "declare half @llvm.nvvm.f2f16.rn.relu(float)"));
  EXPECT_NE(error.find("'llvm.nvvm.f2f16.rn.relu' cannot be emulated"), std::string::npos) << error;
}

TEST(Rewrite, a_name_that_goes_on_is_of_another_operation) {
  for (const char *call :
       {"float @llvm.nvvm.add.rn.sat.f(float", "float @llvm.nvvm.fma.rn.ftz.sat.f(float, float",
        "float @llvm.nvvm.fmax.ftz.nan.xorsign.abs.f(float", "i32 @llvm.nvvm.read.ptx.sreg.tid.w("}) {
    const std::string text = call;
    const size_t at = text.find('@'), open = text.find('(');
    const bool hasOperands = open + 1 < text.size();
    const std::string declared = text + (hasOperands ? ", float)" : ")");
    std::string called = text;
    if (hasOperands)
      called =
          text.substr(0, open) + (text.find(',') == std::string::npos ? "(float 1.0, float 1.0)"
                                                                      : "(float 1.0, float 1.0, float 1.0)");
    else
      called += ")";
    const std::string error = errorOf(kernelOf("  %x = call " + called + "\n  store volatile " +
                                                   text.substr(0, at) + "%x, ptr addrspace(1) %out",
                                               "declare " + declared));
    EXPECT_NE(error.find("'" + text.substr(at + 1, open - at - 1) + "' cannot be emulated"),
              std::string::npos)
        << error;
  }
  const std::string words = "i32, i32, i32, i32, i32, i32, i32, i32, i32, i32";
  std::string values = "i32 0";
  for (int i = 1; i < 10; ++i)
    values += ", i32 0";
  const std::string name = "llvm.nvvm.mma.m16n8k32.row.col.s8.u8";
  const std::string error =
      errorOf(kernelOf("  %d = call { i32, i32, i32, i32 } @" + name + "(" + values + ")",
                       "declare { i32, i32, i32, i32 } @" + name + "(" + words + ")"));
  EXPECT_NE(error.find("'" + name + "' cannot be emulated"), std::string::npos) << error;
}

TEST(Rewrite, inline_ptx_is_refused) {
  const std::string error = errorOf(kernelOf("  call void asm sideeffect \"membar.gl;\", \"\"()"));
  EXPECT_NE(error.find("inline PTX cannot be emulated"), std::string::npos) << error;
}

TEST(Rewrite, a_function_of_a_library_is_named) {
  const std::string error =
      errorOf(kernelOf("  %x = call float @__nv_expf(float 1.0)\n  store float %x, ptr addrspace(1) %out",
                       "declare float @__nv_expf(float)"));
  EXPECT_NE(error.find("'__nv_expf' is called, but not defined"), std::string::npos) << error;
}

TEST(Rewrite, arithmetic_in_bf16_is_refused) {
  const std::string error =
      errorOf(kernelOf("  %x = load bfloat, ptr addrspace(1) %out\n  %y = fadd bfloat %x, %x\n"
                       "  store bfloat %y, ptr addrspace(1) %out"));
  EXPECT_NE(error.find("'fadd' of bf16 cannot be emulated"), std::string::npos) << error;
}

TEST(Rewrite, variables_that_no_stack_holds_are_refused) {
  const std::string error =
      errorOf(kernelOf("  %room = alloca [200000 x i8]\n  store volatile i8 1, ptr %room"));
  EXPECT_NE(error.find("a thread's own variables take more than 131072 bytes"), std::string::npos) << error;
}

TEST(Rewrite, a_module_without_kernels_is_refused) {
  const std::string error = errorOf("define void @f() {\n  ret void\n}\n");
  EXPECT_NE(error.find("there is no kernel in this module"), std::string::npos) << error;
}

TEST(Rewrite, bytes_that_are_no_bitcode_are_refused) {
  const std::string path = std::string(LLMC_SIMT_WORK) + "/never.so";
  const std::string error = codegen::simt::buildLibrary({"BCxx, but no module"}, {}, path);
  EXPECT_NE(error.find("the bitcode cannot be read"), std::string::npos) << error;
}

TEST(Rewrite, a_file_that_is_something_else_is_refused) {
  simt::Library library;
  const std::string error = library.load(LLMC_SIMT_KERNELS "/reduce.ll");
  EXPECT_NE(error.find("reduce.ll: the system cannot load its code"), std::string::npos) << error;
}

} // namespace
