//===- RegexTranslator.cpp - Oniguruma patterns as PCRE2 ------------------===//
#include "frontend/formats/RegexTranslator.h"

#include "frontend/formats/TokenizerDescription.h"

#include <algorithm>
#include <cctype>
#include <iterator>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

using namespace llmc::formats;

namespace {

constexpr int kMaxDepth = 16;            // of character classes inside each other
constexpr size_t kMaxPattern = 1u << 15; // bytes

/// The properties that both know under other names, and those that are the same.
std::string propertyOf(std::string_view name) {
  static const char *const same[] = {
      "L",  "Lu", "Ll", "Lt", "Lm", "Lo", "M",  "Mn", "Mc", "Me",  "N",          "Nd",         "Nl", "No",
      "P",  "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "S",  "Sm",  "Sc",         "Sk",         "So", "Z",
      "Zs", "Zl", "Zp", "C",  "Cc", "Cf", "Co", "Cs", "Cn", "Any", "Alphabetic", "White_Space"};
  static const char *const renamed[][2] = {
      {"Letter", "L"},          {"Mark", "M"},          {"Number", "N"},         {"Punctuation", "P"},
      {"Symbol", "S"},          {"Separator", "Z"},     {"Alpha", "Alphabetic"}, {"Digit", "Nd"},
      {"Space", "White_Space"}, {"Upper", "Uppercase"}, {"Lower", "Lowercase"}};
  // PCRE2 takes the name of a script for its extensions, Oniguruma for the script alone.
  static const char *const scripts[] = {
      "Arabic",    "Armenian", "Bengali",  "Bopomofo", "Cyrillic", "Devanagari", "Ethiopic",
      "Georgian",  "Greek",    "Gujarati", "Gurmukhi", "Han",      "Hangul",     "Hebrew",
      "Hiragana",  "Kannada",  "Katakana", "Khmer",    "Lao",      "Latin",      "Malayalam",
      "Mongolian", "Myanmar",  "Sinhala",  "Tamil",    "Telugu",   "Thai",       "Tibetan"};
  for (const char *s : same)
    if (name == s)
      return s;
  for (auto &r : renamed)
    if (name == r[0])
      return r[1];
  for (const char *s : scripts)
    if (name == s)
      return std::string("sc:") + s;
  return "";
}

constexpr const char *kWord = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}";

class Translator {
public:
  Translator(std::string_view in, std::string &error) : in(in), error(error) {}

  bool run(std::string &out) {
    while (i < in.size())
      if (!(in[i] == '[' ? characterClass(out, 0) : in[i] == '\\' ? escape(out, false) : plain(out)))
        return false;
    return true;
  }

private:
  std::string_view in;
  std::string &error;
  size_t i = 0;

  bool refuse(std::string_view what) {
    error = "has a pattern with " + quotedText(what) + ", which cannot be translated";
    return false;
  }

  bool plain(std::string &out) {
    std::string_view rest = in.substr(i);
    if (rest.starts_with("(?~"))
      return refuse("(?~");
    if (rest.starts_with("(?")) {
      // Inline options: m lets the dot match line ends, which PCRE2 calls s.
      size_t end = 2;
      while (end < rest.size() && (std::isalpha(static_cast<unsigned char>(rest[end])) || rest[end] == '-'))
        ++end;
      if (end < rest.size() && end > 2 && (rest[end] == ':' || rest[end] == ')')) {
        std::string options(rest.substr(0, end));
        for (char &c : options)
          if (c == 'm')
            c = 's';
          else if (std::isalpha(static_cast<unsigned char>(c)) && c != 'i' && c != 'x')
            return refuse(rest.substr(0, end + 1));
        out += options;
        i += end;
        return true;
      }
    }
    if (rest.starts_with("}+") && isInterval(out))
      return refuse("}+");
    out += in[i++];
    return true;
  }

  /// Whether `out` ends in "{3" or "{3,5": the braces of a repetition.
  static bool isInterval(std::string_view out) {
    size_t open = out.rfind('{');
    return open != out.npos && open + 1 < out.size() &&
           std::all_of(out.begin() + static_cast<ptrdiff_t>(open) + 1, out.end(),
                       [](char c) { return std::isdigit(static_cast<unsigned char>(c)) || c == ','; });
  }

  bool escape(std::string &out, bool inClass) {
    if (i + 1 >= in.size())
      return refuse("\\");
    char c = in[i + 1];
    std::string_view two = in.substr(i, 2);
    i += 2;
    auto set = [&](bool isNegated, const std::string &members) {
      if (inClass && isNegated)
        return refuse(two);
      out += inClass ? members : (isNegated ? "[^" : "[") + members + "]";
      return true;
    };
    switch (c) {
    case 'h':
    case 'H':
      return set(c == 'H', "0-9a-fA-F");
    case 'w':
    case 'W':
      return set(c == 'W', kWord);
    case 'p':
    case 'P':
      return property(out, c == 'P');
    case 'u': {
      std::string_view digits = in.substr(i, 4);
      if (digits.size() < 4 ||
          !std::all_of(digits.begin(), digits.end(), [](unsigned char d) { return std::isxdigit(d) != 0; }))
        return refuse(two);
      out += "\\x{" + std::string(digits) + "}";
      i += 4;
      return true;
    }
    case 'g':
    case 'k':
    case 'C':
    case 'M':
    case 'y':
    case 'Y':
    case 'O':
    case 'Q':
    case 'E':
    case 'X':
    case 'N':
    case 'c':
      return refuse(two);
    default:
      out += two;
      return true;
    }
  }

  bool property(std::string &out, bool isNegated) {
    size_t end = in.find('}', i);
    if (i >= in.size() || in[i] != '{' || end == in.npos)
      return refuse(in.substr(i - 2, 3));
    std::string_view name = in.substr(i + 1, end - i - 1);
    if (name.starts_with('^')) {
      isNegated = !isNegated;
      name.remove_prefix(1);
    }
    std::string known = propertyOf(name);
    if (known.empty())
      return refuse(in.substr(i - 2, end + 1 - (i - 2)));
    out += (isNegated ? "\\P{" : "\\p{") + known + "}";
    i = end + 1;
    return true;
  }

  /// The members of a class up to its bracket, and the intersections with further ones as assertions.
  bool members(std::string &set, std::string &assertions, int depth) {
    bool isFirst = true, isOther = false;
    for (; i < in.size(); isFirst = false) {
      if (in[i] == ']' && !isFirst)
        return true;
      if (in.substr(i).starts_with("&&")) {
        i += 2;
        if (i + 1 >= in.size() || in[i] != '[' || in[i + 1] == ':')
          return refuse("&&");
        size_t start = i;
        bool isNegated = in[i + 1] == '^';
        i += isNegated ? 2 : 1;
        std::string inner, innerAssertions;
        if (depth >= kMaxDepth || !members(inner, innerAssertions, depth + 1))
          return error.empty() ? refuse("[") : false;
        if (!innerAssertions.empty() || i + 1 >= in.size() || (in[i + 1] != ']' && in[i + 1] != '&'))
          return refuse(in.substr(start, 8));
        ++i;
        assertions += (isNegated ? "(?![" : "(?=[") + inner + "])";
        isOther = true;
        continue;
      }
      if (isOther)
        return refuse("&&");
      if (in[i] == '[') {
        if (in.substr(i).starts_with("[:") || in.substr(i).starts_with("[^"))
          return refuse(in.substr(i, 2));
        if (depth >= kMaxDepth)
          return refuse("[");
        ++i; // a union: the members of the inner class count as the outer one's
        std::string inner;
        if (!members(set, inner, depth + 1))
          return false;
        if (!inner.empty())
          return refuse("&&");
        ++i;
      } else if (in[i] == '\\') {
        if (!escape(set, true))
          return false;
      } else {
        set += in[i++];
      }
    }
    return refuse("[");
  }

  bool characterClass(std::string &out, int depth) {
    bool isNegated = i + 1 < in.size() && in[i + 1] == '^';
    size_t start = i;
    i += isNegated ? 2 : 1;
    std::string set, assertions;
    if (!members(set, assertions, depth))
      return false;
    ++i;
    if (isNegated && !assertions.empty())
      return refuse(in.substr(start, i - start));
    std::string base = (isNegated ? "[^" : "[") + set + "]";
    out += assertions.empty() ? base : "(?:" + assertions + base + ")";
    return true;
  }
};

/// Whether the runtime can use the pattern; it compiles it with the same options.
bool compiles(const std::string &pattern, std::string &error) {
  int number;
  PCRE2_SIZE at;
  pcre2_code *code =
      pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                    PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &number, &at, nullptr);
  if (code) {
    pcre2_code_free(code);
    return true;
  }
  PCRE2_UCHAR message[160] = {};
  pcre2_get_error_message(number, message, sizeof message);
  error = "has the pattern " + quotedText(pattern) + ", which is wrong at byte " + std::to_string(at) + ": " +
          reinterpret_cast<const char *>(message);
  return false;
}

} // namespace

bool llmc::formats::translateRegex(std::string_view oniguruma, std::string &pcre2, std::string &error) {
  pcre2.clear();
  error.clear();
  if (oniguruma.size() > kMaxPattern) {
    error = "has a pattern of " + std::to_string(oniguruma.size()) + " bytes, expected at most " +
            std::to_string(kMaxPattern);
    return false;
  }
  // Tried at every place of a run of spaces that does not end the text, this would take quadratic time. The
  // matches are the same: the leftmost one begins where the run does, and the longest one leaves none behind
  // it in the run.
  if (oniguruma == R"(\s+$)")
    oniguruma = R"((?<!\s)\s+$)";
  return Translator(oniguruma, error).run(pcre2) && compiles(pcre2, error);
}

std::string llmc::formats::literalPattern(std::string_view text) {
  std::string out;
  for (char c : text)
    if (static_cast<unsigned char>(c) < 0x80 && !std::isalnum(static_cast<unsigned char>(c)) && c > 0x20)
      out += {'\\', c};
    else
      out += c;
  return out;
}
