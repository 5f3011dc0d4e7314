// Sampling: what each parameter keeps, how often each token is drawn, and that seeds decide.
#include "FakeModel.h"

#include "runtime/Sampler.h"

#include <nlohmann/json.hpp>

#include <cmath>
#include <fstream>
#include <limits>
#include <map>

using llmc::Sampler;

namespace {

const float infinity = std::numeric_limits<float>::infinity();

llmc_sampling_params with(const std::function<void(llmc_sampling_params &)> &edit) {
  llmc_sampling_params params;
  llmc_sampling_params_init(&params, sizeof(params));
  edit(params);
  return params;
}

llmc_token draw(Sampler &sampler, const std::vector<float> &row, float *logprob = nullptr) {
  llmc_token token = -1;
  EXPECT_OK(sampler.sample(row, token, logprob));
  return token;
}

std::map<llmc_token, int> counts(const llmc_sampling_params &params, const std::vector<float> &row,
                                 int n = 20000) {
  Sampler sampler(params, uint32_t(row.size()));
  std::map<llmc_token, int> result;
  for (int i = 0; i < n; ++i)
    ++result[draw(sampler, row)];
  return result;
}

const std::vector<float> row = {std::log(0.1f), std::log(0.4f), std::log(0.05f), std::log(0.25f),
                                std::log(0.2f)};

} // namespace

TEST(Sampler, greedy_takes_the_first_of_the_best) {
  Sampler sampler(with([](auto &) {}), 5);
  EXPECT_EQ(draw(sampler, row), 1);
  EXPECT_EQ(draw(sampler, {2, 7, 7, 1, 0}), 1);
  EXPECT_EQ(draw(sampler, {NAN, -infinity, -3, NAN, -infinity}), 2);
  llmc_token token = 77;
  const std::vector<float> none(5, NAN), never(5, -infinity);
  EXPECT_FAILS(sampler.sample(none, token, nullptr), LLMC_EINTERNAL, "no number");
  EXPECT_EQ(token, 77);
  EXPECT_EQ(draw(sampler, never), 0);
}

TEST(Sampler, logprob_is_that_of_the_model) {
  Sampler sampler(with([](auto &p) { p.temperature = 0.3f, p.top_k = 2; }), 5);
  for (int i = 0; i < 20; ++i) {
    float logprob = 0;
    llmc_token token = draw(sampler, row, &logprob);
    EXPECT_NEAR(logprob, row[token], 1e-5);
  }
  EXPECT_NEAR(llmc::logSumExp(row), 0, 1e-6);
  std::vector<float> wide(50000);
  double exact = 0;
  for (size_t i = 0; i < wide.size(); ++i)
    exact += std::exp(double(wide[i] = -20.0f * float(i) / 50000 + 300));
  EXPECT_NEAR(llmc::logSumExp(wide), std::log(exact), 1e-5);
}

TEST(Sampler, frequencies_follow_probabilities) {
  auto seen = counts(with([](auto &p) { p.temperature = 1; }), row);
  for (int i = 0; i < 5; ++i)
    EXPECT_NEAR(seen[i] / 20000.0, std::exp(row[i]), 0.015) << i;
}

TEST(Sampler, temperature_sharpens) {
  auto seen = counts(with([](auto &p) { p.temperature = 0.5f; }), row);
  double total = 0;
  for (float x : row)
    total += std::exp(2 * x);
  for (int i = 0; i < 5; ++i)
    EXPECT_NEAR(seen[i] / 20000.0, std::exp(2 * row[i]) / total, 0.015) << i;
}

TEST(Sampler, filters_keep_the_right_tokens) {
  auto keys = [](const std::map<llmc_token, int> &seen) {
    std::vector<llmc_token> tokens;
    for (auto &[token, n] : seen)
      tokens.push_back(token);
    return tokens;
  };
  using V = std::vector<llmc_token>;
  EXPECT_EQ(keys(counts(with([](auto &p) { p.temperature = 1, p.top_k = 1; }), row)), V{1});
  EXPECT_EQ(keys(counts(with([](auto &p) { p.temperature = 1, p.top_k = 3; }), row)), (V{1, 3, 4}));
  EXPECT_EQ(keys(counts(with([](auto &p) { p.temperature = 1, p.top_k = 99; }), row)), (V{0, 1, 2, 3, 4}));
  EXPECT_EQ(keys(counts(with([](auto &p) { p.temperature = 1, p.top_p = 0.6f; }), row)), (V{1, 3}));
  EXPECT_EQ(keys(counts(with([](auto &p) { p.temperature = 1, p.top_p = 0.7f; }), row)), (V{1, 3, 4}));
  EXPECT_EQ(keys(counts(with([](auto &p) { p.temperature = 1, p.top_p = 0; }), row)), V{1});
  EXPECT_EQ(keys(counts(with([](auto &p) { p.temperature = 1, p.min_p = 0.45f; }), row)), (V{1, 3, 4}));
  EXPECT_EQ(keys(counts(with([](auto &p) { p.temperature = 1, p.min_p = 0.45f, p.top_k = 2; }), row)),
            (V{1, 3}));
  EXPECT_EQ(keys(counts(with([](auto &p) { p.temperature = 100, p.min_p = 1; }), row)), V{1});
  auto seen = counts(with([](auto &p) { p.temperature = 1, p.top_k = 2; }), row);
  EXPECT_NEAR(seen[1] / 20000.0, 0.4 / 0.65, 0.015);
}

TEST(Sampler, top_p_over_a_wide_vocabulary) {
  // 10000 equal tokens: half of the mass is half of the tokens, the lower ids.
  const std::vector<float> flat(10000, 1.0f);
  auto seen = counts(with([](auto &p) { p.temperature = 1, p.top_p = 0.5f; }), flat, 3000);
  EXPECT_LE(seen.rbegin()->first, 5000);
  EXPECT_GT(seen.size(), 2000u);
}

TEST(Sampler, seeds_decide) {
  auto sequence = [](uint64_t seed) {
    Sampler sampler(with([&](auto &p) { p.temperature = 1, p.seed = seed; }), 5);
    std::vector<llmc_token> tokens;
    for (int i = 0; i < 64; ++i)
      tokens.push_back(draw(sampler, row));
    return tokens;
  };
  EXPECT_EQ(sequence(1), sequence(1));
  EXPECT_NE(sequence(1), sequence(2));
  EXPECT_NE(sequence(0), sequence(1));
  Sampler first(with([](auto &p) { p.temperature = 1, p.seed = 4; }), 5);
  draw(first, row);
  Sampler second(first);
  for (int i = 0; i < 32; ++i)
    EXPECT_EQ(draw(first, row), draw(second, row));
}

TEST(Sampler, says_that_nothing_is_left_to_choose) {
  for (float temperature : {0.0f, 1.0f}) {
    Sampler forbidden(with([&](auto &p) { p.temperature = temperature; }), 5);
    for (llmc_token token = 0; token < 5; ++token)
      forbidden.addBias(token, -infinity);
    llmc_token chosen = 0;
    EXPECT_FAILS(forbidden.sample(row, chosen, nullptr), LLMC_ESTATE, "leave no token");
  }
  Sampler plain(with([](auto &p) { p.temperature = 1; }), 5);
  llmc_token chosen = 0;
  EXPECT_FAILS(plain.sample(std::vector<float>(5, -infinity), chosen, nullptr), LLMC_EINTERNAL, "no number");
}

TEST(Sampler, bias_and_penalties) {
  Sampler biased(with([](auto &) {}), 5);
  biased.addBias(2, 100);
  biased.addBias(1, -infinity);
  EXPECT_EQ(draw(biased, row), 2);
  Sampler penalized(with([](auto &p) { p.presence_penalty = 10, p.penalty_last_n = 2; }), 5);
  for (llmc_token expected : {1, 3, 4, 1}) { // the window forgets what is older than two tokens
    EXPECT_EQ(draw(penalized, row), expected);
    EXPECT_OK(penalized.accept(expected));
  }
  Sampler repeated(with([](auto &p) { p.repeat_penalty = 2; }), 3);
  EXPECT_OK(repeated.accept(0));
  EXPECT_EQ(draw(repeated, {5, 3, 0}), 1);       // positive: divided
  EXPECT_EQ(draw(repeated, {-1, -1.5f, -9}), 1); // negative: multiplied
}

TEST(Sampler, stages_of_the_caller) {
  fake::Model model = fake::load();
  int destroyed = 0;
  struct State {
    llmc_token only, accepted;
    int *destroyed;
  } state = {11, -1, &destroyed};
  llmc_sampler_stage stage = {};
  stage.struct_size = sizeof(stage);
  stage.ud = &state;
  stage.apply = [](void *ud, float *logits, size_t n) -> llmc_status {
    for (size_t i = 0; i < n; ++i)
      if (llmc_token(i) != static_cast<State *>(ud)->only)
        logits[i] = -infinity;
    return static_cast<State *>(ud)->only < 0 ? LLMC_ECANCELLED : LLMC_OK;
  };
  stage.accept = [](void *ud, llmc_token token) -> llmc_status {
    static_cast<State *>(ud)->accepted = token;
    return LLMC_OK;
  };
  stage.destroy = [](void *ud) { ++*static_cast<State *>(ud)->destroyed; };
  fake::Sampler sampler = fake::sampler(model.get(), [](auto &p) { p.temperature = 1; });
  ASSERT_OK(llmc_sampler_add(sampler.get(), &stage));
  fake::Session s = fake::session(model.get());
  ASSERT_OK(llmc_decode(s.get(), fake::sequence(s.get()), 5));
  llmc_token token = -1;
  EXPECT_OK(llmc_sampler_sample(sampler.get(), s.get(), -1, &token, nullptr));
  EXPECT_EQ(token, 11);
  EXPECT_OK(llmc_sampler_accept(sampler.get(), token));
  EXPECT_EQ(state.accepted, 11);
  llmc_sampler *clone = nullptr;
  EXPECT_FAILS(llmc_sampler_clone(sampler.get(), &clone), LLMC_EUNSUPPORTED, "stages");
  state.only = -1;
  EXPECT_FAILS(llmc_sampler_sample(sampler.get(), s.get(), -1, &token, nullptr), LLMC_ECANCELLED, "stage");
  sampler.reset();
  EXPECT_EQ(destroyed, 1);
}

// tests/support/make_sampling_goldens.py
TEST(Sampler, filters_leave_what_transformers_leaves) {
  std::ifstream in(LLMC_FIXTURES "/sampling.json");
  const auto goldens = nlohmann::json::parse(in);
  const std::vector<float> logits = goldens["logits"];
  ASSERT_GE(goldens["cases"].size(), 12u);
  for (const auto &golden : goldens["cases"]) {
    SCOPED_TRACE(golden["params"].dump());
    const auto &given = golden["params"];
    Sampler sampler(with([&](auto &p) {
                      p.temperature = given["temperature"];
                      p.top_k = given.value("top_k", p.top_k);
                      p.top_p = given.value("top_p", p.top_p);
                      p.min_p = given.value("min_p", p.min_p);
                      p.typical_p = given.value("typical_p", p.typical_p);
                      p.repeat_penalty = given.value("repeat_penalty", p.repeat_penalty);
                      p.presence_penalty = given.value("presence_penalty", p.presence_penalty);
                      p.frequency_penalty = given.value("frequency_penalty", p.frequency_penalty);
                    }),
                    uint32_t(logits.size()));
    for (llmc_token token : goldens["history"])
      EXPECT_OK(sampler.accept(token));
    const int n = 20000;
    std::vector<int> seen(logits.size());
    for (int i = 0; i < n; ++i)
      ++seen[draw(sampler, logits)];
    for (size_t token = 0; token < logits.size(); ++token) {
      const double p = golden["probabilities"][token];
      // Five standard deviations of the count; what is filtered out is never drawn.
      EXPECT_NEAR(double(seen[token]) / n, p, 5 * std::sqrt(p * (1 - p) / n)) << token;
      if (p > 1e-3)
        EXPECT_GT(seen[token], 0) << token;
    }
  }
}

TEST(Sampler, penalties_look_back_as_far_as_asked) {
  for (int32_t lastN : {0, 2, -1}) {
    Sampler sampler(with([&](auto &p) { p.frequency_penalty = 3, p.penalty_last_n = lastN; }), 4);
    for (llmc_token token : {0, 0, 1, 2})
      EXPECT_OK(sampler.accept(token));
    // Of the logits 10, 8, 6, 5: -1 takes 6, 3 and 3, the last two take nothing from the first.
    EXPECT_EQ(draw(sampler, {10, 8, 6, 5}), lastN == -1 ? 1 : 0) << lastN;
    EXPECT_EQ(draw(sampler, {7, 6.5f, 6, 1}), lastN == -1 ? 1 : 0) << lastN;
    EXPECT_EQ(draw(sampler, {1, 8, 6, 7}), lastN == 0 ? 1 : 3) << lastN;
  }
}

TEST(Sampler, stages_run_in_order_after_penalties_and_biases) {
  fake::Model model = fake::load();
  std::string order;
  struct Stage {
    std::string *order;
    char name;
    float expected;
    llmc_status acceptStatus;
  } states[] = {{&order, 'a', 4, LLMC_OK}, {&order, 'b', 40, LLMC_OK}};
  fake::Sampler sampler = fake::sampler(
      model.get(), [](auto &p) { p.presence_penalty = 2; }); // greedy over what the stages leave
  for (Stage &state : states) {
    llmc_sampler_stage stage = {};
    stage.struct_size = sizeof(stage);
    stage.ud = &state;
    stage.apply = [](void *ud, float *logits, size_t n) -> llmc_status {
      auto *self = static_cast<Stage *>(ud);
      *self->order += self->name;
      EXPECT_EQ(n, 64u);
      EXPECT_EQ(logits[5], self->expected);
      logits[5] *= 10;
      return LLMC_OK;
    };
    stage.accept = [](void *ud, llmc_token) -> llmc_status {
      auto *self = static_cast<Stage *>(ud);
      *self->order += char(self->name - 'a' + 'A');
      return self->acceptStatus;
    };
    stage.destroy = [](void *ud) { *static_cast<Stage *>(ud)->order += '.'; };
    ASSERT_OK(llmc_sampler_add(sampler.get(), &stage));
  }
  const llmc_token token = 5;
  const float bias = 5;
  ASSERT_OK(llmc_sampler_bias(sampler.get(), &token, &bias, 1));
  ASSERT_OK(llmc_sampler_accept(sampler.get(), 5));
  std::vector<float> logits(64, 0.0f);
  logits[5] = 1; // less 2, more 5
  EXPECT_EQ(draw(*sampler, logits), 5);
  EXPECT_EQ(logits[5], 1); // stages change a copy
  EXPECT_EQ(order, "ABab");
  states[0].acceptStatus = LLMC_EIO;
  EXPECT_FAILS(llmc_sampler_accept(sampler.get(), 6), LLMC_EIO, "stage");
  llmc_sampler_stage tooSmall = {};
  EXPECT_FAILS(llmc_sampler_add(sampler.get(), &tooSmall), LLMC_EARG, "struct_size");
  order.clear();
  sampler.reset();
  EXPECT_EQ(order, "..");
}

TEST(Sampler, a_clone_goes_on_alike) {
  fake::Model model = fake::load();
  fake::Sampler first =
      fake::sampler(model.get(), [](auto &p) { p.temperature = 2, p.frequency_penalty = 1, p.seed = 5; });
  const llmc_token token = 7;
  const float bias = 2;
  ASSERT_OK(llmc_sampler_bias(first.get(), &token, &bias, 1));
  const std::vector<float> logits(64, 1.0f);
  auto advance = [&](llmc_sampler *sampler) {
    llmc_token chosen = draw(*sampler, logits);
    EXPECT_OK(llmc_sampler_accept(sampler, chosen));
    return chosen;
  };
  for (int i = 0; i < 10; ++i)
    advance(first.get());
  llmc_sampler *raw = nullptr;
  ASSERT_OK(llmc_sampler_clone(first.get(), &raw));
  fake::Sampler second(raw);
  for (int i = 0; i < 40; ++i)
    EXPECT_EQ(advance(first.get()), advance(second.get()));
}

TEST(Sampler, parameters_are_checked) {
  fake::Model model = fake::load();
  auto make = [&](const std::function<void(llmc_sampling_params &)> &edit) {
    llmc_sampling_params params = with(edit);
    llmc_sampler *sampler = nullptr;
    llmc_status status = llmc_sampler_new(model.get(), &params, &sampler);
    llmc_sampler_free(sampler);
    return status;
  };
  EXPECT_OK(make([](auto &) {}));
  EXPECT_FAILS(make([](auto &p) { p.temperature = -1; }), LLMC_EARG, "temperature is -1");
  EXPECT_FAILS(make([](auto &p) { p.temperature = NAN; }), LLMC_EARG, "temperature");
  EXPECT_FAILS(make([](auto &p) { p.top_p = 1.5f; }), LLMC_EARG, "top_p");
  EXPECT_FAILS(make([](auto &p) { p.top_k = -2; }), LLMC_EARG, "top_k");
  EXPECT_FAILS(make([](auto &p) { p.repeat_penalty = 0; }), LLMC_EARG, "repeat_penalty");
  EXPECT_FAILS(make([](auto &p) { p.typical_p = -0.5f; }), LLMC_EARG, "typical_p");
  fake::Sampler sampler = fake::sampler(model.get());
  const llmc_token tokens[] = {1, 64};
  const float bias[] = {1, 1}, notANumber[] = {NAN, 1};
  EXPECT_FAILS(llmc_sampler_bias(sampler.get(), tokens, bias, 2), LLMC_EARG, "token 1 is 64");
  EXPECT_FAILS(llmc_sampler_bias(sampler.get(), tokens, notANumber, 1), LLMC_EARG, "nan");
  EXPECT_FAILS(llmc_sampler_accept(sampler.get(), -1), LLMC_EARG, "-1");
}

TEST(Sampler, top_logprobs) {
  fake::Model model = fake::load();
  fake::Session s = fake::session(model.get());
  ASSERT_OK(llmc_decode(s.get(), fake::sequence(s.get()), 5));
  auto logits = fake::logits(s.get());
  llmc_token tokens[64];
  float logprobs[64];
  ASSERT_OK(llmc_logprobs(s.get(), -1, 64, tokens, logprobs));
  double sum = 0;
  for (int i = 0; i < 64; ++i) {
    sum += std::exp(logprobs[i]);
    if (i)
      EXPECT_GE(logits[tokens[i - 1]], logits[tokens[i]]);
  }
  EXPECT_NEAR(sum, 1, 1e-5);
  EXPECT_EQ(tokens[0], llmc::argmax(logits));
  EXPECT_FAILS(llmc_logprobs(s.get(), -1, 65, tokens, logprobs), LLMC_EARG, "1 to 64");
}
