//===- DispatchList.h - the dispatches of a step before buffers -*- C++ -*-===//
//
// The lowering first lists kernel calls over values, layers unrolled; here values become arena buffers and
// the calls get their barriers:
//   1. a value lives from the call that writes it to the last call that reads it;
//   2. in order of the calls, a value takes a free buffer of its shape, or a new one;
//   3. a call needs a barrier if it touches what an earlier call since the last barrier wrote, or writes what
//   one read. One that stands in for another needs what that one needs.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_CODEGEN_DISPATCHLIST_H
#define LLMC_CODEGEN_DISPATCHLIST_H

#include "ir/StepOps.h"

#include "llvm/ADT/SetVector.h"

#include <optional>
#include <string>
#include <vector>

namespace llmc::codegen {

enum class Access { Read, Write, ReadWrite };

class DispatchList {
public:
  /// Number of a value. `pinned` ones (the outputs of a step) keep their buffer to the end.
  using ValueId = unsigned;
  ValueId addValue(mlir::StringAttr space, int64_t rowBytes, mlir::Location loc);
  void pin(ValueId value) { values[value].isPinned = true; }
  mlir::StringAttr spaceOf(ValueId value) const { return values[value].space; }

  struct Arg {
    mlir::Attribute constant; // a name or an integer, if not a value
    ValueId value = 0;
    Access access = Access::Read;
    static Arg of(mlir::Attribute constant) { return {constant, 0, Access::Read}; }
    static Arg of(ValueId value, Access access) { return {{}, value, access}; }
  };
  struct Call {
    mlir::StringAttr kernel;
    llvm::SmallVector<Arg> args;
    std::optional<int64_t> layer;
    mlir::StringAttr space; // row space it works over
    mlir::Location loc;
    std::string readsCache, writesCache; // name and layer, or empty
    // The cache, in one storage type, without which the call is left out; and whether the call stands in for
    // the one before it, where that one is left out.
    mlir::FlatSymbolRefAttr storage;
    bool isAlternative = false;
  };
  void add(Call call) { calls.push_back(std::move(call)); }

  /// Builds step.buffer and step.dispatch ops at the builder's place; returns the buffer name of each pinned
  /// value.
  llvm::DenseMap<ValueId, mlir::FlatSymbolRefAttr> build(mlir::OpBuilder &builder);

private:
  struct Value {
    mlir::StringAttr space;
    int64_t rowBytes;
    mlir::Location loc;
    bool isPinned = false;
    unsigned lastCall = 0;
    unsigned buffer = 0;
  };
  struct Buffer {
    mlir::StringAttr space;
    int64_t rowBytes;
    mlir::FlatSymbolRefAttr name;
    llvm::SetVector<mlir::Location> locs; // of the values it holds in turn
  };
  void findLifetimes();
  unsigned takeBuffer(const Value &value, std::vector<bool> &isFree);
  void placeValues();
  void buildBuffers(mlir::OpBuilder &builder);
  void buildDispatches(mlir::OpBuilder &builder);

  std::vector<Value> values;
  std::vector<Call> calls;
  std::vector<Buffer> buffers;
};

} // namespace llmc::codegen
#endif
