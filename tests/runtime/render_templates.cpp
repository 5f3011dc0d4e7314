// Renders chat templates for tests/support/compare_chat_templates.py: a JSON list of cases on standard input,
// a JSON list of {"text"} or {"error"} on standard output.
#include "ChatTemplate.h"

#include <nlohmann/json.hpp>

#include <cstdlib>
#include <iostream>
#include <map>

using Json = nlohmann::ordered_json;

static Json render(const std::string &source, const Json &testCase, std::time_t now) {
  std::string error;
  const auto chat = llmc::ChatTemplate::parse(source, error);
  if (!chat)
    return {{"error", error}};
  chat->setClock(now);
  const std::string messages = testCase["messages"].dump(), extra = testCase["extra"].dump();
  std::vector<llmc::ChatSegment> segments;
  if (!chat->render(messages.data(), messages.size(), extra.c_str(), testCase["add_generation_prompt"], "<s>",
                    "</s>", segments, error))
    return {{"error", error}};
  std::string text, special; // what a tokenizer would look for special tokens in
  for (const auto &segment : segments) {
    text += segment.text;
    special += segment.fromUser ? "\n" : segment.text;
  }
  return {{"text", text}, {"special", special}};
}

int main(int, char **argv) {
  const std::time_t now = std::atoll(argv[1]); // seconds; 0 would be the clock
  Json results = Json::array();
  const Json input = Json::parse(std::cin);
  for (const Json &source : input["templates"])
    for (const Json &testCase : input["cases"])
      results.push_back(render(source, testCase, now));
  std::cout << results.dump(-1, ' ', false, Json::error_handler_t::replace);
}
