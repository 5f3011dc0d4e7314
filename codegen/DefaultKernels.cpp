//===- DefaultKernels.cpp - kernels made from decompositions --------------===//
//
// 1. In a module of its own: an entry whose body is a loop over the worker's rows, with the op on tensors of
// one row.
// 2. Ops of the lm dialect are decomposed until only the doors are left (token_rows, weight_values), which
//    become reads of memory.
// 3. Tensors become buffers, buffers become scratch, the rest is lowered (DefaultLowering.cpp).
// 4. The function and its constants move into the target.
//
//===----------------------------------------------------------------------===//
#include "codegen/DefaultKernels.h"

#include "codegen/DefaultLowering.h"
#include "codegen/RowSpace.h"
#include "ir/quant/QuantScheme.h"
#include "runtime/include/llmc/module_abi.h"

#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"

#include <cstddef>

using namespace mlir;
using namespace llmc;
using namespace llmc::codegen;
using emit::Emitter;
using emit::KernelArguments;

/// What the op reads of all visible keys; everything else is read row by row.
static bool isOfKeys(Operation *op, Value operand) {
  auto attention = dyn_cast<lm::AttentionOp>(op);
  return attention && llvm::is_contained({attention.getK(), attention.getV(), attention.getKeys()}, operand);
}

namespace {
/// Builds the loop over rows around one op.
class RowLoop {
public:
  RowLoop(ModuleOp module, StringRef name, step::KernelOp kernel, const DefaultTarget &target)
      : e(kernel.getLoc(), kernel.getContext()), module(module), name(name), kernel(kernel), target(target) {}

  LogicalResult build();

private:
  void emitRow(const KernelArguments &arguments, ValueRange pointers, Value row);
  Value readRows(RankedTensorType type, Value pointer, Value row, bool ofKeys);
  void writeRow(Value tensor, Value pointer, Value row);
  LogicalResult decomposeAll();
  LogicalResult openDoors();

  Emitter e;
  ModuleOp module;
  StringRef name;
  step::KernelOp kernel;
  const DefaultTarget &target;
  Value keys; // how many, where the op reads them
};
} // namespace

/// Bytes between the rows of a buffer.
static int64_t strideOf(RankedTensorType type) {
  return type.getElementType().isF32() ? emit::rowStride(type.getDimSize(1)) : type.getDimSize(1) * 4;
}

Value RowLoop::readRows(RankedTensorType type, Value pointer, Value row, bool ofKeys) {
  int64_t width = type.getDimSize(1), stride = strideOf(type);
  SmallVector<int64_t> shape{ofKeys ? ShapedType::kDynamic : 1, width};
  auto layout = StridedLayoutAttr::get(e.getContext(), 0, {stride / 4, 1});
  auto memref = MemRefType::get(shape, type.getElementType(), layout);
  Value first = ofKeys ? pointer : e.at(pointer, e.mul(row, stride));
  auto view = memrefAt(e, memref, first, ofKeys ? ValueRange{keys} : ValueRange{});
  if (ofKeys)
    view->setAttr(rowsAreKeys, e.getUnitAttr());
  auto seen = RankedTensorType::get(shape, type.getElementType());
  Value tensor =
      bufferization::ToTensorOp::create(e, seen, view.getResult(0), /*restrict=*/true, /*writable=*/false);
  return seen == type ? tensor : tensor::CastOp::create(e, type, tensor).getResult();
}

void RowLoop::writeRow(Value tensor, Value pointer, Value row) {
  auto type = cast<RankedTensorType>(tensor.getType());
  int64_t width = type.getDimSize(1), stride = strideOf(type);
  auto memref = MemRefType::get({1, width}, type.getElementType());
  Value first = e.at(pointer, e.mul(row, stride));
  Value one = tensor::CastOp::create(e, RankedTensorType::get({1, width}, type.getElementType()), tensor);
  bufferization::MaterializeInDestinationOp::create(e, /*result=*/Type(), one,
                                                    memrefAt(e, memref, first).getResult(0),
                                                    /*restrict=*/true, /*writable=*/true);
  for (int64_t column = width; column < stride / 4; ++column)
    e.store(e.real(e.f32(), 0), first, 4 * column);
}

void RowLoop::emitRow(const KernelArguments &arguments, ValueRange pointers, Value row) {
  Operation *op = kernel.computed();
  Block &body = kernel.getBody().front();
  IRMapping mapping;
  ValueRange rest = pointers;
  unsigned weights = 0;
  auto next = [&]() {
    Value pointer = rest.front();
    rest = rest.drop_front();
    return pointer;
  };
  for (BlockArgument argument : body.getArguments()) {
    Value value;
    if (isa<lm::TokensType>(argument.getType())) {
      Value token = row;
      if (kernel.getRows() == "asked" || kernel.getRows() == "hidden") {
        Value asked = e.load(e.ptr(), arguments.step, offsetof(llmc_step, asked));
        token = e.widen(e.load(e.i32(), e.at(asked, e.mul(row, 4))));
      }
      Value tokens = e.load(e.ptr(), arguments.step, offsetof(llmc_step, tokens));
      Value mine = e.at(tokens, e.mul(token, sizeof(llmc_token_row)));
      value = UnrealizedConversionCastOp::create(e, argument.getType(), mine).getResult(0);
    } else if (isa<lm::WeightType>(argument.getType())) {
      auto door = UnrealizedConversionCastOp::create(e, argument.getType(), next());
      door->setAttr(packedWeight, kernel.getSchemes()[weights++]);
      value = door.getResult(0);
    } else {
      value = readRows(cast<RankedTensorType>(argument.getType()), next(), row, isOfKeys(op, argument));
    }
    mapping.map(argument, value);
  }
  e.clone(*op, mapping);
  for (Value result : body.getTerminator()->getOperands())
    writeRow(mapping.lookup(result), next(), row);
}

LogicalResult RowLoop::decomposeAll() {
  while (true) {
    SmallVector<lm::DecomposableInterface> ops;
    module.walk([&](lm::DecomposableInterface op) { ops.push_back(op); });
    if (ops.empty())
      return success();
    for (lm::DecomposableInterface op : ops) {
      OpBuilder builder(op);
      FailureOr<SmallVector<Value>> values = op.decompose(builder);
      if (failed(values))
        return op->emitError("cannot be decomposed: an attribute still names a table");
      op->replaceAllUsesWith(*values);
      op->erase();
    }
  }
}

/// Tokens and weights as memory.
LogicalResult RowLoop::openDoors() {
  SmallVector<Operation *> ops;
  module.walk([&](Operation *op) {
    if (isa_and_nonnull<lm::LMDialect>(op->getDialect()))
      ops.push_back(op);
  });
  SmallVector<Operation *> doors;
  for (Operation *op : ops) {
    if (!isa<lm::TokenRowsOp, lm::WeightValuesOp>(op))
      return op->emitError("has no decomposition that a kernel could run");
    auto door = op->getOperand(0).getDefiningOp<UnrealizedConversionCastOp>();
    auto type = cast<RankedTensorType>(op->getResult(0).getType());
    e.setInsertionPoint(op);
    Value memref;
    auto shape = SmallVector<int64_t>(type.getShape());
    if (auto scheme = door->getAttrOfType<StringAttr>(packedWeight)) {
      auto view = UnrealizedConversionCastOp::create(e, MemRefType::get(shape, e.f32()), door.getOperand(0));
      view->setAttr(packedWeight, scheme);
      memref = view.getResult(0);
    } else {
      shape[0] = 1;
      memref = memrefAt(e, MemRefType::get(shape, e.i32()), door.getOperand(0)).getResult(0);
    }
    Value tensor =
        bufferization::ToTensorOp::create(e, RankedTensorType::get(shape, type.getElementType()), memref,
                                          /*restrict=*/true, /*writable=*/false);
    if (tensor.getType() != type)
      tensor = tensor::CastOp::create(e, type, tensor);
    op->getResult(0).replaceAllUsesWith(tensor);
    op->erase();
    if (!llvm::is_contained(doors, door))
      doors.push_back(door);
  }
  // What is left of `!lm.tokens` and `!lm.weight`: doors nobody went through.
  module.walk([&](UnrealizedConversionCastOp door) {
    if (isa<lm::TokensType, lm::WeightType>(door.getResult(0).getType()) && !llvm::is_contained(doors, door))
      doors.push_back(door);
  });
  for (Operation *door : doors)
    door->erase();
  return success();
}

LogicalResult RowLoop::build() {
  Operation *op = kernel.computed();
  Block &body = kernel.getBody().front();
  int64_t pointers = body.getTerminator()->getNumOperands();
  bool ofKeys = false;
  for (BlockArgument argument : body.getArguments()) {
    pointers += !isa<lm::TokensType>(argument.getType());
    ofKeys |= isOfKeys(op, argument);
  }
  target.emitEntry(e, module, name, [&](const KernelArguments &arguments) {
    Value count = arguments.rows(e, rowSpaceNumber(kernel.getRows()));
    if (ofKeys)
      keys = arguments.rows(e, LLMC_ROWS_KEYS);
    SmallVector<Value> addresses;
    for (int64_t i = 0; i < pointers; ++i)
      addresses.push_back(arguments.pointer(e, i));
    auto [first, last] = arguments.share(e, count);
    e.loop(first, last, 1, [&](Value row) { emitRow(arguments, addresses, row); });
  });
  return success(succeeded(decomposeAll()) && succeeded(openDoors()));
}

/// Moves the function and its constants out of their own module.
static void mergeInto(ModuleOp into, ModuleOp module, StringRef name) {
  unsigned constants = 0;
  SymbolTable symbols(module);
  for (auto global : llvm::to_vector(module.getOps<LLVM::GlobalOp>())) {
    std::string unique = (name + "." + Twine(constants++)).str();
    (void)symbols.rename(global, unique);
    global.setLinkage(LLVM::Linkage::Internal);
  }
  for (Operation &op : llvm::make_early_inc_range(*module.getBody()))
    op.moveBefore(into.getBody(), into.getBody()->end());
}

FailureOr<DefaultKernel> codegen::emitDefaultKernel(ModuleOp into, StringRef name, step::KernelOp kernel,
                                                    const DefaultTarget &target) {
  Operation *op = kernel.computed();
  OwningOpRef<ModuleOp> module = ModuleOp::create(kernel.getLoc());
  if (isa_and_nonnull<step::StepDialect>(op->getDialect()))
    return kernel.emitOpError("expected an op of the lm dialect in the body");
  if (isa<lm::CachedAttentionOp>(op))
    return kernel.emitOpError(
        "touches the cache together with other things; its parts are kernels, the whole is not");
  for (Attribute scheme : kernel.getSchemes())
    if (StringRef word = cast<StringAttr>(scheme).getValue(); word != "vector" && !quant::schemeByName(word))
      return kernel.emitOpError() << "names the scheme '" << word << "', which is not known";
  if (isa<lm::AskedRowsOp>(op)) {
    if (failed(emitAskedRows(*module, name, kernel, target)))
      return failure();
  } else if (isa<lm::KVAppendOp, lm::KVViewOp>(op)) {
    if (failed(emitCacheRows(*module, name, kernel, target)))
      return failure();
  } else if (failed(RowLoop(*module, name, kernel, target).build())) {
    return failure();
  }
  FailureOr<DefaultKernel> lowered =
      lowerTensorKernel(*module, target, /*isSpread=*/isa<lm::AskedRowsOp, lm::KVAppendOp, lm::KVViewOp>(op));
  if (failed(lowered))
    return failure();
  lowered->usesKeys = isa<lm::KVViewOp, lm::AttentionOp>(op);
  mergeInto(into, *module, name);
  return lowered;
}
