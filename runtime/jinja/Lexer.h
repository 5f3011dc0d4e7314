// Splits a template into data, tag delimiters and expression tokens, with the white space control that chat
// templates are written for: trim_blocks and lstrip_blocks on, one newline at the end of the file dropped.
#pragma once

#include "Value.h"

#include <string>
#include <string_view>
#include <vector>

namespace llmc::jinja {

enum class TokenKind {
  Data,
  VariableBegin,
  VariableEnd,
  BlockBegin,
  BlockEnd,
  Name,
  String,
  Integer,
  Float,
  Operator,
  End
};

struct Token {
  TokenKind kind;
  std::string text; // data, name, operator, or the string's value
  Value number;     // Integer, Float
  int line;
};

/// Throws TemplateError.
std::vector<Token> tokenize(std::string_view source);

} // namespace llmc::jinja
