//===- TokenizerJson.cpp - tokenizer.json ---------------------------------===//
//
// The model (BPE or Unigram), the added tokens, and through PipelineReader and DecoderReader the rest. What
// is not supported is refused by the name of its field, never skipped.
//
//===----------------------------------------------------------------------===//
#include "frontend/formats/TokenizerMerges.h"
#include "frontend/formats/TokenizerReaders.h"

#include <algorithm>
#include <cmath>

using namespace llmc::formats;

bool llmc::formats::parseObject(std::string_view bytes, const std::string &path, JsonValue &out,
                                std::string &error) {
  if (!parseJson(bytes, {.values = 1 << 22}, out, error)) {
    error = path + ": " + error;
    return false;
  }
  if (!out.object())
    error = path + ": is " + out.describe() + ", expected an object";
  return out.object();
}

namespace {

class JsonTokenizerReader {
public:
  JsonTokenizerReader(const JsonValue &root, const std::string &path, TokenizerDescription &d,
                      std::string &error)
      : root(root), path(path), d(d), error(error), pipeline(path, d, error), decoder(path, error) {}

  bool read() {
    const JsonValue &modelField = field("model");
    if (!modelField.object())
      return fail("field 'model' is absent or no object");
    model = &modelField;
    if (!checkModel())
      return false;
    std::string type = model->findValue("type") ? modelString("type") : model->find("merges") ? "BPE" : "";
    if (type != "BPE" && type != "Unigram")
      return fail("field 'model.type' is " + quotedText(type) + ", expected 'BPE' or 'Unigram'");
    if (!pipeline.readNormalizer(field("normalizer")) || !pipeline.readPreTokenizer(field("pre_tokenizer")) ||
        !decoder.read(field("decoder")))
      return false;
    d.flags |= decoder.flags;
    d.kind = type == "Unigram"      ? LLMC_TOK_UNIGRAM
             : pipeline.isByteLevel ? LLMC_TOK_BYTE_LEVEL_BPE
                                    : LLMC_TOK_CHARACTER_BPE;
    if (d.kind == LLMC_TOK_UNIGRAM && pipeline.isByteLevel)
      return fail("field 'pre_tokenizer' has ByteLevel with a Unigram model, which is not supported");
    d.preName = "tokenizer.json";
    bool ok = d.kind == LLMC_TOK_UNIGRAM ? readPieces() : readVocab();
    return ok && readAddedTokens() && describeTokens() && (d.kind == LLMC_TOK_UNIGRAM || readBpe()) &&
           pipeline.readPostProcessor(field("post_processor"));
  }

private:
  const JsonValue &root;
  const std::string &path;
  TokenizerDescription &d;
  std::string &error;
  PipelineReader pipeline;
  DecoderReader decoder;
  const JsonValue *model = nullptr;
  std::vector<std::string> spellings; // by id; the text of added tokens
  std::vector<float> scores;
  std::vector<bool> inModel;
  TokenIds ids; // of the model's tokens

  bool fail(const std::string &what) {
    error = path + ": " + what;
    return false;
  }
  const JsonValue &field(const char *name) const {
    static const JsonValue null;
    const JsonValue *found = root.find(name);
    return found ? *found : null;
  }
  // Of fields whose type checkModel has checked.
  std::string modelString(const char *name) const {
    const JsonValue *found = model->findValue(name);
    return found ? *found->string() : "";
  }
  bool modelFlag(const char *name) const {
    const JsonValue *found = model->findValue(name);
    return found && *found->boolean();
  }
  bool checkModel() {
    for (const char *name : {"type", "unk_token", "continuing_subword_prefix", "end_of_word_suffix"})
      if (const JsonValue *found = model->findValue(name); found && !found->string())
        return fail(std::string("field 'model.") + name + "' is no string");
    for (const char *name : {"fuse_unk", "byte_fallback", "ignore_merges"})
      if (const JsonValue *found = model->findValue(name); found && !found->boolean())
        return fail(std::string("field 'model.") + name + "' is neither true nor false");
    if (const JsonValue *dropout = model->findValue("dropout"); dropout && dropout->number() != 0.0)
      return fail("field 'model.dropout' is not 0, which is not supported");
    return true;
  }

  bool place(const std::string &where, uint64_t id, const std::string &text) {
    if (id >= kMaxVocab || text.size() > kMaxTokenText)
      return fail("field '" + where + "', token " + std::to_string(id) + " " + quotedText(text) +
                  " is more than can be kept: at most " + std::to_string(kMaxVocab) + " tokens of " +
                  std::to_string(kMaxTokenText) + " bytes");
    if (id >= spellings.size()) {
      // Ids may have gaps, but a short file must not ask for much memory.
      if (id > 1024 && id / 16 > spellings.size() + root.size() + modelSize())
        return fail("field '" + where + "', token " + quotedText(text) + " has the id " + std::to_string(id) +
                    ", which is far more than there are tokens");
      spellings.resize(id + 1);
      inModel.resize(id + 1);
    }
    spellings[id] = text;
    return true;
  }
  size_t modelSize() const {
    const JsonValue *vocab = model->find("vocab");
    return vocab ? vocab->size() : 0;
  }

  bool readVocab();
  bool readPieces();
  bool readAddedTokens();
  bool describeTokens();
  bool describeToken(uint32_t id);
  bool readBpe();
  bool readMerge(const JsonValue &merge, size_t rank, const std::string &wordPrefix, MergeList &);
};

bool JsonTokenizerReader::readVocab() {
  const JsonValue *vocab = model->find("vocab");
  if (!vocab || !vocab->object() || vocab->size() == 0)
    return fail("field 'model.vocab' is absent, empty or no object");
  for (const auto &[token, number] : *vocab->object()) {
    auto id = number.count();
    if (!id)
      return fail("field 'model.vocab', token " + quotedText(token) + " has an id that is no number from 0");
    if (!place("model.vocab", *id, token))
      return false;
    if (inModel[*id])
      return fail("field 'model.vocab', token " + quotedText(token) + " has the id of another token, " +
                  std::to_string(*id));
    inModel[*id] = true;
  }
  return true;
}

bool JsonTokenizerReader::readPieces() {
  const JsonValue *vocab = model->find("vocab");
  if (!vocab || !vocab->array() || vocab->size() == 0)
    return fail("field 'model.vocab' is absent, empty or no list");
  for (const JsonValue &piece : *vocab->array()) {
    const std::string *text = piece.array() && piece.size() == 2 ? (*piece.array())[0].string() : nullptr;
    auto number = text ? (*piece.array())[1].number() : std::nullopt;
    auto score = number ? static_cast<float>(*number) : NAN;
    if (!std::isfinite(score))
      return fail("field 'model.vocab', element " + std::to_string(scores.size()) +
                  " is no pair of a string and a finite score");
    if (!place("model.vocab", scores.size(), *text))
      return false;
    inModel[scores.size()] = true;
    scores.push_back(score);
  }
  if (const JsonValue *unknown = model->findValue("unk_id")) {
    auto id = unknown->count();
    if (!id || *id >= scores.size())
      return fail("field 'model.unk_id' is not less than " + std::to_string(scores.size()));
    d.special[LLMC_TOK_UNK] = static_cast<int32_t>(*id);
  }
  d.flags |= LLMC_TOK_FUSE_UNK | (d.special[LLMC_TOK_UNK] >= 0 ? LLMC_TOK_EMIT_UNK : 0) |
             (modelFlag("byte_fallback") ? LLMC_TOK_BYTE_FALLBACK : 0);
  return true;
}

bool JsonTokenizerReader::readAddedTokens() {
  const JsonValue &list = field("added_tokens");
  if (list.isNull()) {
    d.resize(spellings.size());
    return true;
  }
  if (!list.array())
    return fail("field 'added_tokens' is no list");
  std::vector<std::pair<uint32_t, bool>> added;
  for (size_t i = 0; i < list.size(); ++i) {
    const JsonValue &t = (*list.array())[i];
    const char *wrongFlag = nullptr;
    auto flag = [&](const char *key) {
      const JsonValue *found = t.find(key);
      if (found && !found->boolean())
        wrongFlag = key;
      return found && found->boolean() && *found->boolean();
    };
    const JsonValue *content = t.find("content"), *number = t.find("id");
    auto id = number ? number->count() : std::nullopt;
    if (!id || !content || !content->string())
      return fail("field 'added_tokens', element " + std::to_string(i) + " has no 'id' or no 'content'");
    if (!place("added_tokens", *id, *content->string()))
      return false;
    added.push_back({static_cast<uint32_t>(*id), flag("special")});
    uint32_t flags = (flag("lstrip") ? LLMC_TOK_LSTRIP : 0u) | (flag("rstrip") ? LLMC_TOK_RSTRIP : 0u) |
                     (flag("single_word") ? LLMC_TOK_SINGLE_WORD : 0u) |
                     (flag("normalized") && !d.norms.empty() ? LLMC_TOK_NORMALIZED : 0u);
    if (wrongFlag)
      return fail("field 'added_tokens', element " + std::to_string(i) + " has a '" + wrongFlag +
                  "' that is neither true nor false");
    if (flags)
      d.specialFlags[static_cast<uint32_t>(*id)] = flags;
  }
  d.resize(spellings.size());
  for (auto [id, isSpecial] : added)
    d.attr[id] = isSpecial ? LLMC_TOK_CONTROL : LLMC_TOK_USER_DEFINED;
  return true;
}

bool JsonTokenizerReader::describeTokens() {
  if (spellings.size() > kMaxVocab || spellings.empty())
    return fail("field 'model.vocab' has no tokens or too many");
  std::string unknown = modelString("unk_token");
  if (d.kind != LLMC_TOK_BYTE_LEVEL_BPE)
    d.spelling = spellings;
  bool hasBytes = modelFlag("byte_fallback");
  for (uint32_t id = 0; id < spellings.size(); ++id) {
    const std::string &spelling = spellings[id];
    bool isControl = d.attr[id] == LLMC_TOK_CONTROL, isAdded = d.attr[id] != LLMC_TOK_NORMAL;
    if (auto [it, isNew] = inModel[id] ? ids.emplace(spelling, id) : std::pair(ids.end(), true); !isNew) {
      d.inIndex[it->second] = false; // of equal pieces the last counts
      it->second = id;
    }
    if (inModel[id] && !unknown.empty() && spelling == unknown)
      d.special[LLMC_TOK_UNK] = static_cast<int32_t>(id);
    if (!inModel[id] && !isAdded)
      d.attr[id] = LLMC_TOK_UNUSED; // a gap in the numbers
    int b = hasBytes && !isAdded ? hexByte(spelling) : -1;
    bool isByteLevel = d.kind == LLMC_TOK_BYTE_LEVEL_BPE;
    if (b >= 0) {
      d.attr[id] = LLMC_TOK_BYTE;
      d.text[id].assign(1, static_cast<char>(b));
      d.byteToken[static_cast<size_t>(b)] = static_cast<int32_t>(id);
    } else if (isAdded || !(isByteLevel || decoder.isByteLevel)) {
      d.text[id] = isAdded ? spelling : decoder.textOf(spelling);
    } else if (!spelledBytes(spelling, d.text[id])) {
      d.text[id] = spelling;
    } else if (isByteLevel && d.text[id].size() == 1) {
      d.byteToken[static_cast<unsigned char>(d.text[id][0])] = static_cast<int32_t>(id);
    }
    std::string bytes;
    bool isSpelled = !isByteLevel || (!isAdded && spelledBytes(spelling, bytes));
    d.inIndex[id] = inModel[id] && !isControl && b < 0 && isSpelled && !spelling.empty() &&
                    static_cast<int32_t>(id) != d.special[LLMC_TOK_UNK];
  }
  if (d.kind == LLMC_TOK_UNIGRAM) {
    scores.resize(spellings.size());
    d.unknownScore = scores.empty() ? 0 : *std::min_element(scores.begin(), scores.end()) - 10;
    d.scores = scores;
  }
  return true;
}

bool JsonTokenizerReader::readBpe() {
  d.wordSuffix = modelString("end_of_word_suffix");
  d.wordPrefix = modelString("continuing_subword_prefix");
  if (d.kind == LLMC_TOK_BYTE_LEVEL_BPE && !(d.wordPrefix.empty() && d.wordSuffix.empty()))
    return fail("field 'model' has affixes of words with ByteLevel, which is not supported");
  d.flags |= (modelFlag("ignore_merges") ? LLMC_TOK_IGNORE_MERGES : 0) |
             (modelFlag("fuse_unk") ? LLMC_TOK_FUSE_UNK : 0) |
             (modelFlag("byte_fallback") ? LLMC_TOK_BYTE_FALLBACK : 0) |
             (d.special[LLMC_TOK_UNK] >= 0 ? LLMC_TOK_EMIT_UNK : 0);
  const JsonValue *list = model->find("merges");
  if (!list || !list->array())
    return fail("field 'model.merges' is absent or no list");
  MergeList merges(d.merges, list->size());
  for (size_t rank = 0; rank < list->size(); ++rank)
    if (!readMerge((*list->array())[rank], rank, d.wordPrefix, merges))
      return false;
  return true;
}

bool JsonTokenizerReader::readMerge(const JsonValue &merge, size_t rank, const std::string &wordPrefix,
                                    MergeList &merges) {
  auto at = [&] { return "field 'model.merges', element " + std::to_string(rank) + " "; };
  std::string_view left, right;
  const JsonValue::Array *pair = merge.array();
  if (const std::string *both = merge.string()) {
    std::string_view text = *both;
    size_t space = text.find(' ');
    if (space == text.npos || text.find(' ', space + 1) != text.npos)
      return fail(at() + quotedText(text) + " is not two tokens separated by a space");
    left = text.substr(0, space), right = text.substr(space + 1);
  } else if (pair && pair->size() == 2 && (*pair)[0].string() && (*pair)[1].string()) {
    left = *(*pair)[0].string(), right = *(*pair)[1].string();
  } else {
    return fail(at() + "is neither a string nor a pair of strings");
  }
  llmc_tok_merge m;
  if (const char *lacking = findMerge(ids, left, right, wordPrefix, m))
    return fail(at() + quotedText(std::string(left) + " " + std::string(right)) + ": " + lacking);
  if (d.attr[m.id] != LLMC_TOK_CONTROL) // plain text never becomes a special token
    merges.add(m.left, m.right, static_cast<uint32_t>(rank), m.id);
  return true;
}

} // namespace

bool llmc::formats::readTokenizerJson(std::string_view bytes, const std::string &path,
                                      TokenizerDescription &d, std::string &error) {
  JsonValue root;
  return parseObject(bytes, path, root, error) && JsonTokenizerReader(root, path, d, error).read();
}
