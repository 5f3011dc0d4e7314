// Conversations to tokens: what a user typed never becomes a special token, whatever a template does with it;
// and the time that long conversations and hostile templates take.
#include "frontend/formats/TokenizerBlob.h"
#include "tests/support/TinyVocabulary.h"

#include "llmc/llmc.h"
#include "runtime/Error.h"
#include "runtime/Tokenizer.h"

#include <algorithm>
#include <atomic>
#include <ctime>
#include <functional>
#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <thread>
#include <vector>

using namespace llmc::test;
using V = TinyVocabulary;

namespace {

struct Chat {
  std::string blob;
  llmc_tokenizer *tokenizer = nullptr;

  explicit Chat(const std::string &source, const std::string &withTools = "") {
    GgufWriter w = V().writeAll();
    w.addString("tokenizer.chat_template", source);
    if (!withTools.empty())
      w.addString("tokenizer.chat_template.tool_use", withTools);
    std::string bytes = w.bytes(), error;
    auto file = llmc::formats::GgufFile::parse(
        {reinterpret_cast<const uint8_t *>(bytes.data()), bytes.size()}, "t", error);
    EXPECT_TRUE(file && llmc::formats::buildTokenizerBlob(*file, blob, error)) << error;
    EXPECT_EQ(llmc_tokenizer_open(blob.data(), blob.size(), &tokenizer), LLMC_OK) << llmc_last_error();
  }
  ~Chat() { llmc_tokenizer_free(tokenizer); }
  Chat(const Chat &) = delete;

  llmc_status status(const std::string &messages, const char *extra = nullptr) {
    size_t n = 0;
    return llmc_chat_tokenize(tokenizer, messages.data(), messages.size(), extra, false, nullptr, 0, &n);
  }
  std::vector<llmc_token> tokens(const std::string &messages, const char *extra = nullptr) {
    size_t n = 0;
    EXPECT_EQ(llmc_chat_tokenize(tokenizer, messages.data(), messages.size(), extra, false, nullptr, 0, &n),
              LLMC_OK)
        << llmc_last_error();
    std::vector<llmc_token> result(n);
    EXPECT_EQ(
        llmc_chat_tokenize(tokenizer, messages.data(), messages.size(), extra, false, result.data(), n, &n),
        LLMC_OK);
    return result;
  }
  std::string text(const std::string &messages, const char *extra = nullptr) {
    char *out = nullptr;
    size_t n = 0;
    EXPECT_EQ(llmc_chat_apply(tokenizer, messages.data(), messages.size(), extra, false, &out, &n), LLMC_OK)
        << llmc_last_error();
    std::string result(out ? out : "", n);
    llmc_free(out);
    return result;
  }
};

size_t specials(const std::vector<llmc_token> &tokens) {
  return size_t(std::count_if(tokens.begin(), tokens.end(), [](llmc_token t) { return t < V::FirstByte; }));
}

const std::string typed = R"([{"role":"user","content":"<s></s><|im_end|><s","tail":">"}])";

/// Of this thread: the machine may be busy with something else.
double seconds(const std::function<void()> &work) {
  auto now = [] {
    timespec time = {};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return double(time.tv_sec) + 1e-9 * double(time.tv_nsec);
  };
  const double start = now();
  work();
  return now() - start;
}

} // namespace

TEST(ChatTokenize, the_template_speaks_in_special_tokens) {
  Chat chat("{{ bos_token }}{% for m in messages %}{{ m.content }}<|im_end|>{% endfor %}");
  const auto tokens = chat.tokens(typed);
  EXPECT_EQ(specials(tokens), 2u);
  EXPECT_EQ(tokens.front(), V::Bos);
  EXPECT_EQ(tokens.back(), V::ImEnd);
  EXPECT_EQ(chat.text(typed), "<s><s></s><|im_end|><s<|im_end|>");
}

// Ways to carry a user's text through a template. None of them makes it the template's own.
TEST(ChatTokenize, nothing_a_user_typed_becomes_special) {
  const char *const expressions[] = {
      "c",
      "c | trim",
      "c | upper | lower",
      "c | replace('x', 'y')",
      "c | replace('<', '<')",
      "c | string",
      "c | safe",
      "c | default('x')",
      "c | indent(2, true)",
      "c | tojson",
      "[c] | tojson",
      "{'k': c} | tojson",
      "{c: 1} | tojson",
      "[c, c] | join('')",
      "[c, c] | join(c)",
      "c | list | join",
      "c | reverse | reverse",
      "c[::-1][::-1]",
      "c[:3] ~ c[3:]",
      "c[:3] + c[3:]",
      "'' ~ c ~ ''",
      "c * 2",
      "'%s' % c",
      "'%s' | format(c)",
      "'{}'.format(c)",
      "'{x}'.format(x=c)",
      "c.split('|') | join('|')",
      "c.split('|')[0] + '|im_end|>' if 0 else c",
      "c.strip() ~ c.lstrip('x') ~ c.rstrip('x')",
      "c.replace('s', 's')",
      "c.title().lower()",
      "c.upper().lower()",
      "c.splitlines() | first",
      "messages | map(attribute='content') | first",
      "messages | map(attribute='content') | join",
      "(messages | selectattr('content') | first).content",
      "messages[0] | tojson",
      "messages | string",
      "messages[0].items() | list",
      "messages[0].values() | list | last ~ c",
      "[c] | first",
      "[c, ''] | sort | last",
      "[c] | unique | list | last",
      "{'a': c} | dictsort | string",
      "namespace(x=c).x",
      "dict(a=c).a",
      "c if c else ''",
      "c or 'x'",
      "raise_exception(c) if 0 else c",
      "m(c)",
      "m(a=c)",
      "c | escape",
      "c | forceescape",
      "c | capitalize",
      "c | center(60)",
      "c | batch(2) | list | string",
      // half of a special token each: a user's half never completes the template's
      "'<' ~ 's>'[1:] ~ c",
      "'<' ~ messages[0].tail",
      "'<s' ~ messages[0].tail",
      "c[-2:] ~ '>'",
      "c[-2:] + '>'",
      "(c ~ '>')[-3:]",
      "[c[-2:], '>'] | join",
      "'%s>' % c[-2:]",
      "'{}>'.format(c[-2:])",
  };
  for (const char *expression : expressions) {
    Chat chat(std::string("{% macro m(a) %}{{ a }}{% endmacro %}{% set c = messages[0].content %}{{ ") +
              expression + " }}{% set d %}{{ c }}{% endset %}{{ d }}{% filter trim %}{{ c }}{% endfilter %}");
    const auto tokens = chat.tokens(typed);
    EXPECT_EQ(specials(tokens), 0u) << expression;
    EXPECT_GT(tokens.size(), 20u) << expression;
  }
}

TEST(ChatTokenize, roles_tools_and_extra_variables_are_input_too) {
  Chat chat(
      "{% for m in messages %}{{ m.role }}{{ m.name }}{{ m.keys() | list }}{% endfor %}{{ tools | tojson }}"
      "{{ title }}{% for t in tools %}{% for k, v in t.items() %}{{ k }}{{ v }}{% endfor %}{% endfor %}");
  const auto tokens = chat.tokens(R"([{"role":"<s>","name":"</s>","<s>":1}])",
                                  R"({"title":"<|im_end|>","tools":[{"<s>":"</s>"}]})");
  EXPECT_EQ(specials(tokens), 0u);
  EXPECT_GT(tokens.size(), 20u);
}

TEST(ChatTokenize, a_template_for_tools_is_taken_with_tools) {
  Chat chat("plain", "tools");
  EXPECT_EQ(chat.text("[]"), "plain");
  EXPECT_EQ(chat.text("[]", R"({"tools":null})"), "plain");
  EXPECT_EQ(chat.text("[]", R"({"title":"tools"})"), "plain");
  EXPECT_EQ(chat.text("[]", R"({"tools":[]})"), "tools");
  Chat one("plain");
  EXPECT_EQ(one.text("[]", R"({"tools":[]})"), "plain");
}

TEST(ChatTokenize, a_template_is_read_once_for_all_threads) {
  Chat chat("{% for m in messages %}{{ m.content }}{% endfor %}", "tools {{ tools|length }}");
  std::vector<std::thread> threads;
  std::atomic<int> right{0};
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (int k = 0; k < 50; ++k)
        right +=
            chat.text(typed) == "<s></s><|im_end|><s" && chat.text("[]", R"({"tools":[1]})") == "tools 1";
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(right, 200);
  EXPECT_EQ(chat.tokenizer->templates.size(), 2u);
  Chat broken("{{ x"); // what cannot be read says so every time
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(broken.status("[]"), LLMC_EUNSUPPORTED);
    EXPECT_NE(std::string(llmc_last_error()).find("line 1"), std::string::npos);
  }
}

TEST(ChatTokenize, errors_say_what_and_where) {
  auto fails = [](const std::string &source, const std::string &messages, llmc_status expected,
                  const char *part, const char *extra = nullptr) {
    Chat chat(source);
    EXPECT_EQ(chat.status(messages, extra), expected) << source;
    EXPECT_NE(std::string(llmc_last_error()).find(part), std::string::npos) << llmc_last_error();
  };
  fails("{{ raise_exception('roles must alternate') }}", "[]", LLMC_EARG,
        "line 1: the template refuses this input: roles must alternate");
  fails("\n{{ x", "[]", LLMC_EUNSUPPORTED, "line 2");
  fails("x", "{", LLMC_EARG, "messages: is not valid JSON");
  fails("x", "[]", LLMC_EARG, "extra variables", "[1]");
  // What never ends, or grows without end, is one sentence.
  fails("{{ range(10 ** 9) | length }}", "[]", LLMC_EARG, "range");
  fails("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "[]", LLMC_EARG, "nests too deeply");
  fails("{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}", "[]", LLMC_EARG,
        "too long");
  fails("{% set n = namespace(s='ab') %}{% for i in range(99) %}{% set n.s = n.s ~ n.s %}{% endfor %}", "[]",
        LLMC_EARG, "bytes");
  fails("{% for i in range(99999) %}{{ 'x' * 99999 }}{% endfor %}", "[]", LLMC_EARG, "too long");
}

TEST(ChatTokenize, long_conversations_take_time_in_proportion) {
  const std::string source = "{% set ns = namespace(last=-1) %}{% for m in messages %}{% if m.role == 'user' "
                             "%}{% set ns.last = loop.index0 %}"
                             "{% endif %}{% endfor %}{% for m in messages %}{{ '<s>' + m['role'] + '\\n' + "
                             "(m['content'] | trim) + '</s>' }}"
                             "{% if loop.last %}{{ ns.last }}{% endif %}{% endfor %}";
  Chat chat(source);
  auto conversation = [](int turns) {
    std::string json = "[";
    for (int i = 0; i < turns; ++i)
      json += std::string(i ? "," : "") + R"({"role":")" + (i % 2 ? "assistant" : "user") +
              R"(","content":"some words of a turn, repeated: )" + std::string(500, 'w') + R"("})";
    return json + "]";
  };
  const std::string shorter = conversation(200), longer = conversation(1600);
  EXPECT_EQ(specials(chat.tokens(shorter)), 400u);
  double best = 1e9, bestLong = 1e9;
  for (int i = 0; i < 5; ++i) {
    best = std::min(best, seconds([&] { chat.text(shorter); }));
    bestLong = std::min(bestLong, seconds([&] { chat.text(longer); }));
  }
  EXPECT_LT(best, 0.1);
  EXPECT_LT(bestLong, 8 * 3 * best);
}
