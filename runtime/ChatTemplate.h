// Chat templates: a model's Jinja2 text turned into the prompt for a conversation.
// The result says of each stretch of text whether a user could have typed it; special tokens are parsed in
// the rest only.
#pragma once

#include <ctime>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace llmc {

namespace jinja {
struct Limits;
}

struct ChatSegment {
  std::string text;
  bool fromUser; // tokenize without special tokens
};

/// Immutable after parse; render may be called from several threads.
class ChatTemplate {
public:
  /// Null and an error with the template's line on failure.
  static std::unique_ptr<ChatTemplate> parse(std::string_view source, std::string &error);
  static std::unique_ptr<ChatTemplate> parse(std::string_view source, const jinja::Limits &limits,
                                             std::string &error);
  ~ChatTemplate();

  /// `messagesJson`: array of objects with a string "role". `extraJson` (may be null, ends with NUL): object
  /// of further variables (tools, documents, enable_thinking, …). Neighbouring segments differ in fromUser.
  bool render(const char *messagesJson, size_t n, const char *extraJson, bool addGenerationPrompt,
              std::string_view bosToken, std::string_view eosToken, std::vector<ChatSegment> &out,
              std::string &error) const;

  /// A fixed "now" for strftime_now; 0 is the clock. For tests.
  void setClock(std::time_t now);

private:
  struct Impl;
  explicit ChatTemplate(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl;
};

} // namespace llmc
