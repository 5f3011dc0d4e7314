// Reader of untrusted model files. Every length is checked against what remains before it is used.
#include "runtime/ModuleFile.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace llmc {

using Json = nlohmann::ordered_json;

static_assert(sizeof(llmc_footer) == 104, "the footer's layout is part of the file format");

OpenFile::~OpenFile() {
  if (descriptor >= 0)
    close(descriptor);
}

MappedFile::~MappedFile() {
  if (start)
    munmap(const_cast<uint8_t *>(start), size);
}

llmc_status MappedFile::open(const char *path, OpenFile *opened) {
  // O_NONBLOCK: a FIFO in place of a file must not hang the open; it has no effect on regular files.
  int descriptor = ::open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0)
    return setError(errno == ENOENT || errno == ENOTDIR ? LLMC_ENOTFOUND : LLMC_EIO, "%s: cannot open: %s",
                    path, strerror(errno));
  struct stat status;
  llmc_status result = LLMC_OK;
  if (fstat(descriptor, &status) != 0) {
    result = setError(LLMC_EIO, "%s: cannot read its size: %s", path, strerror(errno));
  } else if (!S_ISREG(status.st_mode)) {
    result = setError(LLMC_EIO, "%s: not a regular file", path);
  } else if (status.st_size > 0) {
    void *memory = mmap(nullptr, status.st_size, PROT_READ, MAP_SHARED, descriptor, 0);
    if (memory == MAP_FAILED) {
      result = setError(LLMC_EIO, "%s: cannot map: %s", path, strerror(errno));
    } else {
      start = static_cast<const uint8_t *>(memory);
      size = status.st_size;
    }
  }
  if (result == LLMC_OK && opened)
    opened->descriptor = descriptor;
  else
    close(descriptor);
  return result;
}

namespace {

bool startsWithElf(std::span<const uint8_t> file) {
  return file.size() >= 4 && memcmp(file.data(), "\177ELF", 4) == 0;
}

/// The parts must follow one another: ELF, manifest, tokenizer, weights, footer.
llmc_status checkRanges(const llmc_footer &footer, const char *name) {
  struct Part {
    const char *what;
    uint64_t offset, size;
  };
  const Part parts[] = {{"elf part", 0, footer.elf_size},
                        {"manifest", footer.manifest_offset, footer.manifest_size},
                        {"tokenizer", footer.tokenizer_offset, footer.tokenizer_size},
                        {"weights", footer.weights_offset, footer.weights_size}};
  const uint64_t limit = footer.file_size - sizeof(llmc_footer);
  uint64_t end = 0;
  const char *before = "start of the file";
  for (const Part &part : parts) {
    if (part.size == 0 && &part == &parts[2])
      continue; // a model without tokenizer
    uint64_t partEnd;
    if (__builtin_add_overflow(part.offset, part.size, &partEnd) || partEnd > limit)
      return setError(
          LLMC_EFORMAT,
          "%s: footer: the %s (offset %llu, %llu bytes) ends beyond the %llu bytes before the footer", name,
          part.what, (unsigned long long)part.offset, (unsigned long long)part.size,
          (unsigned long long)limit);
    if (part.offset < end)
      return setError(LLMC_EFORMAT, "%s: footer: the %s begins at %llu, before the end of the %s at %llu",
                      name, part.what, (unsigned long long)part.offset, before, (unsigned long long)end);
    end = partEnd;
    before = part.what;
  }
  if (footer.weights_offset % LLMC_MODULE_ALIGN)
    return setError(LLMC_EFORMAT, "%s: footer: the weights begin at %llu, which is no multiple of %u", name,
                    (unsigned long long)footer.weights_offset, LLMC_MODULE_ALIGN);
  return LLMC_OK;
}

/// Deepest nesting of brackets outside strings; flattening recurses that deep.
unsigned jsonDepth(std::span<const uint8_t> text) {
  unsigned depth = 0, deepest = 0;
  bool inString = false;
  for (size_t i = 0; i < text.size(); ++i) {
    uint8_t c = text[i];
    if (inString) {
      if (c == '\\')
        ++i;
      else if (c == '"')
        inString = false;
    } else if (c == '"') {
      inString = true;
    } else if (c == '{' || c == '[') {
      deepest = std::max(deepest, ++depth);
    } else if ((c == '}' || c == ']') && depth) {
      --depth;
    }
  }
  return deepest;
}

void flatten(const Json &value, const std::string &key,
             std::vector<std::pair<std::string, std::string>> &meta) {
  if (value.is_object()) {
    for (const auto &[name, child] : value.items())
      flatten(child, key.empty() ? name : key + "." + name, meta);
  } else if (value.is_string()) {
    meta.emplace_back(key, value.get_ref<const std::string &>());
  } else {
    meta.emplace_back(key, value.dump(-1, ' ', false, Json::error_handler_t::replace));
  }
}

llmc_status readManifest(std::span<const uint8_t> text, const char *name, ModuleContents &out) {
  const unsigned maxDepth = 32;
  const size_t maxBytes = 64 << 20;
  if (text.size() > maxBytes)
    return setError(LLMC_EFORMAT, "%s: manifest: %zu bytes, at most %zu are possible", name, text.size(),
                    maxBytes);
  if (unsigned depth = jsonDepth(text); depth > maxDepth)
    return setError(LLMC_EFORMAT, "%s: manifest: nested %u deep, at most %u are possible", name, depth,
                    maxDepth);
  Json manifest = Json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (!manifest.is_object())
    return setError(LLMC_EFORMAT, "%s: manifest: expected a JSON object, found %s", name,
                    manifest.is_discarded() ? "text that is not JSON" : manifest.type_name());
  flatten(manifest, "", out.meta);
  return LLMC_OK;
}

} // namespace

llmc_status readModule(std::span<const uint8_t> file, const char *name, ModuleContents &out) {
  llmc_footer footer;
  if (file.size() < sizeof(footer))
    return setError(LLMC_EFORMAT, "%s: %zu bytes are too few for a compiled model", name, file.size());
  memcpy(&footer, file.data() + file.size() - sizeof(footer), sizeof(footer));
  if (memcmp(footer.magic, LLMC_FOOTER_MAGIC, sizeof(footer.magic)) != 0)
    return setError(
        LLMC_EFORMAT,
        startsWithElf(file)
            ? "%s: the footer at the end is missing: the file is truncated, stripped, or no compiled "
              "model"
            : "%s: not a compiled model: no footer at its end",
        name);
  if (footer.abi != LLMC_MODULE_ABI)
    return setError(LLMC_EABI, "%s: made for %s version of llmc (module ABI %u, this is %u): %s", name,
                    footer.abi > LLMC_MODULE_ABI ? "a newer" : "an older", footer.abi, LLMC_MODULE_ABI,
                    footer.abi > LLMC_MODULE_ABI ? "update llmc" : "compile the model again");
  if (footer.footer_size != sizeof(footer))
    return setError(LLMC_EFORMAT, "%s: footer: footer_size is %u, expected %zu", name, footer.footer_size,
                    sizeof(footer));
  if (XXH3_64bits(&footer, offsetof(llmc_footer, footer_hash)) != footer.footer_hash)
    return setError(LLMC_EFORMAT, "%s: the footer is damaged: its hash does not match", name);
  if (footer.file_size != file.size())
    return setError(LLMC_EFORMAT, "%s: the file has %zu bytes, the footer says %llu", name, file.size(),
                    (unsigned long long)footer.file_size);
  if (llmc_status status = checkRanges(footer, name))
    return status;
  if (XXH3_64bits(file.data(), footer.weights_offset) != footer.head_hash)
    return setError(
        LLMC_EFORMAT,
        "%s: the code, manifest or tokenizer is damaged: the hash of the first %llu bytes does not "
        "match",
        name, (unsigned long long)footer.weights_offset);
  if (!startsWithElf(file.first(footer.elf_size)))
    return setError(LLMC_EFORMAT, "%s: does not begin with an ELF shared object", name);

  ModuleContents contents;
  contents.footer = footer;
  contents.manifest = file.subspan(footer.manifest_offset, footer.manifest_size);
  if (footer.tokenizer_size)
    contents.tokenizer = file.subspan(footer.tokenizer_offset, footer.tokenizer_size);
  contents.weights = file.subspan(footer.weights_offset, footer.weights_size);
  if (llmc_status status = readManifest(contents.manifest, name, contents))
    return status;
  out = std::move(contents);
  return LLMC_OK;
}

llmc_status verifyWeights(const ModuleContents &module, const char *name, llmc_progress_fn progress,
                          void *progressData) {
  XXH3_state_t state;
  XXH3_64bits_reset(&state);
  const size_t chunk = 16 << 20;
  for (size_t done = 0; done < module.weights.size();) {
    size_t n = std::min(chunk, module.weights.size() - done);
    XXH3_64bits_update(&state, module.weights.data() + done, n);
    done += n;
    if (progress && !progress("verify", done, module.weights.size(), progressData))
      return setError(LLMC_ECANCELLED, "%s: cancelled while the weights were verified", name);
  }
  if (XXH3_64bits_digest(&state) != module.footer.weights_hash)
    return setError(LLMC_EFORMAT, "%s: the weights are damaged: their hash does not match", name);
  return LLMC_OK;
}

} // namespace llmc
