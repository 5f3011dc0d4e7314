//===- Quote.cpp - text from files in messages ----------------------------===//
#include "frontend/formats/Quote.h"

#include <cstdint>
#include <cstdio>

/// Bytes of the character at the start that a terminal shows; 0 if it would obey, or if this is no UTF-8.
static size_t shownBytes(std::string_view text) {
  auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(0);
  if (lead < 0x80)
    return lead >= 0x20 && lead != 0x7f;
  const size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < length)
    return 0;
  for (size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xC0) != 0x80)
      return 0;
  return lead == 0xC2 && byte(1) < 0xA0 ? 0 : length; // U+0080 to U+009F are commands, too
}

std::string llmc::formats::printableText(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const size_t shown = shownBytes(text);
    if (shown) {
      out += text.substr(0, shown);
    } else {
      char code[8];
      std::snprintf(code, sizeof code, "\\x%02x", static_cast<unsigned>(static_cast<uint8_t>(text[0])));
      out += code;
    }
    text.remove_prefix(shown ? shown : 1);
  }
  return out;
}

std::string llmc::formats::quotedText(std::string_view text) {
  size_t end = 80;
  if (text.size() <= end)
    return "'" + printableText(text) + "'";
  while (end > 76 && (static_cast<uint8_t>(text[end]) & 0xC0) == 0x80) // on a character's border
    --end;
  return "'" + printableText(text.substr(0, end)) + "...'";
}
