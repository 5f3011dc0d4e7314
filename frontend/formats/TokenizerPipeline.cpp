//===- TokenizerPipeline.cpp - normalizers and pre-tokenizers of JSON -----===//
#include "frontend/formats/PreTokenizers.h"
#include "frontend/formats/RegexTranslator.h"
#include "frontend/formats/TokenizerReaders.h"

using namespace llmc::formats;

// What Rust's char methods call white space, words and punctuation.
#define WHITE R"(\x{9}-\x{d} \x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})"
#define WORD R"(\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\x{200c}\x{200d})"
#define PUNCTUATION R"([\p{P}!-/:-@\[-`{-~])"

static constexpr int kMaxDepth = 8;
static constexpr size_t kMaxSteps = 32, kMaxReplacement = 256;

bool PipelineReader::fail(const std::string &what) {
  error = path + ": " + what;
  return false;
}

/// A member that is a string, or "".
static std::string textOf(const JsonValue &step, const char *key) {
  const JsonValue *found = step.find(key);
  return found && found->string() ? *found->string() : "";
}

static std::string typeOf(const JsonValue &step) { return textOf(step, "type"); }

static bool flagOf(const JsonValue &step, const char *key, bool fallback) {
  const JsonValue *found = step.find(key);
  return found && found->boolean() ? *found->boolean() : fallback;
}

/// What is wrong with the flags and strings of a step that may be absent; empty if nothing.
static std::string wrongField(const JsonValue &step) {
  static const char *const flags[] = {
      "add_prefix_space",  "clean_text", "cleanup",     "handle_chinese_chars",
      "individual_digits", "invert",     "lowercase",   "split",
      "strip_accents",     "strip_left", "strip_right", "use_regex"};
  static const char *const strings[] = {"prefix", "prepend_scheme", "suffix"};
  for (const char *key : flags)
    if (const JsonValue *found = step.findValue(key); found && !found->boolean())
      return std::string(key) + "' is neither true nor false";
  for (const char *key : strings)
    if (const JsonValue *found = step.findValue(key); found && !found->string())
      return std::string(key) + "' is no string";
  return "";
}

/// The list of a Sequence; null if it is none.
static const JsonValue::Array *listOf(const JsonValue &step, const char *key) {
  const JsonValue *found = step.find(key);
  return found ? found->array() : nullptr;
}

bool PipelineReader::readString(const JsonValue &step, const std::string &field, const char *key,
                                std::string &out) {
  const JsonValue *found = step.find(key);
  if (!found || !found->string())
    return fail("field '" + field + "." + key + "' is absent or no string");
  out = *found->string();
  return true;
}

/// {"String": ...} or {"Regex": ...}
bool PipelineReader::readPattern(const JsonValue &step, const std::string &field, std::string &pattern,
                                 bool &isLiteral) {
  const JsonValue *inside = step.find("pattern");
  if (!inside || !inside->object() || inside->size() != 1)
    return fail("field '" + field + ".pattern' is absent, expected an object with 'String' or 'Regex'");
  isLiteral = inside->find("String");
  if (!readString(*inside, field + ".pattern", isLiteral ? "String" : "Regex", pattern))
    return false;
  std::string wrong, translated;
  if (!isLiteral && !translateRegex(pattern, translated, wrong))
    return fail("field '" + field + "' " + wrong);
  if (!isLiteral)
    pattern = translated;
  return pattern.empty() ? fail("field '" + field + ".pattern' is empty") : true;
}

//===----------------------------------------------------------------------===//
// Normalizers
//===----------------------------------------------------------------------===//

static bool decodeBase64(std::string_view in, std::string &out) {
  uint32_t bits = 0;
  int n = 0;
  while (!in.empty() && in.back() == '=')
    in.remove_suffix(1);
  for (char c : in) {
    int v = c >= 'A' && c <= 'Z'   ? c - 'A'
            : c >= 'a' && c <= 'z' ? c - 'a' + 26
            : c >= '0' && c <= '9' ? c - '0' + 52
            : c == '+'             ? 62
            : c == '/'             ? 63
                                   : -1;
    if (v < 0)
      return false;
    bits = bits << 6 | static_cast<uint32_t>(v);
    if ((n += 6) >= 8)
      out += static_cast<char>(bits >> (n -= 8));
  }
  return true;
}

bool PipelineReader::readReplace(const JsonValue &step) {
  std::string pattern, content;
  bool isLiteral;
  if (!readPattern(step, "normalizer", pattern, isLiteral) ||
      !readString(step, "normalizer", "content", content))
    return false;
  if (content.size() > kMaxReplacement)
    return fail("field 'normalizer.content' has " + std::to_string(content.size()) +
                " bytes, expected at most " + std::to_string(kMaxReplacement));
  d.norms.push_back(
      {isLiteral ? LLMC_TOK_NORM_REPLACE : uint32_t(LLMC_TOK_NORM_REPLACE_PATTERN), 0, pattern, content});
  return true;
}

bool PipelineReader::readNormalizer(const JsonValue &step, int depth) {
  if (step.isNull())
    return true;
  if (std::string wrong = wrongField(step); !wrong.empty())
    return fail("field 'normalizer." + wrong);
  std::string type = typeOf(step);
  static const std::pair<const char *, uint32_t> simple[] = {{"NFC", LLMC_TOK_NORM_NFC},
                                                             {"NFD", LLMC_TOK_NORM_NFD},
                                                             {"NFKC", LLMC_TOK_NORM_NFKC},
                                                             {"NFKD", LLMC_TOK_NORM_NFKD},
                                                             {"Lowercase", LLMC_TOK_NORM_LOWERCASE},
                                                             {"StripAccents", LLMC_TOK_NORM_STRIP_ACCENTS}};
  for (auto &[name, norm] : simple)
    if (type == name) {
      d.norms.push_back({norm});
      return d.norms.size() <= kMaxSteps || fail("field 'normalizer' has more than 32 steps");
    }
  if (type == "Sequence") {
    const JsonValue::Array *list = listOf(step, "normalizers");
    if (!list || depth == kMaxDepth)
      return fail("field 'normalizer.normalizers' is absent, no list, or nested too deeply");
    for (const JsonValue &s : *list)
      if (!readNormalizer(s, depth + 1))
        return false;
    return true;
  }
  if (d.norms.size() >= kMaxSteps)
    return fail("field 'normalizer' has more than 32 steps");
  if (type == "Replace")
    return readReplace(step);
  if (type == "Prepend") {
    std::string prepend;
    if (!readString(step, "normalizer", "prepend", prepend))
      return false;
    if (prepend.size() > kMaxReplacement)
      return fail("field 'normalizer.prepend' is too long");
    d.norms.push_back({LLMC_TOK_NORM_PREPEND, 0, prepend});
  } else if (type == "Strip") {
    d.norms.push_back({LLMC_TOK_NORM_STRIP, (flagOf(step, "strip_left", true) ? LLMC_TOK_LSTRIP : 0u) |
                                                (flagOf(step, "strip_right", true) ? LLMC_TOK_RSTRIP : 0u)});
  } else if (type == "BertNormalizer") {
    bool lower = flagOf(step, "lowercase", true);
    d.norms.push_back(
        {LLMC_TOK_NORM_BERT, (flagOf(step, "clean_text", true) ? LLMC_TOK_BERT_CLEAN : 0u) |
                                 (flagOf(step, "handle_chinese_chars", true) ? LLMC_TOK_BERT_CHINESE : 0u) |
                                 (flagOf(step, "strip_accents", lower) ? LLMC_TOK_BERT_STRIP_ACCENTS : 0u) |
                                 (lower ? LLMC_TOK_BERT_LOWERCASE : 0u)});
  } else if (type == "Precompiled") {
    std::string encoded, map;
    if (!readString(step, "normalizer", "precompiled_charsmap", encoded))
      return false;
    if (!decodeBase64(encoded, map))
      return fail("field 'normalizer.precompiled_charsmap' is not base64");
    if (const char *wrong = checkCharsMap(map))
      return fail(std::string("field 'normalizer.precompiled_charsmap' ") + wrong);
    d.norms.push_back({LLMC_TOK_NORM_CHARSMAP, 0, map});
  } else if (type == "ByteLevel") {
    isByteLevel = true;
  } else {
    return fail("field 'normalizer' has the type " + quotedText(type) + ", which is not supported");
  }
  return true;
}

//===----------------------------------------------------------------------===//
// Pre-tokenizers
//===----------------------------------------------------------------------===//

void PipelineReader::split(std::string pattern, uint32_t behaviour, bool isInverted) {
  d.steps.push_back(
      {LLMC_TOK_STEP_SPLIT, behaviour, isInverted ? LLMC_TOK_SPLIT_INVERT : 0u, std::move(pattern)});
}

bool PipelineReader::readBehaviour(const JsonValue &step, const std::string &field, uint32_t fallback,
                                   uint32_t &out) {
  static const std::pair<const char *, uint32_t> names[] = {
      {"Isolated", LLMC_TOK_ISOLATED},
      {"Removed", LLMC_TOK_REMOVED},
      {"MergedWithPrevious", LLMC_TOK_MERGED_WITH_PREVIOUS},
      {"MergedWithNext", LLMC_TOK_MERGED_WITH_NEXT},
      {"Contiguous", LLMC_TOK_CONTIGUOUS}};
  out = fallback;
  if (!step.find("behavior"))
    return true;
  for (auto &[name, value] : names)
    if (textOf(step, "behavior") == name) {
      out = value;
      return true;
    }
  return fail("field '" + field +
              ".behavior' is none of Isolated, Removed, MergedWithPrevious, MergedWithNext, "
              "Contiguous");
}

bool PipelineReader::readSplit(const JsonValue &step) {
  std::string pattern;
  bool isLiteral;
  uint32_t behaviour;
  if (!readPattern(step, "pre_tokenizer", pattern, isLiteral) ||
      !readBehaviour(step, "pre_tokenizer", LLMC_TOK_ISOLATED, behaviour))
    return false;
  split(isLiteral ? literalPattern(pattern) : pattern, behaviour, flagOf(step, "invert", false));
  return true;
}

bool PipelineReader::readByteLevel(const JsonValue &step) {
  if (flagOf(step, "add_prefix_space", true))
    d.steps.push_back({LLMC_TOK_STEP_PREFIX_SPACE});
  if (flagOf(step, "use_regex", true))
    split(kGpt2Pattern);
  isByteLevel = true;
  return true;
}

bool PipelineReader::readMetaspace(const JsonValue &step) {
  std::string mark, scheme = flagOf(step, "add_prefix_space", true) ? "always" : "never";
  if (!readString(step, "pre_tokenizer", "replacement", mark))
    return false;
  if (mark.empty() || mark.size() > 4 || characterSize(mark) != mark.size())
    return fail("field 'pre_tokenizer.replacement' is " + quotedText(mark) + ", expected one character");
  if (step.find("prepend_scheme") && !readString(step, "pre_tokenizer", "prepend_scheme", scheme))
    return false;
  if (scheme != "always" && scheme != "first" && scheme != "never")
    return fail("field 'pre_tokenizer.prepend_scheme' is " + quotedText(scheme) +
                ", expected always, first or never");
  d.steps.push_back({LLMC_TOK_STEP_METASPACE, 0,
                     (scheme == "always"  ? LLMC_TOK_META_PREFIX_EACH
                      : scheme == "first" ? LLMC_TOK_META_PREFIX_FIRST
                                          : 0u) |
                         (flagOf(step, "split", true) ? LLMC_TOK_META_SPLIT : 0u),
                     mark});
  return true;
}

bool PipelineReader::readPreTokenizer(const JsonValue &step, int depth) {
  if (step.isNull())
    return true;
  if (std::string wrong = wrongField(step); !wrong.empty())
    return fail("field 'pre_tokenizer." + wrong);
  std::string type = typeOf(step);
  if (type == "Sequence") {
    const JsonValue::Array *list = listOf(step, "pretokenizers");
    if (!list || depth == kMaxDepth)
      return fail("field 'pre_tokenizer.pretokenizers' is absent, no list, or nested too deeply");
    for (const JsonValue &s : *list)
      if (!readPreTokenizer(s, depth + 1))
        return false;
    return true;
  }
  if (d.steps.size() + 2 > kMaxSteps)
    return fail("field 'pre_tokenizer' has more than 32 steps");
  if (isByteLevel && type != "ByteLevel") // a later step would see the byte alphabet instead of the text
    return fail("field 'pre_tokenizer' has the type " + quotedText(type) +
                " behind ByteLevel, which is not supported");
  if (type == "Split")
    return readSplit(step);
  if (type == "ByteLevel")
    return readByteLevel(step);
  if (type == "Metaspace")
    return readMetaspace(step);
  uint32_t behaviour = LLMC_TOK_ISOLATED;
  if (type == "Digits") {
    split(flagOf(step, "individual_digits", false) ? R"(\p{N})" : R"(\p{N}+)");
  } else if (type == "Whitespace") {
    split("[" WORD "]+|[^" WORD WHITE "]+", LLMC_TOK_REMOVED, true);
  } else if (type == "WhitespaceSplit") {
    split("[" WHITE "]+", LLMC_TOK_REMOVED);
  } else if (type == "Punctuation") {
    if (!readBehaviour(step, "pre_tokenizer", LLMC_TOK_ISOLATED, behaviour))
      return false;
    split(PUNCTUATION, behaviour);
  } else if (type == "BertPreTokenizer") {
    split("[" WHITE "]+", LLMC_TOK_REMOVED);
    split(PUNCTUATION);
  } else if (type == "CharDelimiterSplit") {
    std::string delimiter;
    if (!readString(step, "pre_tokenizer", "delimiter", delimiter))
      return false;
    if (delimiter.empty())
      return fail("field 'pre_tokenizer.delimiter' is empty");
    split(literalPattern(delimiter), LLMC_TOK_REMOVED);
  } else {
    return fail("field 'pre_tokenizer' has the type " + quotedText(type) + ", which is not supported");
  }
  return true;
}

//===----------------------------------------------------------------------===//
// Post-processors
//===----------------------------------------------------------------------===//

bool PipelineReader::readToken(const JsonValue &id, const std::string &field, std::vector<int32_t> &out) {
  auto number = id.count();
  if (!number || *number >= d.text.size())
    return fail("field '" + field + "' names a token that is not less than " + std::to_string(d.text.size()));
  out.push_back(static_cast<int32_t>(*number));
  return true;
}

bool PipelineReader::readTemplate(const JsonValue &step) {
  const std::string field = "post_processor.single";
  const JsonValue::Array *single = listOf(step, "single");
  if (!single)
    return fail("field '" + field + "' is absent or no list");
  bool isBehind = false;
  for (const JsonValue &part : *single) {
    if (part.find("Sequence")) {
      isBehind = true;
      continue;
    }
    const JsonValue *special = part.find("SpecialToken");
    std::string name;
    if (!special || !special->object() || !readString(*special, field, "id", name))
      return fail("field '" + field + "' holds something else than Sequence and SpecialToken");
    const JsonValue *tokens = step.find("special_tokens"), *token = tokens ? tokens->find(name) : nullptr;
    const JsonValue::Array *ids = token ? listOf(*token, "ids") : nullptr;
    if (!ids)
      return fail("field 'post_processor.special_tokens' has no ids for " + quotedText(name));
    for (const JsonValue &id : *ids)
      if (!readToken(id, "post_processor.special_tokens", isBehind ? d.suffix : d.prefix))
        return false;
  }
  return true;
}

bool PipelineReader::readPostProcessor(const JsonValue &step, int depth) {
  if (step.isNull())
    return true;
  std::string type = typeOf(step);
  if (type == "ByteLevel") // moves offsets only
    return true;
  if (type == "TemplateProcessing")
    return readTemplate(step);
  if (type == "Sequence") {
    const JsonValue::Array *list = listOf(step, "processors");
    if (!list || depth == kMaxDepth)
      return fail("field 'post_processor.processors' is absent, no list, or nested too deeply");
    for (const JsonValue &s : *list)
      if (!readPostProcessor(s, depth + 1))
        return false;
    return true;
  }
  if (type == "BertProcessing" || type == "RobertaProcessing") {
    for (auto &[key, out] : {std::pair{"cls", &d.prefix}, std::pair{"sep", &d.suffix}}) {
      const JsonValue::Array *pair = listOf(step, key);
      if (!pair || pair->size() != 2)
        return fail(std::string("field 'post_processor.") + key + "' is no pair of a token and its id");
      if (!readToken((*pair)[1], std::string("post_processor.") + key, *out))
        return false;
    }
    return true;
  }
  return fail("field 'post_processor' has the type " + quotedText(type) + ", which is not supported");
}

//===----------------------------------------------------------------------===//
// Decoders
//===----------------------------------------------------------------------===//

bool DecoderReader::fail(const std::string &what) {
  error = path + ": field 'decoder' " + what;
  return false;
}

bool DecoderReader::read(const JsonValue &step, int depth) {
  if (step.isNull())
    return true;
  if (std::string wrong = wrongField(step); !wrong.empty())
    return fail("has a step whose '" + wrong);
  std::string type = typeOf(step);
  auto text = [&](const char *key) { return ::textOf(step, key); };
  if (type == "Sequence") {
    const JsonValue::Array *list = listOf(step, "decoders");
    if (!list || depth == kMaxDepth)
      return fail("is nested too deeply or its 'decoders' are no list");
    for (const JsonValue &s : *list)
      if (!read(s, depth + 1))
        return false;
  } else if (type == "ByteLevel") {
    isByteLevel = true;
  } else if (type == "Replace") {
    const JsonValue *pattern = step.find("pattern"), *content = step.find("content");
    const std::string from = pattern ? ::textOf(*pattern, "String") : "";
    if (from.empty())
      return fail("replaces something else than a string, which is not supported");
    if (!content || !content->string())
      return fail("replaces by something else than a string, which is not supported");
    replacements.push_back({from, *content->string()});
  } else if (type == "Metaspace") {
    replacements.push_back({text("replacement"), " "});
    if (replacements.back().first.empty())
      return fail("has no 'replacement'");
    if (text("prepend_scheme") != "never" && flagOf(step, "add_prefix_space", true))
      flags |= LLMC_TOK_STRIP_SPACE;
  } else if (type == "Strip") {
    auto sideOf = [&](const char *key) { // 0 or 1 spaces; -1: something else
      const JsonValue *found = step.find(key);
      auto number = found ? found->count() : std::nullopt;
      return number && *number <= 1 ? static_cast<int>(*number) : -1;
    };
    const int start = sideOf("start"), stop = sideOf("stop");
    if (text("content") != " " || start < 0 || stop < 0)
      return fail("strips something else than one space, which is not supported");
    flags |= (start ? LLMC_TOK_STRIP_SPACE : 0u) | (stop ? LLMC_TOK_STRIP_LAST : 0u);
  } else if (type == "BPEDecoder") {
    wordSuffix = text("suffix");
    flags |= LLMC_TOK_STRIP_LAST;
  } else if (type == "WordPiece") {
    if (flagOf(step, "cleanup", true))
      return fail("has the type 'WordPiece' with 'cleanup', which is not supported");
    wordPrefix = text("prefix");
    flags |= LLMC_TOK_STRIP_SPACE;
  } else if (type != "ByteFallback" && type != "Fuse") {
    return fail("has the type " + quotedText(type) + ", which is not supported");
  }
  return true;
}

std::string DecoderReader::textOf(std::string_view spelling) const {
  std::string out(spelling);
  if (!wordPrefix.empty())
    out = out.starts_with(wordPrefix) ? out.substr(wordPrefix.size()) : " " + out;
  if (!wordSuffix.empty())
    out = replaced(out, wordSuffix, " ");
  for (auto &[from, to] : replacements)
    out = replaced(out, from, to);
  return out;
}
