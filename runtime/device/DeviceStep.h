// A session's steps on a device: its buffers there, and each step from what it is told to what it leaves.
//
// A step ahead is one of a single token that is asked for before the token is known: it is the best one of
// the step before, which leaves it on the device (llmc_step.chosen). So the device goes on while the host
// reads what that step has left. It changes nothing that anybody sees before it has become a step like
// others: its page counts as reserved, and its logits go to a row of their own.
#pragma once

#include "runtime/device/RecordedSteps.h"
#include "runtime/device/StepResults.h"
#include "runtime/device/StepScratch.h"

#include <optional>

namespace llmc {

class Session;
struct RowSummary;
class StepRun;

class DeviceStep {
public:
  ~DeviceStep();
  /// Memory for the session's largest step.
  llmc_status create(DeviceModel &model, const WorkspacePlan &workspace, const KVCache &cache);
  /// Takes what only a step of this size needs, and one behind it with `ahead` tokens more, before anything
  /// of the cache changes.
  llmc_status reserve(const llmc_step &step, uint64_t nKeys, uint32_t ahead, const char *function);
  /// Runs the step; what it leaves that can be read stands in the session's arena afterwards, but where
  /// candidates are wanted, these stand in its rowSummaries, and the logits stay here.
  /// `isFollowed`: a step ahead is begun behind it, if that works, for which memory is reserved.
  llmc_status run(Session &session, StepRun &walk, const llmc_step &step, bool isFollowed,
                  const char *function);

  /// Whether a step ahead has begun, and is of this token: then run() goes on with it.
  bool hasAhead() const { return ahead.has_value(); }
  bool isAhead(llmc_token token, llmc_seq seq, llmc_pos pos) const;
  /// Its sequence, or -1 if there is none.
  llmc_seq dropAhead();

  /// How many candidates of a row can be asked for (llmc_step.n_best).
  uint32_t mostCandidates() const { return model->program().sampling.most; }
  /// One row of the session's rowSummaries.
  RowSummary summaryOf(std::span<const uint8_t> summaries, size_t row, uint64_t nBest) const;
  /// The logits that the last step has left here.
  llmc_status bringLogits(uint64_t rows, uint8_t *to);

private:
  llmc_status createBuffers();
  StepShape shapeOf(const llmc_step &step, uint32_t turn) const;
  llmc_status begin(Session &session, StepRun *walk, const llmc_step &step, const StepShape &shape,
                    const char *function);
  void forget(uint32_t turn);
  llmc_status repeat(Session &session, StepShape shape, const char *function);
  llmc_status launchAll(Session &session, StepRun *walk, const StepShape &shape, const char *function);
  llmc_status observe(StepRun &walk, uint32_t dispatch, uint32_t turn, const char *function);
  llmc_status runIn(DeviceUse &use, Session &session, StepRun &walk, const llmc_step &step, bool isFollowed,
                    const char *function);
  void settle();
  void beginAhead(Session &session, const llmc_step &step, uint32_t turn);

  DeviceModel *model = nullptr;
  const WorkspacePlan *workspace = nullptr;
  DevicePlan plan = {};
  std::vector<DeviceMemory> buffers; ///< each by itself: so a device that checks sees where one ends
  DeviceMemory otherLogits;          ///< of turn 1, in place of the buffer: one row
  std::vector<DeviceAddress> addresses[turns]; ///< of them
  StepHead head;
  StepScratch scratch;
  StepLaunches launches;
  StepResults results;
  RecordedSteps recorded;

  struct Ahead {
    llmc_seq seq;
    llmc_pos pos;
    uint32_t turn;
    llmc_token token = -1; ///< known when the step before is done
  };
  std::optional<Ahead> ahead;
  std::unique_ptr<DeviceMark> marks[turns]; ///< behind the last step of the turn
  bool isSurplusUnderWay = false;           ///< a step ahead, or a part of one, that nobody wants any more
  uint32_t lastTurn = 0;                    ///< of the step whose results are there to be read
};

} // namespace llmc
