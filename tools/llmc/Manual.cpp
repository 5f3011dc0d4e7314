//===- Manual.cpp - llmc man ----------------------------------------------===//
//
// The manual page, written from the table of commands. What is not an option stands here: exit codes, the
// environment, files.
//
//===----------------------------------------------------------------------===//
#include "tools/llmc/Manual.h"
#include "tools/llmc/Common.h"
#include "tools/llmc/Compiler.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace llmc::cli {
namespace {

/// Text as roff prints it, in one line: no control lines, no escapes, hyphens that can be copied.
std::string roff(std::string_view text) {
  std::string result;
  for (char c : text) {
    if (c == '\\')
      result += "\\e";
    else if (c == '-')
      result += "\\-";
    else if (c == '\n')
      result += ' ';
    else if ((c == '.' || c == '\'') && result.empty())
      result += std::string("\\&") + c;
    else
      result += c;
  }
  return result;
}

std::string optionHead(const OptionInfo &option) {
  std::string value =
      option.choices.empty() ? option.value : fmt::format("{}", fmt::join(option.choices, "|"));
  std::string head = fmt::format("\\fB{}\\fR", roff(fmt::format("{}", fmt::join(option.names, ", "))));
  return value.empty() ? head : head + " \\fI" + roff(value) + "\\fR";
}

std::string synopsis(const CommandInfo &command) {
  std::string line = ".B llmc " + command.name + "\n";
  for (const OptionInfo &option : command.positionals)
    line += option.isRequired ? fmt::format(".I {}\n", option.names.front())
                              : fmt::format("[\\fI{}\\fR]\n", option.names.front());
  for (const OptionInfo &option : command.options)
    if (option.isRequired)
      line += optionHead(option) + "\n";
  return line + "[\\fIoptions\\fR]\n.br\n";
}

/// The paragraphs of a footer; its example lines are set as they are.
std::string footer(const CommandInfo &command) {
  std::string result, line;
  bool isExample = false;
  for (size_t at = 0; at < command.footer.size(); at += line.size() + 1) {
    line = command.footer.substr(at, command.footer.find('\n', at) - at);
    bool isLine = line.starts_with("  ");
    if (isLine != isExample)
      result += isLine ? ".PP\n.RS\n.nf\n" : ".fi\n.RE\n";
    isExample = isLine;
    result += line.empty() ? ".PP\n" : roff(isLine ? line.substr(2) : line) + "\n";
  }
  return isExample ? result + ".fi\n.RE\n" : result;
}

std::string section(const CommandInfo &command) {
  std::string text = fmt::format(".SS \"llmc {}\"\n{}.\n", command.name, roff(command.summary));
  for (const std::vector<OptionInfo> *options : {&command.positionals, &command.options})
    for (const OptionInfo &option : *options)
      text += ".TP\n" + optionHead(option) + "\n" + (option.help.empty() ? "\\&" : roff(option.help)) + "\n";
  return text + (command.footer.empty() ? "" : ".PP\n" + footer(command));
}

struct Note {
  const char *name, *text;
};
constexpr Note environment[] = {
    {"LLMC_CPU", "avx2, avx2-vnni, avx512, avx512-bf16, amx or amx-fast: which CPU variant of a model.so "
                 "runs (default: the best)"},
    {"XDG_CACHE_HOME", "where the folder llmc of compiled models lies (default: ~/.cache)"},
    {"LLMC_CACHE_BYTES", "how large that folder may grow (default: 17179869184, 16 GiB)"},
    {"LLMC_PROGRESS", "0: no progress bars; 1: lines of progress where stderr is no terminal"},
    {"NO_COLOR", "if set, progress bars have no color"}};
constexpr Note exitCodes[] = {
    {"0", "success"},
    {"1", "a failure, with one sentence that names the file and the field; also after Ctrl-C"},
    {"2", "a wrong command line"}};

std::string notes(const char *title, std::span<const Note> list) {
  std::string text = fmt::format(".SH {}\n", title);
  for (const Note &note : list)
    text += fmt::format(".TP\n\\fB{}\\fR\n{}\n", note.name, roff(note.text));
  return text;
}

} // namespace

std::vector<CommandInfo> compilerTable() {
  try {
    return commandTableFromJson(compilerOutput({"--describe"}));
  } catch (const std::exception &) { // not installed, or another version: what is here is still true
    return {};
  }
}

std::vector<CommandInfo> wholeTable(const CLI::App &app) {
  std::vector<CommandInfo> table = compilerTable(), own = commandTable(app);
  table.insert(table.end(), own.begin(), own.end());
  return table;
}

int printManual(const CLI::App &app) {
  std::vector<CommandInfo> table = wholeTable(app);
  std::string text = fmt::format(".TH LLMC 1 \"\" \"llmc {}\" \"User Commands\"\n"
                                 ".SH NAME\nllmc \\- compiles language models and runs them\n.SH SYNOPSIS\n",
                                 llmc_version_string());
  for (const CommandInfo &command : table)
    text += synopsis(command);
  text += ".SH DESCRIPTION\nllmc turns a model file into one model.so with kernels, packed weights and "
          "tokenizer, and "
          "runs it.\nA model.so is a program: run it only from where you would run one.\n.SH COMMANDS\n";
  for (const CommandInfo &command : table)
    text += section(command);
  text += notes("EXIT STATUS", exitCodes) + notes("ENVIRONMENT", environment) +
          ".SH FILES\n.TP\n\\fI$XDG_CACHE_HOME/llmc\\fR\nmodels that were compiled on the way to running "
          "them; the "
          "ones unused for longest go first. It may be deleted at any time.\n";
  print(text);
  flushOutput();
  return 0;
}

} // namespace llmc::cli
