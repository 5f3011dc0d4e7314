// A model.so as bytes: footer, hashes and manifest are read and checked without executing anything in the
// file. The loader does this before dlopen; `llmc inspect` does only this.
#pragma once

#include "runtime/Error.h"

#include "llmc/module_abi.h"

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace llmc {

/// A descriptor, closed with this object.
struct OpenFile {
  OpenFile() = default;
  ~OpenFile();
  OpenFile(const OpenFile &) = delete;
  OpenFile &operator=(const OpenFile &) = delete;
  int descriptor = -1;
};

/// A whole file mapped read-only.
class MappedFile {
public:
  MappedFile() = default;
  ~MappedFile();
  MappedFile(const MappedFile &) = delete;
  MappedFile &operator=(const MappedFile &) = delete;

  /// Fails with LLMC_ENOTFOUND or LLMC_EIO. `opened`, if not null, gets the open file.
  llmc_status open(const char *path, OpenFile *opened = nullptr);
  std::span<const uint8_t> bytes() const { return {start, size}; }

private:
  const uint8_t *start = nullptr;
  size_t size = 0;
};

/// What a checked file holds; the spans point into the bytes it was read from.
struct ModuleContents {
  llmc_footer footer = {};
  std::span<const uint8_t> manifest, tokenizer, weights;
  /// The manifest's scalars in its own order, nested keys joined with dots; lists as JSON text.
  std::vector<std::pair<std::string, std::string>> meta;
};

/// Checks size, magic, ABI, footer hash, ranges, alignment, head hash, ELF magic and manifest, in this order.
/// `name` stands before every message.
llmc_status readModule(std::span<const uint8_t> file, const char *name, ModuleContents &out);

/// The weights' own hash, over every byte of them. `progress` may be null; false from it cancels.
llmc_status verifyWeights(const ModuleContents &module, const char *name, llmc_progress_fn progress,
                          void *progressData);

} // namespace llmc
