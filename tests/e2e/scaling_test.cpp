//===- scaling_test.cpp - two depths of one shape compile alike -----------===//
//
// Compiles a shallow and a deep model whose layers have one shape. The work of MLIR and LLVM must not grow
// with the depth: both results hold the same kernels and machine code of the same size, and differ by rows of
// tables alone, the same number for every layer. The times of the phases are printed with their ratio; they
// are not judged, the machine may be busy.
//
//   scaling_test LLMC SHALLOW.gguf DEEP.gguf WORKDIR
//
//===----------------------------------------------------------------------===//
#include "Reference.h"

#include "runtime/ModuleFile.h"

#include <algorithm>
#include <elf.h>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <sys/wait.h>

using namespace llmc::e2e;

namespace {

constexpr int runs = 5; // of each; the quickest counts

using Times = std::map<std::string, double>; // phase => milliseconds

std::string quoted(const std::string &text) { return "'" + text + "'"; }

/// Lines "<phase>   <number> ms" on stderr.
Times compile(const std::string &llmc, const std::string &source, const std::string &result) {
  std::string command =
      quoted(llmc) + " compile " + quoted(source) + " -o " + quoted(result) + " --times 2>&1";
  FILE *pipe = popen(command.c_str(), "r");
  if (!pipe)
    die("cannot start %s", llmc.c_str());
  std::string output;
  for (char buffer[4096]; size_t n = std::fread(buffer, 1, sizeof buffer, pipe);)
    output.append(buffer, n);
  if (int status = pclose(pipe); !WIFEXITED(status) || WEXITSTATUS(status) != 0)
    die("%s: failed: %s", command.c_str(), output.c_str());
  Times times;
  std::istringstream lines(output);
  for (std::string line; std::getline(lines, line);) {
    size_t unit = line.rfind(" ms");
    size_t number = unit == std::string::npos ? unit : line.find_last_of(' ', unit - 1);
    if (unit == std::string::npos || number == std::string::npos)
      continue;
    std::string phase = line.substr(0, number);
    phase.erase(phase.find_last_not_of(' ') + 1);
    times[phase] += std::atof(line.c_str() + number);
  }
  return times;
}

/// All phases but those that read the file and stream its weights.
double compilerTime(const Times &times) {
  double sum = 0;
  for (const auto &[phase, milliseconds] : times)
    if (phase != "import" && phase != "tokenizer" && phase != "pack weights" && phase != "total")
      sum += milliseconds;
  return sum;
}

struct Result {
  std::vector<std::string> kernels;
  size_t layers = 0, dispatches = 0, inLayers = 0;
  uint64_t code = 0;
};

/// Bytes of the sections that are executed.
uint64_t codeBytes(const std::vector<char> &file, uint64_t elfSize) {
  Elf64_Ehdr header;
  if (elfSize > file.size() || elfSize < sizeof header)
    die("no ELF part");
  std::memcpy(&header, file.data(), sizeof header);
  uint64_t bytes = 0;
  for (unsigned i = 0; i < header.e_shnum; ++i) {
    Elf64_Shdr section;
    uint64_t at = header.e_shoff + i * sizeof section;
    if (at + sizeof section > elfSize)
      die("the section headers end too early");
    std::memcpy(&section, file.data() + at, sizeof section);
    if (section.sh_flags & SHF_EXECINSTR)
      bytes += section.sh_size;
  }
  return bytes;
}

Result inspect(const std::string &path) {
  std::ifstream in(path, std::ios::binary);
  std::vector<char> bytes((std::istreambuf_iterator<char>(in)), {});
  llmc::ModuleContents contents;
  LLMC_CHECK(llmc::readModule({reinterpret_cast<const uint8_t *>(bytes.data()), bytes.size()}, path.c_str(),
                              contents));
  auto manifest = nlohmann::json::parse(contents.manifest.begin(), contents.manifest.end());
  Result result;
  result.kernels = manifest.at("kernels").get<std::vector<std::string>>();
  std::sort(result.kernels.begin(), result.kernels.end());
  result.layers = manifest.at("model").at("layers").get<size_t>();
  for (const auto &dispatch : manifest.at("dispatches")) {
    ++result.dispatches;
    result.inLayers += dispatch.contains("layer");
  }
  result.code = codeBytes(bytes, contents.footer.elf_size);
  return result;
}

} // namespace

int main(int argc, char **argv) {
  if (argc != 5)
    die("usage: scaling_test LLMC SHALLOW.gguf DEEP.gguf WORKDIR");
  std::filesystem::create_directories(argv[4]);
  Result results[2];
  double times[2] = {INFINITY, INFINITY}, totals[2] = {INFINITY, INFINITY};
  // In turns, so that both meet the same weather.
  for (int run = 0; run < runs; ++run)
    for (int i = 0; i < 2; ++i) {
      std::string path = std::string(argv[4]) + (i ? "/deep.so" : "/shallow.so");
      Times phases = compile(argv[1], argv[2 + i], path);
      if (phases.count("total") == 0 || compilerTime(phases) <= 0)
        die("--times has printed no times");
      times[i] = std::min(times[i], compilerTime(phases));
      totals[i] = std::min(totals[i], phases["total"]);
      if (run == 0) {
        results[i] = inspect(path);
        std::printf("%zu layers: %zu kernels, %llu bytes of code, %zu dispatches, %zu of them in layers\n",
                    results[i].layers, results[i].kernels.size(),
                    static_cast<unsigned long long>(results[i].code), results[i].dispatches,
                    results[i].inLayers);
        for (const auto &[phase, milliseconds] : phases)
          std::printf("  %-24s %8.1f ms\n", phase.c_str(), milliseconds);
      }
    }
  std::printf("MLIR and LLVM: %.1f ms for %zu layers, %.1f ms for %zu: ratio %.3f (goal 1 +- 0.1); in all "
              "%.1f and %.1f ms\n",
              times[0], results[0].layers, times[1], results[1].layers, times[1] / times[0], totals[0],
              totals[1]);
  const Result &shallow = results[0], &deep = results[1];
  bool isRight = true;
  auto expect = [&](bool condition, const char *what) {
    if (!condition)
      std::fprintf(stderr, "expected %s\n", what);
    isRight &= condition;
  };
  expect(deep.layers > shallow.layers, "more layers in the second model");
  expect(shallow.kernels == deep.kernels && !deep.kernels.empty(), "the same kernels at both depths");
  expect(shallow.code == deep.code && deep.code > 0, "machine code of the same size at both depths");
  expect(shallow.inLayers * deep.layers == deep.inLayers * shallow.layers && deep.inLayers > 0,
         "the same number of dispatches for each layer");
  expect(shallow.dispatches - shallow.inLayers == deep.dispatches - deep.inLayers,
         "the same dispatches outside the layers");
  return isRight ? 0 : 1;
}
