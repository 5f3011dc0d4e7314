//===- TokenizerBlob.h - tokenizer descriptions to compiled form -*- C++ -*-===//
//
// Turns the tokenizer that a model file describes into the binary block of llmc/tokenizer_blob.h.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_FRONTEND_FORMATS_TOKENIZERBLOB_H
#define LLMC_FRONTEND_FORMATS_TOKENIZERBLOB_H

#include "frontend/formats/Gguf.h"
#include "frontend/formats/OpenFiles.h"

#include <string>

namespace llmc::formats {

/// Builds the block from what `path` names: a GGUF file, a tokenizer.json, a SentencePiece model
/// (tokenizer.model), or a directory with tokenizer.json or else tokenizer.model. Files are told apart by
/// content; those beside tokenizer.json and tokenizer.model (tokenizer_config.json, generation_config.json,
/// chat_template.jinja ...) are read too. On failure returns false and fills `error` with one sentence that
/// names file and field. A GGUF file that is open in `files` is not parsed again.
bool buildTokenizerBlobFromFile(const std::string &path, std::string &blob, std::string &error,
                                OpenFiles *files = nullptr);

/// From the `tokenizer.*` keys. A file without tokenizer (model "none" or no key) gives a block of kind
/// LLMC_TOK_NONE.
bool buildTokenizerBlob(const GgufFile &file, std::string &blob, std::string &error);

/// From the bytes of a tokenizer.json or tokenizer.model alone; `path` is for diagnostics.
bool buildTokenizerBlobFromJson(std::string_view json, const std::string &path, std::string &blob,
                                std::string &error);
bool buildTokenizerBlobFromModel(std::string_view model, const std::string &path, std::string &blob,
                                 std::string &error);

/// The file of the tokenizer of a Hugging Face directory, also where it is a link to nothing or a folder: a
/// broken copy, not a model without tokenizer. Empty if there is none.
std::string tokenizerIn(const std::string &folder);

/// Whether the tokens of a block are among the `vocab` of a model. Only added ones (special, user defined)
/// may lie beyond: there are checkpoints whose weights have no rows for them. `note` then says so.
bool checkTokenizerIds(std::string_view blob, const std::string &path, uint64_t vocab, std::string &note,
                       std::string &error);

} // namespace llmc::formats
#endif
