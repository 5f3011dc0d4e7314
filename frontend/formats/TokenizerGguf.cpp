//===- TokenizerGguf.cpp - the tokenizer keys of GGUF ---------------------===//
//
// Reads and checks the metadata, for byte-level BPE ("gpt2"), SentencePiece BPE ("llama"), BPE over
// characters
// ("gemma4") and Unigram ("t5"). The spelling of byte-level vocabularies (a printable character for each
// byte) is undone here, so that the runtime only ever sees the bytes that a token stands for.
//
//===----------------------------------------------------------------------===//
#include "frontend/formats/PreTokenizers.h"
#include "frontend/formats/TokenizerBlob.h"
#include "frontend/formats/TokenizerMerges.h"

#include <algorithm>
#include <cctype>
#include <cmath>

using namespace llmc::formats;

namespace {

using Description = TokenizerDescription;

/// What `tokenizer.ggml.model` implies. Ids are -1 for none.
struct ModelKind {
  const char *name;
  uint32_t kind;
  bool hasPreName, addsBos, addsEos, addsSpace;
  int32_t bos, eos, unknown, padding;
};
const ModelKind modelKinds[] = {
    {"gpt2", LLMC_TOK_BYTE_LEVEL_BPE, true, false, false, false, -1, -1, -1, -1},
    {"llama", LLMC_TOK_CHARACTER_BPE, false, true, false, true, 1, 2, 0, -1},
    {"gemma4", LLMC_TOK_CHARACTER_BPE, false, true, false, false, -1, -1, -1, -1},
    {"t5", LLMC_TOK_UNIGRAM, false, false, true, true, -1, 1, 2, 0},
};

class GgufTokenizerReader {
public:
  GgufTokenizerReader(const GgufFile &file, const ModelKind &model, std::string &error)
      : file(file), model(model), error(error) {}

  bool read(Description &d) {
    d.kind = model.kind;
    if (!(model.hasPreName ? readPreTokenizer(d) : true) || !readVocabulary(d) || !readSpecials(d) ||
        !readTemplates(d))
      return false;
    if (std::string_view(model.name) == "gemma4")
      return readMerges(d) && describeMarkedText(d);
    return d.kind == LLMC_TOK_BYTE_LEVEL_BPE ? readMerges(d) : readScores(d) && describeSentencePiece(d);
  }

private:
  const GgufFile &file;
  const ModelKind &model;
  std::string &error;
  std::span<const std::string_view> tokens;
  TokenIds idOf; // by spelling; the first of equal ones
  bool addsBos = false;

  bool fail(std::string_view key, const std::string &what) {
    error = file.path() + ": key " + quotedText(key) + " " + what;
    return false;
  }

  /// The array of strings at `key`; false with an error if there is none.
  bool strings(std::string_view key, const GgufArray *&out) {
    error.clear();
    out = file.array(key, error);
    if (!out)
      return error.empty() ? fail(key, "is absent, expected an array of strings") : false;
    if (out->elementType != 8)
      return fail(key, "has element type " + std::to_string(out->elementType) + ", expected 8 (string)");
    return true;
  }

  /// The array at `key` if it is there; false with an error if it has another element type or size.
  bool sized(std::string_view key, uint32_t elementType, const char *typeName, const GgufArray *&out) {
    error.clear();
    out = file.array(key, error);
    if (!out)
      return error.empty();
    if (out->elementType != elementType)
      return fail(key, "has element type " + std::to_string(out->elementType) + ", expected " +
                           std::to_string(elementType) + " (" + typeName + ")");
    if (out->size() != tokens.size())
      return fail(key, "has " + std::to_string(out->size()) + " elements, expected " +
                           std::to_string(tokens.size()) + ", as many as tokenizer.ggml.tokens");
    return true;
  }

  bool readFlag(std::string_view key, bool fallback, bool &out) {
    error.clear();
    auto v = file.boolean(key, error);
    out = v.value_or(fallback);
    return v || error.empty();
  }

  bool readPreTokenizer(Description &d);
  bool readVocabulary(Description &d);
  bool readToken(size_t i, Description &d);
  bool readMerges(Description &d);
  bool readScores(Description &d);
  bool describeSentencePiece(Description &d);
  bool describeMarkedText(Description &d);
  bool readSpecials(Description &d);
  bool readTemplates(Description &d);
};

bool GgufTokenizerReader::readPreTokenizer(Description &d) {
  constexpr std::string_view key = "tokenizer.ggml.pre";
  error.clear();
  auto name = file.string(key, error);
  if (!name && !error.empty())
    return false;
  if (!name) { // files from before there was the key: known for few families
    auto family = file.string("general.architecture", error);
    if (family != "gptneox" && family != "gpt2")
      return fail(key, "is absent, expected the name of a pre-tokenizer: " + preTokenizerNames());
    name = family == "gptneox" ? "olmo" : "gpt-2"; // the same pattern; only the former composes characters
  }
  const PreTokenizer *pre = findPreTokenizer(*name);
  if (!pre)
    return fail(key, "is " + quotedText(*name) + ", expected one of: " + preTokenizerNames());
  d.preName = *name;
  if (pre->ignoreMerges)
    d.flags |= LLMC_TOK_IGNORE_MERGES;
  if (pre->nfc)
    d.norms.push_back({LLMC_TOK_NORM_NFC});
  for (const char *pattern : pre->patterns)
    d.steps.push_back({LLMC_TOK_STEP_SPLIT, LLMC_TOK_ISOLATED, 0, pattern});
  addsBos = pre->addBos;
  return true;
}

bool GgufTokenizerReader::readVocabulary(Description &d) {
  constexpr std::string_view key = "tokenizer.ggml.tokens";
  const GgufArray *list = nullptr;
  if (!strings(key, list))
    return false;
  if (list->size() == 0 || list->size() > kMaxVocab)
    return fail(key, "has " + std::to_string(list->size()) + " elements, expected 1 to " +
                         std::to_string(kMaxVocab));
  tokens = list->strings;
  const GgufArray *types, *scores; // scores are used by some kinds only, but checked for all
  if (!sized("tokenizer.ggml.token_type", 5, "i32", types) ||
      !sized("tokenizer.ggml.scores", 6, "f32", scores))
    return false;
  d.resize(tokens.size());
  if (d.kind != LLMC_TOK_BYTE_LEVEL_BPE)
    d.spelling.assign(tokens.begin(), tokens.end());
  idOf.reserve(tokens.size());
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (types) {
      double type = types->numbers[i];
      if (type < 0 || type > 6)
        return fail("tokenizer.ggml.token_type", "element " + std::to_string(i) + " is " +
                                                     std::to_string(static_cast<int64_t>(type)) +
                                                     ", expected 1 to 6");
      if (type != 0) // 0: undefined, as good as normal
        d.attr[i] = static_cast<uint8_t>(type);
    }
    if (!readToken(i, d))
      return false;
  }
  return true;
}

bool GgufTokenizerReader::readToken(size_t i, Description &d) {
  constexpr std::string_view key = "tokenizer.ggml.tokens";
  std::string_view spelling = tokens[i];
  auto at = [&] { return "element " + std::to_string(i) + " " + quotedText(spelling); };
  if (spelling.size() > kMaxTokenText)
    return fail(key, at() + " has " + std::to_string(spelling.size()) + " bytes, expected at most " +
                         std::to_string(kMaxTokenText));
  bool first = idOf.emplace(spelling, static_cast<uint32_t>(i)).second;
  bool isByteLevel = d.kind == LLMC_TOK_BYTE_LEVEL_BPE;
  bool isPlain = d.attr[i] == LLMC_TOK_NORMAL || d.attr[i] == LLMC_TOK_UNUSED;
  if (d.attr[i] == LLMC_TOK_BYTE) {
    int b = hexByte(spelling);
    if (b < 0)
      return fail(key, at() + " is a byte token, expected '<0x00>' to '<0xFF>'");
    d.text[i].assign(1, static_cast<char>(b));
    if (!isByteLevel && first) {
      d.byteToken[static_cast<size_t>(b)] = static_cast<int32_t>(i);
      d.flags |= LLMC_TOK_BYTE_FALLBACK;
    }
  } else if (isPlain && isByteLevel && spelledBytes(spelling, d.text[i])) {
    d.inIndex[i] = first && !spelling.empty();
    if (first && d.text[i].size() == 1)
      d.byteToken[static_cast<unsigned char>(d.text[i][0])] = static_cast<int32_t>(i);
  } else if (isPlain && !isByteLevel) {
    d.text[i] = replaced(spelling, kSpaceMark, " ");
    d.inIndex[i] =
        first && !spelling.empty() && !(d.kind == LLMC_TOK_UNIGRAM && d.attr[i] == LLMC_TOK_UNUSED);
  } else { // spelled as it is
    d.text[i] = spelling;
  }
  return true;
}

bool GgufTokenizerReader::readMerges(Description &d) {
  constexpr std::string_view key = "tokenizer.ggml.merges";
  const GgufArray *list = nullptr;
  if (!strings(key, list))
    return false;
  MergeList merges(d.merges, list->size());
  for (size_t rank = 0; rank < list->size(); ++rank) {
    std::string_view merge = list->strings[rank];
    // The parts are separated by one space; a part may hold spaces itself, so each space is tried.
    const char *lacking = "is not two tokens separated by a space";
    if (merge.size() <= kMaxTokenText)
      for (size_t space = merge.find(' ', 1); space != merge.npos; space = merge.find(' ', space + 1)) {
        llmc_tok_merge m;
        lacking = findMerge(idOf, merge.substr(0, space), merge.substr(space + 1), {}, m);
        if (lacking)
          continue;
        merges.add(m.left, m.right, static_cast<uint32_t>(rank), m.id);
        break;
      }
    if (lacking)
      return fail(key, "element " + std::to_string(rank) + " " + quotedText(merge) +
                           (lacking[1] == 't' ? ": " : " ") + lacking);
  }
  return true;
}

bool GgufTokenizerReader::readScores(Description &d) {
  constexpr std::string_view key = "tokenizer.ggml.scores";
  const GgufArray *list;
  if (!sized(key, 6, "f32", list))
    return false;
  if (!list)
    return fail(key, "is absent, expected an array of numbers");
  std::vector<float> scores(list->numbers.begin(), list->numbers.end());
  for (size_t i = 0; i < scores.size(); ++i)
    if (!std::isfinite(scores[i]))
      return fail(key, "element " + std::to_string(i) + " is not a finite number");
  if (d.kind == LLMC_TOK_UNIGRAM) {
    d.unknownScore = unknownScoreOf(d, scores);
    d.scores = std::move(scores);
    return true;
  }
  int64_t tooLong = mergesByScore(d, scores, idOf);
  return tooLong < 0 || fail("tokenizer.ggml.tokens", "element " + std::to_string(tooLong) +
                                                          " is too long for a vocabulary of scored merges");
}

/// The normalizer and the decoder of SentencePiece.
bool GgufTokenizerReader::describeSentencePiece(Description &d) {
  bool addsSpace, collapses;
  if (!readFlag("tokenizer.ggml.add_space_prefix", model.addsSpace, addsSpace) ||
      !readFlag("tokenizer.ggml.remove_extra_whitespaces", false, collapses))
    return false;
  constexpr std::string_view key = "tokenizer.ggml.precompiled_charsmap";
  error.clear();
  const GgufArray *map = file.array(key, error);
  if (!map && !error.empty())
    return false;
  Description::Norm norm{LLMC_TOK_NORM_SENTENCEPIECE, LLMC_TOK_SP_ESCAPE};
  norm.flags |= (addsSpace ? LLMC_TOK_SP_PREFIX_EACH : 0) | (collapses ? LLMC_TOK_SP_COLLAPSE : 0);
  if (map && map->elementType > 1)
    return fail(key, "has element type " + std::to_string(map->elementType) + ", expected 0 or 1 (bytes)");
  if (map)
    for (double byte : map->numbers)
      norm.a += static_cast<char>(static_cast<int>(byte));
  if (const char *wrong = checkCharsMap(norm.a))
    return fail(key, wrong);
  d.norms.push_back(std::move(norm));
  d.flags |= LLMC_TOK_FUSE_UNK | (d.special[LLMC_TOK_UNK] >= 0 ? LLMC_TOK_EMIT_UNK : 0) |
             (addsSpace ? LLMC_TOK_STRIP_SPACE : 0);
  // What Phi-3's own description says of its special tokens, files do not: white space behind them goes.
  std::string name(file.string("general.name", error).value_or(""));
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
  if (name.find("phi-3") != name.npos || name.find("phi3") != name.npos)
    for (uint32_t i = 0; i < d.text.size(); ++i)
      if (d.attr[i] >= LLMC_TOK_UNKNOWN && d.attr[i] <= LLMC_TOK_USER_DEFINED && d.text[i] != "<unk>" &&
          d.text[i] != "<s>" && d.text[i] != "<|endoftext|>")
        d.specialFlags[i] = LLMC_TOK_RSTRIP;
  return true;
}

/// BPE over characters where spaces are marked and nothing but line ends cuts the text.
bool GgufTokenizerReader::describeMarkedText(Description &d) {
  for (uint32_t i = 0; i < d.text.size(); ++i) // the files call the tokens of bytes normal ones
    if (int b = hexByte(tokens[i]); b >= 0 && d.attr[i] == LLMC_TOK_NORMAL) {
      d.attr[i] = LLMC_TOK_BYTE;
      d.text[i].assign(1, static_cast<char>(b));
      d.inIndex[i] = false;
      d.byteToken[static_cast<size_t>(b)] = static_cast<int32_t>(i);
      d.flags |= LLMC_TOK_BYTE_FALLBACK;
    }
  d.norms.push_back({LLMC_TOK_NORM_SENTENCEPIECE, LLMC_TOK_SP_ESCAPE});
  d.steps.push_back({LLMC_TOK_STEP_SPLIT, LLMC_TOK_ISOLATED, 0, "[^\\n]+|[\\n]+"});
  d.flags |= LLMC_TOK_FUSE_UNK | (d.special[LLMC_TOK_UNK] >= 0 ? LLMC_TOK_EMIT_UNK : 0);
  return true;
}

bool GgufTokenizerReader::readSpecials(Description &d) {
  static const struct {
    int role;
    const char *key;
  } roles[] = {
      {LLMC_TOK_BOS, "bos"},         {LLMC_TOK_EOS, "eos"},         {LLMC_TOK_EOT, "eot"},
      {LLMC_TOK_EOM, "eom"},         {LLMC_TOK_UNK, "unknown"},     {LLMC_TOK_PAD, "padding"},
      {LLMC_TOK_SEP, "seperator"},   {LLMC_TOK_CLS, "cls"},         {LLMC_TOK_MASK, "mask"},
      {LLMC_TOK_FIM_PRE, "fim_pre"}, {LLMC_TOK_FIM_SUF, "fim_suf"}, {LLMC_TOK_FIM_MID, "fim_mid"},
      {LLMC_TOK_FIM_PAD, "fim_pad"}, {LLMC_TOK_FIM_REP, "fim_rep"}, {LLMC_TOK_FIM_SEP, "fim_sep"},
  };
  const std::pair<int, int32_t> implied[] = {{LLMC_TOK_BOS, model.bos},
                                             {LLMC_TOK_EOS, model.eos},
                                             {LLMC_TOK_UNK, model.unknown},
                                             {LLMC_TOK_PAD, model.padding}};
  for (auto &[role, id] : implied)
    if (id < static_cast<int64_t>(tokens.size()))
      d.special[role] = id;
  for (auto &role : roles) {
    std::string key = std::string("tokenizer.ggml.") + role.key + "_token_id";
    error.clear();
    auto id = file.integer(key, error);
    if (!id && !error.empty())
      return false;
    if (!id)
      continue;
    if (*id == UINT32_MAX) { // some writers put -1 for none
      d.special[role.role] = -1;
      continue;
    }
    if (*id >= tokens.size())
      return fail(key, "is " + std::to_string(*id) + ", expected less than " + std::to_string(tokens.size()) +
                           ", the number of tokens");
    d.special[role.role] = static_cast<int32_t>(*id);
  }
  bool bos, eos;
  if (!readFlag("tokenizer.ggml.add_bos_token", addsBos || model.addsBos, bos) ||
      !readFlag("tokenizer.ggml.add_eos_token", model.addsEos, eos))
    return false;
  if (bos && d.special[LLMC_TOK_BOS] >= 0)
    d.prefix.push_back(d.special[LLMC_TOK_BOS]);
  if (eos && d.special[LLMC_TOK_EOS] >= 0)
    d.suffix.push_back(d.special[LLMC_TOK_EOS]);
  findStops(d, idOf);
  return true;
}

bool GgufTokenizerReader::readTemplates(Description &d) {
  constexpr std::string_view key = "tokenizer.chat_template", prefix = "tokenizer.chat_template.";
  for (auto &[name, value] : file.metadata()) {
    bool isDefault = name == key;
    if (!isDefault && !std::string_view(name).starts_with(prefix))
      continue;
    auto *text = std::get_if<std::string_view>(&value);
    if (!text)
      return fail(name, "is not a string");
    if (text->size() > kMaxTemplate || d.templates.size() == kMaxTemplates)
      return fail(name, "is more than can be kept: at most " + std::to_string(kMaxTemplates) +
                            " templates of " + std::to_string(kMaxTemplate) + " bytes");
    Description::Template t{isDefault ? std::string() : name.substr(prefix.size()), std::string(*text)};
    d.templates.insert(isDefault ? d.templates.begin() : d.templates.end(), std::move(t));
  }
  return true;
}

} // namespace

bool llmc::formats::buildTokenizerBlob(const GgufFile &file, std::string &blob, std::string &error) {
  error.clear();
  auto name = file.string("tokenizer.ggml.model", error);
  if (!name && !error.empty())
    return false;
  Description d;
  if (!name || *name == "none") {
    d.kind = LLMC_TOK_NONE;
    return writeTokenizerBlob(d, file.path(), blob, error);
  }
  for (const ModelKind &model : modelKinds)
    if (*name == model.name)
      return GgufTokenizerReader(file, model, error).read(d) &&
             writeTokenizerBlob(d, file.path(), blob, error);
  error =
      file.path() + ": key 'tokenizer.ggml.model' is " + quotedText(*name) +
      ", expected 'gpt2' (byte-level BPE), 'llama' (SentencePiece BPE), 'gemma4' (BPE over characters), 't5' "
      "(Unigram) or 'none'; other tokenizers are not supported";
  return false;
}
