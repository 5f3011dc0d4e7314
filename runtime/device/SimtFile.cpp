#include "runtime/device/SimtFile.h"

#include "runtime/ModuleCode.h"
#include "runtime/ModuleFile.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cstddef>
#include <cstring>

namespace llmc {

static_assert(sizeof(llmc_simt_footer) == 16, "the footer's layout is part of the file format");

static llmc_status checkFooter(std::span<const uint8_t> file, const char *path) {
  llmc_simt_footer footer = {};
  if (file.size() >= sizeof footer)
    memcpy(&footer, file.data() + file.size() - sizeof footer, sizeof footer);
  if (memcmp(footer.magic, LLMC_SIMT_FOOTER_MAGIC, sizeof footer.magic) != 0)
    return setError(LLMC_EFORMAT,
                    "%s: the footer at the end is missing: the file is truncated, or llmc-compile simt of "
                    "this version has not made it",
                    path);
  const size_t hashed = file.size() - sizeof footer + offsetof(llmc_simt_footer, hash);
  if (XXH3_64bits(file.data(), hashed) != footer.hash)
    return setError(LLMC_EFORMAT, "%s: the file is damaged: its hash does not match", path);
  return LLMC_OK;
}

llmc_status loadSimtFile(const std::string &path, const char *modelPath, simt::Library &out) {
  MappedFile file;
  OpenFile opened;
  llmc_status status = file.open(path.c_str(), &opened);
  if (status == LLMC_ENOTFOUND)
    return setError(status, "%s: no such file: llmc-compile simt %s -o %s makes it", path.c_str(), modelPath,
                    path.c_str());
  if (!status)
    status = checkFooter(file.bytes(), path.c_str());
  void *library = nullptr;
  if (!status)
    status = loadLibrary(path.c_str(), opened.descriptor, library);
  if (status)
    return status;
  const std::string error = out.take(library, path);
  return error.empty() ? llmc_status(LLMC_OK) : setError(LLMC_EFORMAT, "%s", error.c_str());
}

} // namespace llmc
