// What the C API says of a compiled model's steps: plans, observers, interrupts, tokens chosen inside eval,
// hidden rows and pooled vectors, saved sequences, all against the plain way or arithmetic of its own.
//
//   session_test MODEL.so
#include "Reference.h"

#include <atomic>
#include <cmath>
#include <cstring>
#include <thread>

using namespace llmc::e2e;

namespace {

void check(bool ok, const char *what) {
  if (!ok)
    die("%s (%s)", what, llmc_last_error());
}

void succeeds(llmc_status status, const char *what) {
  if (status != LLMC_OK)
    die("%s: %s: %s", what, llmc_status_name(status), llmc_last_error());
}

struct Counter {
  uint64_t live = 0, most = 0;
  llmc_allocator allocator = {sizeof(llmc_allocator),
                              [](size_t n, size_t align, void *ud) {
                                auto *self = static_cast<Counter *>(ud);
                                void *p = aligned_alloc(align, n);
                                memset(p, 0xcd, n);
                                self->most = std::max(self->most, self->live += n);
                                return p;
                              },
                              [](void *p, size_t n, void *ud) {
                                static_cast<Counter *>(ud)->live -= n;
                                free(p);
                              },
                              this};
};

Tokens someTokens(size_t n, int64_t vocab) {
  Tokens tokens(n);
  for (size_t i = 0; i < n; ++i)
    tokens[i] = llmc_token((i * 7919 + 13) % size_t(vocab));
  return tokens;
}

struct Test {
  llmc_model *model = nullptr;
  int64_t vocab = 0, hidden = 0;
  llmc_session *session = nullptr;
  llmc_seq seq = -1;

  Row logits(int32_t row = -1) const {
    const float *data = nullptr;
    size_t n = 0;
    succeeds(llmc_logits(session, row, &data, &n), "llmc_logits");
    return {data, data + n};
  }
  void clear() const { succeeds(llmc_kv_remove(session, seq, 0, -1), "llmc_kv_remove"); }
  void prefill(const Tokens &tokens) const {
    succeeds(llmc_prefill(session, seq, tokens.data(), tokens.size()), "llmc_prefill");
  }

  void plan();
  void observer();
  void interrupt();
  void chosen();
  void embedding();
  void saved();
};

/// A session takes from its allocator what the plan said.
void Test::plan() {
  Counter counter;
  llmc_session_params params;
  llmc_session_params_init(&params, sizeof(params));
  params.n_ctx = 200;
  params.n_seq_max = 3;
  params.n_kv_tokens = 410;
  params.n_batch = 64;
  params.allocator = &counter.allocator;
  llmc_memory_plan plan;
  plan.struct_size = sizeof(plan);
  succeeds(llmc_plan(model, &params, &plan), "llmc_plan");
  int64_t weights = 0;
  succeeds(llmc_model_info(model, LLMC_INFO_WEIGHT_BYTES, &weights), "llmc_model_info");
  check(plan.weights >= uint64_t(weights) && plan.weights <= uint64_t(weights) * 101 / 100 + 4096,
        "the plan's weights are the model's");
  llmc_session *own = nullptr;
  succeeds(llmc_session_new(model, &params, &own), "llmc_session_new");
  for (int i = 0; i < 2; ++i) {
    llmc_seq other = -1;
    succeeds(llmc_seq_new(own, &other), "llmc_seq_new");
    const Tokens tokens = someTokens(200, vocab);
    succeeds(llmc_prefill(own, other, tokens.data(), tokens.size()), "llmc_prefill");
  }
  const double used = double(counter.most), said = double(plan.kv + plan.workspace);
  printf("plan: %.0f bytes, used %.0f\n", said, used);
  check(std::abs(used - said) <= 0.01 * said, "the plan is what the session used, within 1 %");
  llmc_session_free(own);
  check(counter.live == 0, "a freed session gives all memory back");
}

struct Seen {
  uint32_t count = 0, shown = 0, cancelAt = UINT32_MAX;
  bool isInOrder = true;
  uint32_t last = 0, result = 0;
};

void Test::observer() {
  const Tokens tokens = someTokens(19, vocab);
  clear();
  prefill(tokens);
  const Row plain = logits();
  Seen seen;
  auto observe = [](const llmc_dispatch_info *info, void *ud) {
    auto *seen = static_cast<Seen *>(ud);
    // A dispatch with several values is seen once for each.
    seen->isInOrder &= info->result == 0 ? seen->count == 0 || info->dispatch > seen->last
                                         : info->dispatch == seen->last && info->result == seen->result + 1;
    seen->last = info->dispatch;
    seen->result = info->result;
    check(info->kernel && info->kernel[0], "a dispatch has a kernel's name");
    if (info->data) {
      ++seen->shown;
      check(info->rank == 2 && info->dtype == LLMC_KV_F32 && info->shape[0] > 0 && info->shape[1] > 0,
            "what is shown has rows and columns");
      check(info->columns > 0 && info->columns <= uint64_t(info->shape[1]), "its padding is told");
    }
    return seen->count++ != seen->cancelAt;
  };
  succeeds(llmc_session_observe(session, observe, &seen), "llmc_session_observe");
  clear();
  prefill(tokens);
  check(logits() == plain, "an observed step has the same bits");
  check(seen.count > 3 && seen.shown > 3 && seen.isInOrder, "the observer sees the dispatches in order");
  const uint32_t all = seen.count;
  for (uint32_t at : {0u, all / 2, all - 1}) {
    clear();
    seen = {};
    seen.cancelAt = at;
    check(llmc_prefill(session, seq, tokens.data(), tokens.size()) == LLMC_ECANCELLED, "false cancels");
    check(seen.count == at + 1 && llmc_seq_len(session, seq) == 0, "a cancelled step leaves nothing");
  }
  succeeds(llmc_session_observe(session, nullptr, nullptr), "llmc_session_observe");
  prefill(tokens);
  check(logits() == plain, "after cancelled steps the same bits");
}

void Test::interrupt() {
  const Tokens tokens = someTokens(60, vocab);
  clear();
  prefill(tokens);
  const Row plain = logits();
  std::atomic<bool> stop{false};
  std::thread other([&] {
    while (!stop) {
      llmc_session_interrupt(session);
      std::this_thread::sleep_for(std::chrono::microseconds(700));
    }
  });
  clear();
  size_t done = 0, cancelled = 0;
  for (int tries = 0; done < tokens.size() && tries < 400; ++tries) {
    const size_t n = std::min<size_t>(3, tokens.size() - done);
    const llmc_status status = llmc_prefill(session, seq, tokens.data() + done, n);
    check(status == LLMC_OK || status == LLMC_ECANCELLED, "an interrupted call ends or is cancelled");
    cancelled += status != LLMC_OK;
    done += status == LLMC_OK ? n : 0;
    check(llmc_seq_len(session, seq) == llmc_pos(done), "all or nothing");
  }
  stop = true;
  other.join();
  while (llmc_seq_len(session, seq) < llmc_pos(tokens.size())) {
    done = size_t(llmc_seq_len(session, seq));
    llmc_prefill(session, seq, tokens.data() + done, tokens.size() - done); // one interrupt may be left over
  }
  printf("interrupts: %zu of the calls cancelled\n", cancelled);
  clear();
  llmc_session_interrupt(session);
  check(llmc_prefill(session, seq, tokens.data(), tokens.size()) == LLMC_ECANCELLED,
        "an interrupt waits for a call");
  for (size_t i = 0; i < tokens.size(); i += 3)
    prefill({tokens.begin() + long(i), tokens.begin() + long(std::min(i + 3, tokens.size()))});
  check(logits() == plain, "after interrupts the same bits");
}

void Test::chosen() {
  llmc_sampling_params params;
  llmc_sampling_params_init(&params, sizeof(params));
  params.temperature = 1;
  params.typical_p = 0.9f;
  params.seed = 4;
  llmc_sampler *greedy = nullptr, *inside = nullptr, *after = nullptr;
  succeeds(llmc_sampler_new(model, nullptr, &greedy), "llmc_sampler_new");
  succeeds(llmc_sampler_new(model, &params, &inside), "llmc_sampler_new");
  succeeds(llmc_sampler_new(model, &params, &after), "llmc_sampler_new");
  llmc_batch *batch = nullptr;
  succeeds(llmc_batch_new(16, &batch), "llmc_batch_new");
  const Tokens tokens = someTokens(9, vocab);
  clear();
  succeeds(llmc_batch_add(batch, seq, tokens.data(), tokens.size(), LLMC_OUT_ALL, nullptr), "llmc_batch_add");
  for (int32_t row = 0; row < 9; ++row)
    succeeds(llmc_batch_sample(batch, row, row % 2 ? inside : greedy), "llmc_batch_sample");
  succeeds(llmc_eval(session, batch), "llmc_eval");
  for (int32_t row = 0; row < 9; ++row) {
    llmc_token token = -1, expected = -2, best = -3;
    float logprob = 1, bestLogprob = 2;
    succeeds(llmc_sampled(session, row, &token, &logprob), "llmc_sampled");
    succeeds(llmc_sampler_sample(row % 2 ? after : greedy, session, row, &expected, nullptr),
             "llmc_sampler_sample");
    check(token == expected, "the token chosen inside eval is the one chosen after it");
    const Row values = logits(row);
    double highest = -INFINITY, sum = 0;
    for (float x : values)
      highest = std::max(highest, double(x));
    for (float x : values)
      sum += std::exp(x - highest);
    const double exact = values[size_t(token)] - highest - std::log(sum);
    check(std::abs(logprob - exact) < 1e-4, "its log-probability is that of the row");
    succeeds(llmc_logprobs(session, row, 1, &best, &bestLogprob), "llmc_logprobs");
    check(std::abs(bestLogprob + std::log(sum)) < 1e-4 && (row % 2 || best == token), "the likeliest token");
  }
  llmc_batch_free(batch);
  for (llmc_sampler *sampler : {greedy, inside, after})
    llmc_sampler_free(sampler);
}

void Test::embedding() {
  llmc_batch *batch = nullptr;
  succeeds(llmc_batch_new(16, &batch), "llmc_batch_new");
  const Tokens tokens = someTokens(11, vocab);
  auto evaluate = [&](size_t from, size_t n) {
    llmc_batch_clear(batch);
    succeeds(llmc_batch_add(batch, seq, tokens.data() + from, n, LLMC_OUT_ALL | LLMC_OUT_HIDDEN, nullptr),
             "llmc_batch_add");
    return llmc_eval(session, batch);
  };
  clear();
  const llmc_status status = evaluate(0, tokens.size());
  if (status == LLMC_EUNSUPPORTED) {
    check(strstr(llmc_last_error(), "hidden"), "a model without hidden rows says so");
    puts("hidden rows: not in this model");
    llmc_batch_free(batch);
    return;
  }
  succeeds(status, "llmc_eval with hidden rows");
  std::vector<double> mean(static_cast<size_t>(hidden));
  Row first, last;
  for (int32_t row = 0; row < 11; ++row) {
    const float *data = nullptr;
    size_t n = 0;
    succeeds(llmc_hidden(session, row, &data, &n), "llmc_hidden");
    check(n == size_t(hidden), "a hidden row is as wide as the model");
    for (size_t i = 0; i < n; ++i)
      mean[i] += double(data[i]) / 11;
    (row == 0 ? first : last).assign(data, data + n);
  }
  auto pooled = [&](int32_t kind) {
    const float *data = nullptr;
    size_t n = 0;
    succeeds(llmc_embedding(session, seq, kind, &data, &n), "llmc_embedding");
    return Row(data, data + n);
  };
  check(pooled(LLMC_POOL_FIRST) == first && pooled(LLMC_POOL_LAST) == last && first != last,
        "first and last");
  const Row whole = pooled(LLMC_POOL_MEAN);
  for (size_t i = 0; i < whole.size(); ++i)
    check(std::abs(whole[i] - mean[i]) <= 1e-5 * (1 + std::abs(mean[i])), "the mean");
  clear();
  for (size_t from = 0; from < tokens.size(); from += 4)
    succeeds(evaluate(from, std::min<size_t>(4, tokens.size() - from)), "llmc_eval");
  check(pooled(LLMC_POOL_MEAN) == whole, "the mean has the same bits in steps");
  llmc_batch_free(batch);
}

struct TwoSequences {
  llmc_session *session = nullptr;
  llmc_seq seqs[2] = {-1, -1};
  ~TwoSequences() { llmc_session_free(session); }
  Row decode(int i, llmc_token token) const {
    succeeds(llmc_decode(session, seqs[i], token), "llmc_decode");
    const float *data = nullptr;
    size_t n = 0;
    succeeds(llmc_logits(session, -1, &data, &n), "llmc_logits");
    return {data, data + n};
  }
};

/// Two sequences that another session takes over have the same bits from there on, in every storage type of
/// the cache; no type takes what another has stored.
void Test::saved() {
  using Bytes = std::vector<char>;
  auto write = [](const void *data, size_t n, void *ud) -> llmc_status {
    auto *bytes = static_cast<Bytes *>(ud);
    bytes->insert(bytes->end(), static_cast<const char *>(data), static_cast<const char *>(data) + n);
    return LLMC_OK;
  };
  struct Reader {
    const Bytes &bytes;
    size_t at = 0;
  };
  auto read = [](void *data, size_t n, void *ud) -> llmc_status {
    auto *reader = static_cast<Reader *>(ud);
    if (n > reader->bytes.size() - reader->at)
      return LLMC_EIO;
    memcpy(data, reader->bytes.data() + reader->at, n);
    reader->at += n;
    return LLMC_OK;
  };
  llmc_session_params params;
  llmc_session_params_init(&params, sizeof(params));
  params.n_seq_max = 2;
  Bytes ofLastType;
  int types = 0;
  for (llmc_kv_type type : {LLMC_KV_F32, LLMC_KV_F16, LLMC_KV_BF16, LLMC_KV_Q8}) {
    params.type_k = params.type_v = type;
    params.n_ctx = 80;
    TwoSequences from, to;
    llmc_status status = llmc_session_new(model, &params, &from.session);
    if (status == LLMC_EUNSUPPORTED)
      continue;
    succeeds(status, "llmc_session_new");
    params.n_ctx = 100;
    succeeds(llmc_session_new(model, &params, &to.session), "llmc_session_new");
    Bytes bytes[2];
    for (int i : {0, 1}) {
      succeeds(llmc_seq_new(from.session, &from.seqs[i]), "llmc_seq_new");
      const Tokens tokens = someTokens(i ? 5 : 37, vocab); // one and two pages
      succeeds(llmc_prefill(from.session, from.seqs[i], tokens.data(), tokens.size()), "llmc_prefill");
    }
    for (int i : {1, 0}) {
      from.decode(i, 3);
      succeeds(llmc_kv_save(from.session, from.seqs[i], write, &bytes[i]), "llmc_kv_save");
      Reader reader{bytes[i]};
      succeeds(llmc_kv_load(to.session, read, &reader, &to.seqs[i]), "llmc_kv_load");
    }
    for (llmc_token token : {5, 6, 7})
      for (int i : {0, 1})
        check(from.decode(i, token) == to.decode(i, token), "a restored sequence has the same bits");
    if (types++) {
      Reader reader{ofLastType};
      llmc_seq none = -1;
      succeeds(llmc_seq_free(to.session, to.seqs[1]), "llmc_seq_free");
      check(llmc_kv_load(to.session, read, &reader, &none) == LLMC_EUNSUPPORTED && none == -1,
            "a sequence of another storage type is refused");
    }
    ofLastType = bytes[1];
  }
  check(types > 0, "the cache has a type");
  printf("saved sequences: %d storage types\n", types);
}

} // namespace

int main(int argc, char **argv) {
  if (argc != 2)
    die("usage: session_test MODEL.so");
  Test test;
  llmc_model_params params;
  llmc_model_params_init(&params, sizeof(params));
  params.n_threads = 2;
  succeeds(llmc_model_load(argv[1], &params, &test.model), "llmc_model_load");
  succeeds(llmc_model_info(test.model, LLMC_INFO_VOCAB, &test.vocab), "llmc_model_info");
  succeeds(llmc_model_info(test.model, LLMC_INFO_HIDDEN, &test.hidden), "llmc_model_info");
  succeeds(llmc_session_new(test.model, nullptr, &test.session), "llmc_session_new");
  succeeds(llmc_seq_new(test.session, &test.seq), "llmc_seq_new");
  test.plan();
  test.observer();
  test.interrupt();
  test.chosen();
  test.embedding();
  test.saved();
  llmc_session_free(test.session);
  llmc_model_release(test.model);
  puts("ok");
}
