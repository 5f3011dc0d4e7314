//===- TokenizerWriter.cpp - the layout of the block ----------------------===//
#include "frontend/formats/TokenizerDescription.h"
#include "frontend/formats/TokenizerMerges.h"
#include "frontend/formats/TokenizerTables.h"

#include <algorithm>
#include <cstring>

using namespace llmc::formats;

namespace {

class BlobWriter {
public:
  BlobWriter(std::string &blob, uint32_t kind) : blob(blob) {
    std::memset(&header, 0, sizeof header);
    header.magic = LLMC_TOK_MAGIC;
    header.version = LLMC_TOK_VERSION;
    header.header_size = sizeof header;
    header.kind = kind;
    header.n_sections = LLMC_TOK_N_SECTIONS;
    std::fill(std::begin(header.special), std::end(header.special), -1);
    blob.assign(sizeof header, '\0');
  }
  template <typename T> void section(int index, const std::vector<T> &items) {
    header.section[index] = {blob.size(), items.size() * sizeof(T)};
    if (!items.empty())
      blob.append(reinterpret_cast<const char *>(items.data()), items.size() * sizeof(T));
    blob.append((LLMC_TOK_ALIGN - blob.size() % LLMC_TOK_ALIGN) % LLMC_TOK_ALIGN, '\0');
  }
  /// Texts one behind the other, and where each begins.
  void texts(int offsetsIndex, int textIndex, const std::vector<std::string> &items) {
    std::vector<uint32_t> offsets{0};
    std::vector<char> text;
    for (const std::string &s : items) {
      text.insert(text.end(), s.begin(), s.end());
      offsets.push_back(static_cast<uint32_t>(text.size()));
    }
    section(offsetsIndex, offsets);
    section(textIndex, text);
  }
  llmc_tok_string string(std::string_view s) {
    llmc_tok_string ref{static_cast<uint32_t>(strings.size()), static_cast<uint32_t>(s.size())};
    strings.insert(strings.end(), s.begin(), s.end());
    return ref;
  }
  void finish() {
    section(LLMC_TOK_SEC_STRINGS, strings);
    header.total_size = blob.size();
    std::memcpy(blob.data(), &header, sizeof header);
  }
  llmc_tok_header header;

private:
  std::string &blob;
  std::vector<char> strings;
};

/// The tokens that are found in text, sorted by their bytes, the first of equal ones.
std::vector<llmc_tok_special> specialsOf(const TokenizerDescription &d) {
  std::vector<llmc_tok_special> out;
  for (uint32_t i = 0; i < d.text.size(); ++i) {
    int kind = d.attr[i] & LLMC_TOK_KIND_MASK;
    bool found = kind == LLMC_TOK_CONTROL || kind == LLMC_TOK_USER_DEFINED || kind == LLMC_TOK_UNKNOWN;
    auto flags = d.specialFlags.find(i);
    if (found && !d.text[i].empty())
      out.push_back({i, flags == d.specialFlags.end() ? 0 : flags->second});
  }
  std::sort(out.begin(), out.end(), [&](auto &a, auto &b) {
    int order = d.text[a.id].compare(d.text[b.id]);
    return order != 0 ? order < 0 : a.id < b.id;
  });
  auto equal = [&](auto &a, auto &b) { return d.text[a.id] == d.text[b.id]; };
  out.erase(std::unique(out.begin(), out.end(), equal), out.end());
  return out;
}

/// Where pieces may be cut at space marks: wherever no token reaches across.
void findCuts(const TokenizerDescription &d, llmc_tok_header &header) {
  bool hasMark = false;
  for (size_t i = 0; i < d.text.size(); ++i) {
    if (!d.inIndex[i])
      continue;
    std::string_view s = d.spelled(i);
    hasMark |= s == kSpaceMark;
    for (size_t at = s.find(kSpaceMark, 1); at != s.npos; at = s.find(kSpaceMark, at + 1)) {
      auto before = static_cast<unsigned char>(s[at - 1]);
      header.before_mark[before / 8] |= static_cast<uint8_t>(1u << before % 8);
    }
  }
  bool isCharacterwise = d.kind == LLMC_TOK_CHARACTER_BPE || d.kind == LLMC_TOK_UNIGRAM;
  if (isCharacterwise && hasMark && d.wordPrefix.empty() && d.wordSuffix.empty())
    header.flags |= LLMC_TOK_CUT_AT_MARKS;
}

/// The token of each spelling as a hash table; false if too many share a hash.
bool indexOf(const TokenizerDescription &d, std::vector<uint32_t> &index) {
  std::vector<uint32_t> indexed, slots;
  for (uint32_t i = 0; i < d.text.size(); ++i)
    if (d.inIndex[i])
      indexed.push_back(i);
  auto hash = [&](size_t i) {
    return llmc_tok_hash_bytes(d.spelled(indexed[i]).data(), d.spelled(indexed[i]).size());
  };
  if (placeInTable(indexed.size(), hash, slots) < 0)
    return false;
  index.resize(slots.size());
  for (size_t s = 0; s < slots.size(); ++s)
    index[s] = slots[s] == kNoEntry ? 0 : indexed[slots[s]] + 1;
  return true;
}

bool mergeTable(const TokenizerDescription &d, std::vector<llmc_tok_merge> &table) {
  std::vector<uint32_t> slots;
  auto hash = [&](size_t i) { return llmc_tok_hash_pair(d.merges[i].left, d.merges[i].right); };
  if (placeInTable(d.merges.size(), hash, slots) < 0)
    return false;
  table.resize(slots.size());
  for (size_t s = 0; s < slots.size(); ++s)
    table[s] = slots[s] == kNoEntry ? llmc_tok_merge{kNoEntry, 0, 0, 0} : d.merges[slots[s]];
  return true;
}

std::vector<llmc_tok_node> trieOf(const TokenizerDescription &d) {
  std::vector<std::pair<std::string_view, int32_t>> spellings;
  for (size_t i = 0; i < d.text.size(); ++i)
    if (d.inIndex[i])
      spellings.push_back({d.spelled(i), static_cast<int32_t>(i)});
  return makeDoubleArray(std::move(spellings));
}

} // namespace

bool llmc::formats::writeTokenizerBlob(TokenizerDescription &d, const std::string &path, std::string &blob,
                                       std::string &error) {
  BlobWriter out(blob, d.kind);
  if (d.kind == LLMC_TOK_NONE) {
    out.finish();
    return true;
  }
  size_t total = 0, spelled = 0;
  for (size_t i = 0; i < d.text.size(); ++i)
    total += d.text[i].size(), spelled += d.spelled(i).size();
  if (total > UINT32_MAX || spelled > UINT32_MAX) {
    error = path + ": the tokens have more than 4 GiB of text";
    return false;
  }
  std::vector<uint32_t> index;
  std::vector<llmc_tok_merge> merges;
  if (!indexOf(d, index) || !mergeTable(d, merges)) {
    error = path + ": too many tokens or merges have the same hash";
    return false;
  }
  if (d.kind != LLMC_TOK_UNIGRAM)
    markWholeTokens(d);

  out.header.flags = d.flags;
  out.header.unknown_score = d.unknownScore;
  out.header.n_vocab = static_cast<uint32_t>(d.text.size());
  findCuts(d, out.header);
  std::copy(d.special.begin(), d.special.end(), out.header.special);
  out.header.pre_name = out.string(d.preName);
  out.header.word_prefix = out.string(d.wordPrefix);
  out.header.word_suffix = out.string(d.wordSuffix);
  std::vector<llmc_tok_norm> norms;
  for (const TokenizerDescription::Norm &n : d.norms) {
    llmc_tok_string a = out.string(n.a);
    norms.push_back({n.type, n.flags, a, out.string(n.b)});
  }
  std::vector<llmc_tok_step> steps;
  for (const TokenizerDescription::Step &s : d.steps)
    steps.push_back({s.type, s.behaviour, s.flags, 0, out.string(s.pattern)});
  std::vector<llmc_tok_template> templates;
  for (const TokenizerDescription::Template &t : d.templates) {
    llmc_tok_string name = out.string(t.name);
    templates.push_back({name, out.string(t.text)});
  }
  out.texts(LLMC_TOK_SEC_OFFSETS, LLMC_TOK_SEC_TEXT, d.text);
  if (!d.spelling.empty())
    out.texts(LLMC_TOK_SEC_SPELLING_OFFSETS, LLMC_TOK_SEC_SPELLING, d.spelling);
  out.section(LLMC_TOK_SEC_ATTR, d.attr);
  out.section(LLMC_TOK_SEC_INDEX, index);
  out.section(LLMC_TOK_SEC_MERGES, merges);
  out.section(LLMC_TOK_SEC_BYTES, std::vector<int32_t>(d.byteToken.begin(), d.byteToken.end()));
  out.section(LLMC_TOK_SEC_SPECIALS, specialsOf(d));
  out.section(LLMC_TOK_SEC_NORMS, norms);
  out.section(LLMC_TOK_SEC_STEPS, steps);
  out.section(LLMC_TOK_SEC_STOPS, d.stops);
  out.section(LLMC_TOK_SEC_PREFIX, d.prefix);
  out.section(LLMC_TOK_SEC_SUFFIX, d.suffix);
  out.section(LLMC_TOK_SEC_TEMPLATES, templates);
  if (d.kind == LLMC_TOK_UNIGRAM) {
    out.section(LLMC_TOK_SEC_SCORES, d.scores);
    out.section(LLMC_TOK_SEC_TRIE, trieOf(d));
  }
  out.finish();
  return true;
}
