//===- Quote.cpp - text from files in messages ----------------------------===//
#include "frontend/formats/Quote.h"

#include <cstdio>

std::string llmc::formats::quotedText(std::string_view text) {
  std::string out = "'";
  for (unsigned char c : text.substr(0, 80)) {
    if (c < 0x20 || c == 0x7f) {
      char code[8];
      std::snprintf(code, sizeof code, "\\x%02x", c);
      out += code;
    } else {
      out += static_cast<char>(c);
    }
  }
  return out + (text.size() > 80 ? "...'" : "'");
}
