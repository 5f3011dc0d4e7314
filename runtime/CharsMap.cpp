// Lookups in a precompiled map of characters: of the prefixes of a text that its trie holds, the shortest or
// longest, and what replaces it. The map is data of a model: no number in it is trusted.
#include "runtime/CharsMap.h"

#include <algorithm>
#include <cstring>

namespace llmc {

static constexpr size_t kMaxReplacement = 256; // bytes
static constexpr size_t kMaxKey = 256;         // bytes; a damaged map may lead around in circles

CharsMap::CharsMap(std::string_view bytes) {
  uint32_t size = 0;
  if (bytes.size() < 4 || (std::memcpy(&size, bytes.data(), 4), size > bytes.size() - 4))
    return;
  units = bytes.data() + 4;
  unitCount = size / 4;
  strings = bytes.substr(4 + size);
}

uint32_t CharsMap::unit(size_t i) const {
  uint32_t value = 0;
  if (i < unitCount)
    std::memcpy(&value, units + 4 * i, 4);
  return value;
}

// A unit of darts: bits 0 to 7 the label (bit 31 set for a value), bit 8 whether a value follows, bits 10 up
// the offset to the children, times 256 if bit 9 is set.
CharsMap::Match CharsMap::match(std::string_view text, bool isShortest) const {
  auto offsetOf = [](uint32_t u) { return size_t(u >> 10) << ((u & (1u << 9)) >> 6); };
  Match found;
  if (unitCount == 0)
    return found;
  size_t node = offsetOf(unit(0));
  for (size_t i = 0; i < std::min(text.size(), kMaxKey); ++i) {
    auto byte = static_cast<uint8_t>(text[i]);
    node ^= byte;
    uint32_t u = unit(node);
    if (node >= unitCount || (u & (1u << 31 | 0xff)) != byte)
      break;
    node ^= offsetOf(u);
    if (!(u >> 8 & 1))
      continue;
    size_t at = unit(node) & 0x7fffffffu;
    if (at > strings.size())
      break;
    size_t end = strings.find('\0', at);
    if (std::min(end, strings.size()) - at > kMaxReplacement)
      break;
    found = {i + 1, strings.substr(at, end == strings.npos ? strings.npos : end - at)};
    if (isShortest)
      break;
  }
  return found;
}

} // namespace llmc
