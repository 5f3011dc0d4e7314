// Finds added tokens in a text: a sorted list, entered by the first byte and narrowed byte by byte, so that a
// place costs as much as the longest token that could stand there.
#include "runtime/SpecialMatcher.h"

#include "runtime/UnicodeForms.h"
#include "runtime/Utf8.h"

#include <algorithm>

namespace llmc {

void SpecialMatcher::open(std::vector<Entry> list) {
  std::sort(list.begin(), list.end(),
            [](const Entry &a, const Entry &b) { return a.text != b.text ? a.text < b.text : a.id < b.id; });
  list.erase(std::unique(list.begin(), list.end(), [](auto &a, auto &b) { return a.text == b.text; }),
             list.end());
  entries = std::move(list);
  for (const Entry &e : entries) {
    auto first = static_cast<uint8_t>(e.text[0]);
    starts[first] = true;
    ++firstEntry[first + 1];
  }
  for (size_t i = 1; i < firstEntry.size(); ++i)
    firstEntry[i] += firstEntry[i - 1];
}

/// The longest entry at the start of `text`, null if none. Control tokens must lie in the first `parsable`
/// bytes. The candidates are a range of the sorted list that each further byte narrows.
const SpecialMatcher::Entry *SpecialMatcher::longest(std::string_view text, size_t parsable) const {
  auto lead = static_cast<uint8_t>(text[0]);
  auto low = entries.begin() + firstEntry[lead], high = entries.begin() + firstEntry[lead + 1];
  const Entry *best = nullptr;
  for (size_t k = 1; low < high; ++k) {
    if (low->text.size() == k) {
      if (k <= parsable || !low->isControl)
        best = &*low;
      ++low;
    }
    if (k == text.size())
      break;
    auto next = static_cast<uint8_t>(text[k]);
    low = std::partition_point(low, high, [&](const Entry &e) { return uint8_t(e.text[k]) < next; });
    high = std::partition_point(low, high, [&](const Entry &e) { return uint8_t(e.text[k]) <= next; });
  }
  return best;
}

namespace {

/// The character at `i`, or the one that ends there; false if it is not UTF-8.
bool characterAt(std::string_view text, size_t i, uint32_t &c, size_t &size) {
  if (utf8Char(text.data() + i, text.size() - i).kind != Utf8Char::Whole)
    return false;
  c = codePointAt(text.substr(i), size);
  return true;
}
bool characterBefore(std::string_view text, size_t end, uint32_t &c, size_t &size) {
  for (size_t i = end; i > 0 && end - i < 4;)
    if ((text[--i] & 0xc0) != 0x80)
      return characterAt(text.substr(0, end), i, c, size) && i + size == end;
  return false;
}

} // namespace

bool SpecialMatcher::touchesWord(std::string_view text, size_t begin, size_t end) {
  uint32_t c;
  size_t size;
  return (begin > 0 && characterBefore(text, begin, c, size) && isWordCharacter(c)) ||
         (end < text.size() && characterAt(text, end, c, size) && isWordCharacter(c));
}

void SpecialMatcher::takeWhiteSpace(std::string_view text, size_t from, uint32_t flags, Match &m) {
  uint32_t c;
  size_t size;
  if (flags & LLMC_TOK_LSTRIP)
    while (m.begin > from && characterBefore(text, m.begin, c, size) && isWhiteSpace(c))
      m.begin -= size;
  if (flags & LLMC_TOK_RSTRIP)
    while (m.end < text.size() && characterAt(text, m.end, c, size) && isWhiteSpace(c))
      m.end += size;
}

} // namespace llmc
