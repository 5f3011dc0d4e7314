//===- DumpFolder.cpp - a folder of --dump-ir as a report -----------------===//
//
//   1. passes.json and kernels.json, checked field by field;
//   2. the texts of passes over the model, which share a table of lines, with the place of each line;
//   3. the step program among them, as tables;
//   4. each unit of code (a kernel in a variant, or a function that kernels share): its text after each pass,
//   LLVM IR
//      and assembly, a chunk that is unpacked when somebody looks at it.
//
//===----------------------------------------------------------------------===//
#include "tools/explore/Fields.h"
#include "tools/explore/Profile.h"
#include "tools/explore/Report.h"
#include "tools/explore/StepText.h"
#include "tools/explore/TextStore.h"
#include "tools/explore/UnitTexts.h"

#include <filesystem>
#include <fstream>

namespace fs = std::filesystem;
using namespace llmc;
using namespace llmc::explore;

constexpr uint64_t maxTableBytes = 64u << 20, maxTextBytes = 512u << 20;

namespace {
class FolderReader {
public:
  explicit FolderReader(std::string folder) : folder(std::move(folder)) {}
  Report read(const std::string &profile);

private:
  formats::JsonValue readTable(const char *name, const char *format) const;
  std::string readText(const Fields &row, const char *key) const;
  void readPass(const Fields &pass);
  void readKernels(const Fields &root);
  Json readUnit(const Fields &kernel, const std::string &unit);
  void addWork();

  const std::string folder;
  Places places;
  TextStore model; // texts of passes over the model
  UnitTexts units;
  Program program;
  bool hasProgram = false;
  Json passes = Json::array(), kernels = Json::array(), missing = Json::array();
  std::map<std::string, std::array<int64_t, 3>> work; // by kernel
  size_t numLeftOut = 0;
};
} // namespace

formats::JsonValue FolderReader::readTable(const char *name, const char *format) const {
  formats::JsonValue value;
  std::string error;
  const std::string path = folder + "/" + name;
  std::error_code code;
  if (!fs::exists(path, code))
    throw std::runtime_error(path +
                             ": no such file; a folder that llmc compile --dump-ir has written holds one");
  formats::JsonLimits limits;
  limits.values = 1 << 22;
  if (!formats::readJsonFile(path, maxTableBytes, limits, value, error))
    throw std::runtime_error(error);
  Fields root(value, path);
  if (root.string("format") != format)
    root.fail(std::string("expected 'format' to be '") + format + "' but got '" + root.string("format") +
              "'");
  if (root.integer("version") != 1)
    root.fail("has version " + std::to_string(root.integer("version")) + ", but this llmc reads version 1");
  return value;
}

std::string FolderReader::readText(const Fields &row, const char *key) const {
  const std::string name = row.string(key);
  const fs::path relative(name);
  bool leaves = relative.is_absolute() || name.empty();
  for (const fs::path &part : relative)
    leaves |= part == "..";
  if (leaves)
    row.fail("names the file '" + name + "', which is not in the folder");
  const std::string path = folder + "/" + name;
  std::error_code code;
  const uint64_t size = fs::file_size(path, code);
  if (code)
    throw std::runtime_error(path + ": no such file, though the folder's tables name it");
  if (size > maxTextBytes)
    throw std::runtime_error(path + ": expected at most 512 MiB of text but got " + std::to_string(size) +
                             " bytes");
  std::string text(size, '\0');
  std::ifstream in(path, std::ios::binary);
  in.read(text.data(), static_cast<std::streamsize>(size));
  if (!in)
    throw std::runtime_error(path + ": cannot be read");
  return text;
}

void FolderReader::readPass(const Fields &pass) {
  const std::string phase = pass.string("phase"), name = pass.string("name");
  Json remarks = Json::array();
  for (const Fields &remark : pass.objects("remarks"))
    remarks.push_back({{"kind", remark.string("kind")},
                       {"name", remark.stringOr("name", "")},
                       {"message", remark.string("message")},
                       {"location", remark.stringOr("location", "")}});
  Json row{{"name", name},
           {"phase", phase},
           {"options", pass.stringOr("options", "")},
           {"changed", pass.boolean("changed")},
           {"ms", pass.number("ms")},
           {"before", pass.counts("ops_before")},
           {"after", pass.counts("ops_after")},
           {"statistics", pass.counts("statistics")},
           {"remarks", std::move(remarks)},
           {"start", pass.stringOr("start_from", "")}};
  if (!pass.has("file")) {
    numLeftOut += phase != "llvm";
  } else if (phase == "llvm") {
    units.addPass(name, readText(pass, "file"));
  } else {
    const std::string text = readText(pass, "file");
    std::vector<Line> lines = readLines(text, places);
    row["text"] = model.add(lines);
    if (text.find("step.program ") != std::string::npos) {
      program = readProgram(lines, places, folder + "/" + pass.string("file"));
      hasProgram = true;
    }
  }
  passes.push_back(std::move(row));
}

/// Sizes of one variant of a kernel, or of a shared function, and where its texts are.
Json FolderReader::readUnit(const Fields &row, const std::string &unit) {
  Json functions = Json::array();
  for (const Fields &function : row.objects("functions"))
    functions.push_back({{"name", function.string("name")},
                         {"code", function.integer("code_bytes")},
                         {"stack", function.integer("stack_bytes")}});
  if (row.has("files")) {
    const Fields files = row.object("files");
    units.addFile(unit, "LLVM IR", readText(files, "llvm_ir"));
    units.addFile(unit, "assembly", readText(files, "assembly"));
  } else {
    ++numLeftOut;
  }
  return {{"variant", row.string("variant")},  {"unit", unit},
          {"code", row.integer("code_bytes")}, {"stack", row.integer("stack_bytes")},
          {"functions", std::move(functions)}, {"uses", row.strings("uses")}};
}

void FolderReader::readKernels(const Fields &root) {
  std::map<std::string, size_t> numbers;
  for (const Fields &row : root.objects("kernels")) {
    const std::string name = row.string("name");
    auto [known, isNew] = numbers.try_emplace(name, kernels.size());
    if (isNew) {
      work[name] = {row.integerOr("flops_per_row", 0), row.integerOr("flops_per_key", 0),
                    row.integerOr("key_bytes", 0)};
      Json text = "";
      for (const Program::Kernel &kernel : program.kernels)
        if (kernel.name == name)
          text = kernel.op;
      kernels.push_back({{"name", name},
                         {"op", row.stringOr("op", "")},
                         {"text", text},
                         {"location", row.stringOr("location", "")},
                         {"variants", Json::array()}});
    }
    kernels[known->second]["variants"].push_back(readUnit(row, name + "." + row.string("variant")));
  }
}

void FolderReader::addWork() {
  for (DispatchRow &row : program.dispatches)
    if (auto entry = work.find(row.kernel); entry != work.end()) {
      row.flopsPerRow = entry->second[0];
      row.flopsPerKey = entry->second[1];
      row.keyBytes = entry->second[2];
    }
}

Report FolderReader::read(const std::string &profile) {
  formats::JsonValue passTable = readTable("passes.json", "llmc dump");
  Fields root(passTable, folder + "/passes.json");
  for (const Fields &pass : root.objects("passes"))
    readPass(pass);
  const bool isComplete = root.boolean("complete");
  std::error_code code;
  Json shared = Json::array();
  if (isComplete || fs::exists(folder + "/kernels.json", code)) {
    formats::JsonValue kernelTable = readTable("kernels.json", "llmc kernels");
    Fields kernelRoot(kernelTable, folder + "/kernels.json");
    readKernels(kernelRoot);
    for (const Fields &row : kernelRoot.objects("shared")) {
      Json unit = readUnit(row, row.string("name"));
      unit["name"] = row.string("name");
      shared.push_back(std::move(unit));
    }
  }
  addWork();
  if (!isComplete)
    missing.push_back(
        "The compile or its dump did not come to its end: this is what was written until then.");
  if (!hasProgram)
    missing.push_back("No step program is in the folder: the roofline, memory and tensors need one.");
  if (kernels.empty())
    missing.push_back("No kernels are in the folder: the compile stopped before they were made.");
  if (numLeftOut)
    missing.push_back(std::to_string(numLeftOut) +
                      " texts were left out by --dump-filter; the tables list all.");
  if (profile.empty())
    missing.push_back(
        "No profile was given (--profile): times in the roofline are predictions, not measurements.");

  Report report;
  const std::string name = root.stringOr("model", "");
  report.title = name.empty() ? "llmc" : name;
  const std::string headHash = root.has("module") ? root.object("module").string("head_hash") : "";
  Json files = Json::array();
  for (const Fields &file : root.objects("weights"))
    files.push_back({{"path", fs::path(file.string("path")).filename().string()},
                     {"xxh3", file.string("xxh3")},
                     {"bytes", file.integer("bytes")}});
  report.chunks.push_back(model.json());
  Json unitTable = units.write(report.chunks);
  Json data{{"kind", "dump"},
            {"title", report.title},
            {"llmc", root.stringOr("llmc", "")},
            {"activations", root.stringOr("activations", "")},
            {"kv", root.stringOr("kv", "")},
            {"options", root.has("options") ? root.object("options").any() : Json::object()},
            {"sources", std::move(files)},
            {"missing", std::move(missing)},
            {"model", program.model},
            {"passes", std::move(passes)},
            {"places", places.all()},
            {"kernels", std::move(kernels)},
            {"shared", std::move(shared)},
            {"units", std::move(unitTable)},
            {"program", hasProgram ? program.json() : Json(nullptr)},
            {"profile", readProfile(profile, {name, headHash, program})}};
  report.data = data.dump(-1, ' ', false, Json::error_handler_t::replace);
  return report;
}

Report llmc::explore::readDumpFolder(const std::string &folder, const std::string &profile) {
  return FolderReader(folder).read(profile);
}
