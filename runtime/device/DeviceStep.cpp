// The head of a step is one copy: the llmc_step with device addresses in it, its tokens, the page tables.
#include "runtime/device/DeviceStep.h"

#include "runtime/Sampler.h"
#include "runtime/StepRun.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace llmc {

constexpr uint64_t resultBytes = 4 << 20;   // at a time
constexpr uint64_t mostRecordedTokens = 16; // a longer step takes longer than its launches
constexpr size_t mostRecorded = 64;

DeviceStep::~DeviceStep() {
  if (!model)
    return;
  std::lock_guard lock(model->device().mutex);
  model->device().enter();
  recorded.clear();
}

llmc_status DeviceStep::create(DeviceModel &newModel, const WorkspacePlan &newPlan, const KVCache &cache) {
  model = &newModel;
  plan = &newPlan;
  Device &device = model->device();
  std::lock_guard lock(device.mutex);
  if (llmc_status status = device.enter())
    return status;
  const llmc_module &module = *model->program().program;
  const uint64_t nKeys = module.uses_keys ? plan->cache.nTokens : 0;
  const uint64_t mostRows[LLMC_ROW_SPACES] = {plan->nBatch, plan->nBatch, nKeys, plan->nBatch};
  buffers.resize(module.n_buffers);
  for (uint32_t i = 0; i < module.n_buffers; ++i) {
    const llmc_buffer &buffer = module.buffers[i];
    const char *name = buffer.name == LLMC_NONE ? "a buffer" : module.strings + buffer.name;
    if (llmc_status status = buffers[i].allocate(device, mostRows[buffer.rows] * buffer.row_bytes, name))
      return status;
  }
  std::vector<uint64_t> values(std::max(module.n_args, 1u));
  for (uint32_t i = 0; i < module.n_args; ++i) {
    const llmc_arg &arg = module.args[i];
    values[i] = arg.kind == LLMC_ARG_BUFFER   ? buffers[arg.value].address()
                : arg.kind == LLMC_ARG_WEIGHT ? model->weights() + arg.value
                                              : arg.value;
  }
  if (llmc_status status = args.allocate(device, values.size() * sizeof(uint64_t), "arguments"))
    return status;
  if (mostCandidates())
    if (llmc_status status = choiceArgs.allocate(device, 3 * sizeof(DeviceAddress), "arguments"))
      return status;
  for (uint32_t i = 0; i < module.n_dispatches; ++i) {
    const llmc_dispatch &dispatch = module.dispatches[i];
    const uint64_t most = dispatch.rows == LLMC_ROWS_KEYS ? std::bit_ceil(nKeys) : mostRows[dispatch.rows];
    if (hasScratch(module.kernels[dispatch.kernel]))
      eachLaunch(dispatch.kernel, [&](uint32_t, const llmc_device_launch &launch) {
        scratchBlocks = std::max<uint64_t>(scratchBlocks, gridOf(launch, most, 1).y);
        return LLMC_OK;
      });
  }

  auto place = [&](uint64_t bytes) {
    const uint64_t at = offsets.bytes;
    alignUp(offsets.bytes + bytes, 256, offsets.bytes);
    return at;
  };
  place(sizeof(llmc_step));
  offsets.tokens = place(plan->nBatch * sizeof(llmc_token_row));
  offsets.asked = place(plan->nBatch * sizeof(int32_t));
  offsets.pools = place(module.n_caches * sizeof(llmc_kv_pool));
  cache.eachTable(
      [&](std::span<const int32_t> table) { tables.push_back({table.data(), table.size_bytes()}); });
  offsets.tables = offsets.bytes;
  for (const auto &[table, bytes] : tables)
    place(bytes);
  offsets.scratch = place(scratchBlocks * sizeof(DeviceAddress));
  if (llmc_status status = head.allocate(device, offsets.bytes, "the step"))
    return status;
  if (llmc_status status = staging.allocate(device, offsets.bytes))
    return status;
  if (nKeys)
    if (llmc_status status = keys.allocate(device, nKeys * 2 * sizeof(int32_t), "the keys of a step"))
      return status;
  if (llmc_status status = results.allocate(device, resultBytes))
    return status;
  if (llmc_status status = device.copyIn(args.address(), values.data(), args.size()))
    return status;
  return device.synchronize();
}

/// Memory for candidates is taken when the first are wanted. Where it stands is told to the kernel in memory,
/// since launches may be recorded.
llmc_status DeviceStep::reserveCandidates(uint64_t rows) {
  const llmc_device_sampling &sampling = model->program().sampling;
  if (rows * sampling.row_bytes <= choices.size())
    return LLMC_OK;
  Device &device = model->device();
  std::lock_guard lock(device.mutex);
  if (llmc_status status = device.enter())
    return status;
  auto take = [&]() -> llmc_status {
    if (llmc_status status = choices.allocate(device, rows * sampling.row_bytes, "candidates"))
      return status;
    if (llmc_status status = choiceWork.allocate(device, rows * sampling.work_bytes, "finding candidates"))
      return status;
    device.setScratch(choiceWork.address());
    const DeviceAddress values[] = {buffers[model->program().program->logits_buffer].address(),
                                    choices.address(), choiceWork.address()};
    if (llmc_status status = device.copyIn(choiceArgs.address(), values, sizeof values))
      return status;
    return device.synchronize();
  };
  const llmc_status status = take();
  if (status != LLMC_OK)
    choices.reset();
  return status;
}

llmc_status DeviceStep::reserve(const llmc_step &step, uint64_t nKeys, const char *function) {
  if (step.n_best)
    if (llmc_status status = reserveCandidates(step.rows[LLMC_ROWS_ASKED]))
      return status;
  uint64_t total;
  if (!scratchNeeded(*model->program().program, step.rows, nKeys, true, scratchBytes) ||
      !mulAdd(scratchBytes, scratchBlocks, 0, total) || !commonNeeded(nKeys, total))
    return setError(LLMC_ENOMEM, "%s: the scratch memory of this step does not fit in 64 bits", function);
  if (total <= scratch.size())
    return LLMC_OK;
  total = std::max(total, scratch.size() + scratch.size() / 4); // the next steps have a few keys more
  Device &device = model->device();
  std::lock_guard lock(device.mutex);
  if (llmc_status status = device.enter())
    return status;
  scratch.reset();
  if (llmc_status status = scratch.allocate(device, total, "scratch"))
    return status;
  device.setScratch(scratch.address());
  return LLMC_OK;
}

bool DeviceStep::commonNeeded(uint64_t nKeys, uint64_t &out) const {
  const llmc_device &program = model->program();
  for (uint32_t i = 0; i < program.program->n_kernels; ++i) {
    uint64_t bytes;
    if (!mulAdd(program.kernels[i].common_per_key, nKeys, program.kernels[i].common_constant, bytes))
      return false;
    out = std::max(out, bytes);
  }
  return true;
}

llmc_status DeviceStep::eachLaunch(
    uint32_t number,
    const std::function<llmc_status(uint32_t number, const llmc_device_launch &)> &visit) const {
  const llmc_device_kernel &kernel = model->program().kernels[number];
  for (uint32_t i = kernel.first_launch; i < kernel.first_launch + kernel.n_launches; ++i)
    if (llmc_status status = visit(i, model->program().launches[i]))
      return status;
  return LLMC_OK;
}

Device::Grid DeviceStep::gridOf(const llmc_device_launch &launch, uint64_t rows, uint64_t keys) const {
  auto blocks = [](uint64_t n, uint32_t perBlock, uint32_t most) {
    return perBlock ? uint32_t(std::clamp<uint64_t>((n + perBlock - 1) / perBlock, 1, most)) : 1;
  };
  return {launch.blocks, blocks(rows, launch.rows_per_block, launch.max_row_blocks),
          blocks(keys, launch.keys_per_block, launch.max_key_blocks)};
}

llmc_status DeviceStep::upload(const llmc_step &step) {
  const llmc_module &module = *model->program().program;
  memset(staging.data(), 0xff, staging.size()); // of what the step before had nothing may be taken for good
  auto put = [&](uint64_t at, const void *from, uint64_t bytes) {
    if (bytes)
      memcpy(staging.data() + at, from, bytes);
    return head.address() + at;
  };
  llmc_step there = {};
  std::copy_n(step.rows, LLMC_ROW_SPACES, there.rows);
  there.tokens = reinterpret_cast<const llmc_token_row *>(
      put(offsets.tokens, step.tokens, step.rows[LLMC_ROWS_TOKENS] * sizeof(llmc_token_row)));
  there.asked = reinterpret_cast<const int32_t *>(
      put(offsets.asked, step.asked, step.rows[LLMC_ROWS_ASKED] * sizeof(int32_t)));
  there.keys = reinterpret_cast<const int32_t *>(keys.address());
  std::vector<DeviceAddress> tableAddresses;
  uint64_t at = offsets.tables;
  for (const auto &[table, bytes] : tables) {
    tableAddresses.push_back(put(at, table, bytes));
    alignUp(at + bytes, 256, at);
  }
  for (uint32_t i = 0; i < module.n_caches; ++i) {
    llmc_kv_pool pool = step.kv[i];
    for (size_t t = 0; t < tables.size(); ++t)
      if (tables[t].first == pool.table)
        pool.table = reinterpret_cast<const int32_t *>(tableAddresses[t]);
    put(offsets.pools + i * sizeof(llmc_kv_pool), &pool, sizeof pool);
  }
  there.kv = reinterpret_cast<const llmc_kv_pool *>(head.address() + offsets.pools);
  for (uint64_t i = 0; i < scratchBlocks; ++i) {
    const DeviceAddress block = scratch.address() + i * scratchBytes;
    put(offsets.scratch + i * sizeof block, &block, sizeof block);
  }
  there.scratch = reinterpret_cast<uint8_t *const *>(head.address() + offsets.scratch);
  there.n_best = step.n_best;
  put(0, &there, sizeof there);
  if (step.rows[LLMC_ROWS_KEYS])
    if (llmc_status status = model->device().copyIn(keys.address(), step.keys,
                                                    step.rows[LLMC_ROWS_KEYS] * 2 * sizeof(int32_t)))
      return status;
  return model->device().copyIn(head.address(), staging.data(), offsets.bytes);
}

llmc_status DeviceStep::clearPages(KVCache &cache) {
  return cache.takeDirtyPages(
      [&](const uint8_t *page, uint64_t bytes) { return model->device().clear(DeviceAddress(page), bytes); });
}

llmc_status DeviceStep::launchKernel(uint32_t kernel, uint64_t rows, uint64_t keys,
                                     DeviceAddress kernelArgs) {
  return eachLaunch(kernel, [&](uint32_t number, const llmc_device_launch &launch) {
    if (rows < launch.min_rows || rows > launch.max_rows)
      return llmc_status(LLMC_OK);
    return model->device().launch(model->code(), number, gridOf(launch, rows, keys), head.address(),
                                  kernelArgs);
  });
}

/// With `walk`, for an observer or a profile, the device rests after each dispatch.
llmc_status DeviceStep::launchAll(Session &session, StepRun *walk, const Shape &shape, const char *function) {
  const llmc_module &module = *model->program().program;
  Device &device = model->device();
  Profile::Slot *slots = session.profile && walk ? session.profile->take(0) : nullptr;
  for (uint32_t i = 0; i < module.n_dispatches; ++i) {
    const llmc_dispatch &dispatch = module.dispatches[i];
    if (!plan->runs(dispatch) || shape.rows[dispatch.rows] == 0)
      continue;
    if (session.takeInterrupt())
      return setError(LLMC_ECANCELLED, "%s: cancelled; the cache is as before", function);
    if (slots)
      slots[i].begin = Profile::now();
    if (llmc_status status = launchKernel(dispatch.kernel, shape.rows[dispatch.rows], shape.keys,
                                          args.address() + dispatch.first_arg * 8ull))
      return status;
    if (!walk)
      continue;
    if (llmc_status status = device.synchronize())
      return status;
    if (slots)
      slots[i].end = Profile::now();
    if (!session.observer)
      continue;
    llmc_status status = LLMC_OK;
    walk->eachResult(i, [&](uint32_t buffer, uint64_t rows, uint8_t *to) {
      if (status == LLMC_OK)
        status = fetch(buffer, rows, to);
    });
    if (status)
      return status;
    if (!walk->observe(i))
      return setError(LLMC_ECANCELLED, "%s: cancelled; the cache is as before", function);
  }
  return shape.chooses ? launchKernel(model->program().sampling.kernel, shape.rows[LLMC_ROWS_ASKED],
                                      shape.keys, choiceArgs.address())
                       : LLMC_OK;
}

/// A step of a shape that comes again is recorded: then all its launches are one.
llmc_status DeviceStep::repeat(Session &session, const Shape &shape, const char *function) {
  Device &device = model->device();
  if (recorded.size() >= mostRecorded && !recorded.contains(shape))
    recorded.clear();
  Recorded &entry = recorded[shape];
  if (entry.timesSeen++ == 0)
    return launchAll(session, nullptr, shape, function);
  if (!entry.graph) {
    if (llmc_status status = device.beginCapture())
      return status;
    std::unique_ptr<DeviceGraph> graph;
    llmc_status launched = LLMC_OK;
    std::string sentence;
    try {
      launched = launchAll(session, nullptr, shape, function);
      sentence = launched ? lastError() : "";
    } catch (...) { // a stream that goes on recording can do nothing else
      device.endCapture(graph);
      throw;
    }
    const llmc_status ended = device.endCapture(graph);
    if (launched)
      return setError(launched, "%s", sentence.c_str());
    if (ended)
      return ended;
    entry.graph = std::move(graph);
  }
  return device.replay(*entry.graph);
}

llmc_status DeviceStep::fetch(uint32_t buffer, uint64_t rows, uint8_t *to) {
  return fetch(buffers[buffer].address(), rows * model->program().program->buffers[buffer].row_bytes, to);
}

llmc_status DeviceStep::fetch(DeviceAddress from, uint64_t bytes, uint8_t *to) {
  Device &device = model->device();
  for (uint64_t done = 0; done < bytes;) {
    const uint64_t n = std::min(bytes - done, results.size());
    if (llmc_status status = device.copyOut(results.data(), from + done, n))
      return status;
    if (llmc_status status = device.synchronize())
      return status;
    memcpy(to + done, results.data(), n);
    done += n;
  }
  return LLMC_OK;
}

llmc_status DeviceStep::fetchResults(Session &session, const llmc_step &step) {
  const llmc_module &module = *model->program().program;
  if (step.n_best) {
    session.rowSummaries.resize(step.rows[LLMC_ROWS_ASKED] * model->program().sampling.row_bytes);
    if (llmc_status status =
            fetch(choices.address(), session.rowSummaries.size(), session.rowSummaries.data()))
      return status;
  }
  for (uint32_t buffer : {module.logits_buffer, module.hidden_buffer})
    if (buffer != LLMC_NONE && (buffer == module.logits_buffer ? !step.n_best : step.rows[LLMC_ROWS_HIDDEN]))
      if (llmc_status status = fetch(buffer, step.rows[module.buffers[buffer].rows],
                                     session.arena.data() + plan->bufferOffsets[buffer]))
        return status;
  return LLMC_OK;
}

llmc_status DeviceStep::bringLogits(uint64_t rows, uint8_t *to) {
  Device &device = model->device();
  std::lock_guard lock(device.mutex);
  if (llmc_status status = device.enter())
    return status;
  return fetch(model->program().program->logits_buffer, rows, to);
}

RowSummary DeviceStep::summaryOf(std::span<const uint8_t> summaries, size_t row, uint64_t nBest) const {
  const llmc_device_sampling &sampling = model->program().sampling;
  const uint8_t *start = summaries.data() + row * sampling.row_bytes;
  return {{reinterpret_cast<const llmc_candidate *>(start), nBest},
          {reinterpret_cast<const float *>(start + sampling.most * sizeof(llmc_candidate)), sampling.n_sums}};
}

llmc_status DeviceStep::runEntered(Session &session, StepRun &walk, const llmc_step &step,
                                   const char *function) {
  if (llmc_status status = clearPages(session.cache))
    return status;
  if (llmc_status status = upload(step))
    return status;
  for (const DeviceMemory &buffer : buffers)
    model->device().forget(buffer.address(), buffer.size());
  model->device().forget(choices.address(), choices.size());
  Shape shape = {};
  std::copy_n(step.rows, LLMC_ROW_SPACES, shape.rows);
  for (uint64_t i = 0; i < step.rows[LLMC_ROWS_TOKENS]; ++i)
    shape.keys = std::max<uint64_t>(shape.keys, uint64_t(step.tokens[i].pos) + 1);
  shape.chooses = step.n_best != 0;
  const bool isWatched = session.observer || session.profile;
  if (isWatched || step.rows[LLMC_ROWS_TOKENS] > mostRecordedTokens) {
    if (llmc_status status = launchAll(session, isWatched ? &walk : nullptr, shape, function))
      return status;
  } else {
    // More blocks than rows and keys ask for do no harm.
    shape.keys = std::bit_ceil(shape.keys);
    shape.rows[LLMC_ROWS_KEYS] = std::bit_ceil(shape.rows[LLMC_ROWS_KEYS]) * (shape.rows[LLMC_ROWS_KEYS] > 0);
    if (llmc_status status = repeat(session, shape, function))
      return status;
  }
  if (llmc_status status = fetchResults(session, step))
    return status;
  return model->device().synchronize();
}

llmc_status DeviceStep::run(Session &session, StepRun &walk, const llmc_step &step, const char *function) {
  Device &device = model->device();
  std::lock_guard lock(device.mutex);
  if (llmc_status status = device.enter())
    return status;
  llmc_status status;
  try {
    status = runEntered(session, walk, step, function);
  } catch (...) { // nothing of the step is under way when its pages are given back
    device.synchronize();
    throw;
  }
  if (status == LLMC_OK)
    return LLMC_OK;
  const std::string sentence = lastError();
  device.synchronize(); // as above
  return setError(status, "%s", sentence.c_str());
}

} // namespace llmc
