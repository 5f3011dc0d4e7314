//===- LogitsFile.h - logits of a text, for comparison ----------*- C++ -*-===//
//
// What `perplexity --save-logits` writes and `--kl` reads: a header that says which text and windows they are
// of, then a row of float32 for every scored token, in order. Both sides hold one row at a time.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TOOLS_LLMC_LOGITSFILE_H
#define LLMC_TOOLS_LLMC_LOGITSFILE_H

#include "tools/llmc/Common.h"
#include "tools/llmc/NewFile.h"

namespace llmc::cli {

struct LogitsHeader {
  char magic[8] = {'L', 'L', 'M', 'C', 'L', 'O', 'G', '1'};
  uint64_t vocab = 0, rows = 0;
  uint64_t textHash = 0;   // of all token ids
  uint64_t windowHash = 0; // of the windows
};

class LogitsWriter {
public:
  LogitsWriter(std::string path, const LogitsHeader &);
  void row(std::span<const float> logits) { file.write(logits.data(), logits.size_bytes()); }
  /// Gives the file its name, with all rows in it.
  void finish() { file.finish(); }

private:
  NewFile file;
};

class LogitsReader {
public:
  /// A Failure unless the file is one of these, whole, and of what `expected` says.
  LogitsReader(std::string path, const LogitsHeader &expected);
  /// The next row; valid until the next call.
  std::span<const float> next();

private:
  std::string place;
  std::unique_ptr<FILE, Deleter<std::fclose>> file;
  std::vector<float> buffer;
};

} // namespace llmc::cli
#endif
