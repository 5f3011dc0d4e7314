//===- TraceWriter.cpp - what every dispatch of a run computed ------------===//
#include "tools/llmc/TraceWriter.h"
#include "frontend/formats/Quote.h"
#include "tools/llmc/Npy.h"

#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace llmc::cli {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

namespace {

constexpr std::string_view beginning = "{\"format\": \"llmc trace\""; // of trace.json

bool isOwnName(const std::string &name) {
  static const std::regex values("[0-9]{5,}-[0-9]{5,}-[A-Za-z0-9_-]*\\.npy");
  return name == "trace.json" || std::regex_match(name, values);
}

/// What is at `place` that a trace may not take the place of; empty if there is nothing, an empty folder, or
/// a trace and no more.
std::string whatStandsAt(const fs::path &place) {
  std::error_code error;
  if (!fs::exists(fs::symlink_status(place, error)))
    return "";
  if (!fs::is_directory(fs::symlink_status(place, error)) || error)
    return "is there and no folder";
  if (fs::is_empty(place, error))
    return "";
  char head[beginning.size()] = {};
  std::unique_ptr<FILE, Deleter<std::fclose>> index;
  if (fs::is_regular_file(place / "trace.json", error)) // a pipe would wait
    index.reset(std::fopen((place / "trace.json").c_str(), "rb"));
  if (!index || std::fread(head, 1, sizeof head, index.get()) != sizeof head ||
      beginning != std::string_view(head, sizeof head))
    return "is there and no trace";
  for (fs::directory_iterator at(place, error), end; !error && at != end; at.increment(error))
    if (!isOwnName(at->path().filename()) || !at->is_regular_file(error))
      return fmt::format("holds '{}', which is no part of a trace",
                         formats::printableText(at->path().filename().string()));
  return error ? error.message() : "";
}

void checkPlaceOfTrace(const fs::path &place) {
  if (std::string words = whatStandsAt(place); !words.empty())
    throw Failure(fmt::format("{}: {}, so it is left alone", place.string(), words));
}

/// Of a folder what is ours, and the folder if nothing else came into it.
void removeTrace(const fs::path &folder) {
  std::error_code error;
  std::vector<fs::path> own;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error))
    if (isOwnName(at->path().filename()))
      own.push_back(at->path());
  for (const fs::path &file : own)
    fs::remove(file, error);
  fs::remove(folder, error);
}

} // namespace

TraceFolder::TraceFolder(fs::path wanted) : place(std::move(wanted)) {
  if (!place.has_filename()) // DIR/
    place = place.parent_path();
  std::error_code error;
  if (fs::is_symlink(place, error)) // a link stays one
    if (fs::path real = fs::canonical(place, error); !error)
      place = real;
  checkPlaceOfTrace(place);
  std::string made = place.string() + ".XXXXXX";
  if (!mkdtemp(made.data()))
    throw Failure(fmt::format("{}: cannot write: {}", place.string(), std::strerror(errno)));
  unfinished.emplace(made);
  mode_t mask = umask(0); // it was made private; the result is as readable as any other folder
  umask(mask);
  chmod(made.c_str(), 0777 & ~mask);
}

void TraceFolder::finish() {
  checkPlaceOfTrace(place); // a run takes its time
  std::error_code error;
  if (!fs::exists(place, error))
    return unfinished->moveTo(place.string());
  const std::string made = unfinished->path();
  // Both change names at once, so that there is a trace all the time; where the file system cannot do that,
  // the old one comes back if the new one cannot take its place.
  if (renameat2(AT_FDCWD, made.c_str(), AT_FDCWD, place.c_str(), RENAME_EXCHANGE) == 0) {
    unfinished->keep();
    return removeTrace(made);
  }
  const fs::path old = made + ".old";
  fs::rename(place, old, error);
  if (error)
    throw Failure(fmt::format("{}: cannot write: {}", place.string(), error.message()));
  try {
    unfinished->moveTo(place.string());
  } catch (...) {
    fs::rename(old, place, error);
    throw;
  }
  removeTrace(old);
}

namespace {

const char *rowSpaceName(uint32_t space) {
  constexpr const char *names[] = {"tokens", "asked", "keys", "hidden"};
  return space < std::size(names) ? names[space] : "other";
}

struct Statistics {
  double min = 0, max = 0, mean = 0, std = 0, rms = 0;
  uint64_t nan = 0, inf = 0;
};

/// Of the finite values.
Statistics statisticsOf(std::span<const float> values) {
  Statistics s;
  double sum = 0, squares = 0, off = 0;
  uint64_t n = 0;
  for (float x : values) {
    s.nan += std::isnan(x);
    s.inf += std::isinf(x);
    if (!std::isfinite(x))
      continue;
    s.min = n ? std::min<double>(s.min, x) : x;
    s.max = n ? std::max<double>(s.max, x) : x;
    sum += x;
    squares += double(x) * x;
    ++n;
  }
  if (!n)
    return s;
  s.mean = sum / double(n);
  s.rms = std::sqrt(squares / double(n));
  for (float x : values)
    if (std::isfinite(x))
      off += (x - s.mean) * (x - s.mean);
  s.std = std::sqrt(off / double(n));
  return s;
}

/// As JSON has it: in the shortest digits that read back as this float; null for what is not finite.
Json numberOf(float x) {
  std::string digits;
  appendNumber(digits, x);
  return Json::parse(digits);
}

Json jsonOf(const Statistics &s) {
  return {{"min", numberOf(float(s.min))},
          {"max", numberOf(float(s.max))},
          {"mean", s.mean},
          {"std", s.std},
          {"rms", s.rms},
          {"nan", s.nan},
          {"inf", s.inf}};
}

Json orNull(const char *text) { return text ? Json(text) : Json(); }

std::string fileNameOf(const llmc_dispatch_info &info) {
  std::string name = fmt::format("{:05}-{:05}-{}", info.step, info.dispatch, info.result);
  if (info.value)
    name += std::string("-") + info.value;
  for (char &c : name)
    if (!std::isalnum(static_cast<unsigned char>(c)) && c != '-' && c != '_')
      c = '_';
  return name.substr(0, 100) + ".npy";
}

std::vector<float> withoutPadding(const llmc_dispatch_info &info) {
  std::vector<float> values;
  values.reserve(size_t(info.shape[0]) * info.columns);
  const auto *data = static_cast<const float *>(info.data);
  for (int64_t row = 0; row < info.shape[0]; ++row)
    values.insert(values.end(), data + row * info.shape[1], data + row * info.shape[1] + info.columns);
  return values;
}

/// What --trace-values chooses by: "3.h_attn", "logits"; where a value has no name, what it comes from.
std::string nameOf(const llmc_dispatch_info &info) {
  std::string name = info.value ? info.value : info.location ? info.location : info.kernel;
  return info.layer == UINT32_MAX ? name : fmt::format("{}.{}", info.layer, name);
}

} // namespace

TraceWriter::TraceWriter(llmc_model *model, llmc_session *traced, const std::string &modelPath,
                         const TraceOptions &given)
    : session(traced), options(given), folder(given.trace) {
  if (!options.traceValues.empty())
    chosen.emplace(options.traceValues); // it has been tried when the command line was read
  file.reset(std::fopen((folder.path() / "trace.json").c_str(), "wbx"));
  if (!file)
    throw Failure(fmt::format("{}: cannot write: {}", options.trace, std::strerror(errno)));
  llmc_dispatch_cost cost = {};
  for (cost.struct_size = sizeof cost; llmc_model_dispatch(model, uint32_t(nDispatches), &cost) == LLMC_OK;)
    ++nDispatches;
  write(fmt::format("{}, \"version\": 1, \"made_by\": \"llmc {}\", \"model\": {},\n"
                    "\"records\": [",
                    beginning, llmc_version_string(),
                    Json(modelPath).dump(-1, ' ', false, Json::error_handler_t::replace)));
  check(llmc_session_observe(session, onDispatch, this));
}

TraceWriter::~TraceWriter() { llmc_session_observe(session, nullptr, nullptr); }

bool TraceWriter::onDispatch(const llmc_dispatch_info *info, void *self) {
  auto *writer = static_cast<TraceWriter *>(self);
  try {
    if (writer->failure)
      return false;
    writer->record(*info);
    return true;
  } catch (...) { // no exception may pass through the C API
    writer->failure = std::current_exception();
    return false;
  }
}

void TraceWriter::write(std::string_view text) {
  nBytes += text.size();
  if (std::fwrite(text.data(), 1, text.size(), file.get()) != text.size())
    throw Failure(fmt::format("{}: cannot write: {}", options.trace, std::strerror(errno)));
}

void TraceWriter::beginStep(uint64_t step) {
  steps.push_back({{"step", step}, {"rows", Json::object()}});
  progress.emplace(fmt::format("trace step {}", steps.size() - 1), nDispatches);
}

void TraceWriter::noteRows(const llmc_dispatch_info &info) {
  Json &known = steps.back()["rows"];
  const char *space = rowSpaceName(info.row_space);
  if (known.contains(space))
    return;
  Json list = Json::array();
  for (int64_t i = 0; i < info.shape[0]; ++i)
    list.push_back({info.row_tokens[i].seq, info.row_tokens[i].pos, info.row_tokens[i].id});
  known[space] = std::move(list);
}

void TraceWriter::record(const llmc_dispatch_info &info) {
  if (steps.empty() || steps.back()["step"] != info.step)
    beginStep(info.step);
  progress->update(info.dispatch);
  if (!info.data || info.shape[0] == 0)
    return;
  noteRows(info);
  const std::vector<float> values = withoutPadding(info);
  Json first = Json::array();
  for (float x : std::span(values).first(std::min<size_t>(values.size(), 8)))
    first.push_back(numberOf(x));
  Json entry = {
      {"step", info.step},
      {"dispatch", info.dispatch},
      {"layer", info.layer == UINT32_MAX ? Json() : Json(info.layer)},
      {"value", orNull(info.value)},
      {"result", info.result},
      {"kernel", info.kernel},
      {"location", orNull(info.location)},
      {"buffer", orNull(info.buffer)},
      {"dtype", "f32"},
      {"rows", rowSpaceName(info.row_space)},
      {"shape", {info.shape[0], info.columns}},
      {"stats", jsonOf(statisticsOf(values))},
      {"first", first},
      {"checksum", fmt::format("{:016x}", XXH3_64bits(values.data(), values.size() * sizeof(float)))}};
  if (chosen && std::regex_search(nameOf(info), *chosen)) {
    std::string name = fileNameOf(info);
    const uint64_t bytes = values.size() * sizeof(float);
    if (nBytes + bytes <= options.traceLimit)
      nBytes +=
          writeNpy((folder.path() / name).string(), values.data(), uint64_t(info.shape[0]), info.columns);
    else
      nBytes += bytes;
    entry["file"] = name;
    ++nChosen;
  }
  write(nRecords++ ? ",\n" : "\n");
  write(entry.dump(-1, ' ', false, Json::error_handler_t::replace));
  if (nBytes > options.traceLimit)
    throw Failure(fmt::format("{}: the trace grows beyond {} bytes: trace fewer tokens, choose values with "
                              "--trace-values=REGEX, or give a larger --trace-limit",
                              options.trace, options.traceLimit));
}

void TraceWriter::finish() {
  progress.reset();
  check(llmc_session_observe(session, nullptr, nullptr));
  write("],\n\"steps\": ");
  write(steps.dump());
  write("}\n");
  if (std::fclose(file.release()) != 0)
    throw Failure(fmt::format("{}: cannot write: {}", options.trace, std::strerror(errno)));
  folder.finish();
  if (chosen && !nChosen)
    fmt::print(stderr, "llmc: --trace-values={}: matches the layer and name of no value\n",
               options.traceValues);
  if (isatty(STDERR_FILENO))
    fmt::print(stderr, "llmc: {}: {} values of {} steps, {:.1f} MB\n", options.trace, nRecords, steps.size(),
               double(nBytes) / 1e6);
}

std::unique_ptr<TraceWriter> newTrace(llmc_model *model, llmc_session *session, const std::string &modelPath,
                                      const TraceOptions &options) {
  return options.trace.empty() ? nullptr : std::make_unique<TraceWriter>(model, session, modelPath, options);
}

} // namespace llmc::cli
