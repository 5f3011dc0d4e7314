//===- TokenizerBlob.cpp - tokenizer descriptions to compiled form --------===//
//
// Reads and checks the tokenizer keys of a GGUF file, then lays out the sections of the block. The spelling
// of byte-level vocabularies (a printable character for each byte) is undone here, so that the runtime only
// ever sees the bytes that a token stands for.
//
//===----------------------------------------------------------------------===//
#include "frontend/formats/TokenizerBlob.h"

#include "frontend/formats/PreTokenizers.h"
#include "llmc/tokenizer_blob.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <unordered_map>

using namespace llmc::formats;

namespace {

constexpr uint32_t kMaxVocab = 1u << 24;
constexpr size_t kMaxTokenText = 1u << 16;
constexpr size_t kMaxTemplates = 64, kMaxTemplate = 1u << 20;
constexpr uint32_t kNone = UINT32_MAX;
constexpr size_t kLongestWholeCheck = 64; // bytes; longer tokens are merged when met

struct Template {
  std::string_view name, text;
};

/// The tokenizer as read, before layout.
struct Description {
  std::vector<std::string> text; // bytes of each token
  std::vector<uint8_t> attr;
  std::vector<bool> inIndex; // spelled in the byte alphabet: can be the result of merging
  std::array<int32_t, LLMC_TOK_MAX_ROLES> special;
  std::array<int32_t, 256> byteToken;
  std::vector<llmc_tok_merge> merges;
  std::vector<int32_t> stops;
  std::vector<Template> templates;
  std::string_view preName;
  const PreTokenizer *pre = nullptr;
  uint32_t flags = 0;
};

std::string quoted(std::string_view s) {
  std::string out = "'";
  for (unsigned char c : s.substr(0, 80)) {
    char hex[8];
    std::snprintf(hex, sizeof hex, "\\x%02x", c);
    if (c < 0x20 || c == 0x7f)
      out += hex;
    else
      out += static_cast<char>(c);
  }
  return out + (s.size() > 80 ? "...'" : "'");
}

//===----------------------------------------------------------------------===//
// The byte alphabet: each byte as one printable character
//===----------------------------------------------------------------------===//

bool standsForItself(int b) { return (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174; }

/// The byte that a code point stands for, -1 if none.
int byteOf(uint32_t codePoint) {
  static const std::array<int16_t, 324> table = [] {
    std::array<int16_t, 324> t;
    t.fill(-1);
    int next = 256;
    for (int b = 0; b < 256; ++b)
      t[standsForItself(b) ? b : next++] = static_cast<int16_t>(b);
    return t;
  }();
  return codePoint < table.size() ? table[codePoint] : -1;
}

/// Undoes the spelling. False if a character is not of the alphabet (all of it is below U+0144: one or two
/// bytes).
bool spelledBytes(std::string_view spelling, std::string &out) {
  out.clear();
  for (size_t i = 0; i < spelling.size();) {
    unsigned char c = spelling[i];
    uint32_t codePoint = c;
    if (c >= 0xc0 && c < 0xe0 && i + 1 < spelling.size() && (spelling[i + 1] & 0xc0) == 0x80) {
      codePoint = (c & 0x1fu) << 6 | (spelling[i + 1] & 0x3fu);
      if (codePoint < 0x80)
        return false;
      i += 2;
    } else if (c < 0x80) {
      i += 1;
    } else {
      return false;
    }
    int b = byteOf(codePoint);
    if (b < 0)
      return false;
    out += static_cast<char>(b);
  }
  return true;
}

/// "<0xE5>" as a byte, -1 if the text is anything else.
int hexByte(std::string_view s) {
  if (s.size() != 6 || s.substr(0, 3) != "<0x" || s[5] != '>')
    return -1;
  int v = 0;
  for (char c : s.substr(3, 2)) {
    int digit = c >= '0' && c <= '9'   ? c - '0'
                : c >= 'A' && c <= 'F' ? c - 'A' + 10
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                       : -1;
    if (digit < 0)
      return -1;
    v = v * 16 + digit;
  }
  return v;
}

//===----------------------------------------------------------------------===//
// Hash tables of the block
//===----------------------------------------------------------------------===//

/// Places `n` entries into a table of 2^k slots, at most half full, each near its home; `home(i)` is a hash
/// of entry i, `put(slot, i)` stores it. Returns k, or -1 if no reasonable size keeps the entries near.
template <typename Hash> int placeInTable(size_t n, Hash hash, std::vector<uint32_t> &slots) {
  int bits = 3;
  while ((size_t(1) << bits) < 2 * n)
    ++bits;
  for (int tries = 0; tries < 4; ++tries, ++bits) {
    slots.assign(size_t(1) << bits, kNone);
    size_t mask = slots.size() - 1;
    bool placed = true;
    for (size_t i = 0; i < n && placed; ++i) {
      size_t slot = hash(i) >> (64 - bits);
      uint32_t probes = 0;
      for (; slots[slot] != kNone && probes < LLMC_TOK_MAX_PROBE; ++probes)
        slot = (slot + 1) & mask;
      placed = probes < LLMC_TOK_MAX_PROBE;
      if (placed)
        slots[slot] = static_cast<uint32_t>(i);
    }
    if (placed)
      return bits;
  }
  return -1;
}

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

class GgufTokenizerReader {
public:
  GgufTokenizerReader(const GgufFile &file, std::string &error) : file(file), error(error) {}

  bool read(Description &d) {
    return readPreTokenizer(d) && readVocabulary(d) && readMerges(d) && readSpecials(d) && readTemplates(d);
  }

private:
  const GgufFile &file;
  std::string &error;
  std::span<const std::string_view> tokens;
  std::unordered_map<std::string_view, uint32_t> idOf; // by spelling; the first of equal ones

  bool fail(std::string_view key, const std::string &what) {
    error = file.path() + ": key " + quoted(key) + " " + what;
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

  bool readFlag(std::string_view key, bool fallback, uint32_t bit, Description &d) {
    error.clear();
    auto v = file.boolean(key, error);
    if (!v && !error.empty())
      return false;
    if (v.value_or(fallback))
      d.flags |= bit;
    return true;
  }

  bool readPreTokenizer(Description &d);
  bool readVocabulary(Description &d);
  bool readMerges(Description &d);
  bool readSpecials(Description &d);
  bool readTemplates(Description &d);
  void findStops(Description &d);
};

bool GgufTokenizerReader::readPreTokenizer(Description &d) {
  constexpr std::string_view key = "tokenizer.ggml.pre";
  error.clear();
  auto name = file.string(key, error);
  if (!name)
    return error.empty()
               ? fail(key, "is absent, expected the name of a pre-tokenizer: " + preTokenizerNames())
               : false;
  d.pre = findPreTokenizer(*name);
  if (!d.pre)
    return fail(key, "is " + quoted(*name) + ", expected one of: " + preTokenizerNames());
  d.preName = *name;
  if (d.pre->ignoreMerges)
    d.flags |= LLMC_TOK_IGNORE_MERGES;
  return readFlag("tokenizer.ggml.add_bos_token", d.pre->addBos, LLMC_TOK_ADD_BOS, d) &&
         readFlag("tokenizer.ggml.add_eos_token", false, LLMC_TOK_ADD_EOS, d);
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
  const GgufArray *types, *scores;
  if (!sized("tokenizer.ggml.token_type", 5, "i32", types) ||
      !sized("tokenizer.ggml.scores", 6, "f32", scores))
    return false;

  size_t n = tokens.size(), total = 0;
  d.text.resize(n);
  d.attr.assign(n, LLMC_TOK_NORMAL);
  d.inIndex.assign(n, false);
  d.byteToken.fill(-1);
  idOf.reserve(n);
  for (size_t i = 0; i < n; ++i) {
    std::string_view spelling = tokens[i];
    auto at = [&] { return "element " + std::to_string(i) + " " + quoted(spelling); };
    if (spelling.size() > kMaxTokenText)
      return fail(key, at() + " has " + std::to_string(spelling.size()) + " bytes, expected at most " +
                           std::to_string(kMaxTokenText));
    if (types) {
      double type = types->numbers[i];
      if (type < 0 || type > 6)
        return fail("tokenizer.ggml.token_type", "element " + std::to_string(i) + " is " +
                                                     std::to_string(static_cast<int64_t>(type)) +
                                                     ", expected 1 to 6");
      if (type != 0) // 0: undefined, as good as normal
        d.attr[i] = static_cast<uint8_t>(type);
    }
    bool first = idOf.emplace(spelling, static_cast<uint32_t>(i)).second;
    switch (d.attr[i]) {
    case LLMC_TOK_BYTE: {
      int b = hexByte(spelling);
      if (b < 0)
        return fail(key, at() + " is a byte token, expected '<0x00>' to '<0xFF>'");
      d.text[i].assign(1, static_cast<char>(b));
      break;
    }
    case LLMC_TOK_NORMAL:
    case LLMC_TOK_UNUSED:
      if (spelledBytes(spelling, d.text[i])) {
        d.inIndex[i] = first && !spelling.empty();
        if (first && d.text[i].size() == 1)
          d.byteToken[static_cast<unsigned char>(d.text[i][0])] = static_cast<int32_t>(i);
        break;
      }
      [[fallthrough]];
    default: // spelled as it is
      d.text[i] = spelling;
    }
    total += d.text[i].size();
  }
  if (total > UINT32_MAX)
    return fail(key, "has more than 4 GiB of text");
  return true;
}

bool GgufTokenizerReader::readMerges(Description &d) {
  constexpr std::string_view key = "tokenizer.ggml.merges";
  const GgufArray *list = nullptr;
  if (!strings(key, list))
    return false;
  std::unordered_map<uint64_t, uint32_t> seen;
  seen.reserve(list->size());
  std::string joined;
  for (size_t rank = 0; rank < list->size(); ++rank) {
    std::string_view merge = list->strings[rank];
    auto at = [&] { return "element " + std::to_string(rank) + " " + quoted(merge); };
    // The parts are separated by one space; a part may hold spaces itself, so each space is tried.
    const char *lacking = nullptr;
    bool found = false;
    for (size_t space = merge.find(' ', 1); space != merge.npos && !found;
         space = merge.find(' ', space + 1)) {
      if (merge.size() > kMaxTokenText)
        break;
      auto left = idOf.find(merge.substr(0, space)), right = idOf.find(merge.substr(space + 1));
      if (left == idOf.end() || right == idOf.end()) {
        lacking = left == idOf.end() ? "its left part is not a token" : "its right part is not a token";
        continue;
      }
      joined.assign(merge.substr(0, space)).append(merge.substr(space + 1));
      auto result = idOf.find(joined);
      if (result == idOf.end()) {
        lacking = "its result is not a token";
        continue;
      }
      llmc_tok_merge m{left->second, right->second, static_cast<uint32_t>(rank), result->second};
      auto [it, isNew] =
          seen.emplace(uint64_t(m.left) << 32 | m.right, static_cast<uint32_t>(d.merges.size()));
      if (isNew)
        d.merges.push_back(m);
      else
        d.merges[it->second] = m; // a repeated merge counts where it is last
      found = true;
    }
    if (!found)
      return fail(key,
                  at() + (lacking ? std::string(": ") + lacking : " is not two tokens separated by a space"));
  }
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
  d.special.fill(-1);
  for (auto &role : roles) {
    std::string key = std::string("tokenizer.ggml.") + role.key + "_token_id";
    error.clear();
    auto id = file.integer(key, error);
    if (!id && !error.empty())
      return false;
    if (!id || *id == UINT32_MAX) // some writers put -1 for none
      continue;
    if (*id >= tokens.size())
      return fail(key, "is " + std::to_string(*id) + ", expected less than " + std::to_string(tokens.size()) +
                           ", the number of tokens");
    d.special[role.role] = static_cast<int32_t>(*id);
  }
  if ((d.flags & LLMC_TOK_ADD_BOS) && d.special[LLMC_TOK_BOS] < 0)
    d.flags &= ~LLMC_TOK_ADD_BOS;
  if ((d.flags & LLMC_TOK_ADD_EOS) && d.special[LLMC_TOK_EOS] < 0)
    d.flags &= ~LLMC_TOK_ADD_EOS;
  findStops(d);
  return true;
}

/// Files often name one end token only, while the model ends turns with others too: the known names count
/// when the vocabulary has them as special tokens.
void GgufTokenizerReader::findStops(Description &d) {
  static const char *const turnEnds[] = {"<|eot_id|>",
                                         "<|im_end|>",
                                         "<|end|>",
                                         "<end_of_turn>",
                                         "<|endoftext|>",
                                         "<end_of_utterance>",
                                         "<EOT>",
                                         "_<EOT>",
                                         "[EOT]",
                                         "<|eom_id|>",
                                         "<|end_of_text|>",
                                         "<|return|>",
                                         "<|call|>",
                                         "</s>",
                                         "<\uff5cend\u2581of\u2581sentence\uff5c>"};
  auto special = [&](std::string_view name) {
    auto it = idOf.find(name);
    bool ok = it != idOf.end() &&
              (d.attr[it->second] == LLMC_TOK_CONTROL || d.attr[it->second] == LLMC_TOK_USER_DEFINED);
    return ok ? static_cast<int32_t>(it->second) : -1;
  };
  // In the harmony format <|end|> closes one message of several; <|return|> and <|call|> end the turn.
  bool harmony = special("<|return|>") >= 0 && special("<|call|>") >= 0;
  for (const char *name : turnEnds)
    if (int32_t id = special(name); id >= 0 && !(harmony && std::string_view(name) == "<|end|>"))
      d.stops.push_back(id);
  if (d.special[LLMC_TOK_EOT] < 0)
    for (const char *name : {"<|eot_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>"})
      if (d.special[LLMC_TOK_EOT] < 0)
        d.special[LLMC_TOK_EOT] = special(name);
  if (d.special[LLMC_TOK_EOM] < 0)
    d.special[LLMC_TOK_EOM] = special("<|eom_id|>");
  for (int role : {LLMC_TOK_EOS, LLMC_TOK_EOT, LLMC_TOK_EOM})
    if (d.special[role] >= 0 && !(harmony && role == LLMC_TOK_EOT))
      d.stops.push_back(d.special[role]);
  std::sort(d.stops.begin(), d.stops.end());
  d.stops.erase(std::unique(d.stops.begin(), d.stops.end()), d.stops.end());
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
    Template t{isDefault ? std::string_view() : std::string_view(name).substr(prefix.size()), *text};
    d.templates.insert(isDefault ? d.templates.begin() : d.templates.end(), t);
  }
  return true;
}

/// Marks the tokens that merging their bytes gives back, so that most pieces need one lookup.
void markWholeTokens(Description &d) {
  std::vector<uint32_t> slots;
  int bits = placeInTable(
      d.merges.size(), [&](size_t i) { return llmc_tok_hash_pair(d.merges[i].left, d.merges[i].right); },
      slots);
  if (bits < 0)
    return;
  auto find = [&](uint32_t left, uint32_t right) -> const llmc_tok_merge * {
    size_t slot = llmc_tok_hash_pair(left, right) >> (64 - bits);
    for (; slots[slot] != kNone; slot = (slot + 1) & (slots.size() - 1))
      if (d.merges[slots[slot]].left == left && d.merges[slots[slot]].right == right)
        return &d.merges[slots[slot]];
    return nullptr;
  };
  std::vector<uint32_t> symbols;
  for (size_t i = 0; i < d.text.size(); ++i) {
    if (!d.inIndex[i])
      continue;
    if (d.flags & LLMC_TOK_IGNORE_MERGES) {
      d.attr[i] |= LLMC_TOK_WHOLE;
      continue;
    }
    if (d.text[i].size() > kLongestWholeCheck)
      continue;
    symbols.clear();
    for (unsigned char c : d.text[i])
      if (d.byteToken[c] >= 0)
        symbols.push_back(static_cast<uint32_t>(d.byteToken[c]));
    while (symbols.size() > 1) {
      const llmc_tok_merge *best = nullptr;
      size_t at = 0;
      for (size_t k = 0; k + 1 < symbols.size(); ++k)
        if (auto *m = find(symbols[k], symbols[k + 1]); m && (!best || m->rank < best->rank))
          best = m, at = k;
      if (!best)
        break;
      symbols[at] = best->id;
      symbols.erase(symbols.begin() + at + 1);
    }
    if (symbols.size() == 1 && symbols[0] == i)
      d.attr[i] |= LLMC_TOK_WHOLE;
  }
}

//===----------------------------------------------------------------------===//
// Layout
//===----------------------------------------------------------------------===//

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

bool layOut(const Description &d, const std::string &path, std::string &blob, std::string &error) {
  BlobWriter out(blob, LLMC_TOK_BYTE_LEVEL_BPE);
  out.header.flags = d.flags;
  out.header.normalizers = d.pre->nfc ? LLMC_TOK_NORM_NFC : 0;
  out.header.n_vocab = static_cast<uint32_t>(d.text.size());
  std::copy(d.special.begin(), d.special.end(), out.header.special);
  out.header.pre_name = out.string(d.preName);

  std::vector<uint32_t> offsets{0};
  std::vector<char> text;
  std::vector<uint32_t> indexed;
  std::vector<llmc_tok_special> specials;
  for (size_t i = 0; i < d.text.size(); ++i) {
    text.insert(text.end(), d.text[i].begin(), d.text[i].end());
    offsets.push_back(static_cast<uint32_t>(text.size()));
    if (d.inIndex[i])
      indexed.push_back(static_cast<uint32_t>(i));
    int kind = d.attr[i] & LLMC_TOK_KIND_MASK;
    bool found = kind == LLMC_TOK_CONTROL || kind == LLMC_TOK_USER_DEFINED || kind == LLMC_TOK_UNKNOWN;
    if (found && !d.text[i].empty())
      specials.push_back({static_cast<uint32_t>(i), 0});
  }
  std::sort(specials.begin(), specials.end(), [&](auto &a, auto &b) {
    int order = d.text[a.id].compare(d.text[b.id]);
    return order != 0 ? order < 0 : a.id < b.id;
  });
  specials.erase(std::unique(specials.begin(), specials.end(),
                             [&](auto &a, auto &b) { return d.text[a.id] == d.text[b.id]; }),
                 specials.end());

  std::vector<uint32_t> slots;
  auto textHash = [&](size_t i) {
    return llmc_tok_hash_bytes(d.text[indexed[i]].data(), d.text[indexed[i]].size());
  };
  if (placeInTable(indexed.size(), textHash, slots) < 0) {
    error = path + ": key 'tokenizer.ggml.tokens' has too many tokens of equal hash";
    return false;
  }
  std::vector<uint32_t> index(slots.size());
  for (size_t s = 0; s < slots.size(); ++s)
    index[s] = slots[s] == kNone ? 0 : indexed[slots[s]] + 1;

  auto mergeHash = [&](size_t i) { return llmc_tok_hash_pair(d.merges[i].left, d.merges[i].right); };
  if (placeInTable(d.merges.size(), mergeHash, slots) < 0) {
    error = path + ": key 'tokenizer.ggml.merges' has too many merges of equal hash";
    return false;
  }
  std::vector<llmc_tok_merge> merges(slots.size());
  for (size_t s = 0; s < slots.size(); ++s)
    merges[s] = slots[s] == kNone ? llmc_tok_merge{kNone, 0, 0, 0} : d.merges[slots[s]];

  std::vector<llmc_tok_step> steps;
  for (const char *pattern : d.pre->patterns)
    steps.push_back({LLMC_TOK_STEP_SPLIT, LLMC_TOK_ISOLATED, out.string(pattern)});
  std::vector<llmc_tok_template> templates;
  for (const Template &t : d.templates) {
    llmc_tok_string name = out.string(t.name);
    templates.push_back({name, out.string(t.text)});
  }
  out.section(LLMC_TOK_SEC_OFFSETS, offsets);
  out.section(LLMC_TOK_SEC_TEXT, text);
  out.section(LLMC_TOK_SEC_ATTR, d.attr);
  out.section(LLMC_TOK_SEC_INDEX, index);
  out.section(LLMC_TOK_SEC_MERGES, merges);
  out.section(LLMC_TOK_SEC_BYTES, std::vector<int32_t>(d.byteToken.begin(), d.byteToken.end()));
  out.section(LLMC_TOK_SEC_SPECIALS, specials);
  out.section(LLMC_TOK_SEC_STEPS, steps);
  out.section(LLMC_TOK_SEC_STOPS, d.stops);
  out.section(LLMC_TOK_SEC_TEMPLATES, templates);
  out.finish();
  return true;
}

} // namespace

bool llmc::formats::buildTokenizerBlob(const GgufFile &file, std::string &blob, std::string &error) {
  error.clear();
  auto model = file.string("tokenizer.ggml.model", error);
  if (!model && !error.empty())
    return false;
  if (!model || *model == "none") {
    BlobWriter(blob, LLMC_TOK_NONE).finish();
    return true;
  }
  if (*model != "gpt2") {
    error = file.path() + ": key 'tokenizer.ggml.model' is " + quoted(*model) +
            ", expected 'gpt2' (byte-level BPE) or 'none'; other tokenizers are not supported";
    return false;
  }
  Description d;
  if (!GgufTokenizerReader(file, error).read(d))
    return false;
  markWholeTokens(d);
  return layOut(d, file.path(), blob, error);
}
