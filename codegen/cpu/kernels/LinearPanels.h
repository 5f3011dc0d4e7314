//===- LinearPanels.h - the walk over the panels of an output ---*- C++ -*-===//
//
// A single row streams the weights through a few panels at once. Several rows go in blocks whose packed form
// stays in cache, and in each block panels after panels, so that weights come from memory once a block; coded
// panels are unpacked once a block, into the worker's scratch. In tiles, panels are decoded to bf16 once a
// block (TileProducts.cpp), in chunks of columns where whole rows would not stay in cache.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_CODEGEN_CPU_KERNELS_LINEARPANELS_H
#define LLMC_CODEGEN_CPU_KERNELS_LINEARPANELS_H

#include "codegen/cpu/kernels/Linear.h"

namespace llmc::cpu {

class LinearPanels {
public:
  LinearPanels(Emitter &e, mlir::ModuleOp module, llvm::StringRef name, const LinearSpec &spec,
               const Isa &isa);

  /// panels(step, weights, up weights, x, bias, up bias, residual, y, y stride, first, last, first row, last
  /// row, rows, scratch): the panels [first, last) of one output, with glu of the gate and its up weight, for
  /// some of the step's rows (without tiles: all). x is packed, or as it is where the products read that.
  /// Outputs of the same schemes share the function.
  mlir::LLVM::LLVMFuncOp emit(const LinearSpec::Weight &gate, const LinearSpec::Weight &up);
  /// What it takes of a worker's scratch.
  int64_t scratchBytes() const;

private:
  using Value = mlir::Value;
  using Schemes = llvm::ArrayRef<const quant::QuantScheme *>;
  /// The function's arguments, and the parts of its scratch.
  struct Segment {
    Value step, weights[2], x, bias[2], residual, y, yStride, first, last, firstRow, lastRow, rows, scratch,
        sums[2];
    mlir::LLVM::LLVMFuncOp epilogue;
  };

  bool isInt8() const { return spec.activations == ActivationType::Int8; }
  llvm::ArrayRef<int> tileRows() const {
    return isInt8() ? isa.tuning.int8TileRows : isa.tuning.floatTileRows;
  }
  int tilePanels() const { return isInt8() ? isa.tuning.int8TilePanels : isa.tuning.floatTilePanels; }
  int64_t rowsAtOnce() const;
  int64_t sumsBytes() const;

  /// Panels of one weight, one after another, `bytes` apart.
  struct Panels {
    const quant::QuantScheme *scheme;
    Value first;
    int64_t bytes;
    Value stored = {}; // of unpacked panels: where they were unpacked from
  };

  int64_t unpackedBytes() const;
  llvm::SmallVector<Panels> panelsFrom(const Segment &s, Schemes schemes, Value panel);
  llvm::SmallVector<Panels> unpacked(const Segment &s, llvm::ArrayRef<Panels> weights, Value valid);
  mlir::LLVM::LLVMFuncOp productsOf(const Panels &panels, int tileRows, int tilePanels);
  int64_t tileGroup() const;
  void finish(const Segment &s, int64_t sumsStride, Value row, Value rows, Value panel, Value panels);
  void countLoads(const Segment &s, Schemes schemes, Value panel, Value count);
  void tile(const Segment &s, llvm::ArrayRef<Panels> weights, int tileRows, int tilePanels, Value row,
            Value panel, Value valid, Value cold);
  void oneRow(const Segment &s, Schemes schemes);
  void manyRows(const Segment &s, Schemes schemes);
  void fewTiles(const Segment &s, Schemes schemes);
  void manyTiles(const Segment &s, Schemes schemes);
  Value panelsAt(Value base, Value panel, int64_t bytes) { return e.at(base, e.mul(panel, bytes)); }

  Emitter &e;
  mlir::ModuleOp module;
  std::string name;
  const LinearSpec &spec;
  const Isa &isa;
  int64_t stride = activationStride(spec);
  bool hasTiles = usesTiles(spec, isa);
  TileLayout layout = hasTiles ? tileLayout(spec, isa) : TileLayout();
};

} // namespace llmc::cpu
#endif
