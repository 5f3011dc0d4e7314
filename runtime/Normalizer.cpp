// The steps of the normalizer, each from one string to another.
#include "runtime/Normalizer.h"

#include "runtime/Error.h"
#include "runtime/TextSplitterScratch.h"
#include "runtime/UnicodeForms.h"
#include "runtime/Utf8.h"

#include <algorithm>
#include <utf8proc.h>

namespace llmc {

static constexpr std::string_view kMark = "\xe2\x96\x81";        // U+2581
static constexpr std::string_view kReplacement = "\xef\xbf\xbd"; // U+FFFD
// How much longer a normalizer may make a text.
static constexpr size_t kMaxGrowth = 64, kMaxGrowthOfShort = 1 << 16;

Normalizer::~Normalizer() {
  for (Step &s : steps)
    pcre2_code_free(s.code);
}

llmc_status Normalizer::open(const TokenizerData &data) {
  for (const llmc_tok_norm &n : data.norms) {
    Step &s = steps.emplace_back();
    s.type = n.type, s.flags = n.flags, s.a = data.string(n.a), s.b = data.string(n.b);
    if (n.type == LLMC_TOK_NORM_CHARSMAP || n.type == LLMC_TOK_NORM_SENTENCEPIECE)
      s.map = CharsMap(s.a);
    if (n.type == LLMC_TOK_NORM_REPLACE_PATTERN)
      if (auto status = compilePattern(s.a, "normalizer", s.code))
        return status;
  }
  return LLMC_OK;
}

namespace {

/// Calls `use` with each character and its bytes.
template <typename Use> void forEachCharacter(std::string_view text, Use use) {
  for (size_t i = 0, size; i < text.size(); i += size) {
    uint32_t c = codePointAt(text.substr(i), size);
    use(c, text.substr(i, size));
  }
}

std::string_view stripped(std::string_view text, uint32_t flags) {
  size_t begin = 0, end = text.size(), size;
  if (flags & LLMC_TOK_LSTRIP)
    while (begin < end && isWhiteSpace(codePointAt(text.substr(begin), size)))
      begin += size;
  while ((flags & LLMC_TOK_RSTRIP) && end > begin) {
    size_t last = end - 1;
    while ((text[last] & 0xc0) == 0x80)
      --last;
    if (!isWhiteSpace(codePointAt(text.substr(last), size)))
      break;
    end = last;
  }
  return text.substr(begin, end - begin);
}

void replaceAll(std::string_view text, std::string_view from, std::string_view to, std::string &out) {
  for (size_t at; (at = text.find(from)) != text.npos; text.remove_prefix(at + from.size()))
    out.append(text.substr(0, at)).append(to);
  out.append(text);
}

/// The replacement of grapheme clusters, of their characters if the cluster has none.
void mapClusters(std::string_view text, const CharsMap &map, std::string &out) {
  auto mapOne = [&](std::string_view part) {
    CharsMap::Match m = map.shortest(part);
    if (m.size)
      out.append(m.replacement);
    return m.size != 0;
  };
  for (size_t begin = 0, size; begin < text.size();) {
    utf8proc_int32_t state = 0;
    auto before = static_cast<utf8proc_int32_t>(codePointAt(text.substr(begin), size));
    size_t end = begin + size;
    while (end < text.size()) {
      auto next = static_cast<utf8proc_int32_t>(codePointAt(text.substr(end), size));
      if (utf8proc_grapheme_break_stateful(before, next, &state))
        break;
      before = next, end += size;
    }
    std::string_view cluster = text.substr(begin, end - begin);
    if (cluster.size() >= 6 || !mapOne(cluster))
      forEachCharacter(cluster, [&](uint32_t, std::string_view bytes) {
        if (!mapOne(bytes))
          out.append(bytes);
      });
    begin = end;
  }
}

/// SentencePiece's normalizer: the map, then white space. The text may hold malformed bytes if there is a
/// map.
void sentencePiece(std::string_view text, uint32_t flags, const CharsMap &map, bool hasMap,
                   Normalizer::Place place, std::string &out) {
  std::string_view space = flags & LLMC_TOK_SP_ESCAPE ? kMark : " ";
  bool collapses = flags & LLMC_TOK_SP_COLLAPSE;
  bool hasPrefix = (flags & LLMC_TOK_SP_PREFIX_EACH) || ((flags & LLMC_TOK_SP_PREFIX_FIRST) && place.isFirst);
  out.reserve(text.size() + text.size() / 2 + 3);
  bool afterSpace = collapses && (place.isFirst || hasPrefix); // spaces at the start go
  size_t start = 0;
  if (hasPrefix)
    out.append(space);
  start = out.size();
  auto put = [&](std::string_view part) {
    for (size_t at = 0; at < part.size();) {
      size_t next = std::min(part.find(' ', at), part.size());
      if (next > at) {
        out.append(part.substr(at, next - at));
        afterSpace = false;
      }
      if (next < part.size() && !(collapses && afterSpace)) {
        out.append(space);
        afterSpace = true;
      }
      at = next + 1;
    }
  };
  if (hasMap)
    for (size_t i = 0; i < text.size();) {
      if (CharsMap::Match m = map.longest(text.substr(i)); m.size) {
        put(m.replacement);
        i += m.size;
        continue;
      }
      // What the map says of U+FFFD does not hold for the U+FFFD of a malformed byte.
      Utf8Char c = utf8Char(text.data() + i, text.size() - i);
      const bool isWhole = c.kind == Utf8Char::Whole;
      put(isWhole ? text.substr(i, c.size) : kReplacement);
      i += isWhole ? c.size : 1;
    }
  else
    put(text);
  while (collapses && place.isLast && out.ends_with(space)) // also those that the text spells as marks
    out.resize(out.size() - space.size());
  if (collapses && out.size() == start && text.find_first_not_of(' ') == text.npos)
    out.clear(); // nothing but white space is nothing
}

bool isChinese(uint32_t c) {
  return (c >= 0x4e00 && c <= 0x9fff) || (c >= 0x3400 && c <= 0x4dbf) || (c >= 0x20000 && c <= 0x2a6df) ||
         (c >= 0x2a700 && c <= 0x2b73f) || (c >= 0x2b740 && c <= 0x2b81f) || (c >= 0x2b920 && c <= 0x2ceaf) ||
         (c >= 0xf900 && c <= 0xfaff) || (c >= 0x2f800 && c <= 0x2fa1f);
}

std::string bert(std::string_view text, uint32_t flags) {
  std::string out(text), from;
  auto eachOf = [&](auto use) {
    from.swap(out);
    out.clear();
    forEachCharacter(from, use);
  };
  auto categoryOf = [](uint32_t c) { return utf8proc_category(static_cast<utf8proc_int32_t>(c)); };
  if (flags & LLMC_TOK_BERT_CLEAN)
    eachOf([&](uint32_t c, std::string_view bytes) {
      auto category = categoryOf(c);
      bool isSpace = c == '\t' || c == '\n' || c == '\r' || isWhiteSpace(c);
      bool isControl = category == UTF8PROC_CATEGORY_CC || category == UTF8PROC_CATEGORY_CF ||
                       category == UTF8PROC_CATEGORY_CO;
      if (c == '\t' || c == '\n' || c == '\r')
        out += ' ';
      else if (c != 0 && c != 0xfffd && !isControl)
        out.append(isSpace ? " " : bytes);
    });
  if (flags & LLMC_TOK_BERT_CHINESE)
    eachOf([&](uint32_t c, std::string_view bytes) {
      out.append(isChinese(c) ? " " : "").append(bytes).append(isChinese(c) ? " " : "");
    });
  if (flags & LLMC_TOK_BERT_STRIP_ACCENTS) {
    out = normalForm(out, false, false);
    eachOf([&](uint32_t c, std::string_view bytes) {
      if (categoryOf(c) != UTF8PROC_CATEGORY_MN)
        out.append(bytes);
    });
  }
  if (flags & LLMC_TOK_BERT_LOWERCASE)
    eachOf([&](uint32_t c, std::string_view) { appendLowercase(out, c); });
  return out;
}

llmc_status replacePattern(std::string_view text, pcre2_code *code, std::string_view to, std::string &out) {
  TextSplitter::Scratch scratch;
  PatternSearch search(code, text, scratch);
  size_t done = 0, begin, end;
  for (;;) {
    bool found;
    if (auto status = search.next(begin, end, found))
      return status;
    if (!found)
      break;
    out.append(text.substr(done, begin - done)).append(to);
    done = end;
  }
  out.append(text.substr(done));
  return LLMC_OK;
}

bool isAscii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<uint8_t>(c) < 0x80; });
}

} // namespace

bool Normalizer::takesMalformed() const {
  return !steps.empty() && steps[0].type == LLMC_TOK_NORM_SENTENCEPIECE && !steps[0].a.empty();
}

llmc_status Normalizer::apply(const Step &s, std::string_view text, Place place, std::string &out,
                              bool &isChanged) const {
  isChanged = true;
  switch (s.type) {
  case LLMC_TOK_NORM_NFC:
    // All characters below U+0300 are in composed form already unless one from there on follows.
    isChanged = std::any_of(text.begin(), text.end(), [](char c) { return static_cast<uint8_t>(c) >= 0xcc; });
    if (isChanged)
      out = normalForm(text, false, true);
    break;
  case LLMC_TOK_NORM_NFD:
  case LLMC_TOK_NORM_NFKC:
  case LLMC_TOK_NORM_NFKD:
    isChanged = !isAscii(text);
    if (isChanged)
      out = normalForm(text, s.type != LLMC_TOK_NORM_NFD, s.type == LLMC_TOK_NORM_NFKC);
    break;
  case LLMC_TOK_NORM_LOWERCASE:
    forEachCharacter(text, [&](uint32_t c, std::string_view) { appendLowercase(out, c); });
    break;
  case LLMC_TOK_NORM_STRIP_ACCENTS:
    isChanged = !isAscii(text);
    if (isChanged)
      forEachCharacter(text, [&](uint32_t c, std::string_view bytes) {
        if (!isCombiningMark(c))
          out.append(bytes);
      });
    break;
  case LLMC_TOK_NORM_STRIP:
    out = stripped(text, s.flags);
    break;
  case LLMC_TOK_NORM_PREPEND:
    if (!text.empty())
      out.append(s.a);
    out.append(text);
    break;
  case LLMC_TOK_NORM_REPLACE:
    isChanged = text.find(s.a) != text.npos;
    if (isChanged)
      replaceAll(text, s.a, s.b, out);
    break;
  case LLMC_TOK_NORM_REPLACE_PATTERN:
    return replacePattern(text, s.code, s.b, out);
  case LLMC_TOK_NORM_CHARSMAP:
    mapClusters(text, s.map, out);
    break;
  case LLMC_TOK_NORM_SENTENCEPIECE:
    sentencePiece(text, s.flags, s.map, !s.a.empty(), place, out);
    break;
  case LLMC_TOK_NORM_BERT:
    out = bert(text, s.flags);
    break;
  }
  return LLMC_OK;
}

llmc_status Normalizer::apply(std::string_view text, Place place, std::string &buffer,
                              std::string_view &out) const {
  out = text;
  for (const Step &s : steps) {
    std::string next;
    bool isChanged;
    if (auto status = apply(s, out, place, next, isChanged))
      return status;
    if (!isChanged)
      continue;
    if (next.size() > kMaxGrowthOfShort && next.size() / kMaxGrowth > text.size())
      return setError(LLMC_EARG, "text of %zu bytes grows to %zu when it is normalized", text.size(),
                      next.size());
    buffer = std::move(next);
    out = buffer;
  }
  return LLMC_OK;
}

} // namespace llmc
