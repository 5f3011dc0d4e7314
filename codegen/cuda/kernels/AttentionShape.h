//===- AttentionShape.h - how attention is cut over a GPU -------*- C++ -*-===//
//
// Keys are taken 32 at a time (a unit: one key a lane), some units of consecutive positions make a key block.
// A unit has its own maximum, sum and outputs; units are put together in order within their block, blocks in
// order within the sequence. All of that depends on positions alone, so who computes what is free.
//
// A block reads its queries and writes a record of each, which is read again. It is so long that these bytes
// are less than a tenth of those of its keys and values: the smaller the numbers of the cache and the more
// heads share them, the longer. But not longer than 512 keys: blocks are what the GPU has to share out, and
// a sequence of 4096 tokens has eight of them for each kv head then.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_CODEGEN_CUDA_KERNELS_ATTENTIONSHAPE_H
#define LLMC_CODEGEN_CUDA_KERNELS_ATTENTIONSHAPE_H

#include "codegen/emit/Specs.h"

namespace llmc::cuda {

struct AttentionShape {
  static constexpr int64_t unitKeys = 32, mostBlockUnits = 16;
  static constexpr int64_t warps = 4, threads = 32 * warps;
  /// Steps of more rows go by the launches for prompts.
  static constexpr int64_t mostSplitRows = 32; // a lane each

  explicit AttentionShape(const emit::AttentionSpec &spec);

  const emit::AttentionSpec &spec;
  emit::KVLayout layout;
  int64_t group;            // query heads of a kv head
  int64_t bytes;            // of a stored number
  int64_t dimV;             // as stored: a multiple of 16
  int64_t groupsK, groupsV; // of numbers that share a scale; 0: there are none

  /// Units of a key block: a power of two, of which each warp has as many as any other.
  int64_t blockUnits;
  int64_t blockKeys() const { return unitKeys * blockUnits; }

  /// Dimensions of a value are a lane's in vectors of `width`: vector i begins at (32 i + lane) * width.
  int64_t width, vectors;
  /// Queries that a warp works on at once.
  int64_t rows;
  /// Tokens whose queries fill the warps of a block.
  int64_t tileTokens;

  /// Keys and values come through stages of shared memory, two at a time.
  struct Stages {
    int64_t bytes, dims, keys; // of a stage; whole dimensions of a unit's keys; whole values
  };
  Stages stages(int64_t bytes) const;
  int64_t scaleBytes() const { return unitKeys * 2 * std::max(groupsK, groupsV); }

  /// A record of one query and key block: the outputs, then maximum and sum.
  int64_t recordFloats() const { return dimV + 4; }
  /// Bytes of records of a token and a key block.
  int64_t recordBytesPerRow() const { return spec.heads * recordFloats() * 4; }

  /// Where the arguments of the kernel stand.
  int64_t sinks() const { return 3; }
  int64_t gainQ() const { return 3 + spec.hasSinks; }
  int64_t gainK() const { return gainQ() + spec.gainQ; }
  int64_t frequencies() const { return gainK() + spec.gainK; }
  int64_t window() const { return frequencies() + (spec.ropeDims > 0); }
  int64_t cache() const { return window() + spec.hasWindow; }
  int64_t output() const { return cache() + 3; }
};

/// The smallest power of two that is not below.
int64_t powerOfTwo(int64_t n);

} // namespace llmc::cuda
#endif
