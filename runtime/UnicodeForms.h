// Unicode's normalization forms and character classes, in time that grows with the text only.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace llmc {

/// The character at the start of valid UTF-8.
uint32_t codePointAt(std::string_view text, size_t &size);
void appendCodePoint(std::string &out, uint32_t);

/// Valid UTF-8 in NFC, NFD, NFKC or NFKD.
std::string normalForm(std::string_view text, bool isCompatible, bool isComposed);

bool isWhiteSpace(uint32_t);
bool isWordCharacter(uint32_t); // letters, marks, digits, connectors
bool isCombiningMark(uint32_t);
void appendLowercase(std::string &out, uint32_t);

} // namespace llmc
