// The model functions of the C API.
#include "runtime/Module.h"
#include "runtime/SizedStruct.h"
#include "runtime/Workspace.h"
#include "runtime/device/Devices.h"

#include <cstring>

using namespace llmc;

void llmc_model_params_init(llmc_model_params *params, size_t struct_size) {
  initSized(params, struct_size, llmc_model_params{});
}

static llmc_status checkParams(const llmc_model_params &params) {
  const uint32_t known =
      LLMC_LOAD_MLOCK | LLMC_LOAD_COPY_WEIGHTS | LLMC_LOAD_VERIFY_WEIGHTS | LLMC_LOAD_PLAN_ONLY;
  if (params.flags & ~known)
    return setError(LLMC_EARG, "llmc_model_load: flags is 0x%x, which has unknown bits", params.flags);
  if (params.n_threads > 1024)
    return setError(LLMC_EARG, "llmc_model_load: n_threads is %u, at most 1024 are possible",
                    params.n_threads);
  if (params.allocator && (params.allocator->struct_size < sizeof(llmc_allocator) ||
                           !params.allocator->alloc || !params.allocator->free))
    return setError(LLMC_EARG, "llmc_model_load: the allocator lacks struct_size, alloc or free");
  const DeviceKind *kind;
  DeviceOptions options;
  if (params.device && strcmp(params.device, anyDevice) != 0)
    return findDeviceKind("llmc_model_load", params.device, kind, options);
  return LLMC_OK;
}

llmc_status llmc_model_load(const char *so_path, const llmc_model_params *params, llmc_model **out) {
  LLMC_CHECK_ARG(so_path);
  LLMC_CHECK_ARG(out);
  llmc_model_params resolved = {};
  if (llmc_status status = readSized(__func__, params, resolved))
    return status;
  return guarded([&]() -> llmc_status {
    if (llmc_status status = checkParams(resolved))
      return status;
    auto model = std::make_unique<llmc_model>();
    if (llmc_status status = model->load(so_path, resolved))
      return status;
    *out = model.release();
    return LLMC_OK;
  });
}

llmc_model *llmc_model_retain(llmc_model *model) {
  if (model)
    model->references.fetch_add(1, std::memory_order_relaxed);
  return model;
}

void llmc_model_release(llmc_model *model) {
  if (model && model->references.fetch_sub(1, std::memory_order_acq_rel) == 1)
    delete model;
}

/// Of the storage that a session takes by itself.
static llmc_status cacheBytesPerToken(const llmc_module &module, int64_t &out) {
  std::vector<uint8_t> isUsed;
  if (llmc_status status = chooseStorage(module, LLMC_KV_AUTO, LLMC_KV_AUTO, "llmc_model_info", isUsed))
    return status;
  uint64_t bytes = 0;
  for (uint32_t i = 0; i < module.n_caches; ++i)
    if (isUsed[i])
      bytes += module.caches[i].page_bytes / module.caches[i].page_tokens;
  out = int64_t(bytes);
  return LLMC_OK;
}

llmc_status llmc_model_info(const llmc_model *model, llmc_info info, int64_t *out) {
  LLMC_CHECK_ARG(model);
  LLMC_CHECK_ARG(out);
  const llmc_module &module = model->tables();
  switch (info) {
  case LLMC_INFO_VOCAB:
    *out = module.vocab;
    return LLMC_OK;
  case LLMC_INFO_CTX_TRAIN:
    *out = module.context;
    return LLMC_OK;
  case LLMC_INFO_LAYERS:
    *out = module.layers;
    return LLMC_OK;
  case LLMC_INFO_HIDDEN:
    *out = module.hidden;
    return LLMC_OK;
  case LLMC_INFO_HEADS:
    *out = module.heads;
    return LLMC_OK;
  case LLMC_INFO_KV_HEADS:
    *out = module.kv_heads;
    return LLMC_OK;
  case LLMC_INFO_PARAMS:
    *out = int64_t(module.parameters);
    return LLMC_OK;
  case LLMC_INFO_WEIGHT_BYTES:
    *out = int64_t(module.weight_bytes);
    return LLMC_OK;
  case LLMC_INFO_KV_BYTES_PER_TOKEN:
    return guarded([&] { return cacheBytesPerToken(module, *out); });
  case LLMC_INFO_THREADS:
    *out = model->threads();
    return LLMC_OK;
  case LLMC_INFO_HASH:
    *out = int64_t(model->contents.footer.head_hash);
    return LLMC_OK;
  case LLMC_INFO_HAS_ENCODER:
  case LLMC_INFO_CAN_SHIFT:
    *out = 0;
    return LLMC_OK;
  case LLMC_INFO_HAS_DECODER:
    *out = 1;
    return LLMC_OK;
  default:
    return setError(LLMC_EARG, "llmc_model_info: there is no info %d", info);
  }
}

const char *llmc_model_cpu_variant(const llmc_model *model) { return model ? model->variantName() : nullptr; }

size_t llmc_model_meta_count(const llmc_model *model) { return model ? model->contents.meta.size() : 0; }

llmc_status llmc_model_meta_at(const llmc_model *model, size_t i, const char **key, const char **val) {
  LLMC_CHECK_ARG(model);
  if (i >= model->contents.meta.size())
    return setError(LLMC_ENOTFOUND, "llmc_model_meta_at: there is no entry %zu, only %zu", i,
                    model->contents.meta.size());
  if (key)
    *key = model->contents.meta[i].first.c_str();
  if (val)
    *val = model->contents.meta[i].second.c_str();
  return LLMC_OK;
}

const char *llmc_model_meta(const llmc_model *model, const char *key) {
  if (model && key)
    for (const auto &[name, value] : model->contents.meta)
      if (name == key)
        return value.c_str();
  return nullptr;
}

llmc_status llmc_model_tokenizer(llmc_model *model, const llmc_tokenizer **out) {
  LLMC_CHECK_ARG(model);
  LLMC_CHECK_ARG(out);
  if (!model->tokenizer)
    return setError(LLMC_EUNSUPPORTED, "llmc_model_tokenizer: this model was compiled without a tokenizer: "
                                       "pass token ids");
  *out = model->tokenizer;
  return LLMC_OK;
}
