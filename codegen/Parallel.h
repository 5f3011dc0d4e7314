//===- Parallel.h - work on all cores ---------------------------*- C++ -*-===//
#ifndef LLMC_CODEGEN_PARALLEL_H
#define LLMC_CODEGEN_PARALLEL_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLFunctionalExtras.h"

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

namespace llmc::codegen {

/// Calls `work` for each job, on all cores.
template <typename Job>
void forEachInParallel(llvm::ArrayRef<Job *> jobs, llvm::function_ref<void(Job &)> work) {
  std::atomic<size_t> next = 0;
  auto worker = [&] {
    for (size_t i = next++; i < jobs.size(); i = next++)
      work(*jobs[i]);
  };
  std::vector<std::thread> threads;
  size_t count = std::min<size_t>(std::max(1u, std::thread::hardware_concurrency()), jobs.size());
  for (size_t i = 1; i < count; ++i)
    threads.emplace_back(worker);
  worker();
  for (std::thread &thread : threads)
    thread.join();
}

} // namespace llmc::codegen
#endif
