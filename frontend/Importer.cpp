//===- Importer.cpp - model files to the lm dialect -----------------------===//
#include "frontend/Importer.h"

#include "frontend/Architecture.h"
#include "frontend/GgufConfig.h"
#include "frontend/ModelBuilder.h"
#include "frontend/TensorCheck.h"
#include "frontend/formats/HfDirectory.h"
#include "frontend/formats/Quote.h"
#include "ir/Locations.h"
#include "ir/ParseText.h"
#include "ir/Print.h"

#include "mlir/AsmParser/AsmParserState.h"
#include "mlir/IR/Verifier.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MemoryBuffer.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>

namespace fs = std::filesystem;
using namespace mlir;

namespace llmc::frontend {
namespace {

const char *const supported = "expected lm text (.mlir), a GGUF file or a Hugging Face directory";

enum class Kind { Text, Gguf, HuggingFace };

/// Looks at the first bytes.
std::optional<Kind> kindOf(const std::string &path, std::string &error) {
  std::error_code code;
  if (path.empty()) {
    error = fmt::format("an empty file name, {}", supported);
    return std::nullopt;
  }
  fs::file_status status = fs::status(path, code);
  if (!fs::exists(status)) {
    error = fmt::format("{}: {}", path, code ? code.message() : std::string("no such file"));
    return std::nullopt;
  }
  if (fs::is_directory(status))
    return Kind::HuggingFace;
  if (!fs::is_regular_file(status)) {
    error = fmt::format("{}: is not a regular file, {}", path, supported);
    return std::nullopt;
  }
  std::ifstream in(path, std::ios::binary);
  if (!in) {
    error = fmt::format("{}: {}", path, std::strerror(errno));
    return std::nullopt;
  }
  char head[4096];
  in.read(head, sizeof head);
  StringRef bytes(head, in.gcount());
  if (bytes.starts_with("GGUF"))
    return Kind::Gguf;
  if (bytes.starts_with("\177ELF")) {
    error = fmt::format("{}: is already compiled (llmc run takes it), {}", path, supported);
    return std::nullopt;
  }
  // The JSON files of a checkpoint, and its weights, whose JSON follows 8 bytes of length.
  if (bytes.ltrim().starts_with("{") || bytes.drop_front(std::min<size_t>(8, bytes.size())).starts_with("{"))
    return Kind::HuggingFace;
  if (!bytes.empty() && !bytes.contains('\0') && !bytes.starts_with("ML\xefR"))
    return Kind::Text;
  error = fmt::format("{}: {}, {}", path, bytes.empty() ? "is empty" : "is of an unknown format", supported);
  return std::nullopt;
}

/// How a file is spelled in a model that is read from `folder`. A file below the folder keeps its own name,
/// be it a link; the way up goes through real folders, where ".." means what it says.
std::string spelledFrom(const std::string &folder, const std::string &file) {
  fs::path from = fs::absolute(folder.empty() ? "." : folder).lexically_normal();
  fs::path down = fs::absolute(file).lexically_normal().lexically_relative(from);
  if (!down.empty() && *down.begin() != "..")
    return down.string();
  std::error_code code;
  fs::path relative = fs::proximate(file, from, code);
  return code ? file : relative.string();
}

std::string inFolder(const std::string &folder, const std::string &path) {
  return fs::path(path).is_absolute() ? path : (fs::path(folder) / path).string();
}

std::string symbolName(StringRef text) {
  std::string name;
  for (char c : text.take_front(64))
    name += llvm::isAlnum(c) ? llvm::toLower(c) : '_';
  return name.empty() || llvm::isDigit(name[0]) ? "model_" + name : name;
}

const Architecture *architectureOf(const formats::GgufFile &file, std::string &error) {
  auto name = file.string("general.architecture", error);
  if (!error.empty())
    return nullptr;
  std::string known;
  for (const Architecture *architecture : architectures()) {
    if (!architecture->ggufName)
      continue;
    if (name && *name == architecture->ggufName)
      return architecture;
    known += (known.empty() ? "" : ", ") + std::string(architecture->ggufName);
  }
  error = fmt::format("{}: key 'general.architecture' is {}, expected one of: {}", file.path(),
                      name ? formats::quotedText(*name) : "missing", known);
  return nullptr;
}

/// Sessions have this many tokens unless asked for more.
constexpr int64_t usualContext = 4096;

void fixContext(const ImportOptions &options, ModelSpec &spec) {
  spec.ropeContext = options.context ? options.context : std::min(spec.context, usualContext);
}

bool readGguf(const formats::GgufFile &file, const ImportOptions &options, ModelSpec &spec,
              std::string &error) {
  if (file.tensors().empty()) {
    error = fmt::format("{}: holds {}no weights", file.path(),
                        file.value("tokenizer.ggml.tokens") ? "only a vocabulary, " : "");
    return false;
  }
  const Architecture *architecture = architectureOf(file, error);
  if (!architecture)
    return false;
  GgufConfig general(file, "general");
  std::string name = general.optionalString("basename").value_or("");
  if (name.empty())
    name = general.optionalString("name").value_or("");
  if (!general.ok()) {
    error = general.firstError();
    return false;
  }
  spec.file = file.path();
  spec.name = symbolName(name.empty() ? fs::path(file.path()).stem().string() : name);
  spec.family = architecture->ggufName;
  GgufConfig config(file, architecture->ggufName);
  architecture->readGguf(config, spec);
  fixContext(options, spec);
  error = config.firstError();
  if (!error.empty() || !spec.check(error))
    return false;
  if (const formats::GgufArray *tokens = file.array("tokenizer.ggml.tokens", error);
      tokens && tokens->size() > static_cast<uint64_t>(spec.vocab))
    error = fmt::format(
        "{}: key 'tokenizer.ggml.tokens' has {} entries, expected at most {}, the rows of the embedding",
        file.path(), tokens->size(), spec.vocab);
  return error.empty();
}

/// By the first of `architectures`, else by `model_type`; of a model of several modalities, that of its
/// language model.
const Architecture *architectureOf(HfConfig &config) {
  std::vector<std::string> said;
  for (std::string scope : {"", "text_config."}) {
    if (auto names = config.strings(scope + "architectures"); !names.empty())
      said.push_back(names.front());
    if (auto type = config.optionalString(scope + "model_type"))
      said.push_back(*type);
  }
  if (said.empty()) {
    config.refuse("architectures", "it or 'model_type'");
    return nullptr;
  }
  for (const std::string &name : said)
    for (const Architecture *architecture : architectures())
      if (llvm::is_contained(architecture->hfNames, name))
        return architecture;
  const bool isType = !config.value("architectures");
  std::string known;
  for (const Architecture *architecture : architectures())
    if (architecture->readHf)
      known += (known.empty() ? "" : ", ") +
               std::string(isType ? architecture->hfNames.back() : architecture->hfNames.front());
  config.refuse(isType ? "model_type" : "architectures", formats::quotedText(said.front()),
                "one of: " + known);
  return nullptr;
}

bool readHf(const formats::HfDirectory &directory, const formats::WeightFile &weights,
            const ImportOptions &options, ModelSpec &spec, std::string &error) {
  HfConfig config(directory.configPath, directory.config, weights);
  spec.file = directory.configPath;
  spec.name = symbolName(directory.name);
  if (const formats::JsonValue *quantized = config.value("quantization_config")) {
    const formats::JsonValue *method = quantized->find("quant_method");
    config.refuse("quantization_config", method ? method->describe() : quantized->describe(),
                  "no such key: weights that another tool has quantized are not supported");
  } else if (const Architecture *architecture = architectureOf(config)) {
    spec.family = architecture->hfNames.back();
    architecture->readHf(config, spec);
    fixContext(options, spec);
  }
  error = config.firstError();
  return error.empty() && spec.check(error);
}

/// The model of a spec, checked against the tensors of its file.
OwningOpRef<ModuleOp> build(MLIRContext &context, const ModelSpec &spec, const ModelPaths &paths,
                            const formats::WeightFile &weights, std::string &error) {
  OwningOpRef<ModuleOp> module =
      ModuleOp::create(placeNamed(&context, fs::path(spec.file).filename().string()));
  OpBuilder builder(&context);
  builder.setInsertionPointToEnd(module->getBody());
  lm::ModelOp model = buildModel(builder, spec, paths);
  if (std::string note = fixedRopeNote(spec.rope.scaling, spec.ropeContext); !note.empty())
    model.emitRemark() << note;
  if (auto contexts = contextsOfRope(spec.rope.scaling, spec.ropeContext)) // for the manifest
    (*module)->setAttr("lm.rope_contexts", builder.getDenseI64ArrayAttr({contexts->first, contexts->second}));
  FirstError reported(context);
  if (failed(verify(*module))) {
    error = fmt::format("{}: {}", spec.file, reported.text());
    return nullptr;
  }
  if (!checkTensors(model, weights, spec.leftOut, error))
    return nullptr;
  return module;
}

OwningOpRef<ModuleOp> importGguf(MLIRContext &context, const std::string &path, const std::string &folder,
                                 const ImportOptions &options, std::string &error) {
  formats::OpenFiles own;
  auto file = (options.files ? *options.files : own).open(path, error);
  ModelSpec spec;
  if (!file || !readGguf(*file->gguf(), options, spec, error))
    return nullptr;
  std::string spelled = spelledFrom(folder, path);
  return build(context, spec, {{spelled}, spelled}, *file, error);
}

OwningOpRef<ModuleOp> importHf(MLIRContext &context, const std::string &path, const std::string &folder,
                               const ImportOptions &options, std::string &error) {
  std::optional<formats::HfDirectory> directory = formats::HfDirectory::open(path, error);
  if (!directory)
    return nullptr;
  formats::OpenFiles own;
  auto weights = (options.files ? *options.files : own).open(directory->weights, error);
  ModelSpec spec;
  if (!weights || !readHf(*directory, *weights, options, spec, error))
    return nullptr;
  std::string tokenizer = directory->tokenizer.empty() ? "" : spelledFrom(folder, directory->tokenizer);
  return build(context, spec, {{spelledFrom(folder, directory->weights)}, tokenizer}, *weights, error);
}

/// The place of a value with its name in the text, "%h"; without where the text numbers it.
Location namedAs(SMRange range, Location place) {
  StringRef text(range.Start.getPointer(), range.End.getPointer() - range.Start.getPointer());
  if (!text.consume_front("%") || text.empty() || llvm::isDigit(text[0]))
    return place;
  return valueNamed(text, place);
}

void keepNames(const AsmParserState &state) {
  for (const AsmParserState::OperationDefinition &op : state.getOpDefs())
    if (op.op->getNumResults() == 1 && op.resultGroups.size() == 1)
      op.op->setLoc(namedAs(op.resultGroups[0].definition.loc, op.op->getLoc()));
  for (const AsmParserState::BlockDefinition &block : state.getBlockDefs())
    for (auto [argument, definition] : llvm::zip(block.block->getArguments(), block.arguments))
      argument.setLoc(namedAs(definition.loc, argument.getLoc()));
}

OwningOpRef<ModuleOp> importText(MLIRContext &context, const std::string &path, const std::string &folder,
                                 std::string &error) {
  // What the parser would say of a text that was never meant as a model helps nobody.
  const bool isInDump = fs::exists(fs::path(path).parent_path() / "passes.json");
  if (auto text = llvm::MemoryBuffer::getFile(path, /*IsText=*/true);
      text && (isInDump || !StringRef(path).ends_with(".mlir")) &&
      !(*text)->getBuffer().contains("lm.model")) {
    error = fmt::format("{}: holds no 'lm.model', {}{}", path, supported,
                        isInDump ? "; of this dump a compile starts from the files that passes.json gives a "
                                   "start_from"
                                 : "");
    return nullptr;
  }
  OwningOpRef<ModuleOp> module = parseText(context, path, error, keepNames);
  if (!module)
    return nullptr;
  if ((*module)->hasAttr("llmc.dump")) { // what it says of weights and passes would be lost
    error = fmt::format(
        "{}: is a dump, which llmc compile alone goes on with, and only where nothing but comments "
        "stands before 'module attributes {{llmc.dump = '",
        path);
    return nullptr;
  }
  auto models = llvm::to_vector(module->getOps<lm::ModelOp>());
  if (models.size() != 1) {
    error = fmt::format("{}: holds {} 'lm.model' ops, expected one", path, models.size());
    return nullptr;
  }
  std::string here = folderOf(path);
  auto moved = [&](StringRef spelled) {
    return fs::path(spelled.str()).is_absolute() ? spelled.str()
                                                 : spelledFrom(folder, inFolder(here, spelled.str()));
  };
  if (folder != here) {
    for (lm::WeightsOp weights : models[0].getOps<lm::WeightsOp>())
      weights.setPath(moved(weights.getPath()));
    if (auto tokenizer = models[0].getTokenizer())
      models[0].setTokenizer(moved(*tokenizer));
  }
  return module;
}

} // namespace

std::string folderOf(const std::string &path) {
  std::error_code code;
  if (fs::is_directory(path, code))
    return path;
  fs::path folder = fs::path(path).parent_path();
  return folder.empty() ? "." : folder.string();
}

lm::ModelOp modelOf(ModuleOp module) { return *module.getOps<lm::ModelOp>().begin(); }

ModelFiles findModelFiles(lm::ModelOp model, const std::string &folder) {
  ModelFiles files;
  for (lm::WeightsOp weights : model.getOps<lm::WeightsOp>())
    files.weights.push_back(inFolder(folder, weights.getPath().str()));
  if (auto tokenizer = model.getTokenizer())
    files.tokenizer = inFolder(folder, tokenizer->str());
  return files;
}

OwningOpRef<ModuleOp> importModel(MLIRContext &context, const std::string &path, const ImportOptions &options,
                                  std::string &error) {
  error.clear();
  context.loadDialect<lm::LMDialect>();
  std::optional<Kind> kind = kindOf(path, error);
  if (!kind)
    return nullptr;
  std::string folder = options.relativeTo.empty() ? folderOf(path) : options.relativeTo;
  switch (*kind) {
  case Kind::Text:
    return importText(context, path, folder, error);
  case Kind::Gguf:
    return importGguf(context, path, folder, options, error);
  case Kind::HuggingFace:
    return importHf(context, path, folder, options, error);
  }
  return nullptr;
}

void printModel(lm::ModelOp model, llvm::raw_ostream &out) { printNamed(model, out); }

} // namespace llmc::frontend
