// What cannot be emulated is refused by name, and what is built holds what it says.
#include "tests/simt/KernelLibrary.h"

#include "codegen/simt/Library.h"

#include <cstdio>
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

/// Of each meeting of a warp, how many operations it has.
std::vector<unsigned> runsOf(const std::string &between) {
  const std::string halves = "<2 x half>", words = "{ float, float, float, float }";
  const std::string load =
      "call { i32, i32 } @llvm.nvvm.ldmatrix.sync.aligned.m8n8.x2.b16.p3(ptr addrspace(3) @tile)\n";
  auto product = [&](const std::string &name, const std::string &b, const std::string &c) {
    std::string sum, text = "  %" + name + " = call " + words + " @llvm.nvvm.mma.m16n8k16.row.col.f32.f32(";
    for (int i = 0; i < 4; ++i)
      text += halves + " splat (half 1.0), ";
    for (const char *i : {"0", "1"})
      text += halves + " %" + b + i + ", ";
    for (const char *i : {"0", "1", "2", "3"})
      sum += std::string(*i == '0' ? "" : ", ") + "float " + (c.empty() ? "0.0" : "%" + c + i);
    text += sum + ")\n";
    for (const char *i : {"0", "1", "2", "3"})
      text += "  %" + name + i + " = extractvalue " + words + " %" + name + ", " + i + "\n";
    return text;
  };
  std::string body = "  %first = " + load + "  %second = " + load;
  for (const char *name : {"first", "second"})
    for (const char *i : {"0", "1"})
      body += std::string("  %w") + name + i + " = extractvalue { i32, i32 } %" + name + ", " + i + "\n  %" +
              name + i + " = bitcast i32 %w" + name + i + " to <2 x half>\n";
  body += product("x", "first", "") + product("y", "second", "x") + "  %twice = fadd float %y0, %y0\n" +
          between + product("z", "first", "") +
          "  %all = fadd float %twice, %z0\n  store float %all, ptr addrspace(1) %out";
  uint64_t hash;
  const std::string path = buildKernels(
      kernelOf(body,
               "@tile = internal addrspace(3) global [512 x i8] undef, align 16\n"
               "declare { i32, i32 } @llvm.nvvm.ldmatrix.sync.aligned.m8n8.x2.b16.p3(ptr addrspace(3))\n"
               "declare void @llvm.nvvm.bar.warp.sync(i32)\n"
               "declare { float, float, float, float } @llvm.nvvm.mma.m16n8k16.row.col.f32.f32(<2 x half>, "
               "<2 x half>, <2 x half>, <2 x half>, <2 x half>, <2 x half>, float, float, float, float)"),
      false, hash);
  EXPECT_NE(hash, 0u) << path;
  simt::Library library;
  EXPECT_EQ(hash ? library.load(path) : path, "");
  std::remove(path.c_str());
  std::vector<unsigned> runs;
  if (library.isLoaded())
    for (uint32_t i = 0; i < library.table().codes[0]->n_sites; ++i)
      if (const unsigned run = library.table().codes[0]->sites[i].run)
        runs.push_back(run);
  return runs;
}

TEST(Rewrite, matrix_operations_that_follow_each_other_are_one_meeting) {
  EXPECT_EQ(runsOf(""), std::vector<unsigned>{5}) << "arithmetic on a sum moves behind them";
  const std::vector<unsigned> two{4, 1};
  EXPECT_EQ(runsOf("  call void @llvm.nvvm.bar.warp.sync(i32 -1)\n"), two) << "another meeting is not passed";
  EXPECT_EQ(runsOf("  store float %twice, ptr addrspace(1) %out\n"), two) << "nor a write that needs a sum";
  EXPECT_EQ(runsOf("  store i32 0, ptr addrspace(3) @tile\n"), two) << "nor one to what was loaded";
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
