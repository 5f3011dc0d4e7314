//===- Check.cpp - does a smaller model still fail? -----------------------===//
#include "tools/reduce/Check.h"

#include <cstdio>

using namespace llmc::tools;

Check llmc::tools::checkByCommand(const std::string &command, const CommandLimits &limits) {
  std::string script = command;
  size_t at = script.find("{}");
  if (at == std::string::npos)
    script += " \"$1\"";
  for (; at != std::string::npos; at = script.find("{}", at))
    script.replace(at, 2, "\"$1\"");
  return [=](const std::string &path, std::string &error) {
    return runLimited({"/bin/sh", "-c", script, "check", path}, limits, error).exitCode == 0;
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
    if (check.byCrash)
      return end.signal != 0;
    return end.exitCode > 0 && end.output.find(check.errorText) != std::string::npos;
  };
}
