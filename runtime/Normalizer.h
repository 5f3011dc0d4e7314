// What happens to text between special tokens before it is split.
#pragma once

#include "runtime/CharsMap.h"
#include "runtime/TokenizerData.h"

#include <string>
#include <vector>

struct pcre2_real_code_8;

namespace llmc {

class Normalizer {
public:
  Normalizer() = default;
  ~Normalizer();
  Normalizer(const Normalizer &) = delete;
  Normalizer &operator=(const Normalizer &) = delete;

  llmc_status open(const TokenizerData &);
  bool isIdentity() const { return steps.empty(); }
  /// Whether the first step replaces malformed bytes by itself.
  bool takesMalformed() const;

  /// Where the text stands between special tokens.
  struct Place {
    bool isFirst, isLast; // nothing before it, nothing behind it
  };

  /// Valid UTF-8 (or any bytes, see takesMalformed) to valid UTF-8; the result is `text` itself or lies in
  /// `buffer`.
  llmc_status apply(std::string_view text, Place, std::string &buffer, std::string_view &out) const;

private:
  struct Step {
    uint32_t type, flags;
    std::string_view a, b;
    CharsMap map;
    pcre2_real_code_8 *code = nullptr;
  };
  std::vector<Step> steps;

  /// False if the text stays as it is.
  llmc_status apply(const Step &, std::string_view text, Place, std::string &out, bool &isChanged) const;
};

} // namespace llmc
