// Searching a string for another in linear time, and what that costs in steps: templates are untrusted, and
// the obvious search takes the product of both lengths.
#include "Builtins.h"

#include <cstring>

namespace llmc::jinja {

// A short needle can cost the search a few comparisons for each byte it passes.
static void chargeSearch(Context &c, size_t bytes) { c.step(1 + bytes / 16); }

size_t findText(Context &c, std::string_view hay, std::string_view needle, size_t from) {
  if (from > hay.size() || needle.size() > hay.size() - from)
    return std::string_view::npos;
  if (needle.empty())
    return from;
  const char *begin = hay.data() + from;
  const void *found = memmem(begin, hay.size() - from, needle.data(), needle.size());
  const size_t hit =
      found ? static_cast<size_t>(static_cast<const char *>(found) - hay.data()) : std::string_view::npos;
  chargeSearch(c, (found ? hit - from : hay.size() - from) + needle.size());
  return hit;
}

size_t findLastText(Context &c, std::string_view hay, std::string_view needle) {
  if (needle.size() > hay.size())
    return std::string_view::npos;
  if (needle.empty())
    return hay.size();
  // A window moves from the end to the front with a hash of its bytes (modulo 2^64; its last byte weighs
  // most). Equal hashes are compared, and those comparisons are charged, so collisions cost only the template
  // that makes them.
  constexpr uint64_t base = 0x9E3779B97F4A7C15;
  const auto byteAt = [](std::string_view s, size_t i) { return uint64_t(static_cast<uint8_t>(s[i])) + 1; };
  const size_t n = needle.size();
  uint64_t wanted = 0, hash = 0, weight = 1; // weight: base^(n - 1), that of the last byte
  for (size_t i = n; i-- > 0;) {
    wanted = wanted * base + byteAt(needle, i);
    hash = hash * base + byteAt(hay, hay.size() - n + i);
  }
  for (size_t i = 1; i < n; ++i)
    weight *= base;
  for (size_t pos = hay.size() - n;; --pos) {
    if (hash == wanted) {
      c.stepBytes(n);
      if (hay.substr(pos, n) == needle) {
        chargeSearch(c, hay.size() - pos + n);
        return pos;
      }
    }
    if (pos == 0)
      break;
    hash = (hash - weight * byteAt(hay, pos + n - 1)) * base + byteAt(hay, pos - 1);
  }
  chargeSearch(c, hay.size() + n);
  return std::string_view::npos;
}

} // namespace llmc::jinja
