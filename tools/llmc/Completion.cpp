//===- Completion.cpp - llmc completion -----------------------------------===//
//
// A script for each shell, written from the table of commands: the commands, each command's options, and the
// words that an option takes. Where anything may follow, files are offered.
//
//===----------------------------------------------------------------------===//
#include "tools/llmc/Common.h"
#include "tools/llmc/Manual.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace llmc::cli {
namespace {

using Table = std::vector<CommandInfo>;

bool takesFile(const OptionInfo &option) {
  return option.value == "FILE" || option.value == "DIR" || option.value == "TEXT" || option.value.empty();
}

/// Text between single quotes of a shell.
std::string inQuotes(std::string_view text) {
  std::string result = "'";
  for (char c : text)
    result += c == '\'' ? "'\\''" : std::string(1, c);
  return result + "'";
}

std::string bashScript(const Table &table) {
  std::vector<std::string> names;
  std::string values, options;
  for (const CommandInfo &command : table) {
    names.push_back(command.name);
    std::vector<std::string> words = {"--help"};
    for (const OptionInfo &option : command.options) {
      words.insert(words.end(), option.names.begin(), option.names.end());
      if (option.value.empty())
        continue;
      std::string patterns;
      for (const std::string &name : option.names)
        patterns += fmt::format("{}'{} {}'", patterns.empty() ? "" : "|", command.name, name);
      if (!option.choices.empty())
        values += fmt::format("    {}) COMPREPLY=($(compgen -W '{}' -- \"$cur\")); return ;;\n", patterns,
                              fmt::join(option.choices, " "));
      else
        values += fmt::format("    {}) {}return ;;\n", patterns,
                              takesFile(option) ? "COMPREPLY=($(compgen -f -- \"$cur\")); " : "");
    }
    options += fmt::format("    {}) words='{}' ;;\n", command.name, fmt::join(words, " "));
    for (const OptionInfo &option : command.positionals)
      if (!option.choices.empty())
        options +=
            fmt::format("  esac\n  case $command in\n    {}) [[ $cur == -* ]] || {{ COMPREPLY=($(compgen -W "
                        "'{}' -- \"$cur\")); return; }} ;;\n",
                        command.name, fmt::join(option.choices, " "));
  }
  return fmt::format(R"(# bash completion for llmc
_llmc() {{
  local IFS=$' \t\n' cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD-1]}} command=${{COMP_WORDS[1]}} words=
  COMPREPLY=()
  if (( COMP_CWORD == 1 )); then
    COMPREPLY=($(compgen -W '{} --help --version' -- "$cur"))
    return
  fi
  case "$command $prev" in
{}  esac
  case $command in
{}  esac
  if [[ $cur == -* ]]; then
    COMPREPLY=($(compgen -W "$words" -- "$cur"))
  else
    compopt -o filenames 2>/dev/null
    COMPREPLY=($(compgen -f -- "$cur"))
  fi
}}
complete -F _llmc llmc
)",
                     fmt::join(names, " "), values, options);
}

/// What _arguments of zsh calls a message, an action: no colons, brackets or quotes unescaped.
std::string zshText(std::string_view text) {
  std::string result;
  for (char c : text) {
    if (c == '[' || c == ']' || c == ':' || c == '\\')
      result += '\\';
    result += c;
  }
  return result;
}

std::string zshAction(const OptionInfo &option) {
  if (!option.choices.empty())
    return fmt::format("({})", fmt::join(option.choices, " "));
  return takesFile(option) ? "_files" : "";
}

std::string zshScript(const Table &table) {
  std::string list, cases;
  for (const CommandInfo &command : table) {
    list += "    " + inQuotes(command.name + ":" + zshText(command.summary)) + "\n";
    cases += fmt::format("    {})\n      _arguments -s \\\n        '--help[print what the command does]'",
                         command.name);
    for (const OptionInfo &option : command.options)
      for (const std::string &name : option.names) {
        std::string spec = (option.repeats ? "*" : "") + name + "[" + zshText(option.help) + "]";
        if (!option.value.empty())
          spec += ":" + zshText(option.value) + ":" + zshAction(option);
        cases += " \\\n        " + inQuotes(spec);
      }
    for (const OptionInfo &option : command.positionals)
      cases += " \\\n        " + inQuotes(":" + option.names.front() + ":" + zshAction(option));
    cases += "\n      ;;\n";
  }
  return fmt::format(R"(#compdef llmc
# zsh completion for llmc
_llmc() {{
  local -a commands=(
{}  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  (( CURRENT-- ))
  case $command in
{}  esac
}}
if [[ $funcstack[1] == _llmc ]]; then
  _llmc "$@"
else
  compdef _llmc llmc
fi
)",
                     list, cases);
}

std::string fishScript(const Table &table) {
  auto fishQuoted = [](std::string_view text) {
    std::string result = "'";
    for (char c : text)
      result += c == '\'' || c == '\\' ? "\\" + std::string(1, c) : std::string(1, c);
    return result + "'";
  };
  std::string script = "# fish completion for llmc\n";
  for (const CommandInfo &command : table)
    script += fmt::format("complete -c llmc -n __fish_use_subcommand -f -a {} -d {}\n", command.name,
                          fishQuoted(command.summary));
  for (const CommandInfo &command : table) {
    std::string start = fmt::format("complete -c llmc -n '__fish_seen_subcommand_from {}'", command.name);
    for (const OptionInfo &option : command.options) {
      std::string line = start;
      for (const std::string &name : option.names)
        line += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
      if (!option.choices.empty())
        line += fmt::format(" -x -a '{}'", fmt::join(option.choices, " "));
      else if (!option.value.empty())
        line += takesFile(option) ? " -r -F" : " -x";
      script += line + " -d " + fishQuoted(option.help) + "\n";
    }
    for (const OptionInfo &option : command.positionals)
      if (!option.choices.empty())
        script += fmt::format("{} -f -a '{}'\n", start, fmt::join(option.choices, " "));
  }
  return script;
}

struct Shell {
  const char *name;
  std::string (*script)(const Table &);
};
constexpr Shell shells[] = {{"bash", bashScript}, {"zsh", zshScript}, {"fish", fishScript}};

} // namespace

std::vector<std::string> shellNames() {
  std::vector<std::string> names;
  for (const Shell &shell : shells)
    names.push_back(shell.name);
  return names;
}

int printCompletion(const CLI::App &app, const std::string &name) {
  for (const Shell &shell : shells)
    if (name == shell.name)
      print(shell.script(wholeTable(app)));
  flushOutput();
  return 0;
}

} // namespace llmc::cli
