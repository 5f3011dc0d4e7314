//===- DefaultLowering.cpp - tensors of a default kernel to LLVM ----------===//
//
// 1. Tensors to buffers (one-shot), linalg to loops, views folded into the loads and stores that use them.
// 2. Every buffer that would be allocated becomes a place in the worker's scratch.
// 3. Every load of a packed weight becomes the scheme's way to read one element.
// 4. Elementary functions become polynomials, the rest LLVM; anything left is an error that names the op.
//
//===----------------------------------------------------------------------===//
#include "codegen/DefaultLowering.h"

#include "codegen/emit/Lowering.h"
#include "codegen/emit/MathPoly.h"
#include "ir/quant/SchemeIR.h"
#include "runtime/include/llmc/module_abi.h"

#include "mlir/Conversion/AffineToStandard/AffineToStandard.h"
#include "mlir/Conversion/MemRefToLLVM/MemRefToLLVM.h"
#include "mlir/Conversion/ReconcileUnrealizedCasts/ReconcileUnrealizedCasts.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Bufferization/Transforms/OneShotAnalysis.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Dialect/SCF/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Tensor/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::codegen;
using emit::Emitter;
using emit::KernelArguments;

void codegen::registerDefaultKernelDialects(DialectRegistry &registry) {
  emit::registerKernelDialects(registry);
  registry.insert<affine::AffineDialect, bufferization::BufferizationDialect, linalg::LinalgDialect,
                  math::MathDialect, memref::MemRefDialect, tensor::TensorDialect, lm::LMDialect,
                  step::StepDialect>();
  arith::registerBufferizableOpInterfaceExternalModels(registry);
  linalg::registerBufferizableOpInterfaceExternalModels(registry);
  scf::registerBufferizableOpInterfaceExternalModels(registry);
  tensor::registerBufferizableOpInterfaceExternalModels(registry);
}

//===----------------------------------------------------------------------===//
// Memrefs from addresses
//===----------------------------------------------------------------------===//

UnrealizedConversionCastOp codegen::memrefAt(Emitter &e, MemRefType type, Value address, ValueRange sizes) {
  int64_t rank = type.getRank(), known;
  SmallVector<int64_t> strides;
  auto array = LLVM::LLVMArrayType::get(e.i64(), rank);
  Type descriptor =
      LLVM::LLVMStructType::getLiteral(e.getContext(), {e.ptr(), e.ptr(), e.i64(), array, array});
  Value value = LLVM::PoisonOp::create(e, descriptor);
  auto set = [&](Value part, ArrayRef<int64_t> at) {
    value = LLVM::InsertValueOp::create(e, value, part, at);
  };
  set(address, {0});
  set(address, {1});
  set(e.c(0), {2});
  SmallVector<Value> extents;
  for (int64_t i = 0; i < rank; ++i) {
    extents.push_back(type.isDynamicDim(i) ? sizes.front() : e.c(type.getDimSize(i)));
    if (type.isDynamicDim(i))
      sizes = sizes.drop_front();
    set(extents[i], {3, i});
  }
  bool given = succeeded(type.getStridesAndOffset(strides, known)) && !type.getLayout().isIdentity();
  Value dense = e.c(1);
  for (int64_t i = rank; i-- > 0;) {
    set(given ? e.c(strides[i]) : dense, {4, i});
    if (i)
      dense = e.mul(dense, extents[i]);
  }
  return UnrealizedConversionCastOp::create(e, type, value);
}

//===----------------------------------------------------------------------===//
// Scratch
//===----------------------------------------------------------------------===//

namespace {
/// base + perKey * keys, where keys is the number of visible keys.
struct Affine {
  int64_t base = 0, perKey = 0;
};
} // namespace

/// The value with `keys` visible keys; nothing if it depends on anything else.
static std::optional<int64_t> evaluate(Value value, int64_t keys) {
  Operation *op = value.getDefiningOp();
  if (!op)
    return std::nullopt;
  if (APInt constant; matchPattern(value, m_ConstantInt(&constant)))
    return constant.getSExtValue();
  if (auto dim = dyn_cast<memref::DimOp>(op)) {
    Operation *source = dim.getSource().getDefiningOp();
    std::optional<int64_t> index = dim.getConstantIndex();
    return source && source->hasAttr(rowsAreKeys) && index == 0 ? std::optional(keys) : std::nullopt;
  }
  SmallVector<int64_t> operands;
  for (Value operand : op->getOperands()) {
    std::optional<int64_t> known = evaluate(operand, keys);
    if (!known)
      return std::nullopt;
    operands.push_back(*known);
  }
  if (auto apply = dyn_cast<affine::AffineApplyOp>(op)) {
    SmallVector<Attribute> constants, results;
    for (int64_t x : operands)
      constants.push_back(IntegerAttr::get(IndexType::get(op->getContext()), x));
    if (failed(apply.getAffineMap().constantFold(constants, results)))
      return std::nullopt;
    return cast<IntegerAttr>(results.front()).getInt();
  }
  if (isa<arith::MulIOp>(op))
    return operands[0] * operands[1];
  if (isa<arith::AddIOp>(op))
    return operands[0] + operands[1];
  if (isa<arith::DivUIOp, arith::DivSIOp>(op) && operands[1] > 0)
    return operands[0] / operands[1];
  if (isa<arith::IndexCastOp>(op))
    return operands[0];
  return std::nullopt;
}

/// Bytes of a buffer, found at three numbers of keys: what is not affine is refused.
static std::optional<Affine> bytesOf(memref::AllocOp alloc) {
  int64_t probes[3] = {1000, 1001, 5000}, bytes[3];
  for (int i = 0; i < 3; ++i) {
    MemRefType type = alloc.getType();
    bytes[i] = type.getElementTypeBitWidth() / 8;
    for (int64_t extent : type.getShape())
      if (!ShapedType::isDynamic(extent))
        bytes[i] *= extent;
    for (Value size : alloc.getDynamicSizes()) {
      std::optional<int64_t> known = evaluate(size, probes[i]);
      if (!known)
        return std::nullopt;
      bytes[i] *= *known;
    }
  }
  int64_t slope = bytes[1] - bytes[0], base = bytes[0] - slope * probes[0];
  if (bytes[2] != base + slope * probes[2] || base < 0 || slope < 0)
    return std::nullopt;
  return Affine{base, slope};
}

/// Places of fixed size come first, each aligned to 64 bytes; those that grow with the keys follow.
static FailureOr<Affine> moveToScratch(ModuleOp module, const DefaultTarget &target) {
  SmallVector<std::pair<memref::AllocOp, Affine>> fixed, growing;
  auto result = module.walk([&](memref::AllocOp alloc) -> WalkResult {
    std::optional<Affine> bytes = bytesOf(alloc);
    if (!bytes)
      return alloc.emitError("needs a buffer whose size is not affine in the number of keys");
    if (llvm::any_of(alloc->getUsers(),
                     [](Operation *user) { return user->hasTrait<OpTrait::IsTerminator>(); }))
      return alloc.emitError("needs a buffer that outlives its loop");
    (bytes->perKey ? growing : fixed).emplace_back(alloc, *bytes);
    return WalkResult::advance();
  });
  if (result.wasInterrupted())
    return failure();
  Affine used;
  fixed.append(growing);
  for (auto [alloc, bytes] : fixed) {
    Emitter e(alloc.getLoc(), alloc);
    auto function = alloc->getParentOfType<FunctionOpInterface>();
    e.setInsertionPointToStart(&function.getFunctionBody().front());
    KernelArguments arguments = target.arguments(e, function.getArguments());
    Value place = e.at(arguments.scratch(e), used.base);
    if (used.perKey)
      place = e.at(place, e.mul(arguments.rows(e, LLMC_ROWS_KEYS), used.perKey));
    e.setInsertionPoint(alloc);
    SmallVector<Value> sizes;
    for (Value size : alloc.getDynamicSizes())
      sizes.push_back(arith::IndexCastOp::create(e, e.i64(), size));
    alloc.replaceAllUsesWith(memrefAt(e, alloc.getType(), place, sizes).getResult(0));
    alloc.erase();
    used.base += bytes.perKey ? bytes.base : emit::roundUp(bytes.base, 64);
    used.perKey += bytes.perKey;
  }
  return used;
}

//===----------------------------------------------------------------------===//
// Packed weights
//===----------------------------------------------------------------------===//

static LogicalResult readPackedWeights(ModuleOp module) {
  SmallVector<UnrealizedConversionCastOp> weights;
  module.walk([&](UnrealizedConversionCastOp op) {
    if (op->hasAttr(packedWeight))
      weights.push_back(op);
  });
  for (UnrealizedConversionCastOp weight : weights) {
    StringRef name = weight->getAttrOfType<StringAttr>(packedWeight).getValue();
    Value address = weight.getOperand(0);
    auto type = cast<MemRefType>(weight.getResult(0).getType());
    const quant::QuantScheme *scheme = quant::schemeByName(name);
    if (type.getRank() != (scheme ? 2 : 1))
      return weight->emitError() << "a weight of " << type.getRank() << " dimensions cannot be packed as '"
                                 << name << "'";
    for (Operation *user : llvm::make_early_inc_range(weight->getUsers())) {
      auto load = dyn_cast<memref::LoadOp>(user);
      if (!load)
        return user->emitError("uses a weight as a whole, not by its elements");
      Emitter e(load.getLoc(), load);
      SmallVector<Value> at;
      for (Value index : load.getIndices())
        at.push_back(arith::IndexCastOp::create(e, e.i64(), index));
      Value element;
      if (scheme) {
        Value panel =
            e.at(address, e.mul(e.div(at[0], quant::panelRows), scheme->panelBytes(type.getDimSize(1))));
        element =
            quant::loadElement(e, *scheme, panel, e.rem(at[0], quant::panelRows), at[1], type.getDimSize(1));
      } else {
        element = e.load(e.f32(), e.at(address, e.mul(at[0], 4)));
      }
      load.replaceAllUsesWith(element);
      load.erase();
    }
    weight.erase();
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Sums in registers
//===----------------------------------------------------------------------===//

/// for k { m[i] = f(m[i], ..) } => m[i] = for k iter(s = m[i]) { f(s, ..) }, where m is a buffer of its own
/// and i does not change in the loop. LLVM cannot do it: it does not know that scratch, arena and weights are
/// apart.
static void carrySums(ModuleOp module) {
  module.walk([&](scf::ForOp loop) {
    Block *body = loop.getBody();
    SmallVector<memref::StoreOp> stores(body->getOps<memref::StoreOp>());
    SmallVector<memref::LoadOp> loads;
    for (memref::LoadOp load : body->getOps<memref::LoadOp>())
      if (stores.size() == 1 && load.getMemRef() == stores[0].getMemRef())
        loads.push_back(load);
    if (loads.size() != 1 || !loop.getInitArgs().empty() || loads[0].getIndices() != stores[0].getIndices() ||
        !loads[0].getMemRef().getDefiningOp<memref::AllocOp>())
      return;
    memref::LoadOp load = loads[0];
    memref::StoreOp store = stores[0];
    auto isOutside = [&](Value v) { return loop.isDefinedOutsideOfLoop(v); };
    bool nested = llvm::any_of(*body, [](Operation &op) { return op.getNumRegions() != 0; });
    if (nested || !llvm::all_of(load.getIndices(), isOutside) || !isOutside(load.getMemRef()))
      return;
    OpBuilder builder(loop);
    Value start = builder.clone(*load)->getResult(0);
    auto carried = scf::ForOp::create(builder, loop.getLoc(), loop.getLowerBound(), loop.getUpperBound(),
                                      loop.getStep(), start);
    carried.getBody()->getOperations().splice(carried.getBody()->end(), body->getOperations());
    loop.getInductionVar().replaceAllUsesWith(carried.getInductionVar());
    load.replaceAllUsesWith(carried.getRegionIterArg(0));
    Operation *yield = carried.getBody()->getTerminator();
    builder.setInsertionPoint(yield);
    scf::YieldOp::create(builder, yield->getLoc(), store.getValueToStore());
    yield->erase();
    builder.setInsertionPointAfter(carried);
    memref::StoreOp::create(builder, store.getLoc(), carried.getResult(0), store.getMemRef(),
                            store.getIndices());
    store.erase();
    load.erase();
    loop.erase();
  });
}

//===----------------------------------------------------------------------===//
// The way down
//===----------------------------------------------------------------------===//

static LogicalResult run(ModuleOp module, llvm::function_ref<void(PassManager &)> fill) {
  PassManager manager(module.getContext());
  fill(manager);
  return manager.run(module);
}

static LogicalResult bufferize(ModuleOp module) {
  bufferization::OneShotBufferizationOptions options;
  options.memCpyFn = [](OpBuilder &b, Location loc, Value from, Value to) {
    linalg::CopyOp::create(b, loc, from, to);
    return success();
  };
  bufferization::BufferizationState state;
  // In a module within the module, MLIR 22's analysis would let one buffer have two values at a time.
  Operation *holder = module;
  module.walk([&](FunctionOpInterface function) { holder = function->getParentOp(); });
  if (failed(bufferization::runOneShotBufferize(holder, options, state)))
    return failure();
  // Constants are put into the outermost module, where a function in a gpu.module does not find them.
  if (holder != module)
    for (auto global : llvm::make_early_inc_range(module.getOps<memref::GlobalOp>()))
      global->moveBefore(&holder->getRegion(0).front().front());
  return success();
}

void codegen::buildMemRefLowering(OpPassManager &manager) {
  manager.addPass(memref::createExpandStridedMetadataPass());
  manager.addPass(createLowerAffinePass());
  manager.addPass(createFinalizeMemRefToLLVMConversionPass());
}

FailureOr<DefaultKernel> codegen::lowerTensorKernel(ModuleOp module, const DefaultTarget &target,
                                                    bool isSpread) {
  if (failed(run(module,
                 [](PassManager &m) {
                   m.addPass(createCanonicalizerPass());
                   m.addPass(createCSEPass());
                 })) ||
      failed(bufferize(module)) ||
      failed(run(module, [](PassManager &m) { m.addPass(createCanonicalizerPass()); })) ||
      (!isSpread && failed(target.lowerToLoops(module))) || failed(run(module, [](PassManager &m) {
        m.addPass(memref::createFoldMemRefAliasOpsPass());
        m.addPass(createCanonicalizerPass());
        m.addPass(createCSEPass());
      })))
    return failure();
  carrySums(module);
  if (failed(readPackedWeights(module)))
    return failure();
  FailureOr<Affine> scratch = moveToScratch(module, target);
  if (failed(scratch))
    return failure();
  RewritePatternSet polynomials(module.getContext());
  emit::populateMathToPolyPatterns(polynomials);
  if (failed(applyPatternsGreedily(module, std::move(polynomials))) ||
      failed(run(module, [&](PassManager &m) { target.buildLowering(m); })))
    return failure();
  DefaultKernel kernel;
  kernel.scratchConstant = scratch->base;
  kernel.scratchPerKey = scratch->perKey;
  return kernel;
}
