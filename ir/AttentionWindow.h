//===- AttentionWindow.h - how far attention may reach ----------*- C++ -*-===//
#ifndef LLMC_IR_ATTENTIONWINDOW_H
#define LLMC_IR_ATTENTIONWINDOW_H

#include <cstdint>

namespace llmc::lm {

/// More tokens than any sequence has; kernels count positions in 32 bits.
inline constexpr int64_t longestWindow = 1 << 30;

} // namespace llmc::lm
#endif
