// Chat templates of the kinds models ship, against what Jinja2 made of them
// (tests/support/make_chat_goldens.py), and the template of a real model file when LLMC_DEMO_MODEL names one.
#include "ChatTemplate.h"

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>

namespace {

using nlohmann::ordered_json;

std::string readFile(const std::string &path) {
  std::ifstream in(path, std::ios::binary);
  EXPECT_TRUE(in.good()) << path;
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string fixture(const std::string &name) {
  return readFile(std::string(LLMC_CHAT_FIXTURES) + "/" + name);
}

struct Result {
  bool ok;
  std::string text, error;
};

Result render(const std::string &source, const ordered_json &testCase) {
  std::string error;
  const auto chat = llmc::ChatTemplate::parse(source, error);
  if (!chat)
    return {false, "", "parse: " + error};
  const std::string messages = testCase["messages"].dump(), extra = testCase["extra"].dump();
  std::vector<llmc::ChatSegment> segments;
  const bool ok = chat->render(messages.data(), messages.size(), extra.c_str(),
                               testCase["add_generation_prompt"].get<bool>(), "<s>", "</s>", segments, error);
  std::string text;
  for (const auto &segment : segments)
    text += segment.text;
  return {ok, text, error};
}

TEST(ChatTemplateGolden, MatchesJinja2) {
  std::map<std::string, ordered_json> cases;
  for (const auto &testCase : ordered_json::parse(fixture("cases.json")))
    cases[testCase["name"]] = testCase;
  const auto goldens = ordered_json::parse(fixture("goldens.json"));
  ASSERT_GE(goldens.size(), 72u);
  for (const auto &golden : goldens) {
    const std::string name = golden["template"], caseName = golden["case"];
    SCOPED_TRACE(name + " / " + caseName);
    const Result result = render(fixture(name), cases.at(caseName));
    EXPECT_EQ(result.error.find("parse: "), std::string::npos) << result.error;
    EXPECT_EQ(result.ok, !golden["expected"].is_null()) << result.error << result.text;
    if (result.ok && golden["expected"].is_string())
      EXPECT_EQ(result.text, golden["expected"].get<std::string>());
  }
}

TEST(ChatTemplateGolden, SnippetsMatchJinja2) {
  const auto testCase = ordered_json::parse(fixture("cases.json"))[1];
  const auto snippets = ordered_json::parse(fixture("snippets.json"));
  ASSERT_GE(snippets.size(), 360u);
  for (const auto &snippet : snippets) {
    const Result result = render(snippet[0], testCase);
    const std::string expected = snippet[1].is_null() ? "an error" : snippet[1].get<std::string>();
    EXPECT_EQ(result.ok ? result.text : "an error", expected) << snippet[0] << ": " << result.error;
  }
}

/// The value of a string key in a GGUF header, found by its bytes: key, type 8 (string), length, text.
std::string metadataString(const std::string &path, const std::string &key) {
  std::ifstream in(path, std::ios::binary);
  std::string head(size_t(16) << 20, '\0');
  in.read(head.data(), static_cast<std::streamsize>(head.size()));
  head.resize(static_cast<size_t>(in.gcount()));
  const size_t hit = head.find(key + std::string("\x08\0\0\0", 4));
  uint64_t length = 0;
  if (hit == std::string::npos || hit + key.size() + 12 > head.size())
    return "";
  std::memcpy(&length, head.data() + hit + key.size() + 4, 8);
  return length < head.size() ? head.substr(hit + key.size() + 12, length) : "";
}

TEST(ChatTemplateGolden, TemplateOfTheDemoModel) {
  const char *path = std::getenv("LLMC_DEMO_MODEL");
  if (!path || !*path)
    GTEST_SKIP() << "LLMC_DEMO_MODEL is not set";
  const std::string source = metadataString(path, "tokenizer.chat_template");
  ASSERT_FALSE(source.empty()) << "no tokenizer.chat_template in " << path;
  const auto testCase = ordered_json::parse(
      R"({"messages":[{"role":"user","content":"Hi <|im_end|>"},{"role":"assistant","content":"Hello."},)"
      R"({"role":"user","content":"Bye"}],"extra":{},"add_generation_prompt":true})");
  const Result result = render(source, testCase);
  ASSERT_TRUE(result.ok) << result.error;
  EXPECT_EQ(result.text,
            "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face"
            "<|im_end|>\n<|im_start|>user\nHi <|im_end|><|im_end|>\n<|im_start|>assistant\nHello.<|im_end|>\n"
            "<|im_start|>user\nBye<|im_end|>\n<|im_start|>assistant\n");
}

} // namespace
