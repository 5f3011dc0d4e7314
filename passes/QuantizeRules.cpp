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
  Rule rule{text.str(), place, scheme.str(), llvm::Regex(pattern)};
  std::string why;
  if (pattern.empty() || !rule.pattern.isValid(why))
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
  llvm::SmallVector<StringRef> lines;
  (*file)->getBuffer().split(lines, '\n');
  for (auto [number, line] : llvm::enumerate(lines)) {
    size_t comment = line.find('#');
    while (comment != StringRef::npos && comment > 0 && !llvm::isSpace(line[comment - 1]))
      comment = line.find('#', comment + 1);
    line = line.take_front(comment).trim();
    if (line.empty())
      continue;
    if (std::string words = add(line, path.str() + ":" + std::to_string(number + 1) + ": "); !words.empty())
      return words;
  }
  return {};
}

StringRef QuantizeRules::outerScheme(StringRef scheme) { return scheme.starts_with("q4_") ? "q8_0" : scheme; }

std::string QuantizeRules::schemeOf(llvm::ArrayRef<std::string> tensors, bool isOuter) {
  std::string scheme = everywhere.empty() ? "keep" : isOuter ? outerScheme(everywhere).str() : everywhere;
  for (Rule &rule : rules)
    if (llvm::any_of(tensors, [&](const std::string &name) { return rule.pattern.match(name); })) {
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
