//===- TokenizerModel.cpp - SentencePiece's tokenizer.model ---------------===//
//
// A message of protocol buffers, read field by field: the pieces with score and type, what the trainer and
// the normalizer were told. Lengths are checked against what remains of their message.
//
//===----------------------------------------------------------------------===//
#include "frontend/formats/TokenizerReaders.h"

#include "frontend/formats/TokenizerMerges.h"

#include <algorithm>
#include <cmath>
#include <cstring>

using namespace llmc::formats;

namespace {

/// The fields of one message.
class Message {
public:
  explicit Message(std::string_view bytes) : rest(bytes) {}

  uint32_t number = 0;

  // The value of the field; one of another type breaks the message.
  uint64_t integer() { return is(0) ? value : 0; }
  std::string_view text() { return is(2) ? bytes : std::string_view(); } // or a message
  float number32() {
    auto bits = static_cast<uint32_t>(is(5) ? value : 0);
    float f;
    std::memcpy(&f, &bits, 4);
    return f;
  }

  /// The next field; false at the end, or at bytes that are no field, which `isBroken` tells.
  bool next() {
    uint64_t key;
    if (rest.empty())
      return false;
    if (!varint(key) || key >> 3 == 0 || key >> 3 > UINT32_MAX)
      return broken();
    number = static_cast<uint32_t>(key >> 3);
    bytes = {};
    value = 0;
    wire = key & 7;
    switch (wire) {
    case 0:
      return varint(value) || broken();
    case 1:
      return fixed(8);
    case 2:
      if (!varint(value) || value > rest.size())
        return broken();
      bytes = rest.substr(0, value);
      rest.remove_prefix(value);
      return true;
    case 5:
      return fixed(4);
    default:
      return broken();
    }
  }
  bool isBroken = false;

private:
  std::string_view rest, bytes;
  uint64_t value = 0;
  unsigned wire = 0; // how the value is stored

  bool is(unsigned expected) {
    isBroken |= wire != expected;
    return wire == expected;
  }

  bool broken() {
    isBroken = true;
    return false;
  }
  bool varint(uint64_t &out) {
    out = 0;
    for (int shift = 0; shift < 64 && !rest.empty(); shift += 7) {
      auto byte = static_cast<uint8_t>(rest[0]);
      rest.remove_prefix(1);
      out |= uint64_t(byte & 0x7f) << shift;
      if (!(byte & 0x80))
        return true;
    }
    return false;
  }
  bool fixed(size_t n) {
    if (rest.size() < n)
      return broken();
    std::memcpy(&value, rest.data(), n);
    rest.remove_prefix(n);
    return true;
  }
};

bool isUtf8(std::string_view text) {
  for (size_t n; !text.empty(); text.remove_prefix(n))
    if (n = characterSize(text); n == 1 && static_cast<uint8_t>(text[0]) >= 0x80)
      return false;
  return true;
}

class ModelReader {
public:
  ModelReader(std::string_view bytes, const std::string &path, TokenizerDescription &d, std::string &error)
      : bytes(bytes), path(path), d(d), error(error) {}

  bool read() {
    Message model(bytes);
    while (model.next()) {
      if (model.number == 1 && !readPiece(model.text()))
        return false;
      if (model.number == 2 && !readTrainer(model.text()))
        return false;
      if (model.number == 3 && !readNormalizer(model.text()))
        return false;
    }
    if (model.isBroken)
      return fail("is no SentencePiece model: it does not consist of fields");
    if (pieces.empty())
      return fail("field 'pieces' is absent");
    return describe();
  }

private:
  struct Piece {
    std::string_view text;
    float score = 0;
    uint64_t type = LLMC_TOK_NORMAL; // numbered as attributes are
  };
  std::string_view bytes;
  const std::string &path;
  TokenizerDescription &d;
  std::string &error;
  std::vector<Piece> pieces;
  uint64_t modelType = 1;
  bool byteFallback = false, addsPrefix = true, collapses = true, escapes = true;
  std::string_view unknownPiece = "<unk>", bosPiece = "<s>", eosPiece = "</s>", padPiece = "<pad>", charsMap;

  bool fail(const std::string &what) {
    error = path + ": " + what;
    return false;
  }

  bool readPiece(std::string_view message) {
    Message m(message);
    Piece p;
    while (m.next())
      if (m.number == 1)
        p.text = m.text();
      else if (m.number == 2)
        p.score = m.number32();
      else if (m.number == 3)
        p.type = m.integer();
    auto at = [&] {
      return "field 'pieces', element " + std::to_string(pieces.size()) + " " + quotedText(p.text) + " ";
    };
    if (m.isBroken)
      return fail(at() + "is cut off or damaged");
    if (!isUtf8(p.text))
      return fail("field 'pieces', element " + std::to_string(pieces.size()) + " is not UTF-8");
    if (p.type < LLMC_TOK_NORMAL || p.type > LLMC_TOK_BYTE)
      return fail(at() + "has type " + std::to_string(p.type) + ", expected 1 to 6");
    if (!std::isfinite(p.score))
      return fail(at() + "has a score that is not a finite number");
    if (p.text.size() > kMaxTokenText || pieces.size() == kMaxVocab)
      return fail(at() + "is more than can be kept: at most " + std::to_string(kMaxVocab) + " pieces of " +
                  std::to_string(kMaxTokenText) + " bytes");
    pieces.push_back(p);
    return true;
  }

  bool readTrainer(std::string_view message) {
    Message m(message);
    while (m.next())
      switch (m.number) {
      case 3:
        modelType = m.integer();
        break;
      case 24:
        if (m.integer())
          return fail("field 'trainer_spec.treat_whitespace_as_suffix' is set, which is not supported");
        break;
      case 35:
        byteFallback = m.integer() != 0;
        break;
      case 45:
        unknownPiece = m.text();
        break;
      case 46:
        bosPiece = m.text();
        break;
      case 47:
        eosPiece = m.text();
        break;
      case 48:
        padPiece = m.text();
        break;
      }
    if (m.isBroken)
      return fail("field 'trainer_spec' is cut off or damaged");
    if (modelType != 1 && modelType != 2)
      return fail("field 'trainer_spec.model_type' is " + std::to_string(modelType) +
                  ", expected 1 (Unigram) or 2 (BPE); other kinds are not supported");
    return true;
  }

  bool readNormalizer(std::string_view message) {
    Message m(message);
    while (m.next())
      switch (m.number) {
      case 2:
        charsMap = m.text();
        break;
      case 3:
        addsPrefix = m.integer() != 0;
        break;
      case 4:
        collapses = m.integer() != 0;
        break;
      case 5:
        escapes = m.integer() != 0;
        break;
      }
    if (m.isBroken)
      return fail("field 'normalizer_spec' is cut off or damaged");
    if (const char *wrong = checkCharsMap(charsMap))
      return fail(std::string("field 'normalizer_spec.precompiled_charsmap' ") + wrong);
    return true;
  }

  bool describe() {
    d.kind = modelType == 1 ? LLMC_TOK_UNIGRAM : LLMC_TOK_CHARACTER_BPE;
    d.preName = "sentencepiece";
    d.resize(pieces.size());
    d.spelling.resize(pieces.size());
    TokenIds ids;
    ids.reserve(pieces.size());
    for (uint32_t i = 0; i < pieces.size(); ++i)
      if (!describePiece(i, ids))
        return false;
    auto role = [&](int r, std::string_view name, uint8_t attr) {
      if (auto it = ids.find(name); it != ids.end() && d.attr[it->second] == attr)
        d.special[static_cast<size_t>(r)] = static_cast<int32_t>(it->second);
    };
    role(LLMC_TOK_BOS, bosPiece, LLMC_TOK_CONTROL);
    role(LLMC_TOK_EOS, eosPiece, LLMC_TOK_CONTROL);
    role(LLMC_TOK_PAD, padPiece, LLMC_TOK_CONTROL);
    role(LLMC_TOK_UNK, unknownPiece, LLMC_TOK_UNKNOWN);
    d.flags |= LLMC_TOK_FUSE_UNK | (d.special[LLMC_TOK_UNK] >= 0 ? LLMC_TOK_EMIT_UNK : 0) |
               (byteFallback ? LLMC_TOK_BYTE_FALLBACK : 0) |
               (addsPrefix || collapses ? LLMC_TOK_STRIP_SPACE : 0);
    d.norms.push_back({LLMC_TOK_NORM_SENTENCEPIECE,
                       (addsPrefix ? LLMC_TOK_SP_PREFIX_FIRST : 0u) |
                           (collapses ? LLMC_TOK_SP_COLLAPSE : 0u) | (escapes ? LLMC_TOK_SP_ESCAPE : 0u),
                       std::string(charsMap)});
    // What the libraries that use such models put around a text.
    if (modelType == 2 && d.special[LLMC_TOK_BOS] >= 0)
      d.prefix.push_back(d.special[LLMC_TOK_BOS]);
    if (modelType == 1 && d.special[LLMC_TOK_EOS] >= 0)
      d.suffix.push_back(d.special[LLMC_TOK_EOS]);
    std::vector<float> scores;
    for (const Piece &p : pieces)
      scores.push_back(p.score);
    if (modelType == 1) {
      d.unknownScore = unknownScoreOf(d, scores);
      d.scores = std::move(scores);
    } else if (int64_t tooLong = mergesByScore(d, scores, ids); tooLong >= 0) {
      return fail("field 'pieces', element " + std::to_string(tooLong) +
                  " is too long for a vocabulary of scored merges");
    }
    return true;
  }

  bool describePiece(uint32_t i, TokenIds &ids) {
    const Piece &p = pieces[i];
    bool first = ids.emplace(p.text, i).second;
    d.attr[i] = static_cast<uint8_t>(p.type);
    d.spelling[i] = p.text;
    d.text[i] = p.type == LLMC_TOK_CONTROL ? std::string(p.text) : replaced(p.text, kSpaceMark, " ");
    if (p.type == LLMC_TOK_BYTE) {
      int b = hexByte(p.text);
      if (b < 0)
        return fail("field 'pieces', element " + std::to_string(i) + " " + quotedText(p.text) +
                    " is a byte, expected '<0x00>' to '<0xFF>'");
      d.text[i].assign(1, static_cast<char>(b));
      d.byteToken[static_cast<size_t>(b)] = static_cast<int32_t>(i);
    }
    if (p.type == LLMC_TOK_USER_DEFINED)
      d.specialFlags[i] = LLMC_TOK_SPELLED;
    d.inIndex[i] = first && !p.text.empty() &&
                   (p.type == LLMC_TOK_NORMAL || (p.type == LLMC_TOK_UNUSED && modelType == 2));
    return true;
  }
};

} // namespace

bool llmc::formats::readTokenizerModel(std::string_view bytes, const std::string &path,
                                       TokenizerDescription &d, std::string &error) {
  return ModelReader(bytes, path, d, error).read();
}
