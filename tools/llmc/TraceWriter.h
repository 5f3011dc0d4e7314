//===- TraceWriter.h - what every dispatch of a run computed ----*- C++ -*-===//
//
// A trace is a folder: trace.json, with a record for each value that a step wrote (where it comes from, its
// shape, statistics) and the tokens that its rows are of, and the values themselves as .npy files where asked
// for. It gets its name when it is complete.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TOOLS_LLMC_TRACEWRITER_H
#define LLMC_TOOLS_LLMC_TRACEWRITER_H

#include "tools/llmc/Common.h"
#include "tools/llmc/Interrupt.h"
#include "tools/support/Progress.h"

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <regex>

namespace llmc::cli {

/// A folder that goes away unless it gets its name.
class TraceFolder {
public:
  /// Beside `place`, where there may be nothing, an empty folder or a trace, which finish() replaces.
  explicit TraceFolder(std::filesystem::path place);
  std::filesystem::path path() const { return unfinished->path(); }
  void finish();

private:
  std::filesystem::path place;
  std::optional<Unfinished> unfinished;
};

class TraceWriter {
public:
  TraceWriter(llmc_model *, llmc_session *, const std::string &modelPath, const TraceOptions &);
  ~TraceWriter();
  /// Runs what evaluates; a trace that cannot be written ends it, with its own sentence.
  template <typename Body> auto during(Body body) {
    try {
      return body();
    } catch (...) {
      if (failure)
        std::rethrow_exception(failure);
      throw;
    }
  }
  void finish();

private:
  static bool onDispatch(const llmc_dispatch_info *, void *self);
  void record(const llmc_dispatch_info &);
  void beginStep(uint64_t step);
  void noteRows(const llmc_dispatch_info &);
  void write(std::string_view);

  llmc_session *session;
  TraceOptions options;
  std::optional<std::regex> chosen;
  TraceFolder folder;
  std::unique_ptr<FILE, Deleter<std::fclose>> file;
  nlohmann::ordered_json steps = nlohmann::ordered_json::array();
  uint64_t nDispatches = 0, nRecords = 0, nChosen = 0, nBytes = 0;
  std::optional<Progress> progress;
  std::exception_ptr failure;
};

/// A writer if a trace was asked for.
std::unique_ptr<TraceWriter> newTrace(llmc_model *, llmc_session *, const std::string &modelPath,
                                      const TraceOptions &);
/// body(), traced if there is a writer; the trace is complete behind it.
template <typename Body> auto traced(TraceWriter *writer, Body body) {
  if (!writer)
    return body();
  if constexpr (std::is_void_v<decltype(body())>) {
    writer->during(body);
    writer->finish();
  } else {
    auto result = writer->during(body);
    writer->finish();
    return result;
  }
}

} // namespace llmc::cli
#endif
