//===- Ptxas.cpp - NVIDIA's assembler, where there is one -----------------===//
#include "tools/support/Ptxas.h"

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <regex>
#include <sstream>
#include <sys/stat.h>
#include <unistd.h>

namespace llmc {

static bool isProgram(const std::string &path) {
  struct stat facts;
  return stat(path.c_str(), &facts) == 0 && S_ISREG(facts.st_mode) && access(path.c_str(), X_OK) == 0;
}

std::string findPtxas(const std::string &wish, std::string &path) {
  path.clear();
  if (wish == "none")
    return "";
  if (!wish.empty()) {
    if (!isProgram(wish))
      return "expected a program or none but got '" + wish + "'";
    path = wish;
    return "";
  }
  std::vector<std::string> places;
  if (const char *folders = std::getenv("PATH")) {
    std::istringstream list(folders);
    for (std::string folder; std::getline(list, folder, ':');)
      if (folder.starts_with('/')) // never a program of whatever folder one stands in
        places.push_back(folder);
  }
  for (const char *variable : {"CUDA_HOME", "CUDA_PATH"})
    if (const char *folder = std::getenv(variable); folder && *folder)
      places.push_back(std::string(folder) + "/bin");
  for (const std::string &folder : places)
    if (path = folder + "/ptxas"; isProgram(path))
      return "";
  path.clear();
  return "";
}

static std::string firstLine(const std::string &text) {
  const size_t begin = text.find_first_not_of(" \t\n");
  return begin == std::string::npos ? "" : text.substr(begin, text.find('\n', begin) - begin);
}

std::string Ptxas::run(const std::vector<std::string> &arguments, const std::string &aim,
                       std::string &output) const {
  std::vector<std::string> command = {path};
  command.insert(command.end(), arguments.begin(), arguments.end());
  std::string error;
  const CommandEnd end = runLimited(command, limits, error);
  if (!error.empty())
    return error;
  const std::string start = path + ": " + aim + ": ";
  if (end.isLate)
    return start + "it did not end within " + std::to_string(limits.seconds) + " seconds";
  if (end.signal)
    return start + "it was ended by signal " + std::to_string(end.signal);
  if (end.exitCode != 0) {
    const std::string said = firstLine(end.output);
    return start + (said.empty() ? "it failed with status " + std::to_string(end.exitCode) : said);
  }
  output = end.output;
  return "";
}

std::string Ptxas::readVersion(std::string &text) const {
  return run({"--version"}, "cannot tell its version", text);
}

std::string Ptxas::versionNumber(const std::string &text) {
  std::smatch match;
  return std::regex_search(text, match, std::regex("V([0-9]+(\\.[0-9]+)*)")) ? match[1].str()
                                                                             : firstLine(text);
}

std::string Ptxas::assemble(const std::string &ptx, const std::string &architecture,
                            std::string &cubin) const {
  const std::string result = ptx + ".cubin", aim = "cannot assemble for " + architecture;
  std::string unused;
  if (std::string why = run({"-arch=" + architecture, "-o", result, ptx}, aim, unused); !why.empty())
    return why;
  std::ifstream file(result, std::ios::binary);
  cubin.assign(std::istreambuf_iterator<char>(file), {});
  unlink(result.c_str());
  if (!cubin.starts_with("\177ELF"))
    return path + ": " + aim + ": what it wrote is no machine code";
  return "";
}

} // namespace llmc
