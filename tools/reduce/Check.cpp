//===- Check.cpp - does a smaller model still fail? -----------------------===//
#include "tools/reduce/Check.h"

#include <cstdio>
#include <string_view>

using namespace llmc::tools;

/// A shell that cannot start the command says which and why in its last line.
static std::string howEnded(const llmc::CommandEnd &end, const llmc::CommandLimits &limits) {
  if (end.isLate)
    return "it took longer than " + std::to_string(limits.seconds) + " s";
  if (end.signal)
    return "ended by signal " + std::to_string(end.signal);
  std::string how = "exit code " + std::to_string(end.exitCode);
  if (end.exitCode != 126 && end.exitCode != 127)
    return how;
  std::string_view text = end.output;
  text = text.substr(0, text.find_last_not_of("\n") + 1);
  text = text.substr(text.rfind('\n') + 1);
  return text.empty() ? how : how + ": " + std::string(text);
}

Check llmc::tools::checkByCommand(const std::string &command, const CommandLimits &limits) {
  std::string script = command;
  size_t at = script.find("{}");
  if (at == std::string::npos)
    script += " \"$1\"";
  for (; at != std::string::npos; at = script.find("{}", at))
    script.replace(at, 2, "\"$1\"");
  return [=](const std::string &path, std::string &error) {
    CommandEnd end = runLimited({"/bin/sh", "-c", script, "check", path}, limits, error);
    return CheckEnd{end.exitCode == 0, howEnded(end, limits)};
  };
}

Check llmc::tools::checkByCompile(const CompileCheck &check, const CommandLimits &limits) {
  return [=](const std::string &path, std::string &error) {
    const std::string result = path + ".so";
    std::vector<std::string> arguments = {check.compiler, "compile", path, "-o", result};
    arguments.insert(arguments.end(), check.options.begin(), check.options.end());
    CommandEnd end = runLimited(arguments, limits, error);
    std::remove(result.c_str());
    if (end.exitCode == 127 && error.empty()) // by becomeCommand
      error = check.compiler + ": cannot start";
    const bool fails = check.byCrash
                           ? end.signal != 0
                           : end.exitCode > 0 && end.output.find(check.errorText) != std::string::npos;
    return CheckEnd{fails, howEnded(end, limits)};
  };
}
