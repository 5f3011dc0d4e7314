//===- KernelRunner.cpp - default kernels compiled and called in a test ---===//
#include "KernelRunner.h"

#include "codegen/emit/KernelArguments.h"
#include "ir/quant/QuantScheme.h"
#include "tests/support/RandomRows.h"

#include "mlir/Parser/Parser.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>

using namespace mlir;
using namespace llmc;
using namespace llmc::codegen;
using namespace llmc::test;

//===----------------------------------------------------------------------===//
// Data
//===----------------------------------------------------------------------===//

Rows test::randomRows(int64_t rows, int64_t width, uint32_t seed, float range) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> numbers(-range, range);
  Rows result(rows, width);
  for (float &x : result.values)
    x = numbers(random);
  return result;
}

Weight test::vectorWeight(std::vector<float> values) {
  Weight result;
  int64_t n = static_cast<int64_t>(values.size());
  std::vector<float> padded = values;
  padded.resize(emit::roundUp(n, 16));
  result.packed.resize(padded.size() * 4);
  std::memcpy(result.packed.data(), padded.data(), result.packed.size());
  result.values = Rows(n, std::move(values));
  return result;
}

Weight test::randomWeight(std::string_view name, int64_t rows, int64_t columns, uint32_t seed) {
  const quant::QuantScheme &scheme = *quant::schemeByName(name);
  std::mt19937 random(seed);
  std::vector<std::vector<uint8_t>> file;
  Weight result;
  result.values = Rows(rows, columns);
  for (int64_t row = 0; row < rows; ++row) {
    file.push_back(randomRow(scheme, columns, random));
    scheme.unpackRow(file.back().data(), columns, &result.values.at(row, 0));
  }
  result.packed.resize(scheme.packedBytes(rows, columns));
  for (int64_t panel = 0; panel < scheme.panels(rows); ++panel) {
    const uint8_t *pointers[16] = {};
    for (int64_t i = 0; i < 16 && panel * 16 + i < rows; ++i)
      pointers[i] = file[panel * 16 + i].data();
    EXPECT_TRUE(scheme.packPanel(std::span(pointers), columns,
                                 result.packed.data() + panel * scheme.panelBytes(columns)));
  }
  return result;
}

//===----------------------------------------------------------------------===//
// Compiling
//===----------------------------------------------------------------------===//

KernelRunner::KernelRunner() {
  DialectRegistry registry;
  registerDefaultKernelDialects(registry);
  registerBuiltinDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
  mlirContext = std::make_unique<MLIRContext>(registry, MLIRContext::Threading::DISABLED);
  mlirContext->loadAllAvailableDialects();
  target = ModuleOp::create(UnknownLoc::get(mlirContext.get()));
}

KernelRunner::~KernelRunner() = default;

bool KernelRunner::add(const std::string &text) {
  ScopedDiagnosticHandler handler(mlirContext.get(), [&](Diagnostic &diagnostic) {
    message = diagnostic.str();
    return success();
  });
  // A kernel stands in a program, with its cache; here it is alone.
  ParserConfig config(mlirContext.get(), /*verifyAfterParse=*/false);
  OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(text, config);
  if (!module)
    return false;
  auto kernel = *module->getOps<step::KernelOp>().begin();
  std::string name = kernel.getSymName().str();
  FailureOr<DefaultKernel> emitted =
      emitDefaultKernel(*target, name, kernel, CpuDefaults(*cpu::isaByName("avx2")));
  if (failed(emitted))
    return false;
  kernels[name] = *emitted;
  return true;
}

bool KernelRunner::finish() {
  llvm::InitializeNativeTarget();
  llvm::InitializeNativeTargetAsmPrinter();
  auto llvmContext = std::make_unique<llvm::LLVMContext>();
  std::unique_ptr<llvm::Module> module = translateModuleToLLVMIR(*target, *llvmContext);
  if (!module)
    return false;
  auto machine = llvm::cantFail(llvm::orc::JITTargetMachineBuilder::detectHost());
  auto targetMachine = llvm::cantFail(machine.createTargetMachine());
  module->setDataLayout(targetMachine->createDataLayout());
  module->setTargetTriple(targetMachine->getTargetTriple());
  {
    // The pipeline that knows how to turn loops into calls of memset.
    llvm::LoopAnalysisManager loops;
    llvm::FunctionAnalysisManager functions;
    llvm::CGSCCAnalysisManager components;
    llvm::ModuleAnalysisManager modules;
    llvm::PassBuilder builder(targetMachine.get());
    builder.registerModuleAnalyses(modules);
    builder.registerCGSCCAnalyses(components);
    builder.registerFunctionAnalyses(functions);
    builder.registerLoopAnalyses(loops);
    builder.crossRegisterProxies(loops, functions, components, modules);
    builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O2).run(*module, modules);
  }
  jit = llvm::cantFail(llvm::orc::LLJITBuilder()
                           .setJITTargetMachineBuilder(std::move(machine))
                           .setLinkProcessSymbolsByDefault(false)
                           .setPlatformSetUp(llvm::orc::setUpInactivePlatform)
                           .create());
  jit->getExecutionSession().setErrorReporter(
      [this](llvm::Error error) { message = llvm::toString(std::move(error)); });
  llvm::cantFail(jit->addIRModule(llvm::orc::ThreadSafeModule(std::move(module), std::move(llvmContext))));
  for (const auto &[name, kernel] : kernels) {
    auto address = jit->lookup(name);
    if (!address) {
      message += llvm::toString(address.takeError());
      return false;
    }
  }
  return true;
}

//===----------------------------------------------------------------------===//
// Calling
//===----------------------------------------------------------------------===//

namespace {
/// Rows as a buffer of the arena: padded, 64-byte aligned.
struct Buffer {
  int64_t stride;
  std::vector<float> storage;
  float *data;

  Buffer(int64_t rows, int64_t width)
      : stride(emit::roundUp(width, 16)), storage(rows * stride + 16, std::nanf("")) {
    auto address = reinterpret_cast<uintptr_t>(storage.data());
    data = storage.data() + (64 - address % 64) % 64 / 4;
  }
};
} // namespace

std::vector<Rows> KernelRunner::call(const std::string &name, const Step &step, uint32_t space,
                                     const std::vector<Rows> &inputs, const std::vector<Weight> &weights,
                                     const std::vector<int64_t> &immediates,
                                     const std::vector<int64_t> &outputWidths,
                                     std::vector<int32_t> *keysOut) {
  auto run = llvm::cantFail(jit->lookup(name)).toPtr<llmc_kernel_fn>();
  const DefaultKernel &kernel = kernels.at(name);
  llmc_step state = {};
  state.rows[LLMC_ROWS_TOKENS] = step.tokens.size();
  state.rows[LLMC_ROWS_ASKED] = step.asked.size();
  state.rows[LLMC_ROWS_KEYS] = step.keys.size() / 2;
  state.tokens = step.tokens.data();
  state.asked = step.asked.data();
  state.keys = step.keys.data();
  state.kv = step.pools.data();
  uint64_t rows = state.rows[space], keys = state.rows[LLMC_ROWS_KEYS];
  uint64_t scratchBytes = kernel.scratchConstant + kernel.scratchPerRow * rows + kernel.scratchPerKey * keys +
                          kernel.scratchPerRowKey * rows * keys;

  std::vector<Rows> first;
  for (uint32_t workers : {1u, 2u, 3u}) {
    std::vector<Buffer> buffers;
    std::vector<const void *> arguments;
    for (const Rows &input : inputs) {
      Buffer &buffer = buffers.emplace_back(input.rows(), input.width);
      for (int64_t row = 0; row < input.rows(); ++row)
        std::memcpy(buffer.data + row * buffer.stride, &input.values[row * input.width], input.width * 4);
      arguments.push_back(buffer.data);
    }
    for (const Weight &weight : weights)
      arguments.push_back(weight.packed.data());
    for (int64_t immediate : immediates)
      arguments.push_back(reinterpret_cast<const void *>(immediate));
    std::vector<Buffer> outputs;
    for (int64_t width : outputWidths)
      arguments.push_back(outputs.emplace_back(rows, width).data);
    std::vector<int32_t> keyRows(2 * keys, -1);
    if (keysOut)
      arguments.push_back(keyRows.data());

    // Scratch with a canary behind it.
    std::vector<std::vector<uint8_t>> scratch(workers, std::vector<uint8_t>(scratchBytes + 128, 0xa5));
    std::vector<uint8_t *> pointers;
    for (auto &bytes : scratch)
      pointers.push_back(bytes.data() + (64 - reinterpret_cast<uintptr_t>(bytes.data()) % 64) % 64);
    state.scratch = pointers.data();
    for (llmc_share share = {0, workers, 0, 0}; share.number < workers; share.worker = ++share.number)
      run(&state, arguments.data(), &share);
    for (uint32_t worker = 0; worker < workers; ++worker)
      for (const uint8_t *p = pointers[worker] + scratchBytes,
                         *end = scratch[worker].data() + scratchBytes + 128;
           p < end; ++p)
        if (*p != 0xa5) {
          ADD_FAILURE() << name << " writes beyond its scratch";
          break;
        }

    std::vector<Rows> results;
    for (const auto &[buffer, width] : llvm::zip(outputs, outputWidths)) {
      Rows &result = results.emplace_back(static_cast<int64_t>(rows), width);
      for (int64_t row = 0; row < static_cast<int64_t>(rows); ++row) {
        std::memcpy(&result.values[row * width], buffer.data + row * buffer.stride, width * 4);
        for (int64_t column = width; column < buffer.stride; ++column)
          EXPECT_EQ(buffer.data[row * buffer.stride + column], 0) << name << ": padding of row " << row;
      }
    }
    if (workers == 1) {
      first = results;
      if (keysOut)
        *keysOut = keyRows;
    } else {
      for (const auto &[a, b] : llvm::zip(first, results))
        EXPECT_EQ(0, std::memcmp(a.values.data(), b.values.data(), a.values.size() * 4))
            << name << " has other bits with " << workers << " workers";
    }
  }
  return first;
}
