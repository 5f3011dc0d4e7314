//===- UsageWords.cpp - what is wrong with a command line -----------------===//
#include "tools/support/UsageWords.h"

#include <CLI/CLI.hpp>

#include <string_view>

namespace llmc {

/// "--profile FILE", where the value would have to be a part of the word: what was meant, else nothing.
static std::string detachedValue(const CLI::App &command, int argc, const char *const *argv,
                                 std::string_view sentence) {
  for (int i = 1; i + 1 < argc; ++i) {
    const CLI::Option *option = command.get_option_no_throw(argv[i]);
    const std::string_view value = argv[i + 1];
    if (option && std::string_view(argv[i]).starts_with("--") && option->get_expected_min() == 0 &&
        !option->get_fnames().empty() && !value.empty() && !value.starts_with("-") &&
        sentence.ends_with(": " + std::string(value)))
      return std::string(argv[i]) + "=" + std::string(value);
  }
  return "";
}

std::string usageWords(const CLI::ParseError &error, const CLI::App &app, int argc, const char *const *argv) {
  std::string sentence = error.what();
  if (size_t at = sentence.find(": At Most 1 required but received"); at != std::string::npos)
    return sentence.substr(0, at) + ": is given more than once";
  constexpr std::string_view excludes = " excludes ";
  if (size_t at = sentence.find(excludes);
      dynamic_cast<const CLI::ExcludesError *>(&error) && at != std::string::npos)
    return sentence.replace(at, excludes.size(), " and ") + " exclude each other";
  if (dynamic_cast<const CLI::ExtrasError *>(&error)) // the parser lists all, the last one first
    sentence = "The following argument was not expected: " + app.remaining(/*recurse=*/true).front();
  const auto chosen = app.get_subcommands();
  if (const std::string meant = chosen.empty() ? "" : detachedValue(*chosen.front(), argc, argv, sentence);
      !meant.empty())
    sentence += "; a value of this option is written " + meant;
  return sentence;
}

} // namespace llmc
