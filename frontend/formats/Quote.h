//===- Quote.h - text from files in messages --------------------*- C++ -*-===//
#ifndef LLMC_FRONTEND_FORMATS_QUOTE_H
#define LLMC_FRONTEND_FORMATS_QUOTE_H

#include <string>
#include <string_view>

namespace llmc::formats {

/// Text from a file as it may be shown on a terminal: quoted, printable, not long.
std::string quotedText(std::string_view text);

} // namespace llmc::formats
#endif
