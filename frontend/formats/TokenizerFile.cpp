//===- TokenizerFile.cpp - a tokenizer from whatever a path names ---------===//
#include "frontend/formats/TokenizerBlob.h"

using namespace llmc::formats;

bool llmc::formats::buildTokenizerBlobFromFile(const std::string &path, std::string &blob,
                                               std::string &error) {
  auto gguf = GgufFile::open(path, error);
  return gguf && buildTokenizerBlob(*gguf, blob, error);
}
