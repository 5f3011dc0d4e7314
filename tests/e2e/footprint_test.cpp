//===- footprint_test.cpp - load time and memory of a compiled model ------===//
//
// What a loaded model costs: the time of a warm load, and the resident memory after 32 tokens.
//
//   footprint_test MODEL.so [--load-ms MS] [--extra-mb MB]      memory: at most the file's size + MB
//
//===----------------------------------------------------------------------===//
#include "Reference.h"

#include <algorithm>
#include <chrono>
#include <filesystem>

using namespace llmc::e2e;

static double residentBytes() {
  std::ifstream in("/proc/self/status");
  for (std::string word; in >> word;)
    if (word == "VmRSS:") {
      double kibibytes = 0;
      in >> kibibytes;
      return kibibytes * 1024;
    }
  die("/proc/self/status: no VmRSS");
}

int main(int argc, char **argv) {
  double maxMs = 50, extraMb = 100;
  std::string path;
  for (int i = 1; i < argc; ++i) {
    std::string arg = argv[i];
    if (arg == "--load-ms" && i + 1 < argc)
      maxMs = std::atof(argv[++i]);
    else if (arg == "--extra-mb" && i + 1 < argc)
      extraMb = std::atof(argv[++i]);
    else
      path = arg;
  }
  if (path.empty())
    die("usage: footprint_test MODEL.so [--load-ms MS] [--extra-mb MB]");

  // The first load warms the page cache; of the others the quickest counts, the machine may be busy.
  double best = INFINITY;
  Model model;
  for (int i = 0; i < 5; ++i) {
    model.reset();
    llmc_model *loaded = nullptr;
    auto start = std::chrono::steady_clock::now();
    LLMC_CHECK(llmc_model_load(path.c_str(), nullptr, &loaded));
    std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
    model.reset(loaded);
    if (i > 0)
      best = std::min(best, took.count());
  }

  int64_t vocab = 0;
  LLMC_CHECK(llmc_model_info(model.get(), LLMC_INFO_VOCAB, &vocab));
  Session session = newSession(model, 64, 1, 64);
  llmc_seq seq = newSequence(session);
  llmc_token token = 1;
  for (int i = 0; i < 32; ++i) {
    LLMC_CHECK(llmc_decode(session.get(), seq, token));
    token = argmax(logitsRow(session, -1, static_cast<size_t>(vocab)));
  }
  double file = static_cast<double>(std::filesystem::file_size(path)), resident = residentBytes();
  std::printf("warm load %.1f ms (limit %.0f); resident %.1f MB after 32 tokens, file %.1f MB (limit file + "
              "%.0f MB)\n",
              best, maxMs, resident / 1e6, file / 1e6, extraMb);
  return best <= maxMs && resident <= file + extraMb * 1e6 ? 0 : 1;
}
