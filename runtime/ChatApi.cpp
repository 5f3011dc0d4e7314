// Chat on top of template and tokenizer. The template's own text may hold special tokens; what a user typed
// is never read as one, whatever it spells.
#include "runtime/ChatTemplate.h"
#include "runtime/Tokenizer.h"

#include <nlohmann/json.hpp>

#include <cstdlib>
#include <cstring>

using namespace llmc;

/// Whether the extra variables hold tools. What is no JSON is reported by the template.
static bool hasTools(const char *extra) {
  if (!extra || !strstr(extra, "\"tools\""))
    return false;
  const auto variables = nlohmann::json::parse(extra, nullptr, /*allow_exceptions=*/false);
  return variables.is_object() && variables.contains("tools") && !variables["tools"].is_null();
}

/// The template read, now or by an earlier call; null with a sentence if it cannot be.
static std::shared_ptr<const ChatTemplate> templateOf(const llmc_tokenizer &tokenizer,
                                                      std::string_view source, std::string &error) {
  std::lock_guard lock(tokenizer.templatesMutex);
  std::shared_ptr<const ChatTemplate> &known = tokenizer.templates[source];
  if (!known)
    known = ChatTemplate::parse(source, error);
  return known;
}

static llmc_status render(const llmc_tokenizer *tokenizer, const char *function, const char *messages,
                          size_t n, const char *extra, bool addGenerationPrompt,
                          std::vector<ChatSegment> &out) {
  const Tokenizer &impl = tokenizer->impl;
  // Models may bring a template of its own for conversations with tools.
  std::string_view source;
  if (hasTools(extra))
    source = impl.chatTemplate("tool_use");
  if (source.empty())
    source = impl.chatTemplate();
  if (source.empty())
    return setError(LLMC_EUNSUPPORTED, "%s: this model has no chat template: use llmc_tokenize", function);
  std::string error;
  const std::shared_ptr<const ChatTemplate> chat = templateOf(*tokenizer, source, error);
  if (!chat)
    return setError(LLMC_EUNSUPPORTED, "%s: the model's chat template cannot be read: %s", function,
                    error.c_str());
  auto textOf = [&](const char *role) {
    llmc_token token = impl.special(role);
    return token < 0 ? std::string_view() : impl.tokenBytes(token);
  };
  if (!chat->render(messages, n, extra, addGenerationPrompt, textOf("bos"), textOf("eos"), out, error))
    return setError(LLMC_EARG, "%s: %s", function, error.c_str());
  return LLMC_OK;
}

llmc_status llmc_chat_apply(const llmc_tokenizer *tokenizer, const char *messages_json, size_t n,
                            const char *extra_json, bool add_generation_prompt, char **out, size_t *out_len) {
  LLMC_CHECK_ARG(tokenizer);
  LLMC_CHECK_ARG(messages_json);
  LLMC_CHECK_ARG(out);
  return guarded([&]() -> llmc_status {
    std::vector<ChatSegment> segments;
    if (llmc_status status = render(tokenizer, "llmc_chat_apply", messages_json, n, extra_json,
                                    add_generation_prompt, segments))
      return status;
    size_t size = 0;
    for (const ChatSegment &segment : segments)
      size += segment.text.size();
    auto *text = static_cast<char *>(malloc(size + 1));
    if (!text)
      throw std::bad_alloc();
    char *end = text;
    for (const ChatSegment &segment : segments) {
      memcpy(end, segment.text.data(), segment.text.size());
      end += segment.text.size();
    }
    *end = 0;
    *out = text;
    if (out_len)
      *out_len = size;
    return LLMC_OK;
  });
}

llmc_status llmc_chat_tokenize(const llmc_tokenizer *tokenizer, const char *messages_json, size_t n,
                               const char *extra_json, bool add_generation_prompt, llmc_token *buf,
                               size_t cap, size_t *n_needed) {
  LLMC_CHECK_ARG(tokenizer);
  LLMC_CHECK_ARG(messages_json);
  return guarded([&]() -> llmc_status {
    std::vector<ChatSegment> segments;
    if (llmc_status status = render(tokenizer, "llmc_chat_tokenize", messages_json, n, extra_json,
                                    add_generation_prompt, segments))
      return status;
    std::vector<Tokenizer::Segment> texts;
    for (const ChatSegment &segment : segments)
      texts.push_back({segment.text, /*parseSpecial=*/!segment.fromUser});
    std::vector<llmc_token> tokens;
    // The template writes BOS itself where the model wants one.
    if (llmc_status status = tokenizer->impl.encode(texts, /*addSpecial=*/false, tokens))
      return status;
    if (n_needed)
      *n_needed = tokens.size();
    if (!buf && cap == 0)
      return LLMC_OK;
    if (!buf)
      return setError(LLMC_EARG, "llmc_chat_tokenize: 'buf' is null but 'cap' is %zu", cap);
    if (cap < tokens.size())
      return setError(LLMC_EARG, "llmc_chat_tokenize: 'cap' is %zu, %zu needed", cap, tokens.size());
    if (!tokens.empty())
      memcpy(buf, tokens.data(), tokens.size() * sizeof(llmc_token));
    return LLMC_OK;
  });
}
