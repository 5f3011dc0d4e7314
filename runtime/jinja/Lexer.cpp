// The template lexer. Works in two modes: text between tags, and tokens inside "{{ }}" and "{% %}".
#include "Lexer.h"

#include <charconv>

namespace llmc::jinja {
namespace {

class Lexer {
public:
  explicit Lexer(std::string_view source) { normalizeNewlines(source); }

  std::vector<Token> run() {
    while (pos < src.size())
      lexData();
    push(TokenKind::End, "");
    return std::move(tokens);
  }

private:
  std::string src;
  size_t pos = 0;
  int line = 1;
  bool lineStarting = true; // the last match ended with a newline
  std::vector<Token> tokens;

  [[noreturn]] void fail(const std::string &message) const { throw TemplateError(message, line); }

  void push(TokenKind kind, std::string text, Value number = {}) {
    tokens.push_back({kind, std::move(text), std::move(number), line});
  }

  void normalizeNewlines(std::string_view source) {
    src.reserve(source.size());
    for (size_t i = 0; i < source.size(); ++i) {
      if (source[i] == '\r') {
        src += '\n';
        if (i + 1 < source.size() && source[i + 1] == '\n')
          ++i;
      } else {
        src += source[i];
      }
    }
    if (src.ends_with('\n'))
      src.pop_back();
  }

  bool at(std::string_view s, size_t offset = 0) const {
    return std::string_view(src).substr(std::min(pos + offset, src.size())).starts_with(s);
  }

  void advance(size_t n) {
    for (size_t end = pos + n; pos < end; ++pos)
      line += src[pos] == '\n';
  }

  size_t skipSpaceFrom(size_t p) const {
    while (p < src.size()) {
      const CodePoint c = decodeUtf8(src, p);
      if (!isSpace(c.value))
        break;
      p += c.length;
    }
    return p;
  }

  /// After a tag's end: "-" swallows white space, a plain block end swallows one newline.
  void finishTag(size_t end, bool stripAfter, bool trimNewline) {
    size_t stop = end;
    if (stripAfter)
      stop = skipSpaceFrom(end);
    else if (trimNewline && end < src.size() && src[end] == '\n')
      stop = end + 1;
    advance(stop - pos);
    lineStarting = pos > 0 && src[pos - 1] == '\n';
  }

  /// Emits the text before a tag, stripped as the tag's sign ('-', '+' or 0) demands.
  void emitData(size_t end, char sign, bool isBlock) {
    size_t keep = end;
    if (sign == '-') {
      keep = pos + Text(std::string_view(src).substr(pos, end - pos), false).strip(false, true).size();
    } else if (sign != '+' && isBlock) {
      size_t lineStart = end;
      while (lineStart > pos && src[lineStart - 1] != '\n')
        --lineStart;
      if ((lineStart > pos || lineStarting) && skipSpaceFrom(lineStart) >= end)
        keep = lineStart;
    }
    if (keep > pos)
      push(TokenKind::Data, src.substr(pos, keep - pos));
    advance(end - pos);
  }

  char signAt(size_t p) const { return p < src.size() && (src[p] == '-' || src[p] == '+') ? src[p] : 0; }

  void lexData() {
    size_t open = src.find('{', pos);
    while (open != std::string::npos &&
           (open + 1 >= src.size() || std::string_view("{%#").find(src[open + 1]) == std::string_view::npos))
      open = src.find('{', open + 1);
    if (open == std::string::npos) {
      push(TokenKind::Data, src.substr(pos));
      advance(src.size() - pos);
      return;
    }
    const char type = src[open + 1];
    const char sign = signAt(open + 2);
    emitData(open, sign, type != '{');
    lineStarting = false;
    if (type == '%' && lexRaw())
      return;
    if (type == '#') {
      skipComment(sign);
      return;
    }
    push(type == '{' ? TokenKind::VariableBegin : TokenKind::BlockBegin, "");
    advance(2 + (sign != 0));
    lexTag(type == '%');
  }

  void skipComment(char sign) {
    const size_t end = src.find("#}", pos + 2 + (sign != 0));
    if (end == std::string::npos)
      fail("comment is not closed with '#}'");
    const char before = end > pos + 2 + (sign != 0) ? src[end - 1] : 0;
    finishTag(end + 2, before == '-', before != '+');
  }

  /// Matches "{%[-+] word [-+]%}" at p; sets the end and the signs.
  bool matchWordTag(size_t p, std::string_view word, size_t &end, char &first, char &last) const {
    if (src.compare(p, 2, "{%") != 0)
      return false;
    p += 2;
    first = signAt(p);
    p = skipSpaceFrom(p + (first != 0));
    if (src.compare(p, word.size(), word) != 0)
      return false;
    p = skipSpaceFrom(p + word.size());
    last = signAt(p);
    p += last != 0;
    end = p + 2;
    return p < src.size() && src.compare(p, 2, "%}") == 0;
  }

  bool lexRaw() {
    size_t end;
    char first, last;
    if (!matchWordTag(pos, "raw", end, first, last) || last == '+')
      return false;
    finishTag(end, last == '-', false);
    for (size_t p = src.find("{%", pos); p != std::string::npos; p = src.find("{%", p + 1)) {
      if (!matchWordTag(p, "endraw", end, first, last))
        continue;
      emitData(p, first, true);
      finishTag(end, last == '-', last != '+');
      return true;
    }
    fail("'raw' is not closed with 'endraw'");
  }

  void lexTag(bool isBlock) {
    const std::string_view close = isBlock ? "%}" : "}}";
    std::string open; // brackets to be closed
    while (true) {
      advance(skipSpaceFrom(pos) - pos);
      if (pos >= src.size())
        fail(isBlock ? "unexpected end of template, expected '%}'"
                     : "unexpected end of template, expected '}}'");
      if (open.empty()) {
        const bool hasSign = src[pos] == '-' || (isBlock && src[pos] == '+');
        if (at(close, hasSign)) {
          push(isBlock ? TokenKind::BlockEnd : TokenKind::VariableEnd, "");
          const char sign = hasSign ? src[pos] : 0;
          finishTag(pos + hasSign + 2, sign == '-', isBlock && sign == 0);
          return;
        }
      }
      lexToken(open);
    }
  }

  static bool isNameByte(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (c & 0x80);
  }
  static bool isDigit(char c) { return c >= '0' && c <= '9'; }

  void lexToken(std::string &open) {
    const char c = src[pos];
    if (isDigit(c))
      return lexNumber();
    if (isNameByte(c)) {
      size_t end = pos;
      while (end < src.size() && isNameByte(src[end]))
        ++end;
      push(TokenKind::Name, src.substr(pos, end - pos));
      return advance(end - pos);
    }
    if (c == '\'' || c == '"')
      return lexString(c);
    static constexpr std::string_view operators[] = {"//", "**", "==", "!=", ">=", "<=", "+", "-", "/",
                                                     "*",  "%",  "~",  "[",  "]",  "(",  ")", "{", "}",
                                                     ">",  "<",  "=",  ".",  ":",  "|",  ",", ";"};
    for (std::string_view op : operators) {
      if (!at(op))
        continue;
      if (c == '(' || c == '[' || c == '{') {
        open += c == '(' ? ')' : c == '[' ? ']' : '}';
      } else if (c == ')' || c == ']' || c == '}') {
        if (open.empty())
          fail(std::string("unexpected '") + c + "'");
        if (open.back() != c)
          fail(std::string("unexpected '") + c + "', expected '" + open.back() + "'");
        open.pop_back();
      }
      push(TokenKind::Operator, std::string(op));
      return advance(op.size());
    }
    fail(std::string("unexpected character '") + c + "' in an expression");
  }

  size_t digitsEnd(size_t p) const {
    while (p < src.size() &&
           (isDigit(src[p]) || (src[p] == '_' && p + 1 < src.size() && isDigit(src[p + 1]))))
      ++p;
    return p;
  }

  void lexNumber() {
    size_t end = digitsEnd(pos);
    bool isFloat = false;
    const bool afterDot = pos > 0 && src[pos - 1] == '.';
    if (!afterDot) {
      if (end + 1 < src.size() && src[end] == '.' && isDigit(src[end + 1])) {
        end = digitsEnd(end + 1);
        isFloat = true;
      }
      if (end < src.size() && (src[end] == 'e' || src[end] == 'E')) {
        size_t p = end + 1;
        if (p < src.size() && (src[p] == '+' || src[p] == '-'))
          ++p;
        if (p < src.size() && isDigit(src[p])) {
          end = digitsEnd(p);
          isFloat = true;
        }
      }
    }
    std::string digits;
    for (char c : src.substr(pos, end - pos))
      if (c != '_')
        digits += c;
    if (isFloat) {
      double d = 0;
      const auto result = std::from_chars(digits.data(), digits.data() + digits.size(), d);
      if (result.ec != std::errc())
        fail("number " + digits + " is out of range");
      push(TokenKind::Float, digits, Value::number(d));
    } else {
      Int value = 0;
      for (char c : digits)
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, c - '0', &value))
          fail("integer is too large");
      push(TokenKind::Integer, digits, Value::integer(value));
    }
    advance(end - pos);
  }

  uint32_t hexDigits(size_t p, size_t count, char quote) const {
    uint32_t value = 0;
    for (size_t i = 0; i < count; ++i) {
      const char c = p + i < src.size() ? src[p + i] : quote;
      const int digit = isDigit(c) ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
      if (digit < 0)
        fail("truncated escape in a string");
      value = value << 4 | static_cast<uint32_t>(digit);
    }
    return value;
  }

  void lexString(char quote) {
    size_t p = pos + 1;
    std::string value;
    while (true) {
      if (p >= src.size())
        fail("string is not closed");
      if (src[p] == quote)
        break;
      if (src[p] != '\\') {
        value += src[p++];
        continue;
      }
      if (p + 1 >= src.size())
        fail("string is not closed");
      const char c = src[p + 1];
      p += 2;
      static constexpr std::string_view from = "ntrabfv\\'\"", to = "\n\t\r\a\b\f\v\\'\"";
      if (const size_t i = from.find(c); i != std::string_view::npos) {
        value += to[i];
      } else if (c == '\n') {
        continue;
      } else if (c >= '0' && c <= '7') {
        uint32_t octal = c - '0';
        for (int i = 0; i < 2 && p < src.size() && src[p] >= '0' && src[p] <= '7'; ++i)
          octal = octal * 8 + (src[p++] - '0');
        encodeUtf8(octal, value);
      } else if (c == 'x' || c == 'u' || c == 'U') {
        const size_t count = c == 'x' ? 2 : c == 'u' ? 4 : 8;
        uint32_t code = hexDigits(p, count, quote);
        p += count;
        // A surrogate pair means one character; half of one has no UTF-8 form.
        if (code >= 0xD800 && code < 0xDC00 && src.compare(p, 2, "\\u") == 0) {
          const uint32_t low = hexDigits(p + 2, 4, quote);
          if (low >= 0xDC00 && low < 0xE000) {
            code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
            p += 6;
          }
        }
        if (code > 0x10FFFF || (code >= 0xD800 && code < 0xE000))
          fail("escape in a string is not a character");
        encodeUtf8(code, value);
      } else if (c == 'N') {
        fail("escape '\\N{...}' is not supported");
      } else {
        value += '\\';
        value += c;
      }
    }
    push(TokenKind::String, std::move(value));
    advance(p + 1 - pos);
  }
};

} // namespace

std::vector<Token> tokenize(std::string_view source) { return Lexer(source).run(); }

} // namespace llmc::jinja
