//===- Evaluation.cpp - what a model.so computes, value by value ----------===//
#include "tools/gate/Evaluation.h"

#include <llmc/llmc.h>

#include <algorithm>
#include <memory>

namespace llmc::tools {

const EvaluatedValue *Evaluation::find(const ValueKey &key) const {
  for (const EvaluatedValue &value : values)
    if (value.key == key)
      return &value;
  return nullptr;
}

std::string ValueKey::describe() const {
  std::string text = "'" + name + "'";
  if (number)
    text += " (number " + std::to_string(number + 1) + " of that name)";
  return layer < 0 ? text : text + " of layer " + std::to_string(layer);
}

namespace {

/// Of wider values only some columns are kept, so that memory stays small for large models.
constexpr uint64_t mostColumns = 4096;

struct Deleter {
  void operator()(llmc_model *model) const { llmc_model_release(model); }
  void operator()(llmc_session *session) const { llmc_session_free(session); }
  void operator()(llmc_batch *batch) const { llmc_batch_free(batch); }
};
template <typename T> using Owned = std::unique_ptr<T, Deleter>;

/// Takes what an observer sees into an Evaluation.
class Collector {
public:
  Collector(Evaluation &result, const std::function<void(const ValueKey &)> &onValue)
      : result(result), onValue(onValue) {}

  static bool onDispatch(const llmc_dispatch_info *info, void *self) {
    static_cast<Collector *>(self)->take(*info);
    return true;
  }

private:
  void take(const llmc_dispatch_info &info) {
    constexpr uint32_t keySpace = 2;
    if (info.rank != 2 || info.row_space == keySpace)
      return;
    if (info.step != step) {
      step = info.step;
      numbers.clear();
    }
    ValueKey key;
    key.layer = info.layer == UINT32_MAX ? -1 : static_cast<int64_t>(info.layer);
    const std::string location = info.location ? info.location : "";
    key.name = info.value ? info.value : std::string(info.kernel) + "(" + location + ")";
    key.number = numbers[key]++;
    if (onValue)
      onValue(key);
    auto [place, isNew] = index.try_emplace(key, result.values.size());
    if (isNew) {
      EvaluatedValue value;
      value.key = key;
      value.hasName = info.value;
      value.kernel = info.kernel;
      value.location = location;
      value.columns = info.columns;
      value.stride = (info.columns + mostColumns - 1) / mostColumns;
      result.values.push_back(std::move(value));
    }
    EvaluatedValue &value = result.values[place->second];
    if (value.columns != info.columns)
      return; // another value that happens to have the same name
    for (int64_t row = 0; row < info.shape[0]; ++row) {
      const float *from = static_cast<const float *>(info.data) + row * info.shape[1];
      std::vector<float> &to = value.rows[{info.row_tokens[row].seq, info.row_tokens[row].pos}];
      to.clear();
      for (uint64_t column = 0; column < value.columns; column += value.stride)
        to.push_back(from[column]);
    }
  }

  Evaluation &result;
  const std::function<void(const ValueKey &)> &onValue;
  std::map<ValueKey, size_t> index;
  std::map<ValueKey, unsigned> numbers; // of this step, by keys with number 0
  uint64_t step = UINT64_MAX;
};

/// One session that evaluates the steps of a schedule.
class Run {
public:
  explicit Run(const Schedule &schedule) : schedule(schedule), positions(schedule.sequences(), 0) {}

  llmc_status open(const std::string &path, const std::string &variant) {
    llmc_model_params modelParams;
    llmc_model_params_init(&modelParams, sizeof modelParams);
    const bool isEmulated = variant.starts_with("simt:");
    modelParams.device = isEmulated ? variant.c_str() : "cpu";
    modelParams.cpu_variant = isEmulated || variant.empty() ? nullptr : variant.c_str();
    llmc_model *loaded = nullptr;
    if (llmc_status status = llmc_model_load(path.c_str(), &modelParams, &loaded))
      return status;
    model.reset(loaded);
    llmc_session_params params;
    llmc_session_params_init(&params, sizeof params);
    params.n_ctx = static_cast<uint32_t>(schedule.tokensOfLongest());
    params.n_seq_max = static_cast<uint32_t>(schedule.sequences());
    params.n_batch = static_cast<uint32_t>(schedule.tokensInStep());
    llmc_session *opened = nullptr;
    if (llmc_status status = llmc_session_new(model.get(), &params, &opened))
      return status;
    session.reset(opened);
    sequences.resize(schedule.sequences());
    for (llmc_seq &sequence : sequences)
      if (llmc_status status = llmc_seq_new(session.get(), &sequence))
        return status;
    llmc_batch *made = nullptr;
    llmc_status status = llmc_batch_new(params.n_batch, &made);
    batch.reset(made);
    return status;
  }

  llmc_status observe(Collector &collector) {
    return llmc_session_observe(session.get(), Collector::onDispatch, &collector);
  }

  llmc_status evaluate(const std::vector<Chunk> &step, EvaluatedValue &logits) {
    llmc_batch_clear(batch.get());
    std::vector<RowPlace> asked;
    for (const Chunk &chunk : step) {
      if (llmc_status status =
              llmc_batch_add(batch.get(), sequences[chunk.sequence], chunk.tokens.data(), chunk.tokens.size(),
                             schedule.asksForAll ? LLMC_OUT_ALL : LLMC_OUT_LAST, nullptr))
        return status;
      for (size_t i = 0; i < chunk.tokens.size(); ++i) {
        const int32_t position = positions[chunk.sequence]++;
        if (schedule.asksForAll || i + 1 == chunk.tokens.size())
          asked.push_back({sequences[chunk.sequence], position});
      }
    }
    if (llmc_status status = llmc_eval(session.get(), batch.get()))
      return status;
    for (size_t row = 0; row < asked.size(); ++row) {
      const float *values = nullptr;
      size_t n = 0;
      if (llmc_status status = llmc_logits(session.get(), static_cast<int32_t>(row), &values, &n))
        return status;
      logits.columns = n;
      logits.rows[asked[row]].assign(values, values + n);
    }
    return LLMC_OK;
  }

private:
  const Schedule &schedule;
  Owned<llmc_model> model;
  Owned<llmc_session> session;
  Owned<llmc_batch> batch;
  std::vector<llmc_seq> sequences;
  std::vector<int32_t> positions;
};

} // namespace

std::optional<Evaluation> runModule(const std::string &path, const Schedule &schedule,
                                    const std::string &variant, std::string &error,
                                    const std::function<void(const ValueKey &)> &onValue) {
  Evaluation result;
  result.logits.key.name = "logits";
  result.logits.hasName = true;
  Run run(schedule);
  Collector collector(result, onValue);
  llmc_status status = run.open(path, variant);
  if (status == LLMC_OK)
    status = run.observe(collector);
  for (size_t step = 0; status == LLMC_OK && step < schedule.steps.size(); ++step)
    status = run.evaluate(schedule.steps[step], result.logits);
  if (status == LLMC_OK)
    return result;
  error = llmc_last_error();
  return std::nullopt;
}

} // namespace llmc::tools
