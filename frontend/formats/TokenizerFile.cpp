//===- TokenizerFile.cpp - a tokenizer from whatever a path names ---------===//
#include "frontend/formats/MappedFile.h"
#include "frontend/formats/TokenizerBlob.h"
#include "frontend/formats/TokenizerReaders.h"

#include <cstring>
#include <filesystem>

using namespace llmc::formats;
namespace fs = std::filesystem;

using Reader = bool (*)(std::string_view, const std::string &, TokenizerDescription &, std::string &);

/// `folder` holds the files beside it; empty for none.
static bool build(Reader reader, std::string_view bytes, const std::string &path, const std::string &folder,
                  std::string &blob, std::string &error) {
  TokenizerDescription d;
  error.clear();
  return reader(bytes, path, d, error) && readTokenizerConfig(folder, d, error) &&
         writeTokenizerBlob(d, path, blob, error);
}

bool llmc::formats::buildTokenizerBlobFromJson(std::string_view json, const std::string &path,
                                               std::string &blob, std::string &error) {
  return build(readTokenizerJson, json, path, "", blob, error);
}

bool llmc::formats::buildTokenizerBlobFromModel(std::string_view model, const std::string &path,
                                                std::string &blob, std::string &error) {
  return build(readTokenizerModel, model, path, "", blob, error);
}

std::string llmc::formats::tokenizerIn(const std::string &folder) {
  std::error_code code;
  for (const char *usual : {"tokenizer.json", "tokenizer.model"})
    if (const fs::path file = fs::path(folder) / usual; fs::exists(fs::symlink_status(file, code)))
      return file.string();
  return "";
}

bool llmc::formats::buildTokenizerBlobFromFile(const std::string &path, std::string &blob, std::string &error,
                                               OpenFiles *files) {
  std::error_code code;
  std::string name = path;
  if (fs::is_directory(path, code)) {
    name = tokenizerIn(path);
    if (name.empty()) {
      error = path + ": the directory has neither tokenizer.json nor tokenizer.model";
      return false;
    }
  }
  auto file = MappedFile::open(name, error);
  if (!file)
    return false;
  std::string_view bytes(reinterpret_cast<const char *>(file->bytes().data()), file->bytes().size());
  if (bytes.starts_with("GGUF")) {
    OpenFiles own;
    auto weights = (files ? *files : own).open(name, error);
    return weights && buildTokenizerBlob(*weights->gguf(), blob, error);
  }
  std::string folder = fs::path(name).parent_path().string();
  if (folder.empty())
    folder = ".";
  // A model of SentencePiece starts with the field 'pieces'; JSON with a brace, perhaps behind white space.
  if (bytes.starts_with('\n') && bytes.substr(0, 64).find('{') == bytes.npos)
    return build(readTokenizerModel, bytes, name, folder, blob, error);
  size_t first = bytes.find_first_not_of(" \t\r\n");
  if (first != bytes.npos && bytes[first] == '{')
    return build(readTokenizerJson, bytes, name, folder, blob, error);
  if (bytes.starts_with('\n'))
    return build(readTokenizerModel, bytes, name, folder, blob, error);
  error = name + ": expected a GGUF file, a tokenizer.json or a SentencePiece model";
  return false;
}

bool llmc::formats::checkTokenizerIds(std::string_view blob, const std::string &path, uint64_t vocab,
                                      std::string &note, std::string &error) {
  llmc_tok_header header;
  std::memcpy(&header, blob.data(), sizeof header);
  if (header.n_vocab <= vocab)
    return true;
  const llmc_tok_section &kinds = header.section[LLMC_TOK_SEC_ATTR];
  const std::string_view beyond = blob.substr(kinds.offset, kinds.size).substr(vocab);
  const std::string known = "the model's vocabulary has " + std::to_string(vocab);
  for (char attribute : beyond)
    if (int kind = attribute & LLMC_TOK_KIND_MASK;
        kind != LLMC_TOK_CONTROL && kind != LLMC_TOK_USER_DEFINED && kind != LLMC_TOK_UNUSED) {
      error = path + ": has " + std::to_string(header.n_vocab) + " tokens, " + known;
      return false;
    }
  note = path + ": has added tokens up to id " + std::to_string(header.n_vocab - 1) + ", " + known +
         "; a text that holds one beyond it cannot be evaluated";
  return true;
}
