#include "runtime/device/StepLaunches.h"

#include <algorithm>
#include <bit>

namespace llmc {

static Device::Grid gridOf(const llmc_device_launch &launch, uint64_t rows, uint64_t keys) {
  auto blocks = [](uint64_t n, uint32_t perBlock, uint32_t most) {
    return perBlock ? uint32_t(std::clamp<uint64_t>((n + perBlock - 1) / perBlock, 1, most)) : 1;
  };
  return {launch.blocks, blocks(rows, launch.rows_per_block, launch.max_row_blocks),
          blocks(keys, launch.keys_per_block, launch.max_key_blocks)};
}

/// visit(number, launch) of those of a kernel, until one fails.
static llmc_status
eachLaunch(const llmc_device &program, uint32_t number,
           const std::function<llmc_status(uint32_t number, const llmc_device_launch &)> &visit) {
  const llmc_device_kernel &kernel = program.kernels[number];
  for (uint32_t i = kernel.first_launch; i < kernel.first_launch + kernel.n_launches; ++i)
    if (llmc_status status = visit(i, program.launches[i]))
      return status;
  return LLMC_OK;
}

llmc_status StepLaunches::create(DeviceModel &newModel, const DevicePlan &plan,
                                 const std::vector<DeviceAddress> (&buffers)[turns]) {
  model = &newModel;
  Device &device = model->device();
  const llmc_module &module = *model->program().program;
  perTurn = argumentsPerTurn(module);
  std::vector<uint64_t> values;
  for (const std::vector<DeviceAddress> &of : buffers) {
    for (uint32_t i = 0; i < module.n_args; ++i) {
      const llmc_arg &arg = module.args[i];
      values.push_back(arg.kind == LLMC_ARG_BUFFER   ? of[arg.value]
                       : arg.kind == LLMC_ARG_WEIGHT ? model->weights() + arg.value
                                                     : arg.value);
    }
    values.insert(values.end(), {of[module.logits_buffer], 0});
  }
  if (llmc_status status = args.allocate(device, plan.arguments, "arguments"))
    return status;
  if (llmc_status status = device.copyIn(args.address(), values.data(), args.size()))
    return status;
  return device.synchronize();
}

llmc_status StepLaunches::setChoiceWork(DeviceAddress work) {
  Device &device = model->device();
  for (uint32_t turn = 0; turn < turns; ++turn) {
    if (llmc_status status = device.copyIn(argsOf(turn, perTurn - 1), &work, sizeof work))
      return status;
    if (llmc_status status = device.synchronize()) // before `work` goes
      return status;
  }
  return LLMC_OK;
}

uint64_t StepLaunches::scratchBlocks(const llmc_device &program,
                                     const uint64_t (&mostRows)[LLMC_ROW_SPACES]) {
  const llmc_module &module = *program.program;
  uint64_t blocks = 1;
  for (uint32_t i = 0; i < module.n_dispatches; ++i) {
    const llmc_dispatch &dispatch = module.dispatches[i];
    const uint64_t most =
        dispatch.rows == LLMC_ROWS_KEYS ? std::bit_ceil(mostRows[LLMC_ROWS_KEYS]) : mostRows[dispatch.rows];
    if (hasScratch(module.kernels[dispatch.kernel]))
      eachLaunch(program, dispatch.kernel, [&](uint32_t, const llmc_device_launch &launch) {
        blocks = std::max<uint64_t>(blocks, gridOf(launch, most, 1).y);
        return LLMC_OK;
      });
  }
  return blocks;
}

llmc_status StepLaunches::launch(uint32_t kernel, uint64_t rows, const StepShape &shape, DeviceAddress head,
                                 DeviceAddress kernelArgs) const {
  return eachLaunch(model->program(), kernel, [&](uint32_t number, const llmc_device_launch &launch) {
    if (rows < launch.min_rows || rows > launch.max_rows)
      return llmc_status(LLMC_OK);
    return model->device().launch(model->code(), number, gridOf(launch, rows, shape.keys), head, kernelArgs);
  });
}

llmc_status StepLaunches::dispatch(const llmc_dispatch &dispatch, const StepShape &shape,
                                   DeviceAddress head) const {
  return launch(dispatch.kernel, shape.rows[dispatch.rows], shape, head,
                argsOf(shape.turn, dispatch.first_arg));
}

llmc_status StepLaunches::choose(const StepShape &shape, DeviceAddress head) const {
  return launch(model->program().sampling.kernel, shape.rows[LLMC_ROWS_ASKED], shape, head,
                argsOf(shape.turn, perTurn - 2));
}

} // namespace llmc
