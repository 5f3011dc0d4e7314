//===- Embed.cpp - rows of an embedding table on a GPU --------------------===//
//
// A row of the table is scattered: a sixteenth of each line of its panel. So what counts is how many loads
// are under way at a time, and a thread has one column.
//
//===----------------------------------------------------------------------===//
#include "codegen/cuda/kernels/Embed.h"

#include "codegen/cuda/Entry.h"
#include "codegen/cuda/Warp.h"
#include "codegen/emit/KernelArguments.h"
#include "ir/quant/SchemeIR.h"
#include "runtime/include/llmc/module_abi.h"

#include <cstddef>

using namespace mlir;

namespace llmc::cuda {

using emit::Emitter;

constexpr uint32_t threads = 256, mostRows = 32768;

codegen::DeviceKernel emitEmbed(ModuleOp module, StringRef name, const emit::EmbedSpec &spec) {
  Emitter e(module.getLoc(), module.getContext());
  const int64_t stride = emit::rowStride(spec.width), columns = stride / 4; // padding among them
  emitEntry(e, module, name, threads, [&](const emit::KernelArguments &k) {
    Value table = k.pointer(e, 0), y = k.pointer(e, 1);
    Value tokens = e.load(e.ptr(), k.step, offsetof(llmc_step, tokens));
    Value asked = e.load(e.ptr(), k.step, offsetof(llmc_step, asked));
    Value column = e.add(e.mul(blockNumber(e, Axis::X), threads), k.lane);
    e.when(e.less(column, e.c(columns)), [&] {
      Value isPadding = e.less(e.c(spec.width - 1), column), within = e.min(column, e.c(spec.width - 1));
      e.loop(k.number, k.rows(e, spec.rowSpace), k.count, [&](Value row) {
        Value token = row;
        if (spec.rowSpace == LLMC_ROWS_ASKED)
          token = e.widen(e.load(e.i32(), e.at(asked, e.mul(row, 4))));
        Value id = e.widen(e.load(e.i32(), e.at(tokens, e.mul(token, sizeof(llmc_token_row))),
                                  offsetof(llmc_token_row, id)));
        Value panel = e.at(table, e.mul(e.div(id, quant::panelRows), spec.scheme->panelBytes(spec.width)));
        Value value =
            quant::loadElement(e, *spec.scheme, panel, e.rem(id, quant::panelRows), within, spec.width);
        if (spec.scale != 1)
          value = e.mulf(value, spec.scale);
        value = e.select(isPadding, e.real(e.f32(), 0), value);
        e.store(value, e.at(y, e.add(e.mul(row, stride), e.mul(column, 4))));
      });
    });
  });
  codegen::DeviceKernel kernel;
  kernel.launches = {{.entry = name.str(),
                      .threads = threads,
                      .blocks = uint32_t((columns + threads - 1) / threads),
                      .rowsPerBlock = 1,
                      .maxRowBlocks = mostRows}};
  return kernel;
}

} // namespace llmc::cuda
