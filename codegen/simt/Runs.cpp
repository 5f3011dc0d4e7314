//===- Runs.cpp - matrix operations as one meeting of the warp ------------===//
//
// A meeting costs far more than what is done there, and kernels load and multiply many matrices one after the
// other. So those of a basic block are done together, at the last one's place:
//   1. a product may need results of those before it as its B or C, which the emulator finds by itself;
//   2. arithmetic on results that stands between moves behind them;
//   3. nothing that threads meet at is passed, and with a matrix to load no write to memory.
//
//===----------------------------------------------------------------------===//
#include "codegen/simt/IntrinsicTable.h"
#include "codegen/simt/Rewriter.h"

using namespace llvm;
using namespace llmc::codegen::simt;

using Kind = IntrinsicKind;

/// Of a matrix operation, else null.
static const IntrinsicRow *matrixRow(const Instruction &instruction) {
  auto *call = dyn_cast<CallInst>(&instruction);
  if (!call || !call->getCalledFunction())
    return nullptr;
  const IntrinsicRow *row = findIntrinsic(call->getCalledFunction()->getName());
  return row && (row->kind == Kind::Matrix || row->kind == Kind::Load) ? row : nullptr;
}

namespace {
/// A product's operands, each of so many words.
struct Operands {
  explicit Operands(CallInst &product) {
    const SmallVector<Value *> all(product.args());
    const size_t n = cast<StructType>(product.getType())->getNumElements();
    sum.assign(all.end() - n, all.end());
    columns.assign(all.end() - n - 2, all.end() - n);
    rows.assign(all.begin(), all.end() - n - 2);
  }
  SmallVector<Value *> rows, columns, sum; // A, B, C
};

/// Consecutive words of the result of one matrix operation.
struct Words {
  CallInst *call = nullptr; // null: they are no such words
  unsigned first = 0;
};
} // namespace

/// A word may be taken for one of another type.
static Value *withoutCast(Value *value) {
  auto *cast = dyn_cast<BitCastInst>(value);
  return cast ? cast->getOperand(0) : value;
}

static Words wordsOf(ArrayRef<Value *> values) {
  Words words;
  for (auto [i, value] : enumerate(values)) {
    auto *word = dyn_cast<ExtractValueInst>(withoutCast(value));
    auto *call = word ? dyn_cast<CallInst>(word->getAggregateOperand()) : nullptr;
    if (!call || (i && (call != words.call || word->getIndices()[0] != words.first + i)))
      return {};
    if (i == 0)
      words = {call, word->getIndices()[0]};
  }
  return words;
}

/// Whether it can move down in its block.
static bool mayWait(const Instruction &instruction) {
  auto *call = dyn_cast<CallInst>(&instruction);
  // What is rewritten itself stays.
  if (call && (!call->getCalledFunction() || findIntrinsic(call->getCalledFunction()->getName())))
    return false;
  return !instruction.mayReadOrWriteMemory() && !instruction.isTerminator() && !isa<PHINode>(instruction);
}

void Rewriter::findRuns() {
  SmallVector<CallInst *> open;
  SmallVector<Instruction *> behind, pending; // of what waits for results: before the last call, after it
  bool hasLoad = false;
  SmallPtrSet<Value *, 32> results; // of the open run: calls, and what needs them
  auto close = [&] {
    if (!open.empty()) {
      for (CallInst *call : open)
        runOf[call] = runs.size();
      size_t &longest = longestRun[open.front()->getFunction()];
      longest = std::max(longest, open.size());
      runs.push_back({open, behind});
    }
    open.clear();
    behind.clear();
    pending.clear();
    results.clear();
    hasLoad = false;
  };
  auto areResults = [&](auto &&operands) {
    return any_of(operands, [&](Value *operand) { return results.contains(operand); });
  };
  auto joins = [&](CallInst &call, const IntrinsicRow &row) {
    if (open.empty() || open.size() == LLMC_SIMT_RUN)
      return false;
    if (row.kind == Kind::Load)
      return !areResults(call.args());
    const Operands operands(call);
    const Words columns = wordsOf(operands.columns), sum = wordsOf(operands.sum);
    const bool hasSum = is_contained(open, sum.call) && sum.first == 0 &&
                        sum.call->getCalledFunction() == call.getCalledFunction();
    const bool hasColumns = is_contained(open, columns.call) && matrixRow(*columns.call)->kind == Kind::Load;
    return !areResults(operands.rows) && (hasColumns || !areResults(operands.columns)) &&
           (hasSum || !areResults(operands.sum));
  };
  for (Function &function : module)
    for (BasicBlock &block : function) {
      for (Instruction &instruction : block) {
        if (const IntrinsicRow *row = matrixRow(instruction)) {
          auto &call = cast<CallInst>(instruction);
          if (!joins(call, *row))
            close();
          open.push_back(&call);
          behind.append(pending);
          pending.clear();
          results.insert(&call);
          hasLoad |= row->kind == Kind::Load;
        } else if (!open.empty()) {
          auto *call = dyn_cast<CallInst>(&instruction);
          const bool isUser = areResults(instruction.operands());
          if ((call && (call->isConvergent() || call->mayHaveSideEffects())) ||
              (isUser && !mayWait(instruction)) || (hasLoad && instruction.mayWriteToMemory())) {
            close();
          } else if (isUser) {
            pending.push_back(&instruction);
            results.insert(&instruction);
          }
        }
      }
      close();
    }
}

void Rewriter::rewriteRun(const Run &run) {
  CallInst &last = *run.calls.back();
  Function &function = *last.getFunction();
  IRBuilder<> builder(&last);
  Value *in = words(function, false), *out = words(function, true);
  Value *first = nullptr;
  DenseMap<CallInst *, size_t> numbers;
  builder.CreateStore(builder.getInt32(~0u), in);
  for (auto [i, call] : enumerate(run.calls)) {
    numbers[call] = i;
    const StringRef name = call->getCalledFunction()->getName();
    const IntrinsicRow &row = *matrixRow(*call);
    const unsigned at = unsigned(i) * LLMC_SIMT_RUN_IN + 1;
    if (row.kind == Kind::Load) {
      const bool isTransposed = name.contains(".trans.");
      Value *number = site(builder, isTransposed ? LLMC_SIMT_LDMATRIX_TRANSPOSED : LLMC_SIMT_LDMATRIX,
                           row.number, *call, name);
      first = first ? first : number;
      putWords(builder, in, at, {call->getArgOperand(0)});
      continue;
    }
    const Operands operands(*call);
    Value *number = site(builder, row.number, 0, *call, name);
    first = first ? first : number;
    // How many operations before this one they are the result; 0: of none, and they are stored.
    auto put = [&](const SmallVector<Value *> &values, unsigned offset) -> uint8_t {
      if (auto from = numbers.find(wordsOf(values).call); from != numbers.end())
        return uint8_t(i - from->second);
      putWords(builder, in, at + offset, values);
      return 0;
    };
    put(operands.rows, 0);
    sites.back().columnsFrom = put(operands.columns, 4);
    sites.back().columnsWord = uint8_t(wordsOf(operands.columns).first);
    sites.back().sumFrom = put(operands.sum, 6);
  }
  sites[sites.size() - run.calls.size()].run = uint8_t(run.calls.size());
  this->call(builder, Call::Warp, {first, in, out});
  for (auto [i, call] : enumerate(run.calls)) {
    Value *result = takeWords(builder, call->getType(), out, unsigned(i) * LLMC_SIMT_RUN_OUT);
    call->replaceAllUsesWith(result);
  }
  for (Instruction *instruction : run.behind)
    instruction->moveBefore(last.getIterator());
  for (CallInst *call : run.calls)
    call->eraseFromParent();
}

void Rewriter::putWords(IRBuilder<> &builder, Value *words, unsigned first, ArrayRef<Value *> operands) {
  Type *i32 = builder.getInt32Ty();
  auto put = [&](Value *word) { builder.CreateStore(word, builder.CreateConstGEP1_32(i32, words, first++)); };
  for (Value *value : operands) {
    if (value->getType()->isPointerTy()) {
      Value *address = builder.CreatePtrToInt(value, builder.getInt64Ty());
      put(builder.CreateTrunc(address, i32));
      put(builder.CreateTrunc(builder.CreateLShr(address, 32), i32));
    } else if (value->getType()->isIntegerTy()) {
      put(builder.CreateZExt(value, i32));
    } else {
      put(builder.CreateBitCast(value, i32));
    }
  }
}

Value *Rewriter::takeWords(IRBuilder<> &builder, Type *type, Value *words, unsigned first) {
  Type *i32 = builder.getInt32Ty();
  auto take = [&](Type *type) -> Value * {
    Value *word = builder.CreateLoad(i32, builder.CreateConstGEP1_32(i32, words, first++));
    return type->isIntegerTy() ? builder.CreateTrunc(word, type) : builder.CreateBitCast(word, type);
  };
  auto *group = dyn_cast<StructType>(type);
  if (!group)
    return take(type);
  Value *all = PoisonValue::get(type);
  for (unsigned i = 0; i < group->getNumElements(); ++i)
    all = builder.CreateInsertValue(all, take(group->getElementType(i)), i);
  return all;
}
