//===- TokenizerDescription.cpp - what tokenizer readers share ------------===//
#include "frontend/formats/TokenizerDescription.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

using namespace llmc::formats;

static bool standsForItself(int b) { return (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174; }

/// The byte that a code point of the byte alphabet stands for, -1 if none.
static int byteOf(uint32_t codePoint) {
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

// All of the alphabet is below U+0144: one or two bytes.
bool llmc::formats::spelledBytes(std::string_view spelling, std::string &out) {
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

int llmc::formats::hexByte(std::string_view s) {
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

size_t llmc::formats::characterSize(std::string_view s) {
  unsigned char lead = s[0];
  size_t n = lead < 0xc2 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 1;
  if (n > s.size())
    return 1;
  for (size_t i = 1; i < n; ++i)
    if ((s[i] & 0xc0) != 0x80)
      return 1;
  return n;
}

std::string llmc::formats::replaced(std::string_view text, std::string_view from, std::string_view to) {
  std::string out;
  for (size_t at; (at = text.find(from)) != text.npos; text.remove_prefix(at + from.size()))
    out.append(text.substr(0, at)).append(to);
  return out.append(text);
}

float llmc::formats::unknownScoreOf(const TokenizerDescription &d, const std::vector<float> &scores) {
  float lowest = 0;
  bool any = false;
  for (size_t i = 0; i < scores.size(); ++i)
    if (d.inIndex[i]) {
      lowest = any ? std::min(lowest, scores[i]) : scores[i];
      any = true;
    }
  return lowest - 10;
}

const char *llmc::formats::checkCharsMap(std::string_view map) {
  uint32_t size;
  if (map.empty())
    return nullptr;
  if (map.size() < 4 || (std::memcpy(&size, map.data(), 4), size > map.size() - 4) || size == 0 ||
      size % 4 != 0)
    return "is no precompiled map of characters: its size does not fit";
  return nullptr;
}

// Files often name one end token only, while the model ends turns with others too: the known names count when
// the vocabulary has them as special tokens.
void llmc::formats::findStops(TokenizerDescription &d,
                              const std::unordered_map<std::string_view, uint32_t> &ids) {
  static const char *const turnEnds[] = {"<|eot_id|>",
                                         "<|im_end|>",
                                         "<|end|>",
                                         "<end_of_turn>",
                                         "<turn|>",
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
    auto it = ids.find(name);
    bool ok = it != ids.end() &&
              (d.attr[it->second] == LLMC_TOK_CONTROL || d.attr[it->second] == LLMC_TOK_USER_DEFINED);
    return ok ? static_cast<int32_t>(it->second) : -1;
  };
  // In the harmony format <|end|> closes one message of several; <|return|> and <|call|> end the turn.
  bool harmony = special("<|return|>") >= 0 && special("<|call|>") >= 0;
  for (const char *name : turnEnds)
    if (int32_t id = special(name); id >= 0 && !(harmony && std::string_view(name) == "<|end|>"))
      d.stops.push_back(id);
  if (d.special[LLMC_TOK_EOT] < 0)
    for (const char *name : {"<|eot_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>", "<turn|>"})
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
