//===- ParseText.cpp - IR from a text that anybody may have written -------===//
#include "ir/ParseText.h"

#include "mlir/AsmParser/AsmParser.h"
#include "mlir/AsmParser/AsmParserState.h"
#include "mlir/Parser/Parser.h"

#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/SourceMgr.h"

#include <algorithm>

using namespace mlir;
using namespace llmc;

static std::string placed(Location loc, const std::string &message) {
  std::string text;
  if (auto file = loc->findInstanceOf<FileLineColLoc>())
    text = (file.getFilename().getValue() + ":" + llvm::Twine(file.getLine()) + ":" +
            llvm::Twine(file.getColumn()) + ": ")
               .str();
  text += message;
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

LogicalResult FirstError::take(Diagnostic &diagnostic) {
  if (diagnostic.getSeverity() != DiagnosticSeverity::Error)
    return failure(); // the next handler's
  if (!sentence.empty())
    return success();
  sentence = placed(diagnostic.getLocation(), diagnostic.str());
  for (Diagnostic &note : diagnostic.getNotes())
    sentence += " (" + placed(note.getLocation(), note.str()) + ")";
  return success();
}

/// The parser recurses at every bracket; a text that a person or a tool means nests a few levels.
constexpr int deepestNesting = 256;

/// The line where brackets outside strings and comments nest too deep, 0 if nowhere.
static int lineOfDeepNesting(StringRef text) {
  int depth = 0, line = 1;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '\n')
      ++line;
    else if (c == '"')
      for (++i; i < text.size() && text[i] != '"' && text[i] != '\n'; ++i)
        i += text[i] == '\\';
    else if (c == '/' && text.substr(i).starts_with("//"))
      i = std::min(text.find('\n', i), text.size()) - 1;
    else if (StringRef("{([<").contains(c))
      ++depth;
    else if (StringRef("})]>").contains(c) && depth > 0 && !text.substr(i - 1).starts_with("->"))
      --depth;
    if (depth > deepestNesting)
      return line;
  }
  return 0;
}

OwningOpRef<ModuleOp> llmc::parseText(MLIRContext &context, const std::string &path, std::string &error,
                                      function_ref<void(const AsmParserState &)> whenParsed) {
  auto text = llvm::MemoryBuffer::getFile(path, /*IsText=*/true);
  if (!text) {
    error = path + ": " + text.getError().message();
    return nullptr;
  }
  if (int line = lineOfDeepNesting((*text)->getBuffer())) {
    error =
        path + ":" + std::to_string(line) + ": brackets nest deeper than " + std::to_string(deepestNesting);
    return nullptr;
  }
  FirstError reported(context);
  llvm::SourceMgr sources;
  sources.AddNewSourceBuffer(std::move(*text), llvm::SMLoc());
  Block parsed;
  ParserConfig config(&context);
  AsmParserState state;
  OwningOpRef<ModuleOp> module;
  if (succeeded(parseAsmSourceFile(sources, &parsed, config, whenParsed ? &state : nullptr))) {
    if (whenParsed)
      whenParsed(state);
    module = mlir::detail::constructContainerOpForParserIfNecessary<ModuleOp>(
        &parsed, &context, FileLineColLoc::get(&context, path, 0, 0));
  }
  if (!module)
    error = reported.text().empty() ? path + ": does not parse" : reported.text();
  return module;
}
