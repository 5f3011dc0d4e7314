// The tables of a generated module are data from outside: each index and offset is checked once, at load, so
// that the step loop can use them unchecked.
#include "runtime/CpuFeatures.h"
#include "runtime/Module.h"
#include "runtime/Results.h"

#include <cstring>

namespace llmc {

namespace {

class TableChecker {
public:
  TableChecker(const llmc_module &module, uint64_t weightsSize, const char *name)
      : module(module), weightsSize(weightsSize), name(name) {}

  llmc_status check() {
    if (llmc_status status = checkHeader())
      return status;
    if (llmc_status status = checkBuffers())
      return status;
    if (llmc_status status = checkDispatches())
      return status;
    return checkCaches();
  }

private:
  llmc_status fail(const char *table, uint64_t index, const char *field, uint64_t value,
                   const char *expected) {
    return setError(LLMC_EFORMAT, "%s: module table: %s %llu: '%s' is %llu, expected %s", name, table,
                    (unsigned long long)index, field, (unsigned long long)value, expected);
  }

  bool isString(uint32_t offset) const { return offset < module.n_strings; }
  bool isOptionalString(uint32_t offset) const { return offset == LLMC_NONE || isString(offset); }

  bool areValues(const llmc_dispatch &row) const {
    return isString(row.values) && module.strings[row.values] &&
           forEachResult(module, row, [](const DispatchResult &) {});
  }

  llmc_status checkHeader() {
    struct Table {
      const char *what;
      uint64_t count;
      const void *start;
    };
    const Table tables[] = {{"variants", module.n_variants, module.variants},
                            {"kernels", module.n_kernels, module.kernels},
                            {"buffers", module.n_buffers, module.buffers},
                            {"dispatches", module.n_dispatches, module.dispatches},
                            {"args", module.n_args, module.args},
                            {"caches", module.n_caches, module.caches},
                            {"strings", module.n_strings, module.strings},
                            {"devices", module.n_devices, module.devices}};
    for (const Table &table : tables)
      if (table.count && !table.start)
        return setError(LLMC_EFORMAT, "%s: module table: %llu %s without an address", name,
                        (unsigned long long)table.count, table.what);
    if (module.n_strings && module.strings[module.n_strings - 1])
      return setError(LLMC_EFORMAT, "%s: module table: the strings do not end in a NUL", name);
    if (module.vocab == 0 || module.vocab > INT32_MAX)
      return setError(LLMC_EFORMAT, "%s: module table: 'vocab' is %u, expected a number of tokens", name,
                      module.vocab);
    if (module.weight_bytes > weightsSize)
      return setError(LLMC_EFORMAT, "%s: module table: 'weight_bytes' is %llu, but the file has %llu", name,
                      (unsigned long long)module.weight_bytes, (unsigned long long)weightsSize);
    for (uint32_t i = 0; i < module.n_variants; ++i) {
      const llmc_variant &variant = module.variants[i];
      if (!variant.name || (module.n_kernels && !variant.entries))
        return setError(LLMC_EFORMAT, "%s: module table: variant %u has no name or no kernels", name, i);
      for (uint32_t k = 0; k < module.n_kernels; ++k)
        if (!variant.entries[k].run)
          return setError(LLMC_EFORMAT, "%s: module table: variant %u: kernel %u has no code", name, i, k);
    }
    for (uint32_t i = 0; i < module.n_kernels; ++i)
      if (!isString(module.kernels[i].name))
        return fail("kernel", i, "name", module.kernels[i].name, "an offset in the strings");
    return LLMC_OK;
  }

  llmc_status checkBuffers() {
    for (uint32_t i = 0; i < module.n_buffers; ++i) {
      const llmc_buffer &buffer = module.buffers[i];
      if (buffer.rows >= LLMC_ROW_SPACES)
        return fail("buffer", i, "rows", buffer.rows, "a row space (0 to 3)");
      if (buffer.rows == LLMC_ROWS_KEYS && !module.uses_keys)
        return fail("buffer", i, "rows", buffer.rows, "another row space, because 'uses_keys' is 0");
      if (!isOptionalString(buffer.name))
        return fail("buffer", i, "name", buffer.name, "an offset in the strings");
    }
    if (module.logits_buffer >= module.n_buffers)
      return fail("module", 0, "logits_buffer", module.logits_buffer, "the number of a buffer");
    const llmc_buffer &logits = module.buffers[module.logits_buffer];
    if (logits.rows != LLMC_ROWS_ASKED || logits.row_bytes < uint64_t(module.vocab) * 4 ||
        logits.row_bytes % 4)
      return fail("buffer", module.logits_buffer, "row_bytes", logits.row_bytes,
                  "rows of asked tokens with 4 bytes for each id of the vocabulary");
    if (module.hidden_buffer != LLMC_NONE) {
      if (module.hidden_buffer >= module.n_buffers)
        return fail("module", 0, "hidden_buffer", module.hidden_buffer, "the number of a buffer");
      const llmc_buffer &hidden = module.buffers[module.hidden_buffer];
      if (hidden.rows == LLMC_ROWS_KEYS)
        return fail("buffer", module.hidden_buffer, "rows", hidden.rows,
                    "rows of tokens, all or those asked for");
      if (hidden.row_bytes < uint64_t(module.hidden) * 4)
        return fail("buffer", module.hidden_buffer, "row_bytes", hidden.row_bytes,
                    "4 bytes for each hidden dimension");
    }
    return LLMC_OK;
  }

  llmc_status checkDispatches() {
    for (uint32_t i = 0; i < module.n_args; ++i) {
      const llmc_arg &arg = module.args[i];
      if (arg.kind > LLMC_ARG_IMMEDIATE)
        return fail("argument", i, "kind", arg.kind, "buffer, weight or immediate (0 to 2)");
      if (arg.kind == LLMC_ARG_BUFFER && arg.value >= module.n_buffers)
        return fail("argument", i, "value", arg.value, "the number of a buffer");
      if (arg.kind == LLMC_ARG_WEIGHT && arg.value >= weightsSize)
        return fail("argument", i, "value", arg.value, "an offset in the weights");
    }
    for (uint32_t i = 0; i < module.n_dispatches; ++i) {
      const llmc_dispatch &row = module.dispatches[i];
      if (row.kernel >= module.n_kernels)
        return fail("dispatch", i, "kernel", row.kernel, "the number of a kernel");
      if (row.rows >= LLMC_ROW_SPACES)
        return fail("dispatch", i, "rows", row.rows, "a row space (0 to 3)");
      if (row.rows == LLMC_ROWS_KEYS && !module.uses_keys)
        return fail("dispatch", i, "rows", row.rows, "another row space, because 'uses_keys' is 0");
      if (uint64_t(row.first_arg) + row.n_args > module.n_args)
        return fail("dispatch", i, "n_args", row.n_args, "arguments within the table");
      if (row.output != LLMC_NONE && row.output >= module.n_buffers)
        return fail("dispatch", i, "output", row.output, "the number of a buffer");
      if (row.cache != LLMC_NONE && row.cache >= module.n_caches)
        return fail("dispatch", i, "cache", row.cache, "the number of a cache");
      if (!isOptionalString(row.location))
        return fail("dispatch", i, "location", row.location, "an offset in the strings");
      if (row.values && !areValues(row))
        return fail("dispatch", i, "values", row.values,
                    "the offset of names and columns for 'output' and the buffers behind it");
    }
    return LLMC_OK;
  }

  llmc_status checkCaches() {
    for (uint32_t i = 0; i < module.n_caches; ++i) {
      const llmc_kv_layout &cache = module.caches[i];
      if (!isOptionalString(cache.name))
        return fail("cache", i, "name", cache.name, "an offset in the strings");
      if (cache.page_tokens == 0 || cache.page_tokens > 1u << 20)
        return fail("cache", i, "page_tokens", cache.page_tokens, "1 to 1048576 tokens");
      if (cache.page_bytes == 0)
        return fail("cache", i, "page_bytes", cache.page_bytes, "a page that holds something");
    }
    return LLMC_OK;
  }

  const llmc_module &module;
  const uint64_t weightsSize;
  const char *name;
};

} // namespace

llmc_status checkModuleTables(const llmc_module &module, uint64_t weightsSize, const char *name) {
  if (memcmp(module.magic, LLMC_MODULE_MAGIC, sizeof(module.magic)) != 0)
    return setError(LLMC_EFORMAT, "%s: the symbol " LLMC_MODULE_SYMBOL " is no module table", name);
  if (module.abi != LLMC_MODULE_ABI)
    return setError(LLMC_EABI, "%s: module table: ABI %u, this llmc reads %u", name, module.abi,
                    LLMC_MODULE_ABI);
  if (module.struct_size != sizeof(llmc_module))
    return setError(LLMC_EFORMAT, "%s: module table: 'struct_size' is %u, expected %zu", name,
                    module.struct_size, sizeof(llmc_module));
  if (llmc_status status = TableChecker(module, weightsSize, name).check())
    return status;
  return checkDeviceTables(module, weightsSize, name);
}

llmc_status chooseVariant(const llmc_module &module, const char *wanted, uint64_t features, const char *name,
                          const llmc_variant *&out) {
  std::string listed;
  uint64_t fewestMissing = ~uint64_t(0);
  for (uint32_t i = 0; i < module.n_variants; ++i) {
    const llmc_variant &variant = module.variants[i];
    listed += (i ? ", " : "") + std::string(variant.name);
    if (wanted && strcmp(wanted, variant.name) != 0)
      continue;
    uint64_t missing = variant.features & ~features;
    if (!missing)
      missing = variant.features & ~requestAmx(variant.features);
    if (!missing) {
      out = &variant;
      return LLMC_OK;
    }
    // The sentence names what the least demanding variant lacks; later ones demand less.
    if (__builtin_popcountll(missing) <= __builtin_popcountll(fewestMissing))
      fewestMissing = missing;
  }
  if (fewestMissing != ~uint64_t(0))
    return setError(LLMC_EABI, "%s: %s%s%s on this CPU, which lacks %s", name,
                    wanted ? "its kernels for " : "none of its kernels (", wanted ? wanted : listed.c_str(),
                    wanted ? " cannot run" : ") can run", cpuFeatureNames(fewestMissing).c_str());
  if (wanted && module.n_variants)
    return setError(LLMC_EARG, "%s: cpu_variant is '%s', but the file has %s", name, wanted, listed.c_str());
  return setError(LLMC_EFORMAT, "%s: module table: no kernels for any CPU", name);
}

} // namespace llmc
