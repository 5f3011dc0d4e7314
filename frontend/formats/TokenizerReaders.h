//===- TokenizerReaders.h - files to descriptions ---------------*- C++ -*-===//
//
// The readers behind TokenizerBlob.h. Each returns false with one sentence in `error` that starts with the
// path.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_FRONTEND_FORMATS_TOKENIZERREADERS_H
#define LLMC_FRONTEND_FORMATS_TOKENIZERREADERS_H

#include "frontend/formats/Json.h"
#include "frontend/formats/TokenizerDescription.h"

namespace llmc::formats {

bool readTokenizerModel(std::string_view bytes, const std::string &path, TokenizerDescription &,
                        std::string &error);
bool readTokenizerJson(std::string_view bytes, const std::string &path, TokenizerDescription &,
                       std::string &error);

/// JSON with an object at the top. Large vocabularies have about a million values, with merges three.
bool parseObject(std::string_view bytes, const std::string &path, JsonValue &out, std::string &error);

/// The parts of tokenizer.json around the model. `isByteLevel`: text becomes the byte alphabet.
class PipelineReader {
public:
  PipelineReader(const std::string &path, TokenizerDescription &d, std::string &error)
      : path(path), d(d), error(error) {}
  bool readNormalizer(const JsonValue &, int depth = 0);
  bool readPreTokenizer(const JsonValue &, int depth = 0);
  bool readPostProcessor(const JsonValue &, int depth = 0);
  bool isByteLevel = false;

private:
  const std::string &path;
  TokenizerDescription &d;
  std::string &error;

  bool fail(const std::string &what);
  bool readReplace(const JsonValue &);
  bool readSplit(const JsonValue &);
  bool readByteLevel(const JsonValue &);
  bool readMetaspace(const JsonValue &);
  bool readTemplate(const JsonValue &);
  bool readPattern(const JsonValue &step, const std::string &field, std::string &pattern, bool &isLiteral);
  bool readBehaviour(const JsonValue &step, const std::string &field, uint32_t fallback, uint32_t &out);
  bool readString(const JsonValue &step, const std::string &field, const char *key, std::string &out);
  bool readToken(const JsonValue &id, const std::string &field, std::vector<int32_t> &out);
  void split(std::string pattern, uint32_t behaviour = LLMC_TOK_ISOLATED, bool isInverted = false);
};

/// The decoder of tokenizer.json: from the spelling of a token to what it stands for.
class DecoderReader {
public:
  DecoderReader(const std::string &path, std::string &error) : path(path), error(error) {}
  bool read(const JsonValue &, int depth = 0);
  std::string textOf(std::string_view spelling) const;
  bool isByteLevel = false;
  uint32_t flags = 0;

private:
  const std::string &path;
  std::string &error;
  std::vector<std::pair<std::string, std::string>> replacements;
  std::string wordPrefix, wordSuffix;
  bool fail(const std::string &what);
};

/// Roles, stops, what goes around a text, and chat templates, from the files in `folder`:
/// tokenizer_config.json, special_tokens_map.json, config.json, generation_config.json, chat_template.jinja
/// and its kin.
bool readTokenizerConfig(const std::string &folder, TokenizerDescription &, std::string &error);

} // namespace llmc::formats
#endif
