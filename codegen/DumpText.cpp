//===- DumpText.cpp - a module as text that a compile starts from ---------===//
#include "codegen/DumpText.h"

#include "codegen/DeviceTarget.h"

#include "codegen/HashSources.h"
#include "frontend/formats/TokenizerBlob.h"
#include "ir/LMOps.h"
#include "ir/ParseText.h"
#include "ir/Print.h"
#include "ir/StepOps.h"
#include "passes/QuantizeRules.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/Diagnostics.h"

#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MemoryBuffer.h"

#include <filesystem>

namespace fs = std::filesystem;
using namespace mlir;
using namespace llmc;
using namespace llmc::codegen;

constexpr llvm::StringLiteral attributeName = "llmc.dump";
constexpr int64_t dumpVersion = 1;

//===----------------------------------------------------------------------===//
// Writing
//===----------------------------------------------------------------------===//

/// Where a file lies as seen from a folder, and in the whole tree.
static std::pair<std::string, std::string> placesOf(const std::string &path, const std::string &folder) {
  fs::path whole = fs::absolute(path).lexically_normal();
  fs::path relative = whole.lexically_relative(fs::absolute(folder).lexically_normal());
  return {relative.empty() ? whole.string() : relative.string(), whole.string()};
}

static std::vector<StringRef> namesOf(ArrayRef<const cpu::Isa *> variants) {
  std::vector<StringRef> names;
  for (const cpu::Isa *isa : variants)
    names.push_back(isa->name);
  return names;
}

/// "cuda:sm_80,sm_90" each.
static std::vector<std::string> namesOf(ArrayRef<DeviceChoice> devices) {
  std::vector<std::string> names;
  for (const DeviceChoice &device : devices)
    names.push_back((device.target->name() + ":" + llvm::join(device.architectures, ",")).str());
  return names;
}

static std::string plainText(ModuleOp module) {
  std::string text;
  llvm::raw_string_ostream out(text);
  printLocated(module, out);
  return text;
}

namespace {
/// Makes a dictionary entry by entry.
class Dictionary {
public:
  explicit Dictionary(MLIRContext *context) : b(context) {}
  void add(StringRef key, Attribute value) { entries.push_back(b.getNamedAttr(key, value)); }
  void add(StringRef key, StringRef value) { add(key, Attribute(b.getStringAttr(value))); }
  void add(StringRef key, int64_t value) { add(key, Attribute(b.getI64IntegerAttr(value))); }
  void add(StringRef key, bool value) { add(key, Attribute(b.getBoolAttr(value))); }
  template <typename T> void addList(StringRef key, const std::vector<T> &values) {
    SmallVector<Attribute> list;
    for (const T &value : values)
      list.push_back(b.getStringAttr(value));
    add(key, Attribute(b.getArrayAttr(list)));
  }
  DictionaryAttr get() { return b.getDictionaryAttr(entries); }

private:
  Builder b;
  SmallVector<NamedAttribute> entries;
};
} // namespace

void codegen::printDump(const PassRun &run, const std::string &folder, llvm::raw_ostream &out) {
  ModuleOp module = run.after;
  MLIRContext *context = module.getContext();
  const PipelineOptions &options = run.options;
  const PipelineState &state = run.state;
  auto place = [&](Dictionary &file, const std::string &path) {
    auto [relative, whole] = placesOf(path, folder);
    file.add("path", StringRef(relative));
    file.add("absolute", StringRef(whole));
  };
  Dictionary asked(context), dump(context);
  asked.add("activations", StringRef(options.activations));
  asked.add("kv", StringRef(options.cacheTypes));
  asked.addList("quantize", options.quantize.texts());
  asked.addList("disable_pass", options.disabledPasses);
  asked.addList("cpu", namesOf(options.variants));
  asked.add("tune", options.family->name);
  asked.addList("devices", namesOf(options.devices));
  asked.add("portable_bits", options.portableBits);
  asked.add("default_kernels", options.defaultKernels);
  asked.add("random_weights", options.randomWeights);
  asked.add("count_loads", options.countLoads);

  SmallVector<Attribute> weights;
  for (const SourceHash &source : state.sources) {
    Dictionary file(context);
    place(file, source.path);
    file.add("xxh3", StringRef(source.xxh3));
    file.add("bytes", source.bytes);
    weights.push_back(file.get());
  }
  dump.add("version", dumpVersion);
  dump.add("llmc", StringRef(LLMC_VERSION));
  dump.add("after", run.name);
  dump.add("phase", nameOf(run.phase));
  if (run.restart)
    dump.add("start_from", nameOf(*run.restart));
  dump.add("options", Attribute(asked.get()));
  dump.add("activations", StringRef(state.activations));
  dump.add("kv", StringRef(state.cacheType));
  dump.addList("passes", state.passes);
  dump.add("weights", Attribute(ArrayAttr::get(context, weights)));
  if (!options.tokenizerFile.empty()) {
    Dictionary file(context);
    place(file, options.tokenizerFile);
    file.add("xxh3", StringRef(state.tokenizerHash));
    dump.add("tokenizer", Attribute(file.get()));
  }
  // The tables of a program depend on each other in ways that no verifier knows.
  if (run.restart == Phase::LLVM)
    dump.add("text_xxh3", StringRef(hashText(plainText(module))));

  module->setAttr(attributeName, dump.get());
  llvm::scope_exit remove([&] { module->removeAttr(attributeName); });
  printLocated(module, out);
}

llvm::json::Object codegen::describeCompile(const PassRun &run) {
  using llvm::json::Array, llvm::json::Object;
  const PipelineOptions &options = run.options;
  ModuleOp module = run.after;
  Array weights;
  for (const SourceHash &source : run.state.sources)
    weights.push_back(Object{{"path", source.path}, {"xxh3", source.xxh3}, {"bytes", source.bytes}});
  std::string model;
  for (Operation &op : *module.getBody())
    if (auto name = op.getAttrOfType<StringAttr>("sym_name"))
      model = name.str();
  Array variants;
  for (StringRef name : namesOf(options.variants))
    variants.push_back(name);
  return Object{{"llmc", LLMC_VERSION},
                {"model", model},
                {"weights", std::move(weights)},
                {"tokenizer", options.tokenizerFile},
                {"options", Object{{"activations", options.activations},
                                   {"kv", options.cacheTypes},
                                   {"quantize", Array(options.quantize.texts())},
                                   {"disable_pass", Array(options.disabledPasses)},
                                   {"cpu", std::move(variants)},
                                   {"tune", options.family->name},
                                   {"devices", Array(namesOf(options.devices))},
                                   {"portable_bits", options.portableBits},
                                   {"default_kernels", options.defaultKernels},
                                   {"random_weights", options.randomWeights}}},
                {"activations", run.state.activations},
                {"kv", run.state.cacheType}};
}

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

bool codegen::isDump(const std::string &path) {
  constexpr uint64_t headBytes = 1 << 20;
  std::error_code code;
  if (!fs::is_regular_file(path, code))
    return false;
  const uint64_t size = fs::file_size(path, code);
  auto head = llvm::MemoryBuffer::getFileSlice(path, std::min(size, headBytes), 0);
  if (!head)
    return false;
  // Above the module may stand locations that are named at once, and what a person who edits it notes there.
  for (StringRef text = (*head)->getBuffer(), line; !text.empty();) {
    std::tie(line, text) = text.split('\n');
    line = line.trim();
    if (line.starts_with("module attributes {llmc.dump = "))
      return true;
    if (!line.empty() && !line.starts_with("//") && !line.starts_with("#"))
      return false;
  }
  return false;
}

namespace {
/// Reads the entries of the attribute; the first that is not as expected makes the error.
class Reader {
public:
  Reader(DictionaryAttr entries, std::string &error) : entries(entries), error(error) {}

  template <typename T> T get(StringRef key, StringRef expected, bool isRequired = true) {
    Attribute value = entries ? entries.get(key) : Attribute();
    auto typed = dyn_cast_or_null<T>(value);
    if (!typed && (value || isRequired) && error.empty())
      error = ("expected '" + key + "' of '" + attributeName + "' to be " + expected +
               (value ? "" : " but it is missing"))
                  .str();
    return typed;
  }
  std::string string(StringRef key, bool isRequired = true) {
    auto value = get<StringAttr>(key, "a string", isRequired);
    return value ? value.str() : "";
  }
  bool flag(StringRef key) {
    auto value = get<BoolAttr>(key, "true or false");
    return value && value.getValue();
  }
  std::vector<std::string> strings(StringRef key) {
    std::vector<std::string> list;
    auto array = get<ArrayAttr>(key, "a list of strings");
    for (Attribute element : array ? array.getValue() : ArrayRef<Attribute>())
      if (auto text = dyn_cast<StringAttr>(element))
        list.push_back(text.str());
      else if (error.empty())
        error = ("expected '" + key + "' of '" + attributeName + "' to be a list of strings").str();
    return list;
  }

private:
  DictionaryAttr entries;
  std::string &error;
};

/// A file that a dump names.
struct NamedFile {
  std::string path, absolute, xxh3;
  NamedFile(DictionaryAttr entries, const std::string &folder, std::string &error) {
    Reader reader(entries, error);
    path = (fs::path(folder) / reader.string("path")).lexically_normal().string();
    absolute = reader.string("absolute");
    xxh3 = reader.string("xxh3");
  }
  /// The first of both places that holds the file as it was. `hash` yields nothing for a file that does not
  /// open, with the reason in its argument.
  std::string find(function_ref<std::string(const std::string &, std::string &)> hash,
                   std::string &error) const {
    std::string why;
    for (const std::string &place : {path, absolute}) {
      std::error_code code;
      if (!fs::exists(place, code))
        continue;
      std::string found = hash(place, why);
      if (xxh3.empty() || found == xxh3)
        return place;
      if (!found.empty())
        why = place + ": is not the file that the dump was made from: expected a content of XXH3 " + xxh3 +
              " but got " + found;
    }
    error =
        why.empty() ? path + ": no such file, and none at " + absolute + ", where the dump was made" : why;
    return "";
  }
};
} // namespace

static void findFiles(DictionaryAttr dump, const std::string &folder, PipelineOptions &options,
                      std::string &error) {
  Reader reader(dump, error);
  auto weights = reader.get<ArrayAttr>("weights", "a list of files");
  options.weightFiles.clear();
  for (Attribute entry : weights ? weights.getValue() : ArrayRef<Attribute>()) {
    NamedFile file(dyn_cast<DictionaryAttr>(entry), folder, error);
    if (!error.empty())
      return;
    SourceHash read;
    std::string found = file.find(
        [&](const std::string &path, std::string &why) {
          auto opened = options.files->open(path, why);
          read = opened ? hashOf(*opened, options.progress) : SourceHash();
          read.path = path;
          return read.xxh3;
        },
        error);
    if (!error.empty())
      return;
    options.weightFiles.push_back(found);
    options.startState.sources.push_back(read);
  }
  auto tokenizer = reader.get<DictionaryAttr>("tokenizer", "a file", /*isRequired=*/false);
  options.tokenizerFile.clear();
  if (!tokenizer || !error.empty())
    return;
  NamedFile file(tokenizer, folder, error);
  if (!error.empty())
    return;
  options.startState.tokenizerHash = file.xxh3;
  options.tokenizerFile = file.find(
      [&](const std::string &path, std::string &why) {
        std::string blob;
        return formats::buildTokenizerBlobFromFile(path, blob, why, options.files.get()) ? hashText(blob)
                                                                                         : std::string();
      },
      error);
}

/// The phase that the dump may be started from.
static std::optional<Phase> startOf(DictionaryAttr dump, std::optional<Phase> asked, std::string &error) {
  Reader reader(dump, error);
  std::string after = reader.string("after"), within = reader.string("phase"),
              start = reader.string("start_from", /*isRequired=*/false);
  if (!error.empty())
    return std::nullopt;
  std::optional<Phase> phase = phaseByName(start);
  if (start.empty())
    error = "was dumped after " + after + ", inside the phase " + within +
            ": a compile can start from what the last pass of a phase has left (passes.json: start_from)";
  else if (!phase || *phase < Phase::Fuse || *phase > Phase::LLVM)
    error = "expected 'start_from' of 'llmc.dump' to be a phase of fuse to llvm but got '" + start + "'";
  else if (asked && *asked != *phase)
    error = "was dumped after " + after + ": the compile starts from the phase " + start + ", not from " +
            nameOf(*asked).str();
  return error.empty() ? phase : std::nullopt;
}

static void readOptions(DictionaryAttr dump, PipelineOptions &options, std::string &error) {
  Reader reader(dump, error);
  if (std::string version = reader.string("llmc"); error.empty() && version != LLMC_VERSION)
    error =
        "was written by llmc " + version + ", which may compile it otherwise than this llmc " + LLMC_VERSION;
  options.startState.activations = reader.string("activations");
  options.startState.cacheType = reader.string("kv");
  options.startState.passes = reader.strings("passes");
  Reader asked(reader.get<DictionaryAttr>("options", "a dictionary"), error);
  options.activations = asked.string("activations");
  options.cacheTypes = asked.string("kv");
  if (std::string why; auto rules = QuantizeRules::parse(asked.strings("quantize"), why))
    options.quantize = std::move(*rules);
  else if (error.empty())
    error = "names a rule for lm-quantize that is none: " + why;
  options.disabledPasses = asked.strings("disable_pass");
  options.portableBits = asked.flag("portable_bits");
  options.defaultKernels = asked.flag("default_kernels");
  options.randomWeights = asked.flag("random_weights");
  options.countLoads = asked.flag("count_loads");
  options.variants.clear();
  for (const std::string &name : asked.strings("cpu"))
    if (const cpu::Isa *isa = cpu::isaByName(name))
      options.variants.push_back(isa);
    else if (error.empty())
      error = "names the variant '" + name + "', which this llmc does not know";
  const std::string tune = asked.string("tune");
  if (const cpu::CpuFamily *family = cpu::familyByName(tune))
    options.family = family;
  else if (error.empty())
    error = "names the family of CPUs '" + tune + "', which this llmc does not know";
  options.devices.clear();
  for (const std::string &text : asked.strings("devices")) {
    auto [name, list] = StringRef(text).split(':');
    DeviceChoice choice = {deviceByName(name), {}};
    if (!choice.target || !choice.target->readArchitectures(list, choice.architectures).empty()) {
      if (error.empty())
        error = "names the device '" + text + "', which this llmc does not know";
      return;
    }
    options.devices.push_back(std::move(choice));
  }
  for (const cpu::Isa *isa : options.variants)
    if (options.portableBits && !isa->isPortable() && error.empty())
      error =
          "names the variant '" + isa->name.str() + "', whose bits are not portable, as its options ask for";
}

/// A model where the phases up to the lowering begin, else a program just as it was written.
static std::string checkContent(ModuleOp module, Phase phase, StringRef hash) {
  const bool isProgram = phase == Phase::LLVM;
  auto isExpected = [&](Operation &op) {
    return isProgram ? isa<step::ProgramOp>(op) : isa<lm::ModelOp>(op);
  };
  // One program for the CPU, and one for each device.
  const bool isSingle = isProgram ? !module.getBody()->empty() : llvm::hasSingleElement(*module.getBody());
  if (!isSingle || !llvm::all_of(*module.getBody(), isExpected))
    return std::string("expected one '") + (isProgram ? "step.program" : "lm.model") +
           "' and nothing else at the phase " + nameOf(phase).str();
  if (isProgram && hash != hashText(plainText(module)))
    return "was changed since it was written: only dumps of earlier phases can be edited";
  return "";
}

OwningOpRef<ModuleOp> codegen::readDump(MLIRContext &context, const std::string &path,
                                        std::optional<Phase> asked, PipelineOptions &options,
                                        std::string &error) {
  error.clear();
  OwningOpRef<ModuleOp> module = parseText(context, path, error);
  if (!module)
    return nullptr;
  auto fail = [&](const std::string &words) {
    error = path + ": " + words;
    return nullptr;
  };
  auto dump = (*module)->getAttrOfType<DictionaryAttr>(attributeName);
  if (!dump)
    return fail("expected the attribute 'llmc.dump' on the module to be a dictionary");
  (*module)->removeAttr(attributeName);
  std::string words;
  std::optional<Phase> phase = startOf(dump, asked, words);
  if (phase)
    readOptions(dump, options, words);
  if (words.empty())
    words = checkContent(*module, *phase, Reader(dump, words).string("text_xxh3", *phase == Phase::LLVM));
  if (!words.empty())
    return fail(words);
  options.startFrom = *phase;
  std::string folder = fs::path(path).parent_path().string();
  findFiles(dump, folder.empty() ? "." : folder, options, error);
  return error.empty() ? std::move(module) : nullptr;
}
