// A session: the KV cache, the arena of activations, and the steps that run over them. One thread at a time.
#pragma once

#include "runtime/Busy.h"
#include "runtime/KVCache.h"
#include "runtime/Pooling.h"
#include "runtime/Profile.h"
#include "runtime/Shares.h"
#include "runtime/Workspace.h"
#include "runtime/device/DeviceStep.h"

#include <atomic>
#include <memory>
#include <span>

namespace llmc {

class Sampler;
class StepRun;

/// A row whose token is chosen at the end of the step.
struct RowSampler {
  int32_t row;
  Sampler *sampler;
};

/// The tokens of one step: parallel arrays; outputs holds LLMC_OUT_* bits for each token, nonzero asks for
/// its row.
struct StepTokens {
  std::span<const llmc_token> ids;
  std::span<const llmc_seq> seqs;
  std::span<const uint8_t> outputs;
  std::span<const RowSampler> samplers = {};
  const Sampler *reader =
      nullptr; ///< who will read the rows next: what it does not need may stay on a device
  /// It reads one row, and the token that it chooses will be a step of its own, most likely: a device may
  /// begin with that step. Whoever says so calls dropAhead() in the end.
  bool isFollowed = false;
};

class Session {
public:
  ~Session();
  llmc_status create(llmc_model *model, const llmc_session_params *params);

  /// All-or-nothing: on any failure the cache is as before. `function` stands before messages.
  llmc_status eval(const StepTokens &tokens, const char *function);
  /// One sequence, in chunks of n_batch, asking for the last token's row. Room and tokens are checked first.
  llmc_status prefill(llmc_seq seq, std::span<const llmc_token> ids, const char *function);

  /// A sequence as bytes, and bytes as a new sequence (SavedSequence.cpp); all-or-nothing.
  llmc_status save(llmc_seq seq, llmc_write_fn write, void *ud);
  llmc_status load(llmc_read_fn read, void *ud, llmc_seq &out);

  llmc_status checkSequence(llmc_seq seq, const char *function) const;
  /// Whether a sequence can grow by `n` tokens; sets no error.
  bool hasRoom(llmc_seq seq, uint32_t n) const { return cache.hasRoom(seq, n); }
  llmc_status logits(int32_t row, const char *function, const float *&out) const;
  /// Lets a sampler choose from a row. `logprob` may be null.
  llmc_status sample(int32_t row, Sampler &sampler, const char *function, llmc_token &token,
                     float *logprob) const;
  llmc_status hiddenRow(int32_t row, const char *function, const float *&out) const;
  /// The vector is the session's own, until the next step or the next call.
  llmc_status embedding(llmc_seq seq, int32_t pooling, const float *&out) const;
  /// What a sampler of the last step chose for a row.
  llmc_status sampled(int32_t row, const char *function, llmc_token &token, float &logprob) const;
  /// The row that holds the logits of the sequence's last token, or -1.
  int32_t lastRow(llmc_seq seq) const;
  /// A step that a device has begun ahead is not wanted.
  void dropAhead();
  /// Cuts a sequence; rows of positions that are gone no longer stand for it.
  void truncate(llmc_seq seq, uint32_t length);
  bool takeInterrupt() { return interrupted.load(std::memory_order_relaxed) && interrupted.exchange(false); }

  const llmc_model &model() const { return *owner; }
  uint32_t vocab() const { return module().vocab; }
  uint32_t batchTokens() const { return plan.nBatch; }

  BusyFlag busy;
  std::atomic<bool> interrupted{false};
  static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler may interrupt");
  KVCache cache;
  llmc_observer_fn observer = nullptr;
  void *observerData = nullptr;
  std::unique_ptr<Profile> profile; ///< null: nothing is noted
  std::unique_ptr<Profile> newProfile(uint64_t maxBytes) const;
  /// Told of every read by kernels compiled with --count-loads, from all workers; tests set it.
  decltype(llmc_step::count_load) countLoad = [](const llmc_step *, const void *, uint64_t) {};
  void *countLoadData = nullptr;

private:
  friend class StepRun;
  friend class DeviceStep;
  struct OutputRow {
    llmc_seq seq;
    llmc_pos pos;
    bool hasHidden;
    llmc_token sampled = -1;
    float logprob = 0;
  };
  const llmc_module &module() const;
  llmc_status checkTokens(std::span<const llmc_token> ids, const char *function) const;
  llmc_status checkStep(const StepTokens &tokens, const char *function);
  llmc_status prepareStep(const StepTokens &tokens, llmc_step &step, uint64_t &nKeys, bool &isFollowed,
                          std::vector<OutputRow> &rows, const char *function);
  bool isUnderWay(const StepTokens &tokens) const;
  bool mayBeFollowed(const StepTokens &tokens, const llmc_step &step) const;
  void settlePages(bool isKept);
  llmc_status createOnDevice(DeviceModel &device, const llmc_session_params &params);
  llmc_status createOnCpu(const llmc_session_params &params);
  llmc_status runStep(StepRun &run, const llmc_step &step, uint64_t nKeys, bool isFollowed,
                      const char *function);
  llmc_status reserveScratch(const uint64_t (&rows)[LLMC_ROW_SPACES], uint64_t keys, const char *function);
  uint32_t wantedCandidates(const StepTokens &tokens) const;
  llmc_status sampleFrom(size_t row, Sampler &sampler, llmc_token &token, float *logprob) const;
  llmc_status bringLogits() const;
  llmc_status resolveRow(int32_t row, const char *function, size_t &out) const;
  llmc_status checkSamplers(const StepTokens &tokens, const char *function) const;
  void buildRows(const StepTokens &tokens);
  const float *logitsAt(size_t row) const;
  const float *hiddenAt(size_t row) const;
  llmc_status chooseTokens(std::span<const RowSampler> samplers, std::vector<OutputRow> &rows,
                           const char *function);

  llmc_model *owner = nullptr;
  ThreadPool *pool = nullptr;           ///< null: on a device
  std::unique_ptr<DeviceStep> onDevice; ///< null: on the pool's threads
  WorkspacePlan plan = {};
  llmc_allocator allocator = {}; ///< without alloc: the system
  Region arena, scratch, stepScratch;
  std::vector<const void *> args;   ///< of all dispatches, resolved once
  std::vector<uint8_t *> scratchOf; ///< of each worker
  Shares shares;

  // The running step, kept to save allocations.
  std::vector<uint32_t> newTokens; ///< of each sequence slot
  std::vector<llmc_token_row> tokenRows;
  std::vector<int32_t> asked, keys;
  std::vector<OutputRow> outputRows; ///< of the last step; their logits are in the arena
  bool hasOutputs = false;
  uint64_t nBest = 0;            ///< the last step's rows have so many candidates, and logits on the device
  mutable bool hasLogits = true; ///< of the last step, in the arena
  std::vector<uint8_t> rowSummaries; ///< of the last step's rows, as llmc_device_sampling has them
  uint64_t nSteps = 0;               ///< begun so far
  Pooling pooling;
  mutable std::vector<float> pooled;
};

} // namespace llmc

struct llmc_session final : llmc::Session {};
