// Strict UTF-8 (no surrogates, no overlong forms), one character at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace llmc {

/// What stands at the start of some bytes.
struct Utf8Char {
  enum Kind {
    Whole,   ///< a character of `size` bytes
    Cut,     ///< the bytes end inside a character; all of them (`size`, 1 to 3) may belong to it
    Invalid, ///< `size` bytes (1 to 3) that no further byte can make a character
  } kind;
  size_t size;
};

inline Utf8Char utf8Char(const char *text, size_t n) {
  auto *p = reinterpret_cast<const uint8_t *>(text);
  uint8_t lead = p[0];
  if (lead < 0x80)
    return {Utf8Char::Whole, 1};
  if (lead < 0xc2 || lead > 0xf4)
    return {Utf8Char::Invalid, 1};
  size_t size = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  // The first continuation byte has a narrower range behind some leads.
  uint8_t low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
  uint8_t high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
  for (size_t i = 1; i < size; ++i) {
    if (i == n)
      return {Utf8Char::Cut, n};
    if (p[i] < low || p[i] > high)
      return {Utf8Char::Invalid, i};
    low = 0x80, high = 0xbf;
  }
  return {Utf8Char::Whole, size};
}

/// Bytes of the longest prefix that is whole characters only.
inline size_t validUtf8Prefix(const char *text, size_t n) {
  size_t i = 0;
  while (i < n) {
    uint64_t word;
    if (n - i >= 8 && (std::memcpy(&word, text + i, 8), (word & 0x8080808080808080u) == 0)) {
      i += 8;
      continue;
    }
    Utf8Char c = utf8Char(text + i, n - i);
    if (c.kind != Utf8Char::Whole)
      break;
    i += c.size;
  }
  return i;
}

} // namespace llmc
