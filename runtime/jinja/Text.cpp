// Strings with provenance and the UTF-8 helpers under them.
#include "Text.h"

#include <algorithm>

namespace llmc::jinja {

CodePoint decodeUtf8(std::string_view s, size_t pos) {
  auto byte = [&](size_t i) { return static_cast<uint8_t>(s[i]); };
  const uint8_t lead = byte(pos);
  if (lead < 0x80)
    return {lead, 1, true};
  const uint32_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || s.size() - pos < length)
    return {lead, 1, false};
  uint32_t value = lead & (0xFF >> (length + 1));
  for (uint32_t i = 1; i < length; ++i) {
    if ((byte(pos + i) & 0xC0) != 0x80)
      return {lead, 1, false};
    value = value << 6 | (byte(pos + i) & 0x3F);
  }
  const bool overlong = (length == 3 && value < 0x800) || (length == 4 && value < 0x10000);
  if (overlong || value > 0x10FFFF || (value >= 0xD800 && value < 0xE000))
    return {lead, 1, false};
  return {value, length, true};
}

void encodeUtf8(uint32_t c, std::string &out) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xC0 | c >> 6);
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xE0 | c >> 12);
    out += static_cast<char>(0x80 | (c >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | c >> 18);
    out += static_cast<char>(0x80 | (c >> 12 & 0x3F));
    out += static_cast<char>(0x80 | (c >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  }
}

size_t countCodePoints(std::string_view s) {
  size_t count = 0;
  for (size_t pos = 0; pos < s.size(); pos += decodeUtf8(s, pos).length)
    ++count;
  return count;
}

size_t findInvalidUtf8(std::string_view s) {
  for (size_t pos = 0; pos < s.size();) {
    const CodePoint c = decodeUtf8(s, pos);
    if (!c.valid)
      return pos;
    pos += c.length;
  }
  return std::string_view::npos;
}

bool isSpace(uint32_t c) {
  return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

bool Text::inputAt(size_t pos) const {
  const size_t passed = std::upper_bound(flips.begin(), flips.end(), pos) - flips.begin();
  return startsInput != (passed % 2 == 1);
}

void Text::append(std::string_view s, bool fromInput) {
  if (s.empty())
    return;
  if (bytes.empty())
    startsInput = fromInput;
  else if ((startsInput != (flips.size() % 2 == 1)) != fromInput)
    flips.push_back(bytes.size());
  bytes.append(s);
}

void Text::appendSlice(const Text &other, size_t begin, size_t end) {
  // The runs that overlap [begin, end); indexed because other may be *this.
  size_t run = std::upper_bound(other.flips.begin(), other.flips.end(), begin) - other.flips.begin();
  const size_t runCount = other.flips.size();
  while (begin < end) {
    const size_t stop = run < runCount ? std::min(end, other.flips[run]) : end;
    const bool input = other.startsInput != (run % 2 == 1);
    if (this == &other)
      append(bytes.substr(begin, stop - begin), input);
    else
      append(std::string_view(other.bytes).substr(begin, stop - begin), input);
    begin = stop;
    ++run;
  }
}

Text Text::slice(size_t begin, size_t end) const {
  Text result;
  result.appendSlice(*this, begin, end);
  return result;
}

void Text::appendCodePoint(uint32_t codePoint, bool fromInput) {
  std::string encoded;
  encodeUtf8(codePoint, encoded);
  append(encoded, fromInput);
}

Text Text::strip(bool left, bool right, const std::string *chars) const {
  // Which characters go, in one pass over them; an invalid byte counts as a character of its own, beyond
  // Unicode.
  constexpr uint32_t unicodeEnd = 0x110000;
  const auto code = [](const CodePoint &c) { return c.valid ? c.value : unicodeEnd + c.value; };
  std::vector<bool> listed;
  for (size_t i = 0; chars && i < chars->size();) {
    const CodePoint c = decodeUtf8(*chars, i);
    if (listed.size() <= code(c))
      listed.resize(code(c) + 1);
    listed[code(c)] = true;
    i += c.length;
  }
  auto isStripped = [&](size_t pos) {
    const CodePoint c = decodeUtf8(bytes, pos);
    return chars ? code(c) < listed.size() && listed[code(c)] : isSpace(c.value);
  };
  size_t begin = 0, end = bytes.size();
  while (left && begin < end) {
    const size_t length = decodeUtf8(bytes, begin).length;
    if (!isStripped(begin))
      break;
    begin += length;
  }
  while (right && end > begin) {
    size_t start = end - 1;
    while (start > begin && end - start < 4 && (static_cast<uint8_t>(bytes[start]) & 0xC0) == 0x80)
      --start;
    if (start + decodeUtf8(bytes, start).length != end)
      start = end - 1; // a stray continuation byte
    if (!isStripped(start))
      break;
    end = start;
  }
  return slice(begin, end);
}

} // namespace llmc::jinja
