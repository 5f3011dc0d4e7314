// The border of the template interpreter: untrusted JSON and template text in, segments or one sentence out.
#include "ChatTemplate.h"

#include "jinja/Evaluator.h"
#include "jinja/Json.h"
#include "jinja/Parser.h"

#include <new>

namespace llmc {

using namespace jinja;

struct ChatTemplate::Impl {
  Body body;
  Limits limits;
  std::time_t now = 0;
};

ChatTemplate::ChatTemplate(std::unique_ptr<Impl> impl) : impl(std::move(impl)) {}
ChatTemplate::~ChatTemplate() = default;
void ChatTemplate::setClock(std::time_t now) { impl->now = now; }

static std::string located(const TemplateError &e) {
  return "chat template, line " + std::to_string(e.line) + ": " + e.what();
}

std::unique_ptr<ChatTemplate> ChatTemplate::parse(std::string_view source, std::string &error) {
  return parse(source, Limits(), error);
}

std::unique_ptr<ChatTemplate> ChatTemplate::parse(std::string_view source, const Limits &limits,
                                                  std::string &error) {
  if (source.size() > limits.maxTemplateBytes) {
    error = "chat template: " + std::to_string(source.size()) + " bytes are more than the limit of " +
            std::to_string(limits.maxTemplateBytes);
    return nullptr;
  }
  if (const size_t bad = findInvalidUtf8(source); bad != std::string_view::npos) {
    error = "chat template: invalid UTF-8 at byte " + std::to_string(bad);
    return nullptr;
  }
  try {
    auto impl = std::make_unique<Impl>();
    impl->body = parseTemplate(source);
    impl->limits = limits;
    return std::unique_ptr<ChatTemplate>(new ChatTemplate(std::move(impl)));
  } catch (const TemplateError &e) {
    error = located(e);
  } catch (const std::bad_alloc &) {
    error = "chat template: out of memory";
  }
  return nullptr;
}

static bool checkMessages(const Value &messages, std::string &error) {
  if (!messages.is(Kind::List)) {
    error = std::string("messages: expected an array of objects, found ") + typeName(messages);
    return false;
  }
  const auto &items = messages.list().items;
  for (size_t i = 0; i < items.size(); ++i) {
    const std::string where = "messages[" + std::to_string(i) + "]";
    if (!items[i].is(Kind::Dict)) {
      error = where + ": expected an object, found " + typeName(items[i]);
      return false;
    }
    const Value *role = items[i].dict().findString("role");
    if (!role || !role->isString()) {
      error = where + ": field 'role' " +
              (role ? std::string("must be a string, found ") + typeName(*role) : std::string("is missing"));
      return false;
    }
  }
  return true;
}

bool ChatTemplate::render(const char *messagesJson, size_t n, const char *extraJson, bool addGenerationPrompt,
                          std::string_view bosToken, std::string_view eosToken, std::vector<ChatSegment> &out,
                          std::string &error) const {
  out.clear();
  try {
    Evaluator evaluator(impl->limits, impl->now);
    Value messages;
    const std::string_view text(messagesJson ? messagesJson : "", messagesJson ? n : 0);
    if (!parseJson(evaluator, text, "messages", messages, error) || !checkMessages(messages, error))
      return false;
    evaluator.define("messages", messages);
    evaluator.define("add_generation_prompt", Value::boolean(addGenerationPrompt));
    evaluator.define("bos_token", evaluator.string(bosToken));
    evaluator.define("eos_token", evaluator.string(eosToken));
    // The reference always passes these two, as none when the caller has none.
    evaluator.define("tools", Value::none());
    evaluator.define("documents", Value::none());
    if (extraJson) {
      Value extra;
      if (!parseJson(evaluator, extraJson, "extra variables", extra, error))
        return false;
      if (!extra.is(Kind::Dict)) {
        error = std::string("extra variables: expected an object, found ") + typeName(extra);
        return false;
      }
      for (const auto &[name, value] : extra.dict().entries)
        evaluator.define(name.str(), value);
    }
    const Text result = evaluator.render(impl->body);
    result.forEachRun([&](std::string_view run, bool input) { out.push_back({std::string(run), input}); });
    return true;
  } catch (const TemplateError &e) {
    error = e.line ? located(e) : std::string("messages: ") + e.what();
  } catch (const std::bad_alloc &) {
    error = "chat template: out of memory";
  }
  out.clear();
  return false;
}

} // namespace llmc
