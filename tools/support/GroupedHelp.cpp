//===- GroupedHelp.cpp - options of --help by what they are about ---------===//
#include "tools/support/GroupedHelp.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <sstream>
#include <string_view>
#include <vector>

namespace llmc {
namespace {

struct Group {
  const char *title;
  std::vector<std::string_view> options;
};

/// What is in none of them comes last.
const std::vector<Group> &groups() {
  static const std::vector<Group> list = {
      {"Text",
       {"prompt", "tokens", "file", "tokens-file", "chat", "system", "plain", "add-special", "all",
        "pooling"}},
      {"Length", {"n", "depth", "ctx", "ctx-policy", "stop", "ignore-eos", "stride", "skip"}},
      {"Sampling",
       {"temp", "top-k", "top-p", "min-p", "typical-p", "repeat-penalty", "presence-penalty",
        "frequency-penalty", "penalty-last-n", "seed"}},
      {"Numbers", {"activations", "kv", "quantize"}},
      {"Running", {"session", "parallel", "seqs", "repetitions", "batch", "threads", "copy-weights", "device", "cpu"}},
      {"Cache", {"cache-dir", "no-cache", "clear"}},
      {"Looking into a run",
       {"trace", "trace-values", "trace-limit", "profile", "profile-trace", "remeasure", "tolerance"}},
      {"What fails",
       {"check", "crash", "error", "options", "options-a", "options-b", "compiler-b", "compiler",
        "check-seconds", "check-memory"}},
      {"Looking into the compiler",
       {"disable-pass", "default-kernels", "dump-ir", "verify-passes", "verify-layers", "verify-device",
        "random-weights", "stop-after", "times"}},
      {"Output", {"output", "json", "save-logits", "kl", "verbose", "verify", "help"}}};
  return list;
}

constexpr const char *otherwise = "More";

std::string nameOf(const CLI::Option &option) {
  return option.get_lnames().empty() ? "" : option.get_lnames().front();
}

const char *groupOf(const CLI::Option &option) {
  for (const Group &group : groups())
    if (std::find(group.options.begin(), group.options.end(), nameOf(option)) != group.options.end())
      return group.title;
  return otherwise;
}

class Help : public CLI::Formatter {
public:
  std::string make_help(const CLI::App *app, std::string name, CLI::AppFormatMode mode) const override {
    if (mode == CLI::AppFormatMode::Sub || !app->get_subcommands({}).empty())
      return CLI::Formatter::make_help(app, std::move(name), mode);
    std::ostringstream out;
    out << make_description(app) << make_usage(app, name) << make_positionals(app);
    for (const Group &group : groups())
      out << section(*app, group.title);
    out << section(*app, otherwise) << '\n' << make_footer(app);
    return out.str();
  }

private:
  std::string section(const CLI::App &app, const char *title) const {
    std::vector<const CLI::Option *> options = app.get_options(
        [&](const CLI::Option *option) { return option->nonpositional() && option->get_group() == title; });
    return options.empty() ? "" : make_group(title, /*is_positional=*/false, options);
  }
};

} // namespace

void groupOptions(CLI::App &app) {
  auto help = std::make_shared<Help>();
  help->column_width(34);
  for (CLI::App *command : app.get_subcommands([](CLI::App *) { return true; })) {
    command->formatter(help);
    for (CLI::Option *option : command->get_options())
      if (option->nonpositional() && !option->get_group().empty()) // an empty one hides it
        option->group(groupOf(*option));
  }
}

} // namespace llmc
