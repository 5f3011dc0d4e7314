// A sequence as bytes: a head that says what it is of and how long, the pages of its caches, a hash of both.
// Pages are copied as they are, so what is restored has the bits of what was saved; what a page means is
// known only to the code that wrote it, which is why a sequence fits no other build of a model.
#include "runtime/Session.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstring>
#include <type_traits>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace llmc {
namespace {

constexpr char savedMagic[8] = "LLMCKVS";
constexpr uint32_t savedVersion = 1;

/// Little-endian, as all of llmc's files are.
struct SavedHead {
  char magic[8];
  uint32_t version, size;          ///< of this struct
  uint64_t modelHash, weightsHash; ///< of the model's file: its head and its weights
  uint64_t storesHash;             ///< which of the model's caches the session uses
  uint32_t type, length;           ///< LLMC_STORE_* of the first of these; tokens
  uint64_t bytes;                  ///< of the pages
  uint64_t hash;                   ///< of this struct up to here
};
static_assert(std::endian::native == std::endian::little && sizeof(SavedHead) == 64 &&
              std::has_unique_object_representations_v<SavedHead>);

uint64_t hashOf(const SavedHead &head) { return XXH3_64bits(&head, offsetof(SavedHead, hash)); }

SavedHead headOf(const llmc_model &model, const WorkspacePlan &plan) {
  SavedHead head = {};
  std::memcpy(head.magic, savedMagic, sizeof head.magic);
  head.version = savedVersion;
  head.size = sizeof head;
  head.modelHash = model.contents.footer.head_hash;
  head.weightsHash = model.contents.footer.weights_hash;
  head.storesHash = XXH3_64bits(plan.usesCache.data(), plan.usesCache.size());
  for (uint32_t i = model.tables().n_caches; i-- > 0;)
    if (plan.usesCache[i])
      head.type = model.tables().caches[i].type_k;
  return head;
}

/// Whether a sequence that was saved can go on here.
llmc_status checkHead(const SavedHead &found, const SavedHead &here) {
  if (std::memcmp(found.magic, savedMagic, sizeof found.magic) != 0)
    return setError(LLMC_EFORMAT, "llmc_kv_load: these bytes are no saved sequence");
  if (found.version != here.version)
    return setError(LLMC_EABI,
                    "llmc_kv_load: the sequence was saved in version %u of the format, expected %u",
                    found.version, here.version);
  if (found.size != here.size || found.hash != hashOf(found))
    return setError(LLMC_EFORMAT, "llmc_kv_load: the head of the saved sequence is damaged");
  if (found.modelHash != here.modelHash || found.weightsHash != here.weightsHash)
    return setError(LLMC_EFORMAT,
                    "llmc_kv_load: the sequence was saved with another model, or another build of it");
  if (found.type != here.type)
    return setError(LLMC_EUNSUPPORTED,
                    "llmc_kv_load: the sequence was saved in %s, the session stores %s: choose the same type",
                    storageName(found.type), storageName(here.type));
  if (found.storesHash != here.storesHash)
    return setError(LLMC_EUNSUPPORTED,
                    "llmc_kv_load: the sequence was saved in other storage types than the session's");
  return LLMC_OK;
}

llmc_status stopped(llmc_status status, const char *what) {
  return setError(status, "%s returned %s", what, llmc_status_name(status));
}

} // namespace

llmc_status Session::save(llmc_seq seq, llmc_write_fn write, void *ud) {
  if (llmc_status status = checkSequence(seq, "llmc_kv_save"))
    return status;
  SavedHead head = headOf(*owner, plan);
  head.length = cache.length(seq);
  head.bytes = cache.pageBytes(head.length);
  head.hash = hashOf(head);
  XXH3_state_t state;
  XXH3_64bits_reset(&state);
  auto put = [&](const void *bytes, size_t n) -> llmc_status {
    XXH3_64bits_update(&state, bytes, n);
    llmc_status status = write(bytes, n, ud);
    return status ? stopped(status, "llmc_kv_save: the callback that writes") : LLMC_OK;
  };
  if (llmc_status status = put(&head, sizeof head))
    return status;
  if (llmc_status status = cache.eachPage(seq, KVCache::PageUse::Read, put))
    return status;
  const uint64_t hash = XXH3_64bits_digest(&state);
  return put(&hash, sizeof hash);
}

llmc_status Session::load(llmc_read_fn read, void *ud, llmc_seq &out) {
  XXH3_state_t state;
  XXH3_64bits_reset(&state);
  auto get = [&](void *bytes, size_t n) -> llmc_status {
    llmc_status status = read(bytes, n, ud);
    if (status)
      return stopped(status, "llmc_kv_load: the callback that reads");
    XXH3_64bits_update(&state, bytes, n);
    return LLMC_OK;
  };
  SavedHead head = {};
  if (llmc_status status = get(&head, sizeof head))
    return status;
  if (llmc_status status = checkHead(head, headOf(*owner, plan)))
    return status;
  if (head.length > cache.limits().nCtx)
    return setError(LLMC_ENOSPC_KV, "llmc_kv_load: the sequence has %u tokens, n_ctx is %u", head.length,
                    cache.limits().nCtx);
  if (head.bytes != cache.pageBytes(head.length))
    return setError(LLMC_EFORMAT, "llmc_kv_load: %u tokens in %llu bytes, expected %llu", head.length,
                    (unsigned long long)head.bytes, (unsigned long long)cache.pageBytes(head.length));
  llmc_seq seq;
  if (llmc_status status = cache.newSequence(seq))
    return status;
  std::fill(newTokens.begin(), newTokens.end(), 0);
  newTokens[seq] = head.length;
  llmc_status status = cache.checkRoom(newTokens);
  if (status == LLMC_OK) {
    cache.extend(seq, head.length);
    status = cache.eachPage(seq, KVCache::PageUse::Write, get);
  }
  const uint64_t expected = XXH3_64bits_digest(&state);
  uint64_t found = 0;
  if (status == LLMC_OK)
    status = get(&found, sizeof found);
  if (status == LLMC_OK && found != expected)
    status = setError(LLMC_EFORMAT, "llmc_kv_load: the pages of the saved sequence are damaged");
  if (status != LLMC_OK) {
    cache.freeSequence(seq);
    return status;
  }
  cache.commit(seq, head.length);
  out = seq;
  return LLMC_OK;
}

} // namespace llmc
