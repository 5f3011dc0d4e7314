//===- DumpWriter.cpp - the IR of each pass in a folder -------------------===//
#include "tools/dump/DumpWriter.h"

#include "codegen/DumpText.h"
#include "codegen/WriteFile.h"
#include "ir/LMOps.h"
#include "ir/Locations.h"
#include "llmc/module_abi.h"
#include "tools/dump/KernelLines.h"

#include "mlir/IR/Diagnostics.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"

#include <cstring>

using namespace mlir;
using namespace llmc;
using namespace llmc::codegen;
using namespace llmc::tools;
namespace json = llvm::json;

static void countOps(Operation *root, std::map<std::string, int64_t> &counts) {
  root->walk([&](Operation *op) {
    if (op != root)
      ++counts[op->getName().getStringRef().str()];
  });
}

static json::Object toJson(const std::map<std::string, int64_t> &counts) {
  json::Object object;
  for (const auto &[name, count] : counts)
    if (count)
      object[name] = count;
  return object;
}

DumpWriter::DumpWriter(std::string folder, llvm::StringRef filter)
    : folder(std::move(folder)), isAll(filter.empty()), filter(filter) {}

void DumpWriter::note(std::string error) {
  if (firstError.empty())
    firstError = std::move(error);
}

void DumpWriter::write(llvm::StringRef file, llvm::function_ref<void(llvm::raw_ostream &)> print) {
  note(writeFile(path(file), print));
}

std::string DumpWriter::numbered(llvm::StringRef name, size_t index) const {
  return llvm::formatv("{0,0+2}-{1}.mlir", index, name).str();
}

std::string DumpWriter::fileOf(const Entry &entry) const {
  return numbered(entry.name, &entry - entries.data());
}

/// Files of ours, by their names, in a folder that says that it is a dump.
static void removeOldDump(const std::string &folder) {
  auto index = llvm::MemoryBuffer::getFile(folder + "/passes.json");
  if (!index || !(*index)->getBuffer().contains("\"llmc dump\""))
    return;
  llvm::SmallVector<std::string> files;
  const std::string unfinished = "(\\.[0-9a-f]+-[0-9]+-[0-9]+\\.tmp)?";
  // Also what a compile that was killed was about to write (formats::createBeside).
  const llvm::Regex pass("^([0-9]{2,}-.*\\.mlir|(passes|kernels)\\.json)" + unfinished + "$"),
      kernel("\\.(ll|s)" + unfinished + "$");
  for (const auto &[place, pattern] : {std::pair(folder, &pass), std::pair(folder + "/kernels", &kernel)}) {
    std::error_code code;
    for (llvm::sys::fs::directory_iterator at(place, code), end; !code && at != end; at.increment(code))
      if (pattern->match(llvm::sys::path::filename(at->path())))
        files.push_back(at->path());
  }
  for (const std::string &file : files)
    llvm::sys::fs::remove(file);
}

std::string DumpWriter::open() {
  removeOldDump(folder);
  // As readable as the files in it, as far as the mask of the process goes.
  if (std::error_code code = llvm::sys::fs::create_directories(folder + "/kernels", /*IgnoreExisting=*/true,
                                                               llvm::sys::fs::perms::all_all))
    return folder + ": cannot make the folder: " + code.message();
  writeIndex(/*isComplete=*/false); // from here on the folder is a dump
  return firstError;
}

LogicalResult DumpWriter::passRan(const PassRun &run) {
  ModuleOp module = run.after;
  context = module.getContext();
  Entry &entry = entries.emplace_back();
  entry.name = run.name.str();
  entry.phase = nameOf(run.phase).str();
  entry.options = run.passOptions;
  entry.isChanged = run.isChanged;
  entry.milliseconds = run.before ? run.milliseconds : readMilliseconds;
  if (run.before)
    countOps(run.before, entry.before);
  countOps(module, entry.after);
  for (const PassRemark &remark : run.remarks) {
    entry.remarks.push_back(json::Object{{"kind", remark.kind},
                                         {"name", remark.name},
                                         {"message", remark.message},
                                         {"location", describeLocation(remark.loc)}});
    if (remark.kind == "applied")
      ++entry.statistics[remark.name];
  }
  for (auto program : module.getOps<step::ProgramOp>())
    kernels.addProgram(program);
  about = describeCompile(run);
  if (run.restart)
    entry.restart = nameOf(*run.restart).str();
  if (isWanted(run.name)) {
    entry.file = numbered(run.name, run.index);
    write(entry.file, [&](llvm::raw_ostream &out) { printDump(run, folder, out); });
  }
  writeIndex(/*isComplete=*/false);
  if (firstError.empty())
    return success();
  return emitError(module.getLoc()) << firstError;
}

/// The entry of a stage that all units of a target go through, one after the other. Each target has entries
/// of its own: a pass that two of them share stands elsewhere on the way of each.
DumpWriter::Entry &DumpWriter::kernelEntry(llvm::StringRef target, llvm::StringRef stage) {
  const std::string name = target == cpuTarget ? stage.str() : (target + "-" + stage).str();
  for (Entry &entry : entries)
    if (entry.phase == "llvm" && entry.name == name)
      return entry;
  Entry &entry = entries.emplace_back();
  entry.name = name;
  entry.phase = "llvm";
  return entry;
}

/// Adds a unit's text to the file of the stage, the first one begins it. The file grows in its place, unit by
/// unit, so that all of them are there if LLVM gives up on one.
void DumpWriter::addUnit(Entry &entry, llvm::StringRef unit, llvm::StringRef text) {
  auto noteIf = [&](std::error_code code) {
    if (code)
      note(path(entry.file) + ": cannot write: " + code.message());
    return !code;
  };
  if (entry.file.empty()) {
    entry.file = fileOf(entry);
    llvm::sys::fs::remove(path(entry.file)); // and not what a link leads to
    std::error_code code;
    auto file = std::make_unique<llvm::raw_fd_ostream>(path(entry.file), code, llvm::sys::fs::CD_CreateNew);
    if (noteIf(code))
      entry.open = std::move(file);
    writeIndex(/*isComplete=*/false);
  }
  if (!entry.open)
    return;
  *entry.open << "// " << unit << "\n" << text;
  entry.open->flush();
  const std::error_code code = entry.open->error();
  entry.open->clear_error(); // a stream that ends with an error ends the program
  if (!noteIf(code))
    entry.open.reset();
}

void DumpWriter::kernelsEmitted(llvm::StringRef target, llvm::StringRef variantOrUnit, ModuleOp module,
                                double milliseconds) {
  Entry &entry = kernelEntry(target, "emit-kernels");
  entry.isChanged = true;
  entry.milliseconds += milliseconds;
  countOps(module, entry.after);
  const std::string text = placeInText(module, fileOf(entry), entry.emittedLines + 1); // below the name
  if (!isWantedIn(entry, variantOrUnit))
    return;
  addUnit(entry, variantOrUnit, text);
  entry.emittedLines += 1 + llvm::count(text, '\n');
}

void DumpWriter::kernelPassRan(const KernelPassRun &run) {
  Entry &entry = kernelEntry(run.target, run.name);
  entry.isChanged |= run.isChanged;
  entry.milliseconds += run.milliseconds;
  // The stage before it stands in front of it, and has seen as many units; emission has seen all of them.
  entry.before = (&entry - 1)->after;
  countOps(run.after, entry.after);
  if (!isWantedIn(entry, run.unit))
    return;
  std::string text;
  llvm::raw_string_ostream out(text);
  run.after->print(out, OpPrintingFlags().useLocalScope().enableDebugInfo());
  addUnit(entry, run.unit, text + "\n");
}

void DumpWriter::unitCompiled(const CompiledUnit &unit) {
  for (const CompiledUnit::Stage &stage : unit.stages) {
    Entry &entry = kernelEntry(unit.target, stage.name);
    entry.isChanged = true;
    entry.milliseconds += stage.milliseconds;
    for (const auto &[name, count] : stage.opsBefore)
      entry.before["llvm." + name] += count;
    for (const auto &[name, count] : stage.opsAfter)
      entry.after["llvm." + name] += count;
  }
  const bool hasFiles = isWanted(unit.name);
  kernels.addUnit(unit, hasFiles);
  if (!hasFiles)
    return;
  write("kernels/" + unit.name + ".ll",
        [&](llvm::raw_ostream &out) { out << kernels.header(unit.name, ";") << unit.llvmIR; });
  const char *comment = unit.assemblySuffix == "s" ? "#" : "//";
  write("kernels/" + unit.name + "." + unit.assemblySuffix,
        [&](llvm::raw_ostream &out) { out << kernels.header(unit.name, comment) << unit.assembly; });
}

json::Value DumpWriter::passesJson() const {
  json::Array passes;
  for (const auto &[index, entry] : llvm::enumerate(entries)) {
    json::Object pass{{"index", static_cast<int64_t>(index)},
                      {"name", entry.name},
                      {"phase", entry.phase},
                      {"options", entry.options},
                      {"changed", entry.isChanged},
                      {"ms", entry.milliseconds},
                      {"ops_before", toJson(entry.before)},
                      {"ops_after", toJson(entry.after)},
                      {"statistics", toJson(entry.statistics)},
                      {"remarks", json::Array(entry.remarks)}};
    pass["file"] = entry.file.empty() ? json::Value(nullptr) : json::Value(entry.file);
    pass["start_from"] = entry.restart.empty() ? json::Value(nullptr) : json::Value(entry.restart);
    passes.push_back(std::move(pass));
  }
  return passes;
}

void DumpWriter::writeJson(llvm::StringRef file, json::Value value) {
  write(file, [&](llvm::raw_ostream &out) { out << llvm::formatv("{0:2}", value) << "\n"; });
}

/// Again after each pass: nobody knows which one is the last.
void DumpWriter::writeIndex(bool isComplete) {
  json::Object index = about;
  index["format"] = "llmc dump";
  index["version"] = 1;
  index["complete"] = isComplete && firstError.empty();
  index["passes"] = passesJson();
  for (const auto &[key, value] : facts)
    index[key] = value();
  writeJson("passes.json", std::move(index));
}

LogicalResult DumpWriter::moduleMade(const std::string &path) {
  auto file = llvm::MemoryBuffer::getFile(path, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  llmc_footer footer = {};
  if (!file || (*file)->getBufferSize() < sizeof footer)
    return emitError(UnknownLoc::get(context)) << path << ": cannot be read";
  std::memcpy(&footer, (*file)->getBufferEnd() - sizeof footer, sizeof footer);
  about["module"] = json::Object{{"head_hash", llvm::formatv("{0:x-16}", footer.head_hash).str()},
                                 {"weights_hash", llvm::formatv("{0:x-16}", footer.weights_hash).str()}};
  return success();
}

LogicalResult DumpWriter::ended(bool succeeded) {
  writeJson("kernels.json", kernels.json());
  writeIndex(succeeded);
  if (firstError.empty() || !context)
    return success(firstError.empty());
  return emitError(UnknownLoc::get(context)) << firstError;
}
