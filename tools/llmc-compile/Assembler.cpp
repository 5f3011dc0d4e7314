//===- Assembler.cpp - machine code for GPUs, where ptxas is there --------===//
#include "Commands.h"

#include "codegen/DeviceTarget.h"
#include "codegen/TemporaryFolder.h"
#include "codegen/WriteFile.h"
#include "tools/support/Ptxas.h"

#include <atomic>

using namespace llmc;
using namespace llmc::codegen;

namespace {

/// The files that go to ptxas and come from it stand in a folder that goes with this object.
class Assembler {
public:
  explicit Assembler(Ptxas program) : program(std::move(program)), folder("llmc-ptxas") {}

  std::string operator()(const std::string &text, const std::string &architecture, std::string &code) {
    if (!folder.error().empty())
      return folder.error();
    const std::string file = folder.path() + "/" + std::to_string(count++) + ".ptx";
    if (std::string why = writeFile(file, [&](llvm::raw_ostream &out) { out << text; }); !why.empty())
      return why;
    return program.assemble(file, architecture, code);
  }

private:
  Ptxas program;
  TemporaryFolder folder;
  std::atomic<unsigned> count = 0;
};

} // namespace

/// Why it makes no code for one of the architectures, with its version; empty: it does for all.
static std::string whyTooOld(const DeviceAssembler &assembler, llvm::ArrayRef<DeviceChoice> devices) {
  std::string code;
  for (const DeviceChoice &device : devices)
    for (const std::string &name : device.architectures)
      if (std::string why = assembler.assemble(device.target->emptyText(name), name, code); !why.empty())
        return why + " (version " + assembler.version + ")";
  return "";
}

std::shared_ptr<const DeviceAssembler> tools::findAssembler(const std::string &wish,
                                                            llvm::ArrayRef<DeviceChoice> devices,
                                                            std::string &usage, std::string &error,
                                                            std::string &note) {
  std::string path, text;
  if (usage = findPtxas(wish, path); !usage.empty() || path.empty())
    return nullptr;
  const Ptxas program(path);
  auto leaveOut = [&](const std::string &why) { // one that was only found
    note = why + "; PTX alone is stored";
    return nullptr;
  };
  if (std::string why = program.readVersion(text); !why.empty()) {
    if (wish.empty())
      return leaveOut(why);
    error = why;
    return nullptr;
  }
  auto made = std::make_shared<Assembler>(program);
  auto result = std::make_shared<DeviceAssembler>(
      DeviceAssembler{Ptxas::versionNumber(text), text,
                      [made](const std::string &ptx, const std::string &architecture, std::string &code) {
                        return (*made)(ptx, architecture, code);
                      }});
  if (wish.empty())
    if (std::string why = whyTooOld(*result, devices); !why.empty())
      return leaveOut(why);
  return result;
}
