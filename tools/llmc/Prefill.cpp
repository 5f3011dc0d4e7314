//===- Prefill.cpp - a prompt, and how far it is --------------------------===//
#include "tools/llmc/Common.h"
#include "tools/support/Progress.h"

namespace llmc::cli {
namespace {

/// A bar over the layers of all tokens. Where `session` is given it also moves within a step.
class PromptProgress {
public:
  PromptProgress(const llmc_model *model, llmc_session *session, size_t tokens)
      : layers(uint64_t(std::max<int64_t>(modelInfo(model, LLMC_INFO_LAYERS), 1))),
        bar("prompt", tokens * layers), session(bar.isShown() ? session : nullptr) {
    if (this->session)
      check(llmc_session_observe(session, onDispatch, this));
  }
  ~PromptProgress() {
    if (session)
      llmc_session_observe(session, nullptr, nullptr);
  }
  void begin(size_t tokensBefore, size_t tokensOfStep) {
    before = tokensBefore, ofStep = tokensOfStep;
    bar.update(before * layers);
  }

private:
  static bool onDispatch(const llmc_dispatch_info *info, void *data) {
    auto &self = *static_cast<PromptProgress *>(data);
    if (info->layer < self.layers)
      self.bar.update(self.before * self.layers + self.ofStep * info->layer);
    return true;
  }

  uint64_t layers;
  Progress bar;
  llmc_session *session;
  size_t before = 0, ofStep = 0;
};

} // namespace

llmc_status prefill(const llmc_model *model, llmc_session *session, llmc_seq seq,
                    std::span<const llmc_token> tokens, const ModelOptions &options, bool isWatched) {
  const bool isSlow = deviceWord(options.device) == simtDevice;
  PromptProgress progress(model, isSlow && !isWatched ? session : nullptr, tokens.size());
  const size_t step = options.batch ? options.batch : defaultBatch;
  for (size_t done = 0; done < tokens.size();) {
    const size_t n = std::min(step, tokens.size() - done);
    progress.begin(done, n);
    if (llmc_status status = llmc_prefill(session, seq, tokens.data() + done, n)) {
      if (status == LLMC_ENOSPC_KV && done) // all or nothing
        llmc_kv_remove(session, seq, llmc_seq_len(session, seq) - llmc_pos(done), -1);
      return status;
    }
    done += n;
  }
  return LLMC_OK;
}

} // namespace llmc::cli
