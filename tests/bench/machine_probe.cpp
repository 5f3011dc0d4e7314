//===- machine_probe.cpp - what this machine can do just now --------------===//
//
// Read bandwidth and the peaks of arithmetic that kernels of a variant may use, as one JSON object:
//
//   machine_probe THREADS VARIANT   (one of llmc compile --cpu)
//
//===----------------------------------------------------------------------===//
#include "tools/llmc/Roofline.h"

#include <cstdio>
#include <cstdlib>

using namespace llmc::cli;

int main(int argc, char **argv) {
  const int threads = argc == 3 ? std::atoi(argv[1]) : 0;
  if (threads < 1 || threads > 1024) {
    std::fprintf(stderr, "usage: machine_probe THREADS VARIANT\n");
    return 2;
  }
  std::printf("{\"threads\": %d, \"read_gb_s\": %.3f", threads, measureRead(uint32_t(threads)));
  const struct {
    const char *name;
    Arithmetic arithmetic;
  } kinds[] = {{"f32", Arithmetic::F32}, {"bf16", Arithmetic::BF16}, {"int8", Arithmetic::Int8}};
  for (auto [name, arithmetic] : kinds) {
    const PeakLoop loop = peakLoop(arithmetic, argv[2]);
    std::printf(", \"%s_gops\": %.1f, \"%s_unit\": \"%s\"", name, measurePeak(loop, uint32_t(threads)), name,
                loop.unit);
  }
  std::printf("}\n");
  return 0;
}
