// Encoding: special tokens are found first, the text between them is normalized, cut into pieces and merged.
#include "runtime/Tokenizer.h"

#include "runtime/Error.h"
#include "runtime/TextSplitterScratch.h"
#include "runtime/Utf8.h"

#include <algorithm>
#include <cstdlib>
#include <utf8proc.h>

namespace llmc {

static constexpr size_t kMaxText = size_t(1) << 30; // bytes of one call; positions are 32 bits wide
static constexpr uint8_t kControlBit = 1, kUserBit = 2;

llmc_status Tokenizer::open(const void *blob, size_t n) {
  if (auto status = data.open(blob, n))
    return status;
  if (isNone())
    return LLMC_OK;
  for (const llmc_tok_special &s : data.specials) {
    auto first = static_cast<uint8_t>(data.tokenText(s.id)[0]);
    startsSpecial[first] |=
        tokenKind(static_cast<llmc_token>(s.id)) == LLMC_TOK_USER_DEFINED ? kUserBit : kControlBit;
    ++firstSpecial[first + 1];
  }
  for (size_t i = 1; i < firstSpecial.size(); ++i)
    firstSpecial[i] += firstSpecial[i - 1];
  return splitter.open(data);
}

/// The longest special token at the start of `text`, -1 if none. Control tokens must lie in the first
/// `parsable` bytes. The candidates are a range of the sorted list that each further byte narrows.
int32_t Tokenizer::longestSpecial(std::string_view text, size_t parsable, size_t &length) const {
  auto lead = static_cast<uint8_t>(text[0]);
  auto low = data.specials.begin() + firstSpecial[lead],
       high = data.specials.begin() + firstSpecial[lead + 1];
  int32_t best = -1;
  for (size_t k = 1; low < high; ++k) {
    if (data.tokenText(low->id).size() == k) {
      auto id = static_cast<int32_t>(low->id);
      if (k <= parsable || tokenKind(id) == LLMC_TOK_USER_DEFINED)
        best = id, length = k;
      ++low;
    }
    if (k == text.size())
      break;
    auto byteAt = [&](const llmc_tok_special &s) { return static_cast<uint8_t>(data.tokenText(s.id)[k]); };
    auto next = static_cast<uint8_t>(text[k]);
    low = std::partition_point(low, high, [&](const llmc_tok_special &s) { return byteAt(s) < next; });
    high = std::partition_point(low, high, [&](const llmc_tok_special &s) { return byteAt(s) <= next; });
  }
  return best;
}

/// One call of encode: the working arrays and the text between special tokens.
class Tokenizer::Encoder {
public:
  Encoder(const Tokenizer &t, std::vector<llmc_token> &out) : t(t), merger(t.data), out(out) {}

  /// `parsable(i)`: how many bytes from i on may hold control tokens.
  template <typename Parsable> llmc_status encode(std::string_view text, uint8_t wanted, Parsable parsable) {
    size_t plain = 0;
    for (size_t i = 0; i < text.size();) {
      size_t length = 0;
      int32_t id = -1;
      if (t.startsSpecial[static_cast<uint8_t>(text[i])] & wanted)
        id = t.longestSpecial(text.substr(i), parsable(i), length);
      if (id < 0) {
        ++i;
        continue;
      }
      if (auto status = plainText(text.substr(plain, i - plain)))
        return status;
      out.push_back(id);
      plain = i += length;
    }
    return plainText(text.substr(plain));
  }

private:
  const Tokenizer &t;
  BpeMerger merger;
  TextSplitter::Scratch scratch;
  std::vector<std::string_view> pieces;
  std::vector<llmc_token> &out;

  /// Text without special tokens: stretches of valid UTF-8, and between them bytes that are merged as they
  /// are.
  llmc_status plainText(std::string_view text) {
    while (!text.empty()) {
      size_t valid = validUtf8Prefix(text.data(), text.size());
      if (auto status = validText(text.substr(0, valid)))
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
    }
    return LLMC_OK;
  }

  llmc_status validText(std::string_view text) {
    // All characters below U+0300 are in composed form already unless one from there on follows.
    bool composed =
        std::all_of(text.begin(), text.end(), [](char c) { return static_cast<uint8_t>(c) < 0xcc; });
    if (!(t.data.header->normalizers & LLMC_TOK_NORM_NFC) || composed)
      return pieceByPiece(text);
    utf8proc_uint8_t *normal = nullptr;
    utf8proc_ssize_t n = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t *>(text.data()),
                                      static_cast<utf8proc_ssize_t>(text.size()), &normal,
                                      static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
    if (n < 0)
      return setError(n == UTF8PROC_ERROR_NOMEM ? LLMC_ENOMEM : LLMC_EINTERNAL, "cannot normalize text: %s",
                      utf8proc_errmsg(n));
    struct Owner {
      void *p;
      ~Owner() { std::free(p); }
    } owner{normal};
    return pieceByPiece({reinterpret_cast<const char *>(normal), static_cast<size_t>(n)});
  }

  llmc_status pieceByPiece(std::string_view text) {
    pieces.clear();
    if (auto status = t.splitter.split(text, scratch, pieces))
      return status;
    for (std::string_view piece : pieces)
      merger.merge(piece, out);
    return LLMC_OK;
  }
};

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
  if (addSpecial && addsBos())
    out.push_back(special("bos"));
  Encoder encoder(*this, out);
  uint8_t wanted = kUserBit | (parseAny ? kControlBit : 0);
  llmc_status status = LLMC_OK;
  if (segments.size() == 1) {
    std::string_view text = segments[0].text;
    status = encoder.encode(text, wanted, [&](size_t i) { return parseAny ? text.size() - i : 0; });
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
    status = encoder.encode(text, wanted, [&](size_t i) -> size_t {
      while (run < runs.size() && runs[run].second <= i)
        ++run;
      return run < runs.size() && runs[run].first <= i ? runs[run].second - i : 0;
    });
  }
  if (status == LLMC_OK && addSpecial && addsEos())
    out.push_back(special("eos"));
  return status;
}

llmc_status Tokenizer::decode(std::span<const llmc_token> tokens, bool skipSpecial, std::string &out) const {
  for (llmc_token id : tokens) {
    if (!isToken(id))
      return setError(LLMC_EARG, "token %d, expected 0 to %lld", id, static_cast<long long>(size()) - 1);
    if (!(skipSpecial && tokenKind(id) == LLMC_TOK_CONTROL))
      out += tokenBytes(id);
  }
  return LLMC_OK;
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

llmc_status Detokenizer::push(llmc_token id, std::string_view &out) {
  text.clear();
  out = {};
  if (auto status = tokenizer.decode({&id, 1}, skipSpecial, pending))
    return status;
  emitComplete(false);
  out = text;
  return LLMC_OK;
}

std::string_view Detokenizer::flush() {
  text.clear();
  emitComplete(true);
  return text;
}

void Detokenizer::emitComplete(bool atEnd) {
  size_t i = 0;
  while (i < pending.size()) {
    size_t valid = validUtf8Prefix(pending.data() + i, pending.size() - i);
    text.append(pending, i, valid);
    i += valid;
    if (i == pending.size())
      break;
    Utf8Char c = utf8Char(pending.data() + i, pending.size() - i);
    if (c.kind == Utf8Char::Cut && !atEnd)
      break;
    text += "\xef\xbf\xbd";
    i += c.size;
  }
  pending.erase(0, i);
}

} // namespace llmc
