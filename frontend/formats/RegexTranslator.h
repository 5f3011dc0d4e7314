//===- RegexTranslator.h - Oniguruma patterns as PCRE2 ----------*- C++ -*-===//
//
// tokenizer.json holds patterns in the syntax of Oniguruma (Ruby). Most are the same in PCRE2; what means
// something else there is rewritten, and what cannot be is refused by name.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_FRONTEND_FORMATS_REGEXTRANSLATOR_H
#define LLMC_FRONTEND_FORMATS_REGEXTRANSLATOR_H

#include <string>
#include <string_view>

namespace llmc::formats {

/// For use with PCRE2's options UTF, UCP and MULTILINE. False with what is wrong or not supported in
/// `error`, to stand behind the name of a field.
bool translateRegex(std::string_view oniguruma, std::string &pcre2, std::string &error);

/// A pattern that matches exactly this text.
std::string literalPattern(std::string_view text);

} // namespace llmc::formats
#endif
