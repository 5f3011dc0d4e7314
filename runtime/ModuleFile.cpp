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
#include <unordered_set>

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

/// Events of the manifest's text, as ModuleContents::meta has it. The limits hold in lists too: whoever reads
/// the text again into a tree looks the members of an object up one by one.
class ManifestReader : public nlohmann::json_sax<Json> {
public:
  using Meta = std::vector<std::pair<std::string, std::string>>;
  explicit ManifestReader(Meta &meta) : meta(meta) {}
  std::string error;

  bool null() override { return value("null"); }
  bool boolean(bool is) override { return value(is ? "true" : "false"); }
  bool number_integer(number_integer_t number) override { return value(std::to_string(number)); }
  bool number_unsigned(number_unsigned_t number) override { return value(std::to_string(number)); }
  bool number_float(number_float_t number, const string_t &) override { return value(Json(number).dump()); }
  bool string(string_t &text) override { return value(isInList() ? Json(text).dump() : text); }
  bool binary(binary_t &) override { return false; } // JSON has none
  bool start_object(size_t) override { return begin('{'); }
  bool end_object() override { return end('}'); }
  bool start_array(size_t) override { return begin('['); }
  bool end_array() override { return end(']'); }
  bool key(string_t &name) override {
    if (++open.back().members > maxMembers)
      return fail("an object of more than " + std::to_string(maxMembers) + " members");
    if (isInList()) {
      append(Json(name).dump() + ":");
      return true;
    }
    path.resize(open.back().path);
    path += (path.empty() ? "" : ".") + name;
    return path.size() <= maxPath || fail("a key of more than " + std::to_string(maxPath) + " bytes");
  }
  bool parse_error(size_t, const std::string &, const nlohmann::detail::exception &) override {
    return fail("expected a JSON object, found text that is not JSON");
  }

private:
  // Of 80 layers: 7,000 values, 13 members, 28 bytes.
  static constexpr size_t maxDepth = 32, maxValues = 1 << 20, maxMembers = 1024, maxPath = 256;

  struct Open {
    size_t path, members; // bytes of `path` that name it
    bool isInList;        // or a list itself
  };

  bool fail(const std::string &words) {
    error = words;
    return false;
  }
  bool isInList() const { return !open.empty() && open.back().isInList; }
  /// Adds to the text of a list.
  void append(const std::string &text) {
    if (!list.empty() && !strchr("[{:", list.back()))
      list += ',';
    list += text;
  }
  bool count() {
    return ++numValues <= maxValues || fail("more than " + std::to_string(maxValues) + " values");
  }
  bool leaf(std::string text) {
    if (!paths.insert(path).second)
      return fail("a key occurs twice");
    meta.emplace_back(path, std::move(text));
    return true;
  }
  bool value(std::string text) {
    if (open.empty())
      return fail("expected a JSON object, found a single value");
    if (!count())
      return false;
    if (!isInList())
      return leaf(std::move(text));
    append(text);
    return true;
  }
  bool begin(char bracket) {
    if (open.empty() && bracket == '[')
      return fail("expected a JSON object, found an array");
    if (open.size() == maxDepth)
      return fail("nested deeper than " + std::to_string(maxDepth) + " levels");
    const bool isList = isInList() || bracket == '[';
    if (isList)
      append({bracket});
    open.push_back({path.size(), 0, isList});
    return count();
  }
  bool end(char bracket) {
    const bool wasInList = isInList();
    open.pop_back();
    if (!wasInList)
      return true;
    list += bracket;
    return isInList() || leaf(std::exchange(list, {}));
  }

  Meta &meta;
  std::vector<Open> open;
  std::string path, list; // keys of the value, joined with dots; the text of the list that is open
  std::unordered_set<std::string> paths;
  size_t numValues = 0;
};

llmc_status readManifest(std::span<const uint8_t> text, const char *name, ModuleContents &out) {
  const size_t maxBytes = 64 << 20;
  if (text.size() > maxBytes)
    return setError(LLMC_EFORMAT, "%s: manifest: %zu bytes, at most %zu are possible", name, text.size(),
                    maxBytes);
  ManifestReader reader(out.meta);
  if (!Json::sax_parse(text.begin(), text.end(), &reader))
    return setError(LLMC_EFORMAT, "%s: manifest: %s", name, reader.error.c_str());
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
