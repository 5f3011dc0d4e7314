// Encoding: special tokens are found first; the text between them is normalized, cut into pieces and turned
// into tokens piece by piece.
#include "runtime/Tokenizer.h"

#include "runtime/BpeMerger.h"
#include "runtime/Error.h"
#include "runtime/TextSplitterScratch.h"
#include "runtime/Unigram.h"
#include "runtime/Utf8.h"

#include <algorithm>

namespace llmc {

static constexpr size_t kMaxText = size_t(1) << 30; // bytes of one call; positions are 32 bits wide
static constexpr std::string_view kMark = "\xe2\x96\x81";

llmc_status Tokenizer::open(const void *blob, size_t n) {
  if (auto status = data.open(blob, n))
    return status;
  if (isNone())
    return LLMC_OK;
  if (auto status = normalizer.open(data))
    return status;
  if (auto status = splitter.open(data))
    return status;
  return openSpecials();
}

llmc_status Tokenizer::openSpecials() {
  std::vector<SpecialMatcher::Entry> user, every, normalized;
  normalizedSpecials.reserve(data.specials.size()); // entries point into it
  for (const llmc_tok_special &s : data.specials) {
    SpecialMatcher::Entry entry{data.tokenText(s.id), s.id, s.flags,
                                tokenKind(int32_t(s.id)) != LLMC_TOK_USER_DEFINED};
    // Control tokens are found in text as it is: afterwards nobody knows who wrote it.
    if (!entry.isControl && (s.flags & LLMC_TOK_SPELLED)) {
      entry.text = data.tokenSpelling(s.id);
    } else if (!entry.isControl && (s.flags & LLMC_TOK_NORMALIZED)) {
      std::string buffer;
      if (validUtf8Prefix(entry.text.data(), entry.text.size()) != entry.text.size())
        return setError(LLMC_EFORMAT, "tokenizer block: token %u is not UTF-8", s.id);
      if (auto status = normalizer.apply(entry.text, {true, true}, buffer, entry.text))
        return status;
      entry.text = normalizedSpecials.emplace_back(entry.text);
    } else {
      every.push_back(entry);
      if (!entry.isControl)
        user.push_back(entry);
      continue;
    }
    if (!entry.text.empty())
      normalized.push_back(entry);
  }
  userDefined.open(std::move(user));
  all.open(std::move(every));
  inNormalized.open(std::move(normalized));
  return LLMC_OK;
}

/// One call of encode: the working arrays and the text between special tokens.
class Tokenizer::Encoder {
public:
  Encoder(const Tokenizer &t, std::vector<llmc_token> &out)
      : t(t), merger(t.data), unigram(t.data), out(out) {}

  /// `parsable(i)`: how many bytes from i on may hold control tokens.
  template <typename Parsable>
  llmc_status encode(std::string_view text, const SpecialMatcher &specials, Parsable parsable) {
    SpecialMatcher::Match m;
    size_t plain = 0;
    for (; specials.next(text, plain, parsable, m); plain = m.end) {
      if (auto status = plainText(text.substr(plain, m.begin - plain), {plain == 0, false}))
        return status;
      out.push_back(static_cast<llmc_token>(m.id));
    }
    return plainText(text.substr(plain), {plain == 0, true});
  }

  uint64_t steps() const { return merger.steps + unigram.steps; }

private:
  const Tokenizer &t;
  BpeMerger merger;
  Unigram unigram;
  TextSplitter::Scratch scratch;
  std::vector<std::string_view> pieces;
  std::string repaired, normalized;
  std::vector<llmc_token> &out;

  /// Text without special tokens. Where bytes are the alphabet, those between stretches of valid UTF-8 are
  /// merged as they are.
  llmc_status plainText(std::string_view text, Normalizer::Place place) {
    size_t valid = validUtf8Prefix(text.data(), text.size());
    if (valid != text.size() && t.data.header->kind != LLMC_TOK_BYTE_LEVEL_BPE)
      return validText(t.normalizer.takesMalformed() ? text : repair(text), place);
    bool isLast = place.isLast;
    while (!text.empty()) {
      place.isLast = isLast && valid == text.size();
      if (auto status = validText(text.substr(0, valid), place))
        return status;
      text.remove_prefix(valid);
      size_t invalid = 0;
      for (Utf8Char c; invalid < text.size(); invalid += c.size) {
        c = utf8Char(text.data() + invalid, text.size() - invalid);
        if (c.kind == Utf8Char::Whole)
          break;
      }
      if (invalid)
        merger.merge(text.substr(0, invalid), out);
      text.remove_prefix(invalid);
      valid = validUtf8Prefix(text.data(), text.size());
      place.isFirst = false;
    }
    return LLMC_OK;
  }

  /// Every byte that is no part of a character becomes U+FFFD, as SentencePiece does.
  std::string_view repair(std::string_view text) {
    repaired.clear();
    while (!text.empty()) {
      size_t valid = validUtf8Prefix(text.data(), text.size());
      repaired.append(text.substr(0, valid));
      text.remove_prefix(valid);
      if (text.empty())
        break;
      repaired += "\xef\xbf\xbd";
      text.remove_prefix(1);
    }
    return repaired;
  }

  llmc_status validText(std::string_view text, Normalizer::Place place) {
    if (text.empty())
      return LLMC_OK;
    if (!t.normalizer.isIdentity())
      if (auto status = t.normalizer.apply(text, place, normalized, text))
        return status;
    SpecialMatcher::Match m;
    size_t plain = 0;
    if (!t.inNormalized.isEmpty())
      for (; t.inNormalized.next(text, plain, [](size_t) { return 0; }, m); plain = m.end) {
        if (auto status = pieceByPiece(text.substr(plain, m.begin - plain), place.isFirst && plain == 0))
          return status;
        out.push_back(static_cast<llmc_token>(m.id));
      }
    return pieceByPiece(text.substr(plain), place.isFirst && plain == 0);
  }

  llmc_status pieceByPiece(std::string_view text, bool isFirst) {
    pieces.clear();
    if (auto status = t.splitter.split(text, isFirst, scratch, pieces))
      return status;
    for (std::string_view piece : pieces)
      if (t.data.has(LLMC_TOK_CUT_AT_MARKS))
        cutAtMarks(piece);
      else
        tokensOf(piece);
    return LLMC_OK;
  }

  void cutAtMarks(std::string_view piece) {
    const uint8_t *holds = t.data.header->before_mark;
    for (size_t at = piece.find(kMark, 1); at != piece.npos; at = piece.find(kMark, at)) {
      auto before = static_cast<uint8_t>(piece[at - 1]);
      if (holds[before / 8] >> before % 8 & 1) {
        ++at;
        continue;
      }
      tokensOf(piece.substr(0, at));
      piece.remove_prefix(at);
      at = 1;
    }
    tokensOf(piece);
  }

  void tokensOf(std::string_view piece) {
    if (t.data.header->kind == LLMC_TOK_UNIGRAM)
      unigram.segment(piece, out);
    else
      merger.merge(piece, out);
  }
};

llmc_status Tokenizer::countSteps(std::string_view text, uint64_t &steps) const {
  std::vector<llmc_token> out;
  Encoder encoder(*this, out);
  auto status = encoder.encode(text, all, [&](size_t i) { return text.size() - i; });
  steps = encoder.steps();
  return status;
}

llmc_status Tokenizer::encode(std::span<const Segment> segments, bool addSpecial,
                              std::vector<llmc_token> &out) const {
  if (isNone())
    return setError(LLMC_EUNSUPPORTED, "this model was compiled without a tokenizer; give it token ids");
  size_t total = 0;
  bool parseAny = false;
  for (const Segment &s : segments) {
    if (s.text.size() > kMaxText - total)
      return setError(LLMC_EARG, "text of more than %zu bytes in one call", kMaxText);
    total += s.text.size();
    parseAny |= s.parseSpecial && !s.text.empty();
  }
  if (addSpecial)
    out.insert(out.end(), data.prefix.begin(), data.prefix.end());
  Encoder encoder(*this, out);
  const SpecialMatcher &specials = parseAny ? all : userDefined;
  llmc_status status = LLMC_OK;
  if (segments.size() == 1) {
    std::string_view text = segments[0].text;
    status = encoder.encode(text, specials, [&](size_t i) { return parseAny ? text.size() - i : 0; });
  } else if (total != 0) {
    // One text; `runs` holds where stretches that may be parsed begin and end.
    std::string text;
    text.reserve(total);
    std::vector<std::pair<size_t, size_t>> runs;
    for (const Segment &s : segments) {
      if (s.parseSpecial && !s.text.empty()) {
        if (!runs.empty() && runs.back().second == text.size())
          runs.back().second += s.text.size();
        else
          runs.push_back({text.size(), text.size() + s.text.size()});
      }
      text.append(s.text);
    }
    size_t run = 0;
    status = encoder.encode(text, specials, [&](size_t i) -> size_t {
      while (run < runs.size() && runs[run].second <= i)
        ++run;
      return run < runs.size() && runs[run].first <= i ? runs[run].second - i : 0;
    });
  }
  if (status == LLMC_OK && addSpecial)
    out.insert(out.end(), data.suffix.begin(), data.suffix.end());
  return status;
}

llmc_status Tokenizer::decode(std::span<const llmc_token> tokens, bool skipSpecial, std::string &out,
                              bool isWhole) const {
  size_t start = out.size();
  for (llmc_token id : tokens) {
    if (!isToken(id))
      return setError(LLMC_EARG, "token %d, expected 0 to %lld", id, static_cast<long long>(size()) - 1);
    if (!(skipSpecial && tokenKind(id) == LLMC_TOK_CONTROL))
      out += tokenBytes(id);
  }
  if (isWhole && !isNone() && data.has(LLMC_TOK_STRIP_LAST) && out.size() > start && out.back() == ' ')
    out.pop_back();
  if (isWhole && !isNone() && data.has(LLMC_TOK_STRIP_SPACE) && out.size() > start && out[start] == ' ')
    out.erase(start, 1);
  return LLMC_OK;
}

bool Tokenizer::adds(std::span<const int32_t> ids, int role) const {
  return !isNone() && data.header->special[role] >= 0 &&
         std::find(ids.begin(), ids.end(), data.header->special[role]) != ids.end();
}

llmc_token Tokenizer::special(std::string_view role) const {
  static const char *const roles[LLMC_TOK_N_ROLES] = {"bos",     "eos",     "eot",     "eom",     "unk",
                                                      "pad",     "sep",     "cls",     "mask",    "fim_pre",
                                                      "fim_suf", "fim_mid", "fim_pad", "fim_rep", "fim_sep"};
  for (int i = 0; i < LLMC_TOK_N_ROLES && !isNone(); ++i)
    if (role == roles[i])
      return data.header->special[i];
  return -1;
}

llmc_token Tokenizer::find(std::string_view text) const {
  auto it = std::lower_bound(
      data.specials.begin(), data.specials.end(), text,
      [&](const llmc_tok_special &s, std::string_view w) { return data.tokenText(s.id) < w; });
  if (it != data.specials.end() && data.tokenText(it->id) == text)
    return static_cast<llmc_token>(it->id);
  return data.tokenOf(text);
}

bool Tokenizer::isStop(llmc_token id) const {
  return std::find(data.stops.begin(), data.stops.end(), id) != data.stops.end();
}

std::string_view Tokenizer::chatTemplate(std::string_view name) const {
  for (const llmc_tok_template &t : data.templates)
    if (data.string(t.name) == name)
      return data.string(t.text);
  return {};
}

} // namespace llmc
