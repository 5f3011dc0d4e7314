//===- TokenizerBlob.h - tokenizer descriptions to compiled form -*- C++ -*-===//
//
// Turns the tokenizer that a model file describes into the binary block of llmc/tokenizer_blob.h.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_FRONTEND_FORMATS_TOKENIZERBLOB_H
#define LLMC_FRONTEND_FORMATS_TOKENIZERBLOB_H

#include "frontend/formats/Gguf.h"

#include <string>

namespace llmc::formats {

/// Builds the block from the `tokenizer.*` keys. A file without tokenizer (model "none" or no key) gives a
/// block of kind LLMC_TOK_NONE. On failure returns false and fills `error` with one sentence that names file
/// and key.
bool buildTokenizerBlob(const GgufFile &file, std::string &blob, std::string &error);

} // namespace llmc::formats
#endif
