//===- QuantizeRules.cpp - which tensor gets which scheme -----------------===//
#include "passes/QuantizeRules.h"

#include "ir/quant/quantize/Quantize.h"

#include "llvm/Support/MemoryBuffer.h"

using namespace llmc;
using llvm::StringRef;

constexpr uint64_t mostFileBytes = 1 << 20;

static std::string checkScheme(StringRef scheme) {
  if (scheme == "keep" || quant::quantizerByName(std::string_view(scheme.data(), scheme.size())))
    return {};
  return "expected a scheme of " + quant::quantizerNames() + ", keep but got '" + scheme.str() + "'";
}

std::optional<QuantizeRules> QuantizeRules::parse(llvm::ArrayRef<std::string> words, std::string &error) {
  std::optional<QuantizeRules> result(std::in_place);
  for (StringRef word : words) {
    error = word.consume_front("@") ? result->addFile(word) : result->add(word, "");
    if (!error.empty())
      return std::nullopt;
  }
  return result;
}

std::string QuantizeRules::add(StringRef text, const std::string &place) {
  const size_t equals = text.rfind('=');
  const bool isPlain = equals == StringRef::npos;
  const StringRef pattern = isPlain ? "" : text.take_front(equals).trim(),
                  scheme = text.drop_front(equals + 1).trim();
  if (std::string words = checkScheme(scheme); !words.empty())
    return place + words;
  if (isPlain) {
    everywhere = scheme.str();
    return {};
  }
  Rule rule{text.str(), place, scheme.str(), std::make_shared<llvm::Regex>(pattern)};
  std::string why;
  if (pattern.empty() || !rule.pattern->isValid(why))
    return place + "expected a regular expression before '=' but got '" + pattern.str() + "'" +
           (why.empty() ? "" : ": " + why);
  rules.push_back(std::move(rule));
  return {};
}

/// Lines with a rule each; a word that begins with # and what follows it is a comment.
std::string QuantizeRules::addFile(StringRef path) {
  auto file = llvm::MemoryBuffer::getFile(path, /*IsText=*/true);
  if (!file)
    return path.str() + ": cannot read the rules: " + file.getError().message();
  if ((*file)->getBufferSize() > mostFileBytes)
    return path.str() + ": expected rules of at most 1 MiB but got " +
           std::to_string((*file)->getBufferSize()) + " bytes";
  bool holdsRules = false;
  llvm::SmallVector<StringRef> lines;
  (*file)->getBuffer().split(lines, '\n');
  for (auto [number, line] : llvm::enumerate(lines)) {
    size_t comment = line.find('#');
    while (comment != StringRef::npos && comment > 0 && !llvm::isSpace(line[comment - 1]))
      comment = line.find('#', comment + 1);
    line = line.take_front(comment).trim();
    if (line.empty())
      continue;
    holdsRules = true;
    if (std::string words = add(line, path.str() + ":" + std::to_string(number + 1) + ": "); !words.empty())
      return words;
  }
  return holdsRules ? "" : path.str() + ": holds no rule, expected SCHEME or REGEX=SCHEME on a line";
}

/// What SCHEME alone means for a matrix. The embedding and the output are few and the logits feel their error
/// directly, so that four bits are not enough for them. Rows that end within a block of 256 would be padded
/// to more bytes than blocks of 32 with one bit more take.
std::string QuantizeRules::plainScheme(int64_t columns, bool isOuter) const {
  if (everywhere.empty())
    return "keep";
  StringRef scheme = isOuter && StringRef(everywhere).starts_with("q4_") ? "q6_k" : StringRef(everywhere);
  const quant::Quantizer *quantizer = quant::quantizerByName(std::string_view(scheme.data(), scheme.size()));
  if (quantizer && quantizer->blockValues == 256 && columns % 256)
    scheme = scheme == "q4_k" ? "q5_0" : "q8_0";
  return scheme.str();
}

std::string QuantizeRules::schemeOf(llvm::ArrayRef<std::string> tensors, int64_t columns, bool isOuter) {
  std::string scheme = plainScheme(columns, isOuter);
  for (Rule &rule : rules)
    if (llvm::any_of(tensors, [&](const std::string &name) { return rule.pattern->match(name); })) {
      rule.hasMatched = true;
      scheme = rule.scheme;
    }
  return scheme;
}

std::vector<std::string> QuantizeRules::texts() const {
  std::vector<std::string> words;
  if (!everywhere.empty())
    words.push_back(everywhere);
  for (const Rule &rule : rules)
    words.push_back(rule.text);
  return words;
}

std::string QuantizeRules::unmatched() const {
  for (const Rule &rule : rules)
    if (!rule.hasMatched)
      return rule.place + "the rule '" + rule.text + "' matches no matrix of the model";
  return {};
}
