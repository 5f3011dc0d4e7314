// The reader of model files on arbitrary bytes. Hashes are put right first, so that the checks behind them
// are reached: the first byte chooses how much is repaired.
#include "runtime/ModuleFile.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cstddef>
#include <cstring>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0)
    return 0;
  const uint8_t mode = *data;
  std::vector<uint8_t> file(data + 1, data + size);
  if ((mode & 1) && file.size() >= sizeof(llmc_footer)) {
    llmc_footer footer;
    uint8_t *at = file.data() + file.size() - sizeof(footer);
    memcpy(&footer, at, sizeof(footer));
    memcpy(footer.magic, LLMC_FOOTER_MAGIC, sizeof(footer.magic));
    footer.abi = LLMC_MODULE_ABI;
    footer.footer_size = sizeof(footer);
    if (mode & 2) {
      // Small ranges that often fit; the manifest is everything between the code and the footer.
      footer.file_size = file.size();
      footer.elf_size %= file.size();
      footer.manifest_offset = footer.elf_size;
      footer.tokenizer_size = 0;
      footer.weights_size = 0;
      footer.weights_offset = (file.size() - sizeof(footer)) / LLMC_MODULE_ALIGN * LLMC_MODULE_ALIGN;
      footer.manifest_size = footer.weights_offset > footer.elf_size ? footer.weights_offset - footer.elf_size
                                                                     : footer.manifest_size;
      if (footer.elf_size >= 4)
        memcpy(file.data(), "\177ELF", 4);
    }
    if (footer.weights_offset <= file.size() - sizeof(footer))
      footer.head_hash = XXH3_64bits(file.data(), footer.weights_offset);
    footer.footer_hash = XXH3_64bits(&footer, offsetof(llmc_footer, footer_hash));
    memcpy(at, &footer, sizeof(footer));
  }
  llmc::ModuleContents contents;
  if (llmc::readModule(file, "fuzz", contents) == LLMC_OK) {
    size_t sum = 0;
    for (auto part : {contents.manifest, contents.tokenizer, contents.weights})
      for (uint8_t byte : part)
        sum += byte;
    for (auto &[key, value] : contents.meta)
      sum += key.size() + value.size();
    [[maybe_unused]] static volatile size_t sink;
    sink = sum;
    llmc::verifyWeights(contents, "fuzz", nullptr, nullptr);
  }
  return 0;
}
