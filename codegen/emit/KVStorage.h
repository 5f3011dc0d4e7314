//===- KVStorage.h - how the numbers of a KV cache are stored ---*- C++ -*-===//
//
// One place for the storage types and the layout inside a page. Per head, keys lie as [dim_k][page_tokens],
// so that a vector holds one dimension of 16 keys, and values as [page_tokens][dim_v rounded up to 16].
// q8 stores int8 with an f16 scale for each 32 numbers of a row: behind a head's int8 stand the scales, of
// keys as [groups][page_tokens], of values as [page_tokens][groups]. Every stored number stands for exactly
// one float, so what reads a cache is the same arithmetic for all types.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_CODEGEN_EMIT_KVSTORAGE_H
#define LLMC_CODEGEN_EMIT_KVSTORAGE_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <cstdint>

namespace llmc::emit {

struct KVType {
  llvm::StringRef name;
  uint32_t number;  // LLMC_STORE_* of module_abi.h
  int64_t bytes;    // of a number
  int64_t perScale; // numbers that share an f16 scale; 0: none
};

llvm::ArrayRef<KVType> allKVTypes();
const KVType *kvTypeByName(llvm::StringRef name);
const KVType &kvType(llvm::StringRef name); // of a name that is known

/// One layer's part of a page.
struct KVLayout {
  const KVType *type;
  int64_t heads, dimK, dimV, pageTokens;

  int64_t dimVPadded() const { return (dimV + 15) / 16 * 16; }
  int64_t groups(int64_t dim) const {
    return type->perScale ? (dim + type->perScale - 1) / type->perScale : 0;
  }
  /// Where the scales of a head stand behind its numbers.
  int64_t scalesK() const { return dimK * pageTokens * type->bytes; }
  int64_t scalesV() const { return dimVPadded() * pageTokens * type->bytes; }
  int64_t headBytesK() const { return scalesK() + 2 * groups(dimK) * pageTokens; }
  int64_t headBytesV() const { return scalesV() + 2 * groups(dimV) * pageTokens; }
  int64_t pageBytesK() const { return heads * headBytesK(); }
  int64_t pageBytesV() const { return heads * headBytesV(); }
  /// Of one token's keys and values.
  int64_t tokenBytes() const { return (pageBytesK() + pageBytesV()) / pageTokens; }
};

} // namespace llmc::emit
#endif
