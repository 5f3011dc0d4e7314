//===- Reference.h - what the end-to-end programs share ---------*- C++ -*-===//
//
// What the end-to-end programs share: handles of llmc.h that free themselves, a reader for the reference
// files of tests/fixtures (layouts in README.md beside this file), and the comparisons, in which NaN never
// passes.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "llmc/llmc.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

namespace llmc::e2e {

[[noreturn]] __attribute__((format(printf, 1, 2))) inline void die(const char *format, ...) {
  va_list args;
  va_start(args, format);
  std::vfprintf(stderr, format, args);
  va_end(args);
  std::fputc('\n', stderr);
  std::exit(1);
}

inline void check(llmc_status status, const char *call) {
  if (status != LLMC_OK)
    die("%s: %s: %s", call, llmc_status_name(status), llmc_last_error());
}
#define LLMC_CHECK(call) ::llmc::e2e::check((call), #call)

template <auto Free> struct Freed {
  template <class T> void operator()(T *handle) const { Free(handle); }
};
using Model = std::unique_ptr<llmc_model, Freed<llmc_model_release>>;
using Session = std::unique_ptr<llmc_session, Freed<llmc_session_free>>;
using Batch = std::unique_ptr<llmc_batch, Freed<llmc_batch_free>>;
using Sampler = std::unique_ptr<llmc_sampler, Freed<llmc_sampler_free>>;

/// Of a model.so that was compiled for no others.
inline const std::vector<std::string> defaultVariants = {"avx2", "avx512"};

/// Whether this CPU can run a variant, as the compiler's library and the system have it, not as llmc does.
inline bool hostRuns(const std::string &variant) {
  const bool avx2 =
      __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512vnni");
  if (variant == "avx2")
    return avx2;
  if (variant == "avx2-vnni")
    return avx2 && __builtin_cpu_supports("avxvnni");
  if (variant == "avx512")
    return avx512;
  if (variant == "avx512-bf16")
    return avx512 && __builtin_cpu_supports("avx512bf16");
  if (variant != "amx" && variant != "amx-fast")
    die("no such variant is known here: %s", variant.c_str());
  // Tiles are states of the CPU that a process asks the system for (arch_prctl(2), ARCH_REQ_XCOMP_PERM).
  return avx512 && __builtin_cpu_supports("avx512fp16") && __builtin_cpu_supports("amx-bf16") &&
         syscall(SYS_arch_prctl, 0x1023, 18) == 0;
}

using Tokens = std::vector<llmc_token>;
using Row = std::vector<float>;

/// Sessions of newSession store their cache so.
inline llmc_kv_type cacheType = LLMC_KV_AUTO;

inline Session newSession(const Model &model, size_t context, size_t sequences, size_t batch) {
  llmc_session_params params;
  llmc_session_params_init(&params, sizeof params);
  params.n_ctx = static_cast<uint32_t>(context);
  params.n_seq_max = static_cast<uint32_t>(sequences);
  params.n_batch = static_cast<uint32_t>(batch);
  params.type_k = params.type_v = cacheType;
  llmc_session *session = nullptr;
  LLMC_CHECK(llmc_session_new(model.get(), &params, &session));
  return Session(session);
}

inline Batch newBatch(size_t tokens) {
  llmc_batch *batch = nullptr;
  LLMC_CHECK(llmc_batch_new(static_cast<uint32_t>(tokens), &batch));
  return Batch(batch);
}

inline llmc_seq newSequence(const Session &session) {
  llmc_seq seq = -1;
  LLMC_CHECK(llmc_seq_new(session.get(), &seq));
  return seq;
}

inline Row logitsRow(const Session &session, int32_t row, size_t vocab) {
  const float *values = nullptr;
  size_t n = 0;
  LLMC_CHECK(llmc_logits(session.get(), row, &values, &n));
  if (n != vocab)
    die("row %d has %zu logits, expected %zu", row, n, vocab);
  return Row(values, values + n);
}

// Reads a reference file front to back; anything missing or left over ends the test.
class Reader {
public:
  explicit Reader(const std::string &path) : path(path) {
    std::ifstream in(path, std::ios::binary);
    if (!in)
      die("%s: cannot be read", path.c_str());
    bytes.assign(std::istreambuf_iterator<char>(in), {});
  }
  void magic(const char *expected) {
    if (std::string(take(8), 8) != expected)
      die("%s: is no %s file", path.c_str(), expected);
  }
  uint32_t u32() { return array<uint32_t>(1)[0]; }
  std::string text(size_t n) { return std::string(take(n), n); }
  template <class T> std::vector<T> array(size_t n) {
    if (n > bytes.size() / sizeof(T))
      die("%s: ends too early", path.c_str());
    std::vector<T> values(n);
    if (n)
      std::memcpy(values.data(), take(n * sizeof(T)), n * sizeof(T));
    return values;
  }
  void end() const {
    if (at != bytes.size())
      die("%s: %zu bytes too many", path.c_str(), bytes.size() - at);
  }

private:
  const char *take(size_t n) {
    if (n > bytes.size() - at)
      die("%s: ends too early", path.c_str());
    at += n;
    return bytes.data() + at - n;
  }
  std::string path;
  std::vector<char> bytes;
  size_t at = 0;
};

// The standard deviation of a row, the unit of every tolerance.
inline double spread(const Row &row) {
  double mean = 0, squares = 0;
  for (float v : row)
    mean += v;
  mean /= static_cast<double>(row.size());
  for (float v : row)
    squares += (v - mean) * (v - mean);
  return std::sqrt(squares / static_cast<double>(row.size()));
}

// The largest of several differences; one NaN makes it NaN for good, and NaN is not within any tolerance.
class WorstError {
public:
  void add(double got, double expected, double unit) {
    double error = std::abs(got - expected) / unit;
    if (!(error <= worst))
      worst = std::isnan(worst) ? worst : error;
    ++count;
  }
  bool within(double tolerance) const { return count > 0 && worst <= tolerance; }
  double value() const { return worst; }
  size_t compared() const { return count; }

private:
  double worst = 0;
  size_t count = 0;
};

// The first of the highest values. A row with a NaN or an infinity ends the test.
inline llmc_token argmax(const Row &row) {
  size_t best = 0;
  for (size_t i = 0; i < row.size(); ++i) {
    if (!std::isfinite(row[i]))
      die("logit %zu is not finite", i);
    if (row[i] > row[best])
      best = i;
  }
  return static_cast<llmc_token>(best);
}

inline double logSumExp(const Row &row) {
  double highest = row[static_cast<size_t>(argmax(row))], sum = 0;
  for (float v : row)
    sum += std::exp(v - highest);
  return highest + std::log(sum);
}

} // namespace llmc::e2e
