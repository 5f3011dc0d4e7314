//===- Side.cpp - one of two compiles that are held together --------------===//
#include "tools/bisect/Side.h"

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"

#include <algorithm>

using namespace llmc;
using namespace llmc::tools;
namespace json = llvm::json;

bool tools::isDumpFolder(const std::string &path) { return llvm::sys::fs::exists(path + "/passes.json"); }

/// The sentence of a command that failed.
static std::string sentenceOf(const CommandEnd &end, const std::string &program) {
  if (end.isLate)
    return program + ": takes too long";
  if (end.signal)
    return program + ": was ended by signal " + std::to_string(end.signal);
  llvm::StringRef text = llvm::StringRef(end.output).rtrim();
  text = text.substr(text.rfind('\n') + 1);
  text.consume_front("llmc: error: ");
  return text.empty() ? program + ": exit code " + std::to_string(end.exitCode) : text.str();
}

static bool runCompiler(const std::vector<std::string> &arguments, const CommandLimits &limits,
                        std::string &error, bool *isUsage = nullptr) {
  CommandEnd end = runLimited(arguments, limits, error);
  if (!error.empty())
    return false;
  if (isUsage)
    *isUsage = end.exitCode == 2;
  if (end.exitCode != 0)
    error = sentenceOf(end, arguments[0]);
  return error.empty();
}

static std::string textOf(llvm::StringRef path, std::string &error) {
  auto buffer = llvm::MemoryBuffer::getFile(path, /*IsText=*/true);
  if (!buffer) {
    error = (path + ": " + buffer.getError().message()).str();
    return "";
  }
  return (*buffer)->getBuffer().str();
}

/// The options of the compile and its folders differ between sides that are the same.
static std::string withoutDumpAttribute(std::string text) {
  const char *head = "module attributes {llmc.dump";
  size_t at = llvm::StringRef(text).starts_with(head) ? 0 : text.find(std::string("\n") + head);
  if (at == std::string::npos)
    return text;
  at += text[at] == '\n';
  return text.replace(at, text.find('\n', at) - at, "module {");
}

static std::optional<Side> readSide(const std::string &folder, std::string &error) {
  const std::string path = folder + "/passes.json";
  std::string text = textOf(path, error);
  if (!error.empty())
    return std::nullopt;
  llvm::Expected<json::Value> parsed = json::parse(text);
  if (!parsed) {
    error = path + ": is no JSON: " + llvm::toString(parsed.takeError());
    return std::nullopt;
  }
  auto refuse = [&](const char *what) {
    error = path + ": " + what;
    return std::nullopt;
  };
  const json::Object *index = parsed->getAsObject();
  if (!index || index->getString("format") != llvm::StringRef("llmc dump"))
    return refuse("is not the table of a dump");
  const json::Array *passes = index->getArray("passes"), *weights = index->getArray("weights");
  if (!passes || !weights)
    return refuse("has no lists 'passes' and 'weights'");
  Side side;
  side.folder = folder;
  side.activations = index->getString("activations").value_or("").str();
  side.cacheTypes = index->getString("kv").value_or("").str();
  if (const json::Object *asked = index->getObject("options"))
    side.hasRandomWeights = asked->getBoolean("random_weights").value_or(false);
  for (const json::Value &weight : *weights)
    if (const json::Object *file = weight.getAsObject())
      side.weightFiles.push_back(file->getString("path").value_or("").str());
  for (const json::Value &value : *passes) {
    const json::Object *pass = value.getAsObject();
    if (!pass || pass->getString("phase") == llvm::StringRef("llvm"))
      continue;
    auto name = pass->getString("name"), file = pass->getString("file");
    if (!name || !file)
      return refuse("lists a pass without a file: the dump was filtered");
    if (llvm::sys::path::filename(*file) != *file)
      return refuse("names a file in another folder");
    SideState &state = side.states.emplace_back();
    state.pass = *name == "start" ? "import" : name->str();
    state.phase = pass->getString("phase").value_or("").str();
    const std::string place = folder + "/" + file->str();
    state.text = withoutDumpAttribute(textOf(place, error));
    if (!error.empty())
      return std::nullopt;
    if (pass->getString("start_from") == llvm::StringRef("llvm"))
      side.program = place;
  }
  if (side.states.empty())
    return refuse("lists no passes");
  return side;
}

/// The command that compiles a model, but for its results.
static std::vector<std::string> compileOf(const SideSource &source) {
  std::vector<std::string> arguments = {source.compiler, "compile", source.model};
  arguments.insert(arguments.end(), source.options.begin(), source.options.end());
  // One variant is enough to compare, and compiles in half the time.
  if (std::none_of(source.options.begin(), source.options.end(),
                   [](llvm::StringRef option) { return option.starts_with("--cpu"); }))
    arguments.insert(arguments.end(), {"--cpu", "native"});
  return arguments;
}

std::optional<Side> tools::makeSide(const SideSource &source, const std::string &folder,
                                    const CommandLimits &limits, std::string &error, bool &isUsage) {
  if (isDumpFolder(source.model)) {
    if (!source.options.empty())
      error = source.model + ": a dump carries the options of its compile, there cannot be others";
    return error.empty() ? readSide(source.model, error) : std::nullopt;
  }
  std::vector<std::string> arguments = compileOf(source);
  arguments.insert(arguments.end(), {"--stop-after", "step", "--dump-ir", folder, "--output", "-"});
  if (!runCompiler(arguments, limits, error, &isUsage))
    return std::nullopt;
  if (!isDumpFolder(folder)) {
    error = source.compiler + ": says that it has compiled the model, but has written no dump: expected a "
                              "llmc-compile";
    return std::nullopt;
  }
  return readSide(folder, error);
}

bool tools::canCompile(const Side &side, const SideSource &source) {
  return !isDumpFolder(source.model) || !side.program.empty();
}

bool tools::compileSide(const Side &side, const SideSource &source, const std::string &path,
                        const CommandLimits &limits, std::string &error) {
  std::vector<std::string> arguments =
      isDumpFolder(source.model) ? std::vector<std::string>{source.compiler, "compile", side.program}
                                 : compileOf(source);
  arguments.insert(arguments.end(), {"--output", path});
  return runCompiler(arguments, limits, error);
}
