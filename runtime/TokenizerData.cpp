// The checks of a compiled tokenizer. Its bytes may come from anywhere.
#include "runtime/TokenizerData.h"

#include "runtime/Error.h"

#include <algorithm>
#include <cmath>
#include <cstdarg>
#include <cstddef>
#include <cstdio>

namespace llmc {

static_assert(std::endian::native == std::endian::little, "the block is read in place");
static_assert(sizeof(llmc_tok_header) == 96 + 4 * LLMC_TOK_MAX_ROLES + 16 * LLMC_TOK_MAX_SECTIONS);

static const char *const sectionNames[LLMC_TOK_N_SECTIONS] = {
    "offsets",     "text",  "attributes", "scores",    "index",   "merges",           "bytes",
    "specials",    "steps", "stops",      "templates", "strings", "spelling offsets", "spelling",
    "normalizers", "trie",  "prefix",     "suffix"};

static constexpr uint32_t kMaxSteps = 32, kMaxPattern = 1u << 16, kMaxReplacement = 256;

namespace {

class Checker {
public:
  Checker(TokenizerData &d, const uint8_t *bytes, size_t size) : d(d), bytes(bytes), size(size) {}

  llmc_status run() {
    if (auto status = header())
      return status;
    if (d.header->kind == LLMC_TOK_NONE)
      return LLMC_OK;
    if (auto status = sections())
      return status;
    if (auto status = vocabulary())
      return status;
    if (auto status = tables())
      return status;
    return records();
  }

private:
  TokenizerData &d;
  const uint8_t *bytes;
  size_t size;

  __attribute__((format(printf, 2, 3))) llmc_status fail(const char *format, ...) {
    char what[256];
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    return setError(LLMC_EFORMAT, "tokenizer block: %s", what);
  }

  llmc_status header() {
    constexpr size_t least = offsetof(llmc_tok_header, header_size) + 4;
    if (size < least)
      return fail("%zu bytes, expected at least %zu", size, least);
    auto *h = reinterpret_cast<const llmc_tok_header *>(bytes);
    if (h->magic != LLMC_TOK_MAGIC)
      return fail("does not start with the magic 'LTOK'");
    if (h->version != LLMC_TOK_VERSION)
      return setError(LLMC_EABI, "tokenizer block: version %u, expected %u; compile the model again",
                      h->version, LLMC_TOK_VERSION);
    if (h->total_size > size || h->header_size < sizeof(llmc_tok_header) || h->header_size > h->total_size)
      return fail("is cut off or damaged: %zu bytes, the header says %llu", size,
                  static_cast<unsigned long long>(h->total_size));
    size = h->total_size;
    if (h->kind >= LLMC_TOK_N_KINDS)
      return fail("unknown kind %u", h->kind);
    if (h->flags & ~uint32_t(LLMC_TOK_KNOWN_FLAGS))
      return setError(LLMC_EABI, "tokenizer block: needs a newer version of llmc (flags %#x)", h->flags);
    if (h->n_sections < LLMC_TOK_N_SECTIONS || h->n_sections > LLMC_TOK_MAX_SECTIONS)
      return fail("%u sections, expected %d to %d", h->n_sections, int(LLMC_TOK_N_SECTIONS),
                  int(LLMC_TOK_MAX_SECTIONS));
    d.header = h;
    return LLMC_OK;
  }

  template <typename T> llmc_status section(int i, std::span<const T> &out) {
    const llmc_tok_section &s = d.header->section[i];
    if (s.size == 0)
      return LLMC_OK;
    if (s.offset % LLMC_TOK_ALIGN != 0 || s.offset < d.header->header_size || s.offset > size ||
        s.size > size - s.offset)
      return fail("section '%s' lies outside of the block", sectionNames[i]);
    if (s.size % sizeof(T) != 0)
      return fail("section '%s' has %llu bytes, expected a multiple of %zu", sectionNames[i],
                  static_cast<unsigned long long>(s.size), sizeof(T));
    out = {reinterpret_cast<const T *>(bytes + s.offset), static_cast<size_t>(s.size / sizeof(T))};
    return LLMC_OK;
  }

  llmc_status sections() {
    std::span<const char> text, strings, spelling;
    llmc_status status = LLMC_OK;
    auto read = [&](int i, auto &out) { status = status ? status : section(i, out); };
    read(LLMC_TOK_SEC_OFFSETS, d.offsets);
    read(LLMC_TOK_SEC_TEXT, text);
    read(LLMC_TOK_SEC_ATTR, d.attr);
    read(LLMC_TOK_SEC_INDEX, d.index);
    read(LLMC_TOK_SEC_MERGES, d.merges);
    read(LLMC_TOK_SEC_BYTES, d.byteToken);
    read(LLMC_TOK_SEC_SPECIALS, d.specials);
    read(LLMC_TOK_SEC_STEPS, d.steps);
    read(LLMC_TOK_SEC_STOPS, d.stops);
    read(LLMC_TOK_SEC_TEMPLATES, d.templates);
    read(LLMC_TOK_SEC_STRINGS, strings);
    read(LLMC_TOK_SEC_SCORES, d.scores);
    read(LLMC_TOK_SEC_SPELLING_OFFSETS, d.spellingOffsets);
    read(LLMC_TOK_SEC_SPELLING, spelling);
    read(LLMC_TOK_SEC_NORMS, d.norms);
    read(LLMC_TOK_SEC_TRIE, d.trie);
    read(LLMC_TOK_SEC_PREFIX, d.prefix);
    read(LLMC_TOK_SEC_SUFFIX, d.suffix);
    d.spelling = {spelling.data(), spelling.size()};
    d.text = {text.data(), text.size()};
    d.strings = {strings.data(), strings.size()};
    return status;
  }

  bool isToken(int64_t id) const { return id >= 0 && id < int64_t(d.header->n_vocab); }

  llmc_status texts(std::span<const uint32_t> offsets, std::string_view text, const char *name) {
    bool isAscending = true;
    for (size_t i = 0; i + 1 < offsets.size(); ++i)
      isAscending &= offsets[i] <= offsets[i + 1];
    if (!isAscending)
      return fail("section '%s' decreases", name);
    if (offsets.back() > text.size())
      return fail("section '%s' points behind the text", name);
    return LLMC_OK;
  }

  llmc_status vocabulary() {
    uint32_t n = d.header->n_vocab;
    if (n > INT32_MAX || d.offsets.size() != size_t(n) + 1 || d.attr.size() != n)
      return fail("sections 'offsets' and 'attributes' do not fit %u tokens", n);
    if (auto status = texts(d.offsets, d.text, "offsets"))
      return status;
    if (d.spelling.data() && d.spellingOffsets.size() != size_t(n) + 1)
      return fail("section 'spelling offsets' does not fit %u tokens", n);
    if (d.spelling.data())
      if (auto status = texts(d.spellingOffsets, d.spelling, "spelling offsets"))
        return status;
    for (uint32_t i = 0; i < n; ++i)
      if (int kind = d.attr[i] & LLMC_TOK_KIND_MASK; kind < LLMC_TOK_NORMAL || kind > LLMC_TOK_BYTE)
        return fail("token %u has the unknown attribute %u", i, d.attr[i]);
    for (int32_t id : d.header->special)
      if (id != -1 && !isToken(id))
        return fail("special token %d, expected less than %u", id, n);
    return LLMC_OK;
  }

  llmc_status tables() {
    uint32_t n = d.header->n_vocab;
    auto isTable = [](size_t entries) {
      return entries == 0 || (entries >= 8 && std::has_single_bit(entries));
    };
    if (!isTable(d.index.size()) || !isTable(d.merges.size()))
      return fail("a hash table's size is not a power of two from 8");
    uint32_t highest = 0;
    for (uint32_t entry : d.index)
      highest = std::max(highest, entry);
    if (highest > n)
      return fail("section 'index' names token %u, expected less than %u", highest - 1, n);
    // The largest section. Which of its slots are free cannot be predicted: no branches.
    unsigned isWrong = 0;
    for (const llmc_tok_merge &m : d.merges)
      isWrong |= unsigned(m.left != UINT32_MAX) &
                 (unsigned(m.left >= n) | unsigned(m.right >= n) | unsigned(m.id >= n));
    if (isWrong)
      return fail("section 'merges' names a token that is not less than %u", n);
    if (d.byteToken.size() != 256)
      return fail("section 'bytes' has %zu entries, expected 256", d.byteToken.size());
    for (int32_t id : d.byteToken)
      if (id != -1 && !isToken(id))
        return fail("section 'bytes' names token %d, expected less than %u", id, n);
    return d.header->kind == LLMC_TOK_UNIGRAM ? unigram() : LLMC_OK;
  }

  llmc_status unigram() {
    if (d.scores.size() != d.header->n_vocab)
      return fail("section 'scores' has %zu entries, expected %u", d.scores.size(), d.header->n_vocab);
    bool isFinite = std::isfinite(d.header->unknown_score);
    for (float score : d.scores)
      isFinite &= std::isfinite(score);
    if (!isFinite)
      return fail("section 'scores' holds a number that is not finite");
    if (d.trie.empty() || d.trie.size() > INT32_MAX)
      return fail("section 'trie' has %zu nodes", d.trie.size());
    bool fits = true;
    for (const llmc_tok_node &node : d.trie)
      fits &= node.base <= d.trie.size() && d.trie.size() - node.base >= 256 && node.token >= -1 &&
              node.token < int64_t(d.header->n_vocab);
    return fits ? llmc_status(LLMC_OK) : fail("section 'trie' leads outside of the trie or the vocabulary");
  }

  bool isString(llmc_tok_string s) const {
    return s.offset <= d.strings.size() && s.size <= d.strings.size() - s.offset;
  }

  llmc_status records() {
    std::string_view before;
    for (const llmc_tok_special &s : d.specials) {
      if (!isToken(s.id))
        return fail("section 'specials' names token %u, expected less than %u", s.id, d.header->n_vocab);
      if (s.flags & ~uint32_t(LLMC_TOK_KNOWN_SPECIAL_FLAGS))
        return setError(LLMC_EABI, "tokenizer block: needs a newer version of llmc (special flags %#x)",
                        s.flags);
      std::string_view text = d.tokenText(s.id);
      if (text <= before) // also refuses an empty text
        return fail("section 'specials' is not sorted");
      before = text;
    }
    if (d.steps.size() > kMaxSteps)
      return fail("%zu pre-tokenizer steps, expected at most %u", d.steps.size(), kMaxSteps);
    for (const llmc_tok_step &s : d.steps) {
      if (s.type < LLMC_TOK_STEP_SPLIT || s.type > LLMC_TOK_STEP_METASPACE ||
          s.behaviour > LLMC_TOK_CONTIGUOUS || (s.flags & ~uint32_t(LLMC_TOK_KNOWN_STEP_FLAGS)))
        return setError(LLMC_EABI, "tokenizer block: needs a newer version of llmc (step %u, behaviour %u)",
                        s.type, s.behaviour);
      if (!isString(s.pattern) || s.pattern.size > kMaxPattern)
        return fail("a pre-tokenizer pattern lies outside of the strings");
      if (s.type == LLMC_TOK_STEP_METASPACE && (s.pattern.size == 0 || s.pattern.size > kMaxReplacement))
        return fail("a pre-tokenizer's mark has %u bytes, expected 1 to %u", s.pattern.size, kMaxReplacement);
    }
    if (d.norms.size() > kMaxSteps)
      return fail("%zu normalizer steps, expected at most %u", d.norms.size(), kMaxSteps);
    for (const llmc_tok_norm &s : d.norms) {
      if (s.type < LLMC_TOK_NORM_NFC || s.type > LLMC_TOK_NORM_BERT)
        return setError(LLMC_EABI, "tokenizer block: needs a newer version of llmc (normalizer %u)", s.type);
      if (!isString(s.a) || !isString(s.b))
        return fail("a normalizer's text lies outside of the strings");
      if (s.a.size == 0 && (s.type == LLMC_TOK_NORM_REPLACE || s.type == LLMC_TOK_NORM_REPLACE_PATTERN))
        return fail("a normalizer replaces nothing");
      if (s.b.size > kMaxReplacement || (s.type == LLMC_TOK_NORM_PREPEND && s.a.size > kMaxReplacement))
        return fail("a normalizer's text has %u bytes, expected at most %u", std::max(s.a.size, s.b.size),
                    kMaxReplacement);
    }
    for (auto &ids : {d.stops, d.prefix, d.suffix})
      for (int32_t id : ids)
        if (!isToken(id))
          return fail("token %d in front of texts, behind them or at a stop, expected less than %u", id,
                      d.header->n_vocab);
    for (const llmc_tok_template &t : d.templates)
      if (!isString(t.name) || !isString(t.text))
        return fail("a chat template lies outside of the strings");
    for (llmc_tok_string s : {d.header->pre_name, d.header->word_prefix, d.header->word_suffix})
      if (!isString(s))
        return fail("the pre-tokenizer's name or the affixes of words lie outside of the strings");
    return LLMC_OK;
  }
};

} // namespace

llmc_status TokenizerData::open(const void *blob, size_t n) {
  *this = {};
  if (reinterpret_cast<uintptr_t>(blob) % LLMC_TOK_ALIGN != 0)
    return setError(LLMC_EARG, "tokenizer block: its address is not a multiple of %u", LLMC_TOK_ALIGN);
  llmc_status status = Checker(*this, static_cast<const uint8_t *>(blob), n).run();
  if (status)
    *this = {};
  return status;
}

} // namespace llmc
