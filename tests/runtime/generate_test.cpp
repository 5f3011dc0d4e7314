// The generation loop: what it shows, where it stops, and that it can go on.
#include "FakeModel.h"

#include "llmc/tokenizer_blob.h"
#include "runtime/StopMatcher.h"

#include <algorithm>
#include <cstring>
#include <thread>

using namespace fake;

namespace {

const llmc_token endToken = 60;

/// The text of a toy token: letters, and the two halves of "é".
std::string textOf(llmc_token token) {
  if (token == endToken)
    return "<end>";
  if (token % 7 == 3)
    return "\xc3";
  if (token % 7 == 4)
    return "\xa9";
  return std::string(1 + token % 3, char('a' + token % 5));
}

Bytes tokenizerBlob(llmc_token nTokens = vocab) {
  std::vector<uint32_t> offsets = {0};
  std::string text;
  std::vector<uint8_t> attributes;
  for (llmc_token i = 0; i < nTokens; ++i) {
    text += textOf(i);
    offsets.push_back(uint32_t(text.size()));
    attributes.push_back(i == endToken ? LLMC_TOK_CONTROL : LLMC_TOK_NORMAL);
  }
  const std::vector<uint32_t> index(8, 0);
  const std::vector<int32_t> bytes(256, -1), stops = {endToken};
  llmc_tok_header header = {};
  header.magic = LLMC_TOK_MAGIC;
  header.version = LLMC_TOK_VERSION;
  header.header_size = sizeof(header);
  header.kind = LLMC_TOK_BYTE_LEVEL_BPE;
  header.n_vocab = uint32_t(nTokens);
  header.n_sections = LLMC_TOK_N_SECTIONS;
  memset(header.special, 0xff, sizeof(header.special));
  header.special[LLMC_TOK_EOS] = nTokens > endToken ? endToken : -1;
  Bytes blob(sizeof(header));
  auto add = [&](int section, const void *data, size_t size) {
    blob.resize((blob.size() + 7) / 8 * 8);
    header.section[section] = {blob.size(), size};
    auto *from = static_cast<const uint8_t *>(data);
    blob.insert(blob.end(), from, from + size);
  };
  add(LLMC_TOK_SEC_OFFSETS, offsets.data(), offsets.size() * 4);
  add(LLMC_TOK_SEC_TEXT, text.data(), text.size());
  add(LLMC_TOK_SEC_ATTR, attributes.data(), attributes.size());
  add(LLMC_TOK_SEC_INDEX, index.data(), index.size() * 4);
  add(LLMC_TOK_SEC_BYTES, bytes.data(), bytes.size() * 4);
  if (nTokens > endToken)
    add(LLMC_TOK_SEC_STOPS, stops.data(), stops.size() * 4);
  blob.resize((blob.size() + 7) / 8 * 8);
  header.total_size = blob.size();
  memcpy(blob.data(), &header, sizeof(header));
  return blob;
}

Model loadWithText(llmc_token nTokens = vocab) {
  ModelFile file;
  file.tokenizer = tokenizerBlob(nTokens);
  TempFile temp(file.finish());
  return load(temp.path(), 2);
}

struct Result {
  std::vector<llmc_token> tokens;
  std::vector<std::string> pieces;
  std::string text;
  std::vector<int32_t> stops;
  std::vector<llmc_pos> positions;
  size_t stopAfter = SIZE_MAX;
};

bool collect(const llmc_event *event, void *ud) {
  auto *result = static_cast<Result *>(ud);
  result->tokens.push_back(event->token);
  result->pieces.emplace_back(event->text, event->text_len);
  result->text += result->pieces.back();
  result->stops.push_back(event->stop);
  result->positions.push_back(event->pos);
  return result->tokens.size() < result->stopAfter;
}

struct ToyChat {
  Model model;
  Session session;
  llmc_seq seq;
  Sampler sampler;

  explicit ToyChat(Model m, llmc_token prompt = 17, uint32_t nCtx = 0) : model(std::move(m)) {
    session = fake::session(model.get(), [&](auto &p) { p.n_ctx = nCtx; });
    seq = sequence(session.get());
    // A model that says "<end>" only where a test wants it.
    sampler = fake::sampler(model.get(), [](auto &p) { p.temperature = 1, p.seed = 5; });
    const llmc_token tokens[] = {prompt, 2};
    EXPECT_OK(llmc_prefill(session.get(), seq, tokens, 2));
  }
  int32_t generate(Result &result, uint32_t maxTokens, std::vector<const char *> stop = {},
                   uint32_t flags = 0) {
    llmc_generate_params params;
    llmc_generate_params_init(&params, sizeof(params));
    params.max_tokens = maxTokens;
    params.stop = stop.data();
    params.n_stop = stop.size();
    params.flags = flags;
    int32_t reason = -1;
    EXPECT_OK(llmc_generate(session.get(), seq, sampler.get(), &params, collect, &result, &reason));
    return reason;
  }
  void bias(llmc_token token, float value) { EXPECT_OK(llmc_sampler_bias(sampler.get(), &token, &value, 1)); }
};

const float never = -__builtin_inff();

bool isWholeUtf8(const std::string &text) {
  for (size_t i = 0; i < text.size(); ++i)
    if (text[i] == '\xc3' && (i + 1 == text.size() || text[i + 1] != '\xa9'))
      return false;
  return true;
}

} // namespace

TEST(Generate, length) {
  ToyChat run(loadWithText());
  run.bias(endToken, never);
  for (llmc_token token = 0; token < endToken; ++token) // halves of characters often
    if (token % 7 == 3 || token % 7 == 4)
      run.bias(token, 2);
  Result result;
  EXPECT_EQ(run.generate(result, 30), LLMC_STOP_LENGTH);
  EXPECT_EQ(result.tokens.size(), 30u);
  EXPECT_EQ(result.stops.back(), LLMC_STOP_LENGTH);
  EXPECT_EQ(std::count(result.stops.begin(), result.stops.end(), LLMC_STOP_NONE), 29);
  EXPECT_EQ(result.positions.front(), 2);
  EXPECT_EQ(result.positions.back(), 31);
  EXPECT_EQ(llmc_seq_len(run.session.get(), run.seq), 32);
  for (const std::string &piece : result.pieces)
    EXPECT_TRUE(isWholeUtf8(piece));
  EXPECT_NE(result.text.find("\xc3\xa9"), std::string::npos); // joined from two tokens
}

TEST(Generate, a_second_call_goes_on) {
  ToyChat once(loadWithText()), twice(loadWithText());
  Result whole, parts;
  once.generate(whole, 20, {}, LLMC_GENERATE_IGNORE_EOS);
  for (uint32_t n : {1u, 7u, 12u})
    EXPECT_EQ(twice.generate(parts, n, {}, LLMC_GENERATE_IGNORE_EOS), LLMC_STOP_LENGTH);
  EXPECT_EQ(parts.tokens, whole.tokens);
  EXPECT_EQ(logits(once.session.get()), logits(twice.session.get()));
}

TEST(Generate, end_token) {
  ToyChat run(loadWithText());
  run.bias(endToken, 4.5f);
  Result result;
  EXPECT_EQ(run.generate(result, 100), LLMC_STOP_EOS);
  EXPECT_EQ(result.tokens.back(), endToken);
  EXPECT_EQ(std::count(result.tokens.begin(), result.tokens.end(), endToken), 1);
  EXPECT_EQ(result.stops.back(), LLMC_STOP_EOS);
  EXPECT_EQ(result.text.find("<end>"), std::string::npos);
  EXPECT_EQ(llmc_seq_len(run.session.get(), run.seq), llmc_pos(2 + result.tokens.size() - 1));
  ToyChat ignoring(loadWithText());
  ignoring.bias(endToken, 4.5f);
  Result longer;
  EXPECT_EQ(ignoring.generate(longer, 50, {}, LLMC_GENERATE_IGNORE_EOS), LLMC_STOP_LENGTH);
  EXPECT_EQ(longer.tokens.size(), 50u);
  EXPECT_EQ(longer.text.find("<end>"), std::string::npos);
}

TEST(Generate, context_ends) {
  ToyChat run(loadWithText(), 17, 10);
  run.bias(endToken, never);
  Result result;
  EXPECT_EQ(run.generate(result, 0), LLMC_STOP_CTX);
  EXPECT_EQ(result.tokens.size(), 8u);
  EXPECT_EQ(result.stops.back(), LLMC_STOP_CTX);
  Result none;
  EXPECT_EQ(run.generate(none, 5), LLMC_STOP_CTX);
  EXPECT_EQ(none.tokens, std::vector<llmc_token>{-1});
}

TEST(Generate, callback_stops) {
  ToyChat run(loadWithText());
  Result result;
  result.stopAfter = 3;
  EXPECT_EQ(run.generate(result, 0, {}, LLMC_GENERATE_IGNORE_EOS), LLMC_STOP_CALLBACK);
  EXPECT_EQ(result.tokens.size(), 3u);
  EXPECT_EQ(llmc_seq_len(run.session.get(), run.seq), 5);
}

TEST(Generate, stop_strings_across_tokens) {
  Result free;
  ToyChat(loadWithText()).generate(free, 40, {}, LLMC_GENERATE_IGNORE_EOS);
  int crossing = 0;
  for (size_t from = 3; from + 4 < free.text.size(); from += 3) {
    const std::string stop = free.text.substr(from, 4);
    if (!isWholeUtf8(stop) || stop[0] == '\xa9')
      continue;
    ToyChat run(loadWithText());
    Result result;
    EXPECT_EQ(run.generate(result, 40, {"never in the text", stop.c_str()}, LLMC_GENERATE_IGNORE_EOS),
              LLMC_STOP_STRING);
    EXPECT_EQ(result.text, free.text.substr(0, free.text.find(stop))) << stop;
    EXPECT_EQ(result.stops.back(), LLMC_STOP_STRING);
    ++crossing;
  }
  EXPECT_GT(crossing, 3);
}

TEST(Generate, held_text_comes_out_at_the_end) {
  Result free;
  ToyChat(loadWithText()).generate(free, 12, {}, LLMC_GENERATE_IGNORE_EOS);
  ASSERT_FALSE(free.text.empty());
  const std::string stop = free.text.substr(free.text.size() - 1) + "#";
  ToyChat run(loadWithText());
  Result result;
  EXPECT_EQ(run.generate(result, 12, {stop.c_str()}, LLMC_GENERATE_IGNORE_EOS), LLMC_STOP_LENGTH);
  EXPECT_EQ(result.text, free.text);
}

TEST(Generate, ids_without_token_and_models_without_tokenizer) {
  ToyChat padded(loadWithText(20));
  Result result;
  EXPECT_EQ(padded.generate(result, 30), LLMC_STOP_LENGTH);
  EXPECT_EQ(result.tokens.size(), 30u);
  ToyChat plain(load(1));
  Result bare;
  EXPECT_EQ(plain.generate(bare, 10), LLMC_STOP_LENGTH);
  EXPECT_EQ(bare.text, "");
  llmc_generate_params params;
  llmc_generate_params_init(&params, sizeof(params));
  const char *stop[] = {"x"};
  params.stop = stop;
  params.n_stop = 1;
  EXPECT_FAILS(
      llmc_generate(plain.session.get(), plain.seq, plain.sampler.get(), &params, nullptr, nullptr, nullptr),
      LLMC_EUNSUPPORTED, "no tokenizer");
  const llmc_tokenizer *none = nullptr;
  EXPECT_FAILS(llmc_model_tokenizer(plain.model.get(), &none), LLMC_EUNSUPPORTED, "tokenizer");
}

TEST(Generate, needs_the_last_logits) {
  ToyChat run(loadWithText());
  ASSERT_OK(llmc_kv_remove(run.session.get(), run.seq, 1, -1));
  auto tryIt = [&] {
    return llmc_generate(run.session.get(), run.seq, run.sampler.get(), nullptr, nullptr, nullptr, nullptr);
  };
  EXPECT_FAILS(tryIt(), LLMC_ESTATE, "no logits");
  Batch b = batch();
  const llmc_token token = 3;
  ASSERT_OK(llmc_batch_add(b.get(), run.seq, &token, 1, LLMC_OUT_NONE, nullptr));
  ASSERT_OK(llmc_eval(run.session.get(), b.get()));
  EXPECT_FAILS(tryIt(), LLMC_ESTATE, "no logits");
  ASSERT_OK(llmc_seq_free(run.session.get(), run.seq));
  EXPECT_FAILS(tryIt(), LLMC_ENOTFOUND, "");
  EXPECT_EQ(sequence(run.session.get()), run.seq);
  EXPECT_FAILS(tryIt(), LLMC_ESTATE, "no logits");
}

TEST(Generate, interrupted) {
  ToyChat run(loadWithText(), 17, 128);
  int32_t reason = 55;
  auto event = [](const llmc_event *, void *ud) {
    llmc_session_interrupt(static_cast<llmc_session *>(ud)); // allowed from anywhere
    return true;
  };
  llmc_generate_params params;
  llmc_generate_params_init(&params, sizeof(params));
  params.flags = LLMC_GENERATE_IGNORE_EOS;
  EXPECT_FAILS(llmc_generate(run.session.get(), run.seq, run.sampler.get(), &params, event, run.session.get(),
                             &reason),
               LLMC_ECANCELLED, "");
  EXPECT_EQ(reason, 55);
  EXPECT_EQ(llmc_seq_len(run.session.get(), run.seq), 3);
}

// What is cancelled or fails has not happened, for the sampler either.
TEST(Generate, a_step_that_is_undone_leaves_the_sampler_as_it_was) {
  static llmc_session *current;
  static int accepted, mayAccept;
  struct Run {
    ToyChat chat{loadWithText(), 17, 128};
    explicit Run(bool withStage) {
      chat.bias(endToken, never);
      for (llmc_token token = 0; token < 10; ++token)
        chat.bias(token, 1);
      if (!withStage)
        return;
      accepted = 0, mayAccept = 1000;
      llmc_sampler_stage stage = {};
      stage.struct_size = sizeof(stage);
      stage.accept = [](void *, llmc_token) -> llmc_status {
        return ++accepted > mayAccept ? LLMC_EINTERNAL : LLMC_OK;
      };
      EXPECT_OK(llmc_sampler_add(chat.sampler.get(), &stage));
    }
    /// Generates again from the last token shown, whose logits the undone step has taken.
    std::vector<llmc_token> goOn(uint32_t n) {
      const llmc_token last = lastToken;
      EXPECT_OK(
          llmc_kv_remove(chat.session.get(), chat.seq, llmc_seq_len(chat.session.get(), chat.seq) - 1, -1));
      EXPECT_OK(llmc_decode(chat.session.get(), chat.seq, last));
      Result result;
      chat.generate(result, n);
      return result.tokens;
    }
    llmc_token lastToken = -1;
  };
  Run whole(false);
  Result expected;
  whole.chat.generate(expected, 12);
  const std::vector<llmc_token> rest(expected.tokens.begin() + 4, expected.tokens.end());
  // Interrupted: the fifth token is sampled, but not evaluated.
  for (bool isInterrupted : {true, false}) {
    Run run(true);
    current = run.chat.session.get();
    mayAccept = isInterrupted ? 1000 : 4;
    struct Seen {
      Run &run;
      bool isInterrupted;
      std::vector<llmc_token> tokens;
    } seen{run, isInterrupted, {}};
    auto event = [](const llmc_event *event, void *ud) {
      auto *seen = static_cast<Seen *>(ud);
      seen->tokens.push_back(event->token);
      seen->run.lastToken = event->token;
      if (seen->isInterrupted && seen->tokens.size() == 4)
        llmc_session_interrupt(current);
      return true;
    };
    EXPECT_EQ(llmc_generate(current, run.chat.seq, run.chat.sampler.get(), nullptr, event, &seen, nullptr),
              isInterrupted ? LLMC_ECANCELLED : LLMC_EINTERNAL);
    EXPECT_EQ(seen.tokens.size(), 4u);
    EXPECT_EQ(accepted, isInterrupted ? 4 : 5);
    EXPECT_EQ(llmc_seq_len(current, run.chat.seq), 2 + 4);
    mayAccept = 1000;
    EXPECT_EQ(run.goOn(8), rest);
  }
}

TEST(StopMatcher, holds_back_only_what_may_match) {
  llmc::StopMatcher matcher({"abab!", "xy"});
  EXPECT_EQ(matcher.push("hello a"), "hello ");
  EXPECT_EQ(matcher.push("ba"), "");
  EXPECT_EQ(matcher.push("bab"), "ab");
  EXPECT_EQ(matcher.push("?"), "abab?");
  EXPECT_EQ(matcher.push("x"), "");
  EXPECT_EQ(matcher.flush(), "x");
  EXPECT_EQ(matcher.push("..x"), "..");
  EXPECT_EQ(matcher.push("yz"), "");
  EXPECT_TRUE(matcher.isStopped());
  EXPECT_EQ(matcher.push("more"), "");
}

TEST(StopMatcher, the_first_in_the_text_wins) {
  llmc::StopMatcher matcher({"second", "first"});
  EXPECT_EQ(matcher.push("a first second"), "a ");
  EXPECT_TRUE(matcher.isStopped());
}

namespace {

llmc_token likeliest(const std::vector<float> &row) {
  return llmc_token(std::max_element(row.begin(), row.end()) - row.begin());
}

} // namespace

// Against the likeliest tokens after what the sequence is to hold, each from a session of its own.
TEST(Generate, a_window_forgets_the_older_half) {
  const uint32_t nCtx = 13, keep = 3;
  Model model = load();
  Session s = session(model.get(), [](auto &p) { p.n_ctx = nCtx, p.n_batch = 4; });
  llmc_seq seq = sequence(s.get());
  std::vector<llmc_token> history = someTokens(6, 11), held = history;
  ASSERT_OK(llmc_prefill(s.get(), seq, history.data(), history.size()));
  llmc_generate_params params;
  llmc_generate_params_init(&params, sizeof(params));
  params.max_tokens = 30;
  params.history = history.data();
  params.n_history = history.size();
  params.n_keep = keep;
  params.ctx_policy = LLMC_CTX_WINDOW;
  Result result;
  int32_t stop = -1;
  ASSERT_OK(llmc_generate(s.get(), seq, sampler(model.get()).get(), &params, collect, &result, &stop));
  EXPECT_EQ(stop, LLMC_STOP_LENGTH);
  ASSERT_EQ(result.tokens.size(), 30u);
  int windows = 0;
  for (size_t i = 0; i < result.tokens.size(); ++i) {
    if (held.size() == nCtx) {
      held.erase(held.begin() + keep, held.begin() + keep + (nCtx - keep + 1) / 2);
      ++windows;
    }
    EXPECT_EQ(result.positions[i], llmc_pos(held.size())) << i;
    EXPECT_EQ(result.tokens[i], likeliest(fresh(model.get(), held))) << i;
    held.push_back(result.tokens[i]);
  }
  EXPECT_GE(windows, 4);
  EXPECT_EQ(llmc_seq_len(s.get(), seq), llmc_pos(held.size()));
  EXPECT_EQ(logits(s.get()), fresh(model.get(), held));
}

TEST(Generate, a_policy_says_what_it_needs) {
  Model model = load();
  Session s = session(model.get(), [](auto &p) { p.n_ctx = 4; });
  llmc_seq seq = sequence(s.get());
  const auto history = someTokens(4, 11);
  ASSERT_OK(llmc_prefill(s.get(), seq, history.data(), history.size()));
  Sampler greedy = sampler(model.get());
  llmc_generate_params params;
  llmc_generate_params_init(&params, sizeof(params));
  auto run = [&] { return llmc_generate(s.get(), seq, greedy.get(), &params, nullptr, nullptr, nullptr); };
  params.max_tokens = 1;
  params.ctx_policy = LLMC_CTX_WINDOW;
  EXPECT_FAILS(run(), LLMC_EARG, "history has 0 tokens, the sequence holds 4");
  params.history = history.data();
  params.n_history = 4;
  params.n_keep = 3;
  EXPECT_FAILS(run(), LLMC_ENOSPC_KV, "n_keep = 3");
  EXPECT_EQ(llmc_seq_len(s.get(), seq), 4);
  params.n_keep = 2;
  EXPECT_OK(run());
  params.ctx_policy = LLMC_CTX_SHIFT;
  EXPECT_FAILS(run(), LLMC_EUNSUPPORTED, "cannot shift");
  params.ctx_policy = 3;
  EXPECT_FAILS(run(), LLMC_EARG, "ctx_policy is 3");
}
