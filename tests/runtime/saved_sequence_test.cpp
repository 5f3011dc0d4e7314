// Sequences that leave a session as bytes and come back: the same bits, and nothing else is taken for one.
#include "FakeModel.h"

#include <algorithm>
#include <cstring>

using namespace fake;

namespace {

struct Reader {
  const Bytes &bytes;
  size_t at = 0;
};

llmc_status append(const void *data, size_t n, void *ud) {
  auto *from = static_cast<const uint8_t *>(data);
  static_cast<Bytes *>(ud)->insert(static_cast<Bytes *>(ud)->end(), from, from + n);
  return LLMC_OK;
}

llmc_status take(void *data, size_t n, void *ud) {
  auto *reader = static_cast<Reader *>(ud);
  if (n > reader->bytes.size() - reader->at)
    return LLMC_EIO;
  memcpy(data, reader->bytes.data() + reader->at, n);
  reader->at += n;
  return LLMC_OK;
}

Bytes saved(llmc_session *session, llmc_seq seq) {
  Bytes bytes;
  EXPECT_OK(llmc_kv_save(session, seq, append, &bytes));
  return bytes;
}

llmc_status restore(llmc_session *session, const Bytes &bytes, llmc_seq &seq) {
  Reader reader{bytes};
  llmc_status status = llmc_kv_load(session, take, &reader, &seq);
  if (status == LLMC_OK)
    EXPECT_EQ(reader.at, bytes.size());
  return status;
}

uint64_t pagesUsed(llmc_session *session) {
  llmc_kv_stats stats = {};
  stats.struct_size = sizeof stats;
  EXPECT_OK(llmc_kv_get_stats(session, &stats));
  return stats.pages_used;
}

struct TwoSequences {
  Model model = load(2);
  Session session = fake::session(model.get(), [](auto &p) { p.n_ctx = 40, p.n_seq_max = 2; });
  llmc_seq seqs[2] = {sequence(session.get()), sequence(session.get())};
  std::vector<llmc_token> texts[2] = {someTokens(7, 1), someTokens(5, 2)};

  TwoSequences() {
    for (int i : {0, 1})
      EXPECT_OK(llmc_prefill(session.get(), seqs[i], texts[i].data(), texts[i].size()));
    for (int i : {0, 1, 0}) // so that their pages lie mixed
      EXPECT_OK(llmc_decode(session.get(), seqs[i], 9 + i));
  }
};

} // namespace

TEST(SavedSequence, goes_on_with_the_same_bits) {
  TwoSequences all;
  Bytes bytes[2] = {saved(all.session.get(), all.seqs[0]), saved(all.session.get(), all.seqs[1])};
  EXPECT_EQ(bytes[0], saved(all.session.get(), all.seqs[0]));
  // A session of other sizes, where the pages of something that is gone are taken again.
  Session other = session(all.model.get(), [](auto &p) { p.n_ctx = 31, p.n_seq_max = 3, p.n_batch = 8; });
  llmc_seq gone = sequence(other.get()), seqs[2] = {-1, -1};
  const auto noise = someTokens(23, 3);
  ASSERT_OK(llmc_prefill(other.get(), gone, noise.data(), noise.size()));
  ASSERT_OK(restore(other.get(), bytes[1], seqs[1]));
  ASSERT_OK(llmc_seq_free(other.get(), gone));
  ASSERT_OK(restore(other.get(), bytes[0], seqs[0]));
  EXPECT_EQ(saved(other.get(), seqs[0]), bytes[0]);
  EXPECT_FAILS(
      llmc_generate(other.get(), seqs[0], sampler(all.model.get()).get(), nullptr, nullptr, nullptr, nullptr),
      LLMC_ESTATE, "no logits");
  for (int step = 0; step < 6; ++step)
    for (int i : {0, 1}) {
      EXPECT_EQ(llmc_seq_len(other.get(), seqs[i]), llmc_seq_len(all.session.get(), all.seqs[i]));
      ASSERT_OK(llmc_decode(all.session.get(), all.seqs[i], 20 + step));
      ASSERT_OK(llmc_decode(other.get(), seqs[i], 20 + step));
      EXPECT_EQ(logits(other.get()), logits(all.session.get())) << step << ' ' << i;
    }
  // Cut back and gone over again.
  ASSERT_OK(llmc_kv_remove(other.get(), seqs[0], 3, -1));
  ASSERT_OK(llmc_decode(other.get(), seqs[0], all.texts[0][3]));
  EXPECT_EQ(logits(other.get()), fresh(all.model.get(), {all.texts[0].begin(), all.texts[0].begin() + 4}));
}

TEST(SavedSequence, may_be_empty) {
  Model model = load();
  Session s = session(model.get(), [](auto &p) { p.n_seq_max = 2; });
  Bytes bytes = saved(s.get(), sequence(s.get()));
  llmc_seq seq = -1;
  ASSERT_OK(restore(s.get(), bytes, seq));
  EXPECT_EQ(llmc_seq_len(s.get(), seq), 0);
  ASSERT_OK(llmc_decode(s.get(), seq, 5));
  EXPECT_EQ(logits(s.get()), fresh(model.get(), {5}));
}

TEST(SavedSequence, cut_or_altered_bytes_are_refused) {
  TwoSequences all;
  const Bytes bytes = saved(all.session.get(), all.seqs[0]);
  ASSERT_OK(llmc_seq_free(all.session.get(), all.seqs[1]));
  const uint64_t pages = pagesUsed(all.session.get());
  llmc_seq seq = -7;
  // All of the head and its neighbours, then every 13th byte.
  for (size_t at = 0; at < bytes.size(); at += at < 80 || at + 16 > bytes.size() ? 1 : 13) {
    Bytes cut(bytes.begin(), bytes.begin() + long(at)), altered = bytes;
    EXPECT_FAILS(restore(all.session.get(), cut, seq), LLMC_EIO, "the callback that reads");
    altered[at] ^= 0x10;
    llmc_status status = restore(all.session.get(), altered, seq);
    EXPECT_TRUE(status == LLMC_EFORMAT || (status == LLMC_EABI && at >= 8 && at < 16)) << at << ' ' << status;
    EXPECT_EQ(pagesUsed(all.session.get()), pages);
  }
  EXPECT_FAILS(restore(all.session.get(), Bytes(bytes.size(), 0), seq), LLMC_EFORMAT, "no saved sequence");
  EXPECT_EQ(seq, -7);
  EXPECT_EQ(llmc_seq_len(all.session.get(), all.seqs[1]), -1); // no sequence is left over
  ASSERT_OK(restore(all.session.get(), bytes, seq));
}

TEST(SavedSequence, fits_its_model_only) {
  TwoSequences all;
  const Bytes bytes = saved(all.session.get(), all.seqs[0]);
  llmc_seq seq = -1;
  ModelFile file;
  file.weights.push_back(1);
  TempFile otherWeights(file.finish());
  Model models[] = {load(1, "fake_model_keys"), load(otherWeights.path())};
  for (const Model &model : models) {
    Session s = session(model.get());
    EXPECT_FAILS(restore(s.get(), bytes, seq), LLMC_EFORMAT, "another model");
  }
  Session narrow = session(all.model.get(), [](auto &p) { p.n_ctx = 8; });
  EXPECT_FAILS(restore(narrow.get(), bytes, seq), LLMC_ENOSPC_KV, "9 tokens, n_ctx is 8");
  Session small =
      session(all.model.get(), [](auto &p) { p.n_ctx = 40, p.n_seq_max = 2, p.n_kv_tokens = 10; });
  ASSERT_OK(llmc_prefill(small.get(), sequence(small.get()), all.texts[1].data(), 2));
  EXPECT_FAILS(restore(small.get(), bytes, seq), LLMC_ENOSPC_KV, "n_kv_tokens");
  EXPECT_FAILS(restore(all.session.get(), bytes, seq), LLMC_ENOSPC_KV, "n_seq_max");
  EXPECT_EQ(seq, -1);
}

TEST(SavedSequence, a_callback_that_fails_ends_it) {
  TwoSequences all;
  struct Budget {
    size_t calls;
    llmc_session *session;
  } budget = {2, all.session.get()};
  auto write = [](const void *, size_t, void *ud) -> llmc_status {
    auto *left = static_cast<Budget *>(ud);
    EXPECT_EQ(llmc_seq_free(left->session, 0), LLMC_EBUSY);
    return left->calls-- ? LLMC_OK : LLMC_ECANCELLED;
  };
  EXPECT_FAILS(llmc_kv_save(all.session.get(), all.seqs[0], write, &budget), LLMC_ECANCELLED,
               "the callback that writes");
  EXPECT_FAILS(llmc_kv_save(all.session.get(), 5, write, &budget), LLMC_ENOTFOUND, "no sequence 5");
  EXPECT_EQ(llmc_seq_len(all.session.get(), all.seqs[0]), 9);
}
