// Decomposition and composition come from utf8proc; the order of marks is made here, because utf8proc sorts
// by exchanging neighbours, which takes quadratic time on a text of many marks.
#include "runtime/UnicodeForms.h"

#include "runtime/Utf8.h"

#include <algorithm>
#include <utf8proc.h>
#include <vector>

namespace llmc {

uint32_t codePointAt(std::string_view text, size_t &size) {
  auto at = [&](size_t i) { return static_cast<uint32_t>(static_cast<uint8_t>(text[i])); };
  uint32_t lead = at(0);
  size = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  switch (size) {
  case 1:
    return lead;
  case 2:
    return (lead & 0x1f) << 6 | (at(1) & 0x3f);
  case 3:
    return (lead & 0x0f) << 12 | (at(1) & 0x3f) << 6 | (at(2) & 0x3f);
  default:
    return (lead & 0x07) << 18 | (at(1) & 0x3f) << 12 | (at(2) & 0x3f) << 6 | (at(3) & 0x3f);
  }
}

void appendCodePoint(std::string &out, uint32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
    return;
  }
  utf8proc_uint8_t bytes[4];
  out.append(reinterpret_cast<char *>(bytes),
             static_cast<size_t>(utf8proc_encode_char(static_cast<utf8proc_int32_t>(c), bytes)));
}

std::string normalForm(std::string_view text, bool isCompatible, bool isComposed) {
  struct Mark {
    utf8proc_int32_t c;
    int16_t combiningClass;
    size_t order; // marks of equal class stay as they are
  };
  auto options = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE |
                                                (isCompatible ? UTF8PROC_COMPAT : 0));
  std::string out;
  out.reserve(text.size());
  std::vector<utf8proc_int32_t> run; // a starter and what belongs to it, perhaps more
  std::vector<Mark> marks;
  auto orderMarks = [&] {
    std::sort(marks.begin(), marks.end(), [](const Mark &a, const Mark &b) {
      return a.combiningClass != b.combiningClass ? a.combiningClass < b.combiningClass : a.order < b.order;
    });
    for (const Mark &m : marks)
      run.push_back(m.c);
    marks.clear();
  };
  auto flush = [&] {
    orderMarks();
    auto n = static_cast<utf8proc_ssize_t>(run.size());
    if (isComposed)
      n = utf8proc_normalize_utf32(run.data(), n,
                                   static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
    for (utf8proc_ssize_t i = 0; i < n; ++i)
      appendCodePoint(out, static_cast<uint32_t>(run[static_cast<size_t>(i)]));
    run.clear();
  };
  for (size_t i = 0, size; i < text.size(); i += size) {
    utf8proc_int32_t parts[32];
    uint32_t c = codePointAt(text.substr(i), size);
    // An ASCII letter ends what may compose before it.
    if (c < 0x80) {
      flush();
      run.push_back(static_cast<utf8proc_int32_t>(c));
      continue;
    }
    int boundary = 0;
    utf8proc_ssize_t n =
        utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c), parts, 32, options, &boundary);
    if (n < 0 || n > 32) // no character decomposes into that many
      n = 1, parts[0] = static_cast<utf8proc_int32_t>(c);
    for (utf8proc_ssize_t k = 0; k < n; ++k) {
      int16_t combining = utf8proc_get_property(parts[k])->combining_class;
      if (combining > 0) {
        marks.push_back({parts[k], combining, marks.size()});
        continue;
      }
      orderMarks();
      run.push_back(parts[k]);
    }
  }
  flush();
  return out;
}

bool isWhiteSpace(uint32_t c) {
  return c == ' ' || (c >= 9 && c <= 13) || c == 0x85 || c == 0xa0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f ||
         c == 0x3000;
}

static utf8proc_category_t categoryOf(uint32_t c) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(c));
}

bool isCombiningMark(uint32_t c) {
  auto category = categoryOf(c);
  return category >= UTF8PROC_CATEGORY_MN && category <= UTF8PROC_CATEGORY_ME;
}

bool isWordCharacter(uint32_t c) {
  auto category = categoryOf(c);
  return (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_NL) ||
         category == UTF8PROC_CATEGORY_PC || c == 0x200c || c == 0x200d;
}

void appendLowercase(std::string &out, uint32_t c) {
  if (c == 0x130) // the only one that becomes two characters
    out += "i\xcc\x87";
  else
    appendCodePoint(out, static_cast<uint32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c))));
}

} // namespace llmc
