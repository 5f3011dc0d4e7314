//===- Quote.h - text from files in messages --------------------*- C++ -*-===//
#ifndef LLMC_FRONTEND_FORMATS_QUOTE_H
#define LLMC_FRONTEND_FORMATS_QUOTE_H

#include <string>
#include <string_view>

namespace llmc::formats {

/// Text from a file as a terminal may see it: what could command it (control characters, bytes that are no
/// UTF-8) is written as \x1b.
std::string printableText(std::string_view text);

/// The same as part of a sentence: quoted, not long.
std::string quotedText(std::string_view text);

} // namespace llmc::formats
#endif
