// The generation loop: sample, show, decode, until something says stop. Every token that an event has shown
// is in the cache when the call ends, so that a second call continues where the first one ended.
#include "runtime/Sampler.h"
#include "runtime/Session.h"
#include "runtime/SizedStruct.h"
#include "runtime/StopMatcher.h"
#include "runtime/Tokenizer.h"

#include <algorithm>
#include <optional>

using namespace llmc;

void llmc_generate_params_init(llmc_generate_params *params, size_t struct_size) {
  initSized(params, struct_size, llmc_generate_params{});
}

namespace {

class Generation {
public:
  Generation(llmc_session &session, llmc_seq seq, llmc_sampler &sampler, const llmc_generate_params &params,
             std::vector<std::string> stops, llmc_event_fn callback, void *callbackData)
      : session(session), seq(seq), sampler(sampler), params(params), matcher(std::move(stops)),
        callback(callback), callbackData(callbackData) {}
  ~Generation() { session.dropAhead(); }

  llmc_status run(int32_t &stop);

private:
  bool isWindow() const { return params.ctx_policy == LLMC_CTX_WINDOW; }
  llmc_status prepare();
  llmc_status checkPolicy();
  llmc_status addToken(bool isLast, int32_t &stop);
  int32_t show(llmc_token token, llmc_pos pos, float logprob, bool isLast);
  llmc_status forgetOlderHalf();
  std::string_view textOf(llmc_token token);
  std::string rest();
  bool isStopToken(llmc_token token) const;
  bool send(llmc_token token, llmc_pos pos, float logprob, std::string_view text, int32_t stop);

  llmc_session &session;
  const llmc_seq seq;
  llmc_sampler &sampler;
  const llmc_generate_params &params;
  StopMatcher matcher;
  const llmc_event_fn callback;
  void *const callbackData;
  std::optional<Detokenizer> detok;
  std::span<const llmc_token> stopTokens;
  std::vector<llmc_token> held; ///< what the sequence holds; only a window needs it
};

llmc_status Generation::checkPolicy() {
  const uint32_t length = session.cache.length(seq);
  if (params.ctx_policy > LLMC_CTX_SHIFT)
    return setError(LLMC_EARG, "llmc_generate: ctx_policy is %u, expected LLMC_CTX_*", params.ctx_policy);
  if (params.ctx_policy == LLMC_CTX_SHIFT)
    return setError(LLMC_EUNSUPPORTED,
                    "llmc_generate: this model cannot shift its cache: use LLMC_CTX_WINDOW");
  if (!isWindow())
    return LLMC_OK;
  if (params.n_history != length || (length && !params.history))
    return setError(LLMC_EARG, "llmc_generate: history has %zu tokens, the sequence holds %u",
                    params.history ? params.n_history : 0, length);
  held.assign(params.history, params.history + params.n_history);
  return LLMC_OK;
}

/// Makes room for more tokens, and leaves the logits of the last one as they are after what remains.
llmc_status Generation::forgetOlderHalf() {
  const size_t keep = std::min<size_t>(params.n_keep, held.size()), droppable = held.size() - keep;
  if (droppable < 2)
    return setError(LLMC_ENOSPC_KV,
                    "llmc_generate: the sequence is full, and n_keep = %u of its %zu tokens stay",
                    params.n_keep, held.size());
  const auto begin = held.begin() + long(keep);
  held.erase(begin, begin + long((droppable + 1) / 2));
  session.truncate(seq, uint32_t(keep));
  return session.prefill(seq, std::span(held).subspan(keep), "llmc_generate");
}

llmc_status Generation::prepare() {
  if (llmc_status status = checkPolicy())
    return status;
  const llmc_tokenizer *tokenizer = session.model().tokenizer;
  if (!tokenizer) {
    if (params.n_stop)
      return setError(LLMC_EUNSUPPORTED,
                      "llmc_generate: this model has no tokenizer, so stop strings cannot be "
                      "found: use max_tokens or the callback");
    return LLMC_OK;
  }
  detok.emplace(tokenizer->impl, /*skipSpecial=*/true);
  stopTokens = tokenizer->impl.stopTokens();
  return LLMC_OK;
}

std::string_view Generation::textOf(llmc_token token) {
  std::string_view piece;
  // Ids without a token, which a model's padded vocabulary may yield, are no text.
  if (!detok || detok->push(token, piece) != LLMC_OK)
    return {};
  return matcher.push(piece);
}

/// The text that was held back: for the end of a character, or because it might have become a stop string.
std::string Generation::rest() {
  std::string text(detok ? matcher.push(detok->flush()) : std::string_view());
  return text += matcher.flush();
}

bool Generation::isStopToken(llmc_token token) const {
  return !(params.flags & LLMC_GENERATE_IGNORE_EOS) &&
         std::find(stopTokens.begin(), stopTokens.end(), token) != stopTokens.end();
}

bool Generation::send(llmc_token token, llmc_pos pos, float logprob, std::string_view text, int32_t stop) {
  if (!callback)
    return true;
  llmc_event event = {};
  event.struct_size = sizeof(event);
  event.text = text.data() ? text.data() : "";
  event.text_len = text.size();
  event.token = token;
  event.pos = pos;
  event.logprob = logprob;
  event.stop = stop;
  return callback(&event, callbackData);
}

llmc_status Generation::run(int32_t &stop) {
  if (llmc_status status = prepare())
    return status;
  if (session.lastRow(seq) < 0)
    return setError(LLMC_ESTATE,
                    "llmc_generate: there are no logits for the end of sequence %d: prefill or decode "
                    "its last token first",
                    seq);
  for (uint32_t made = 0; stop == LLMC_STOP_NONE; ++made) {
    if (isWindow() && !session.hasRoom(seq, 1))
      if (llmc_status status = forgetOlderHalf())
        return status;
    if (!session.hasRoom(seq, 1)) {
      send(-1, llmc_pos(session.cache.length(seq)), 0, rest(), stop = LLMC_STOP_CTX);
      return LLMC_OK;
    }
    const uint64_t before = sampler.drawState();
    if (llmc_status status = addToken(params.max_tokens && made + 1 == params.max_tokens, stop)) {
      sampler.setDrawState(before);
      return status;
    }
  }
  return LLMC_OK;
}

/// Samples a token. It is evaluated before it is shown: when a step fails or is cancelled, nothing was shown
/// that the cache lacks. It is accepted only then: what the sampler has heard of cannot be taken back.
llmc_status Generation::addToken(bool isLast, int32_t &stop) {
  const llmc_pos pos = llmc_pos(session.cache.length(seq));
  llmc_token token;
  float logprob;
  if (llmc_status status = session.sample(session.lastRow(seq), sampler, "llmc_generate", token, &logprob))
    return status;
  if (isStopToken(token)) {
    if (llmc_status status = sampler.accept(token))
      return status;
    send(token, pos, logprob, rest(), stop = LLMC_STOP_EOS);
    return LLMC_OK;
  }
  const uint8_t output = LLMC_OUT_LAST;
  if (llmc_status status =
          session.eval({{&token, 1}, {&seq, 1}, {&output, 1}, {}, &sampler, !isLast}, "llmc_generate"))
    return status;
  if (llmc_status status = sampler.accept(token)) {
    session.truncate(seq, uint32_t(pos));
    return status;
  }
  if (isWindow())
    held.push_back(token);
  stop = show(token, pos, logprob, isLast);
  return LLMC_OK;
}

/// Why it was the last one, or LLMC_STOP_NONE.
int32_t Generation::show(llmc_token token, llmc_pos pos, float logprob, bool isLast) {
  std::string text(textOf(token));
  int32_t reason = LLMC_STOP_NONE;
  if (matcher.isStopped())
    reason = LLMC_STOP_STRING;
  else if (isLast)
    reason = LLMC_STOP_LENGTH;
  else if (!isWindow() && !session.hasRoom(seq, 1))
    reason = LLMC_STOP_CTX;
  if (reason == LLMC_STOP_LENGTH || reason == LLMC_STOP_CTX)
    text += rest();
  const bool goesOn = send(token, pos, logprob, text, reason);
  return reason == LLMC_STOP_NONE && !goesOn ? int32_t(LLMC_STOP_CALLBACK) : reason;
}

} // namespace

llmc_status llmc_generate(llmc_session *session, llmc_seq seq, llmc_sampler *sampler,
                          const llmc_generate_params *params, llmc_event_fn event, void *ud,
                          int32_t *out_stop) {
  LLMC_CHECK_ARG(session);
  LLMC_CHECK_ARG(sampler);
  llmc_generate_params resolved = {};
  if (llmc_status status = readSized(__func__, params, resolved))
    return status;
  if (resolved.flags & ~uint32_t(LLMC_GENERATE_IGNORE_EOS))
    return setError(LLMC_EARG, "llmc_generate: flags is 0x%x, which has unknown bits", resolved.flags);
  if (resolved.n_stop)
    LLMC_CHECK_ARG(resolved.stop);
  LLMC_ENTER(session, session);
  LLMC_ENTER(sampler, sampler);
  if (llmc_status status = session->checkSequence(seq, __func__))
    return status;
  if (sampler->vocabulary() != session->vocab())
    return setError(LLMC_EARG, "llmc_generate: the sampler is for %u tokens, the session's model has %u",
                    sampler->vocabulary(), session->vocab());
  return guarded([&]() -> llmc_status {
    std::vector<std::string> stops;
    for (size_t i = 0; i < resolved.n_stop; ++i) {
      if (!resolved.stop[i] || !resolved.stop[i][0])
        return setError(LLMC_EARG, "llmc_generate: stop[%zu] is empty", i);
      stops.emplace_back(resolved.stop[i]);
    }
    int32_t stop = LLMC_STOP_NONE;
    llmc_status status = Generation(*session, seq, *sampler, resolved, std::move(stops), event, ud).run(stop);
    if (status == LLMC_OK && out_stop)
      *out_stop = stop;
    return status;
  });
}
