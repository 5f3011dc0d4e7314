//===- Embed.cpp - rows of an embedding table -----------------------------===//
//
// Workers share the rows. Token ids were checked against the vocabulary before the step.
//
//===----------------------------------------------------------------------===//
#include "codegen/cpu/Entry.h"
#include "codegen/cpu/Kernels.h"
#include "ir/quant/SchemeIR.h"
#include "runtime/include/llmc/module_abi.h"

#include <cstddef>

using namespace mlir;

namespace llmc::cpu {

FailureOr<KernelResult> emitEmbed(ModuleOp module, StringRef name, const EmbedSpec &spec, const Isa &isa) {
  if (!spec.scheme || spec.width <= 0 || spec.vocab <= 0) {
    module.emitError() << "embed kernel '" << name << "': expected a scheme, a vocabulary and a width";
    return failure();
  }
  Emitter e(module.getLoc(), module.getContext());
  e.setInsertionPointToEnd(module.getBody());
  emitEntry(e, module, name, isa, [&](const KernelArguments &k) {
    Value table = k.pointer(e, 0), y = k.pointer(e, 1);
    Value tokens = e.load(e.ptr(), k.step, offsetof(llmc_step, tokens));
    Value asked = e.load(e.ptr(), k.step, offsetof(llmc_step, asked));
    auto [first, last] = k.share(e, k.rows(e, spec.rowSpace));
    e.loop(first, last, 1, [&](Value row) {
      Value token = row;
      if (spec.rowSpace == LLMC_ROWS_ASKED)
        token = e.widen(e.load(e.i32(), e.at(asked, e.mul(row, 4))));
      Value id = e.widen(
          e.load(e.i32(), e.at(tokens, e.mul(token, sizeof(llmc_token_row))), offsetof(llmc_token_row, id)));
      Value panel = e.at(table, e.mul(e.div(id, quant::panelRows), spec.scheme->panelBytes(spec.width)));
      Value inPanel = e.rem(id, quant::panelRows), out = e.at(y, e.mul(row, rowStride(spec.width)));
      e.loop(e.c(0), e.c(spec.width), 1, [&](Value column) {
        Value value = quant::loadElement(e, *spec.scheme, panel, inPanel, column, spec.width);
        if (spec.scale != 1)
          value = e.mulf(value, spec.scale);
        e.store(value, e.at(out, e.mul(column, 4)));
      });
      for (int64_t column = spec.width; column < roundUp(spec.width, lanes); ++column)
        e.store(e.real(e.f32(), 0), out, 4 * column);
    });
  });
  return KernelResult{};
}

} // namespace llmc::cpu
