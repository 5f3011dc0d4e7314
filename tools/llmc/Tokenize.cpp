//===- Tokenize.cpp - llmc tokenize ---------------------------------------===//
//
// Only the tokenizer of the model is read: of a compiled model the file is not executed, of any other the
// same binary block is built in memory that the compiler would put into model.so.
//
//===----------------------------------------------------------------------===//
#include "frontend/formats/TokenizerBlob.h"
#include "runtime/ModuleFile.h"
#include "tools/llmc/Common.h"
#include "tools/llmc/Files.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace llmc::cli {
namespace {

/// A block, and whatever keeps it in memory.
struct Block {
  MappedFile file;
  std::string built;
  std::span<const uint8_t> bytes;
};

void openBlock(const std::string &path, Block &block) {
  FileKind kind = fileKind(path);
  if (kind != FileKind::Module) {
    std::string error;
    if (!formats::buildTokenizerBlobFromFile(path, block.built, error))
      throw Failure(error);
    block.bytes = {reinterpret_cast<const uint8_t *>(block.built.data()), block.built.size()};
    return;
  }
  ModuleContents contents;
  openModule(path, block.file, contents);
  if (contents.tokenizer.empty())
    throw Failure(fmt::format("{}: the model has no tokenizer", path));
  block.bytes = contents.tokenizer;
}

} // namespace

int tokenize(const TokenizeOptions &options) {
  if (options.prompt.has_value() == options.file.has_value())
    throw UsageError("give one text: -p TEXT or --file F (- is standard input)");
  Block block;
  openBlock(options.model, block);
  llmc_tokenizer *opened = nullptr;
  check(llmc_tokenizer_open(block.bytes.data(), block.bytes.size(), &opened));
  TokenizerPtr tokenizer(opened);
  size_t needed = 0;
  if (llmc_tokenize(opened, "", 0, 0, nullptr, 0, &needed) == LLMC_EUNSUPPORTED)
    throw Failure(fmt::format("{}: the model has no tokenizer", options.model));

  std::string text = options.prompt ? *options.prompt : readText(*options.file);
  noteLostBytes(tokenizer.get(), text);
  uint32_t flags = (options.plain ? 0 : LLMC_TOKENIZE_PARSE_SPECIAL) |
                   (options.addSpecial ? LLMC_TOKENIZE_ADD_SPECIAL : 0);
  Tokens tokens = tokenizeText(tokenizer.get(), text, flags);
  std::string list = fmt::format("{}", fmt::join(tokens, ","));
  print(options.json ? "{\"tokens\":[" + list + "]}\n" : list + "\n");
  flushOutput();
  return 0;
}

} // namespace llmc::cli
