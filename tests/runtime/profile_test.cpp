// What a profile says of the steps of the toy model. Times are only held against each other.
#include "FakeModel.h"

#include <map>

using namespace fake;

namespace {

class Profile : public testing::TestWithParam<uint32_t> {
protected:
  void SetUp() override {
    model = load(GetParam());
    s = session(model.get());
    seq = sequence(s.get());
  }
  void range(uint64_t first, uint64_t next) {
    uint64_t gotFirst = 77, gotNext = 77;
    ASSERT_OK(llmc_profile_range(s.get(), &gotFirst, &gotNext));
    EXPECT_EQ(gotFirst, first);
    EXPECT_EQ(gotNext, next);
  }
  llmc_profile_step step(uint64_t number) {
    llmc_profile_step out = {};
    out.struct_size = sizeof out;
    EXPECT_OK(llmc_profile_get_step(s.get(), number, &out));
    return out;
  }
  std::vector<llmc_profile_event> events(uint64_t number) {
    size_t n = 0, again = 0;
    EXPECT_OK(llmc_profile_get_events(s.get(), number, nullptr, 0, &n));
    std::vector<llmc_profile_event> list(n);
    EXPECT_OK(llmc_profile_get_events(s.get(), number, list.data(), n, &again));
    EXPECT_EQ(n, again);
    return list;
  }
  /// Bytes and operations of a step, by the cost of each dispatch that ran.
  std::pair<uint64_t, uint64_t> work(uint64_t number) {
    llmc_profile_step at = step(number);
    uint64_t bytes = 0, operations = 0;
    for (const llmc_profile_event &event : events(number)) {
      llmc_dispatch_cost cost = {};
      cost.struct_size = sizeof cost;
      EXPECT_OK(llmc_model_dispatch(model.get(), event.dispatch, &cost));
      if (event.worker)
        continue;
      bytes += cost.weight_bytes + cost.row_bytes * at.rows[cost.row_space] + cost.key_bytes * at.n_keys;
      operations += cost.flops_per_row * at.rows[cost.row_space] + cost.flops_per_key * at.n_token_keys;
    }
    return {bytes, operations};
  }

  Model model;
  Session s;
  llmc_seq seq = -1;
  const llmc_token tokens[5] = {1, 2, 3, 4, 5};
};

TEST_P(Profile, notes_every_dispatch_of_every_worker) {
  auto plain = fresh(model.get(), {1, 2, 3, 4, 5});
  ASSERT_OK(llmc_session_profile(s.get(), 1 << 20));
  range(0, 0);
  ASSERT_OK(llmc_prefill(s.get(), seq, tokens, 5));
  EXPECT_EQ(logits(s.get()), plain);
  ASSERT_OK(llmc_decode(s.get(), seq, 6));
  range(0, 2);
  for (uint64_t number : {0, 1}) {
    llmc_profile_step at = step(number);
    EXPECT_LE(at.begin, at.end);
    EXPECT_EQ(at.n_workers, GetParam());
    EXPECT_EQ(at.rows[0], number ? 1u : 5u);
    EXPECT_EQ(at.rows[1], 1u);
    EXPECT_EQ(at.rows[3], 0u);
    EXPECT_EQ(at.n_keys, number ? 6u : 5u);
    EXPECT_EQ(at.n_token_keys, number ? 6u : 15u);
    auto list = events(number);
    ASSERT_EQ(list.size(), size_t(layers + 2) * GetParam());
    std::map<uint32_t, uint64_t> lastEnd, busy;
    uint32_t next = 0;
    for (const llmc_profile_event &event : list) {
      EXPECT_EQ(event.dispatch, next % (layers + 2));
      EXPECT_EQ(event.worker, next++ / (layers + 2));
      EXPECT_LE(event.begin, event.end);
      EXPECT_GE(event.begin, std::max(at.begin, lastEnd[event.worker]));
      EXPECT_LE(event.end, at.end);
      EXPECT_LE(event.waited, event.end - event.begin);
      lastEnd[event.worker] = event.end;
      busy[event.worker] += event.end - event.begin;
    }
    for (auto [worker, sum] : busy)
      EXPECT_LE(sum, at.end - at.begin);
  }
}

TEST_P(Profile, its_work_is_that_of_the_step_cost) {
  ASSERT_OK(llmc_session_profile(s.get(), 1 << 20));
  ASSERT_OK(llmc_prefill(s.get(), seq, tokens, 5));
  ASSERT_OK(llmc_decode(s.get(), seq, 6));
  // 24 layers: 8 bytes of weights, 8 of each row, 8 of each key; an operation for each row and each key it
  // sees.
  EXPECT_EQ(work(0), std::make_pair(uint64_t(24 * (8 + 8 * 5 + 8 * 5)), uint64_t(24 * (5 + 15))));
  EXPECT_EQ(work(1), std::make_pair(uint64_t(24 * (8 + 8 * 1 + 8 * 6)), uint64_t(24 * (1 + 6))));
  llmc_step_cost cost = {};
  cost.struct_size = sizeof cost;
  cost.n_tokens = cost.n_rows = 1;
  cost.n_keys = cost.n_token_keys = 6;
  ASSERT_OK(llmc_model_step_cost(model.get(), &cost));
  EXPECT_EQ(work(1), std::make_pair(cost.bytes, cost.operations));
}

TEST_P(Profile, keeps_the_last_steps_that_fit) {
  EXPECT_FAILS(llmc_profile_range(s.get(), nullptr, nullptr), LLMC_EARG, "first");
  uint64_t first, next;
  EXPECT_FAILS(llmc_profile_range(s.get(), &first, &next), LLMC_ESTATE, "llmc_session_profile");
  ASSERT_OK(llmc_session_profile(s.get(), 1)); // one step
  for (llmc_token token : tokens)
    ASSERT_OK(llmc_decode(s.get(), seq, token));
  range(4, 5);
  EXPECT_EQ(step(4).n_keys, 5u);
  llmc_profile_step out = {};
  out.struct_size = sizeof out;
  EXPECT_FAILS(llmc_profile_get_step(s.get(), 3, &out), LLMC_ENOTFOUND, "step 3");
  EXPECT_FAILS(llmc_profile_get_events(s.get(), 5, nullptr, 0, nullptr), LLMC_ENOTFOUND, "step 5");
  llmc_profile_event one;
  EXPECT_FAILS(llmc_profile_get_events(s.get(), 4, &one, 1, nullptr), LLMC_EARG, "cap is 1");
  ASSERT_OK(llmc_session_profile(s.get(), 1 << 20)); // anew
  range(0, 0);
  ASSERT_OK(llmc_decode(s.get(), seq, 1));
  range(0, 1);
  ASSERT_OK(llmc_session_profile(s.get(), 0));
  EXPECT_FAILS(llmc_profile_range(s.get(), &first, &next), LLMC_ESTATE, "");
}

TEST_P(Profile, a_cancelled_step_is_not_one_of_them) {
  ASSERT_OK(llmc_session_profile(s.get(), 1));
  ASSERT_OK(llmc_decode(s.get(), seq, 1));
  auto never = [](const llmc_dispatch_info *, void *) { return false; };
  ASSERT_OK(llmc_session_observe(s.get(), never, nullptr));
  EXPECT_FAILS(llmc_decode(s.get(), seq, 2), LLMC_ECANCELLED, "");
  ASSERT_OK(llmc_session_observe(s.get(), nullptr, nullptr));
  range(1, 1); // it has taken the place of the one before
  ASSERT_OK(llmc_decode(s.get(), seq, 2));
  range(1, 2);
  EXPECT_EQ(events(1).size(), size_t(layers + 2) * GetParam());
}

TEST_P(Profile, dispatches_by_number) {
  llmc_dispatch_cost cost = {};
  cost.struct_size = sizeof cost;
  ASSERT_OK(llmc_model_dispatch(model.get(), 3, &cost));
  EXPECT_STREQ(cost.kernel, "attend");
  EXPECT_STREQ(cost.value, "h");
  EXPECT_STREQ(cost.location, "layer.0 line 3");
  EXPECT_EQ(cost.layer, 2u);
  EXPECT_EQ(cost.weight_bytes, 8u);
  EXPECT_EQ(cost.is_int8, 1u);
  EXPECT_EQ(cost.is_bf16, 0u);
  ASSERT_OK(llmc_model_dispatch(model.get(), layers + 1, &cost));
  EXPECT_EQ(cost.is_int8, 0u);
  EXPECT_EQ(cost.is_bf16, 1u);
  ASSERT_OK(llmc_model_dispatch(model.get(), 0, &cost));
  EXPECT_EQ(cost.is_int8, 0u);
  EXPECT_EQ(cost.is_bf16, 0u);
  EXPECT_FAILS(llmc_model_dispatch(model.get(), layers + 2, &cost), LLMC_ENOTFOUND, "the model has 26");
}

INSTANTIATE_TEST_SUITE_P(Workers, Profile, testing::Values(1u, 2u, 3u));

} // namespace
