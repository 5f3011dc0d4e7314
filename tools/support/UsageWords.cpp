//===- UsageWords.cpp - what is wrong with a command line -----------------===//
#include "tools/support/UsageWords.h"

#include <CLI/CLI.hpp>

#include <string_view>

namespace llmc {

/// What is wrong with an empty value of this type; null: nothing.
static const char *emptyWords(const std::string &type) {
  const std::string_view name = std::string_view(type).substr(0, type.find(':')); // then what checks say
  return name == "FILE"    ? "an empty file name"
         : name == "DIR"   ? "an empty folder name"
         : name == "PHASE" ? "an empty name"
                           : nullptr;
}

void refuseEmptyNames(CLI::App &app) {
  for (CLI::App *command : app.get_subcommands([](CLI::App *) { return true; }))
    for (CLI::Option *option : command->get_options())
      if (const char *words = emptyWords(option->get_type_name())) // before other checks, which say less
        option->transform(
            CLI::Validator([words](std::string &value) { return value.empty() ? words : ""; }, ""));
}

void checkValues(const CLI::App &app, int argc, const char *const *argv) {
  const auto chosen = app.get_subcommands(
      [&](const CLI::App *command) { return argc > 1 && command->get_name() == argv[1]; });
  if (chosen.empty())
    return;
  for (int i = 2; i < argc && std::string_view(argv[i]) != "--"; ++i) {
    const std::string word = argv[i];
    const CLI::Option *before = chosen.front()->get_option_no_throw(argv[i - 1]);
    if (before && before->nonpositional() && before->get_expected_min() > 0)
      continue; // the value of that one, whatever it looks like
    if (!word.starts_with("--") || !word.ends_with('='))
      continue;
    const std::string name = word.substr(0, word.size() - 1);
    const CLI::Option *option = chosen.front()->get_option_no_throw(name);
    if (option && (option->get_expected_max() > 0 || !option->get_fnames().empty()))
      throw CLI::ArgumentMismatch(name + ": expected a value behind the =");
  }
}

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
  if (dynamic_cast<const CLI::ExtrasError *>(&error)) { // the parser lists all, the last one first
    const std::string first = app.remaining(/*recurse=*/true).front();
    sentence = "The following argument was not expected: " + (first.empty() ? "''" : first);
  }
  const auto chosen = app.get_subcommands();
  if (const std::string meant = chosen.empty() ? "" : detachedValue(*chosen.front(), argc, argv, sentence);
      !meant.empty())
    sentence += "; a value of this option is written " + meant;
  return sentence;
}

} // namespace llmc
