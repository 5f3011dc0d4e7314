// The map of characters that SentencePiece compiles into its models: replacements for short byte sequences.
#pragma once

#include <cstdint>
#include <string_view>

namespace llmc {

/// Views bytes that must outlive it: the size of a darts double array, the array, NUL-terminated strings.
/// Every access is checked, so that any bytes may be used.
class CharsMap {
public:
  CharsMap() = default;
  explicit CharsMap(std::string_view bytes);

  struct Match {
    size_t size = 0; // bytes of text that are replaced; 0: none
    std::string_view replacement;
  };
  Match longest(std::string_view text) const { return match(text, false); }
  Match shortest(std::string_view text) const { return match(text, true); }

private:
  const char *units = nullptr;
  size_t unitCount = 0;
  std::string_view strings;

  Match match(std::string_view text, bool isShortest) const;
  uint32_t unit(size_t i) const;
};

} // namespace llmc
