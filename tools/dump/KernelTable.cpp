//===- KernelTable.cpp - what a dump tells of each kernel -----------------===//
#include "tools/dump/KernelTable.h"

#include "codegen/DeviceTarget.h"
#include "codegen/KernelUnits.h"
#include "codegen/cpu/isa/Isa.h"
#include "ir/Locations.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Object/ELFObjectFile.h"

using namespace llmc;
using namespace llmc::tools;
namespace json = llvm::json;

void KernelTable::addProgram(step::ProgramOp program) {
  const codegen::DeviceTarget *device = codegen::deviceOf(program);
  const std::string target = (device ? device->name() : llvm::StringRef(codegen::cpuTarget)).str();
  for (auto kernel : program.getBody().getOps<step::KernelOp>()) {
    Use &use = uses[{target, kernel.getSymName().str()}];
    use.op = kernel.computed()->getName().getStringRef().str();
    use.location = describeLocation(kernel.getLoc());
    use.work = codegen::kernelWork(kernel);
  }
  int64_t number = 0;
  for (auto dispatch : program.getBody().getOps<step::DispatchOp>()) {
    Use &use = uses[{target, dispatch.getKernel().str()}];
    use.dispatches.push_back(number++);
    if (dispatch.getLayer())
      use.layers.insert(static_cast<int64_t>(*dispatch.getLayer()));
    else
      use.isOutsideLayers = true;
  }
}

/// "rms_norm_576.avx2" is the kernel "rms_norm_576" in the variant avx2; "llmc.products.avx2.4x16" is no
/// kernel's own.
std::pair<std::string, std::string> KernelTable::splitName(llvm::StringRef unit) {
  if (!unit.starts_with(codegen::sharedPrefix))
    return {unit.rsplit('.').first.str(), unit.rsplit('.').second.str()};
  llvm::SmallVector<llvm::StringRef> words;
  unit.split(words, '.');
  for (llvm::StringRef word : words)
    if (cpu::isaByName(word))
      return {"", word.str()};
  return {};
}

const KernelTable::Use *KernelTable::useOf(const std::string &kernel, llvm::StringRef variant) const {
  const bool isOfDevice = codegen::deviceByName(variant) != nullptr;
  auto use = uses.find({(isOfDevice ? variant : llvm::StringRef(codegen::cpuTarget)).str(), kernel});
  return use == uses.end() ? nullptr : &use->second;
}

void KernelTable::addUnit(const codegen::CompiledUnit &compiled, bool hasFiles) {
  Unit &unit = units[compiled.name];
  std::tie(unit.kernel, unit.variant) = splitName(compiled.name);
  unit.hasFiles = hasFiles;
  unit.assemblySuffix = compiled.assemblySuffix;

  std::map<std::string, int64_t> frames;
  llvm::SmallVector<llvm::StringRef> lines;
  llvm::StringRef(compiled.stackUsage).split(lines, '\n', -1, /*KeepEmpty=*/false);
  for (llvm::StringRef line : lines) { // MODULE:FUNCTION<tab>BYTES<tab>static
    llvm::SmallVector<llvm::StringRef> fields;
    line.split(fields, '\t');
    int64_t bytes = 0;
    if (fields.size() >= 2 && !fields[1].getAsInteger(10, bytes))
      frames[fields[0].rsplit(':').second.str()] = bytes;
  }

  auto object = llvm::object::ObjectFile::createELFObjectFile({compiled.object, compiled.name});
  if (!object) {
    llvm::consumeError(object.takeError());
    return;
  }
  for (llvm::object::ELFSymbolRef symbol : (*object)->symbols()) {
    llvm::Expected<llvm::StringRef> name = symbol.getName();
    if (!name) {
      llvm::consumeError(name.takeError());
      continue;
    }
    if (symbol.getELFType() == llvm::ELF::STT_FUNC)
      unit.functions.push_back({name->str(), static_cast<int64_t>(symbol.getSize()), frames[name->str()]});
    else if (name->starts_with(codegen::sharedPrefix))
      unit.uses.push_back(name->str());
  }
}

/// 0, 1, 2, 5 => "0-2, 5".
static std::string ranges(const std::set<int64_t> &numbers) {
  std::string text;
  for (auto at = numbers.begin(); at != numbers.end();) {
    int64_t first = *at, last = first;
    while (++at != numbers.end() && *at == last + 1)
      last = *at;
    text += (text.empty() ? "" : ", ") + std::to_string(first);
    if (last > first)
      text += "-" + std::to_string(last);
  }
  return text;
}

std::string KernelTable::header(llvm::StringRef name, llvm::StringRef comment) const {
  auto [kernel, variant] = splitName(name);
  std::string text;
  auto line = [&](const llvm::Twine &words) { text += (comment + " " + words + "\n").str(); };
  if (kernel.empty()) {
    line("function " + name + ", shared by kernels, for " + variant);
    return text;
  }
  const Use *use = useOf(kernel, variant);
  line("kernel " + kernel + " for " + variant);
  if (!use)
    return text;
  line("op:         " + use->op);
  line("from:       " + use->location);
  std::set<int64_t> numbers;
  for (const json::Value &number : use->dispatches)
    numbers.insert(*number.getAsInteger());
  line("dispatches: " + (numbers.empty() ? std::string("none") : ranges(numbers)));
  if (!use->layers.empty())
    line("layers:     " + ranges(use->layers) + (use->isOutsideLayers ? ", and outside" : ""));
  return text;
}

json::Value KernelTable::json() const {
  json::Array kernels, shared;
  for (const auto &[name, unit] : units) {
    json::Array functions;
    int64_t code = 0, stack = 0;
    for (const Function &function : unit.functions) {
      functions.push_back(json::Object{
          {"name", function.name}, {"code_bytes", function.codeBytes}, {"stack_bytes", function.stackBytes}});
      code += function.codeBytes;
      stack = std::max(stack, function.stackBytes);
    }
    json::Object object{{"variant", unit.variant},
                        {"code_bytes", code},
                        {"stack_bytes", stack},
                        {"functions", std::move(functions)},
                        {"uses", json::Array(unit.uses)}};
    if (unit.hasFiles)
      object["files"] = json::Object{{"llvm_ir", "kernels/" + name + ".ll"},
                                     {"assembly", "kernels/" + name + "." + unit.assemblySuffix}};
    if (unit.kernel.empty()) {
      object["name"] = name;
      shared.push_back(std::move(object));
      continue;
    }
    object["name"] = unit.kernel;
    if (const Use *use = useOf(unit.kernel, unit.variant)) {
      object["op"] = use->op;
      object["location"] = use->location;
      object["dispatches"] = json::Array(use->dispatches);
      object["layers"] = json::Array(use->layers);
      object["flops_per_row"] = static_cast<int64_t>(use->work.flopsPerRow);
      object["flops_per_key"] = static_cast<int64_t>(use->work.flopsPerKey);
      object["key_bytes"] = static_cast<int64_t>(use->work.keyBytes);
    }
    kernels.push_back(std::move(object));
  }
  return json::Object{{"format", "llmc kernels"},
                      {"version", 1},
                      {"kernels", std::move(kernels)},
                      {"shared", std::move(shared)}};
}
