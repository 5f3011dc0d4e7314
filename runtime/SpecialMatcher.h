// Finds special tokens in text, the longest one at the leftmost place.
#pragma once

#include "llmc/llmc.h"
#include "runtime/TokenizerData.h"

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace llmc {

class SpecialMatcher {
public:
  struct Entry {
    std::string_view text; // not empty
    uint32_t id, flags;    // LLMC_TOK_LSTRIP ...
    bool isControl;        // only found where text may hold control tokens
  };

  /// The entries' texts must outlive this; of equal ones the first token counts.
  void open(std::vector<Entry> list);
  bool isEmpty() const { return entries.empty(); }

  struct Match {
    size_t begin, end;
    uint32_t id;
  };

  /// The first match from `from` on, white space that it takes along included, which never reaches before
  /// `from`. `parsable(i)`: how many bytes from i on may hold control tokens.
  template <typename Parsable>
  bool next(std::string_view text, size_t from, Parsable parsable, Match &m) const {
    for (size_t i = from; i < text.size();) {
      if (!starts[static_cast<uint8_t>(text[i])]) {
        ++i;
        continue;
      }
      const Entry *e = longest(text.substr(i), parsable(i));
      if (!e) {
        ++i;
      } else if ((e->flags & LLMC_TOK_SINGLE_WORD) && touchesWord(text, i, i + e->text.size())) {
        i += e->text.size();
      } else {
        m = {i, i + e->text.size(), e->id};
        if (e->flags & (LLMC_TOK_LSTRIP | LLMC_TOK_RSTRIP))
          takeWhiteSpace(text, from, e->flags, m);
        return true;
      }
    }
    return false;
  }

private:
  std::vector<Entry> entries;             // sorted by text
  std::array<bool, 256> starts{};         // a token begins with the byte
  std::array<uint32_t, 257> firstEntry{}; // by first byte

  const Entry *longest(std::string_view text, size_t parsable) const;
  static bool touchesWord(std::string_view text, size_t begin, size_t end);
  static void takeWhiteSpace(std::string_view text, size_t from, uint32_t flags, Match &);
};

} // namespace llmc
