// The template interpreter, construct by construct: results as Jinja2 gives them, errors, limits, provenance.
#include "ChatTemplate.h"
#include "jinja/Value.h"

#include <gtest/gtest.h>

#include <sstream>

namespace {

using llmc::ChatSegment;
using llmc::ChatTemplate;
using llmc::jinja::Limits;

const char *const defaultMessages =
    R"([{"role":"user","content":"Hi <|end|>"},{"role":"assistant","content":"Yo"}])";
const char *const extraVariables =
    R"({"s":"Hello","l":[1,2,3],"u":"äÖ🙂","d":{"a":1,"b":"two"},"big":18446744073709551615})";

struct Result {
  std::vector<ChatSegment> segments;
  std::string error;
  std::string text() const {
    std::string all;
    for (const auto &segment : segments)
      all += segment.text;
    return all;
  }
};

Result run(const std::string &source, const std::string &messages = defaultMessages,
           const Limits &limits = {}, const char *extra = extraVariables) {
  Result result;
  const auto chat = ChatTemplate::parse(source, limits, result.error);
  if (chat)
    chat->render(messages.data(), messages.size(), extra, true, "<s>", "</s>", result.segments, result.error);
  return result;
}

std::string render(const std::string &source) {
  const Result result = run(source);
  return result.error.empty() ? result.text() : "error: " + result.error;
}

std::string value(const std::string &expression) { return render("{{ " + expression + " }}"); }

/// "T:" and "U:" before each segment's text.
std::string marked(const std::string &source) {
  std::string all;
  const Result result = run(source);
  for (const auto &segment : result.segments)
    all += (segment.fromUser ? "[U:" : "[T:") + segment.text + "]";
  return result.error.empty() ? all : result.error;
}

TEST(Jinja, Arithmetic) {
  EXPECT_EQ(value("1 + 2 * 3 - 4"), "3");
  EXPECT_EQ(value("-7 // 2, -7 % 3, 7 / 2, 2 ** 10, 2 ** -1"), "(-4, 2, 3.5, 1024, 0.5)");
  EXPECT_EQ(value("1e16, 1e-5, 0.1 + 0.2, 100.0"), "(1e+16, 1e-05, 0.30000000000000004, 100.0)");
  EXPECT_EQ(value("'a' * 3 ~ 1 ~ none ~ true"), "aaa1NoneTrue");
  EXPECT_EQ(value("big"), "18446744073709551615");
  EXPECT_EQ(value("1 < 2 < 3, 1 < 3 < 2, 1 == 1.0, 'a' in 'abc', 4 not in l"),
            "(True, False, True, True, True)");
}

TEST(Jinja, Conditions) {
  EXPECT_EQ(value("5 if false"), "");
  EXPECT_EQ(value("5 if missing else 6"), "6");
  EXPECT_EQ(value("missing or 'x'"), "x");
  EXPECT_EQ(render("{% if missing %}a{% elif l %}b{% else %}c{% endif %}"), "b");
}

TEST(Jinja, SlicesAndItems) {
  EXPECT_EQ(value("s[::-1] ~ s[1:3] ~ s[-1] ~ u[1] ~ u[::-1]"), "olleHeloÖ🙂Öä");
  EXPECT_EQ(value("l[::-1], l[1:], l[:-1], l[9] is defined"), "([3, 2, 1], [2, 3], [1, 2], False)");
  EXPECT_EQ(value("d.a ~ d['b'] ~ d.get('z', 0) ~ d.items()|list"), "1two0[('a', 1), ('b', 'two')]");
}

TEST(Jinja, Loops) {
  EXPECT_EQ(render("{% for i in l if i > 1 %}{{ loop.index }}/{{ loop.length }}:{{ i }} {% endfor %}"),
            "1/2:2 2/2:3 ");
  EXPECT_EQ(render("{% for i in [] %}a{% else %}none{% endfor %}"), "none");
  EXPECT_EQ(render("{% for k, v in d.items() %}{{ k }}={{ v }}{{ ',' if not loop.last }}{% endfor %}"),
            "a=1,b=two");
  EXPECT_EQ(render("{% for i in l %}{% if i == 2 %}{% continue %}{% endif %}{{ i }}{% endfor %}"), "13");
  EXPECT_EQ(render("{% for i in l %}{% if i == 2 %}{% break %}{% endif %}{{ i }}{% endfor %}"), "1");
  EXPECT_EQ(render("{% for t in [[1,[[2,[]]]]] recursive %}{{ t[0] }}({{ loop(t[1]) }}){% endfor %}"),
            "1(2())");
}

TEST(Jinja, Scopes) {
  EXPECT_EQ(render("{% set a = 1 %}{% for i in l %}{% set a = a + i %}{{ a }}{% endfor %}{{ a }}"), "2341");
  EXPECT_EQ(
      render("{% set n = namespace(c=0) %}{% for i in l %}{% set n.c = n.c + i %}{% endfor %}{{ n.c }}"),
      "6");
  EXPECT_EQ(render("{% set x | upper %}a{{ 1 }}{% endset %}{{ x }}"), "A1");
  EXPECT_EQ(render("{% set a, b = 1, 2 %}{{ a ~ b }}"), "12");
}

TEST(Jinja, Macros) {
  EXPECT_EQ(render("{% macro f(a, b=2) %}{{ a }}-{{ b }}{% endmacro %}{{ f(1) }} {{ f(b=3, a=0) }}"),
            "1-2 0-3");
  EXPECT_EQ(render("{% macro f(n) %}{{ n }}{{ f(n - 1) if n }}{% endmacro %}{{ f(3) }}"), "3210");
  EXPECT_EQ(render("{% macro f() %}<{{ caller() }}>{% endmacro %}{% call f() %}in{% endcall %}"), "<in>");
  EXPECT_NE(render("{% macro f(a) %}{% endmacro %}{{ f(1, 2) }}").find("at most 1"), std::string::npos);
}

TEST(Jinja, WhiteSpace) {
  EXPECT_EQ(render("  {% if 1 %}\n  x\n  {% endif %}\ny\n"), "  x\ny");
  EXPECT_EQ(render("a  {%- if 1 -%}  b  {%- endif -%}  c"), "abc");
  EXPECT_EQ(render("  {%+ if 1 +%}\nx{% endif %}"), "  \nx");
  EXPECT_EQ(render("{% raw %}{{ a }}{% endraw %}{# gone #}!"), "{{ a }}!");
  EXPECT_EQ(render("{% generation %}x{% endgeneration %}{% filter upper %}y{% endfilter %}"), "xY");
}

TEST(Jinja, FiltersAndTests) {
  EXPECT_EQ(value("d | tojson ~ u | tojson"), R"({"a": 1, "b": "two"}"äÖ🙂")");
  EXPECT_EQ(value("{'a': [1, {}]} | tojson(indent=2)"), "{\n  \"a\": [\n    1,\n    {}\n  ]\n}");
  EXPECT_EQ(value("messages | map(attribute='role') | join(',')"), "user,assistant");
  EXPECT_EQ(value("messages | selectattr('role', 'equalto', 'user') | list | length"), "1");
  EXPECT_EQ(value("['b', 'A', 'b'] | unique | list, [3, 1, 2] | sort | last"), "(['b', 'A'], 3)");
  EXPECT_EQ(value("'a\\nb' | indent(2), ' x ' | trim, u | upper, '3.7' | int"),
            "('a\\n  b', 'x', 'ÄÖ🙂', 3)");
  EXPECT_EQ(value("l is sequence, d is mapping, none is none, 'x' is string, missing is defined"),
            "(True, True, True, True, False)");
  EXPECT_EQ(value("'%05.1f|%-4s|%d' % (2.25, 'x', 7), '{}-{a}'.format(1, a=2)"), "('002.2|x   |7', '1-2')");
}

TEST(Jinja, StringMethods) {
  EXPECT_EQ(value("'a,b,c'.split(',', 1), ' x  y '.split(), 'xxa'.lstrip('x')"),
            "(['a', 'b,c'], ['x', 'y'], 'a')");
  EXPECT_EQ(value("s.startswith(('x', 'He')), s.replace('l', '')"), "(True, 'Heo')");
  EXPECT_EQ(render("{% set x = [1] %}{% set _ = x.append(2) %}{{ x }}{{ x.pop() }}"), "[1, 2]2");
}

TEST(Jinja, Searches) {
  EXPECT_EQ(
      value("'abcabc'.find('ca'), 'abcabc'.rfind('bc'), 'abc'.rfind('d'), 'äbä'.rfind('ä'), 'a'.find('ab')"),
      "(2, 4, -1, 2, -1)");
  EXPECT_EQ(value("'aaaa'.rfind('aa'), 'aaaa'.count('aa'), 'ab'.find(''), 'ab'.rfind(''), 'äb'.count('')"),
            "(2, 2, 0, 2, 3)");
  EXPECT_EQ(value("'aXXbXXc'.rsplit('XX', 1), 'aXXbXXc'.split('XX'), 'XXXa'.rsplit('XX')"),
            "(['aXXb', 'c'], ['a', 'b', 'c'], ['X', 'a'])");
  EXPECT_EQ(value("' a  b c '.split(), ' a  b c '.split(none, 1), ' a  b c '.split(none, 0), '  '.split()"),
            "(['a', 'b', 'c'], ['a', 'b c '], ['a  b c '], [])");
  EXPECT_EQ(
      value(
          "' a  b c '.rsplit(), ' a  b c '.rsplit(none, 1), ' a  b c '.rsplit(none, 0), ' '.rsplit(none, 1)"),
      "(['a', 'b', 'c'], [' a  b', 'c'], [' a  b c'], [])");
  EXPECT_EQ(
      value("'äxbä'.strip('äx') ~ '-' ~ ' a '.strip() ~ '-' ~ 'aba'.lstrip('a') ~ '-' ~ 'aba'.rstrip('')"),
      "b-a-ba-aba");
  EXPECT_EQ(value("'a.b.c'.rpartition('.'), 'abc'.partition('.')"), "(('a.b', '.', 'c'), ('abc', '', ''))");
}

TEST(Jinja, IntegersAtTheirLimits) {
  EXPECT_EQ(value("'abc'[9223372036854775807] is defined, 'abc'[-9223372036854775807 - 1] is defined"),
            "(False, False)");
  const std::string largest = "(2 ** 126 - 1 + 2 ** 126)",
                    smallest = "((0 - 2 ** 126) * 2)"; // of the 128 bits there are
  EXPECT_EQ(value("'abc'[" + largest + "] is defined, 'abc'[" + smallest + "] is defined"), "(False, False)");
  EXPECT_EQ(value("'abc'[-3] ~ 'abc'[2] ~ ('abc'[-4] is defined) ~ ('abc'[3] is defined)"), "acFalseFalse");
  EXPECT_NE(value(smallest + "|abs").find("too large"), std::string::npos);
  EXPECT_NE(value(largest + "|round(-38)").find("too large"), std::string::npos);
}

TEST(Jinja, ClockIsLocalTime) {
  std::string error;
  const auto chat = ChatTemplate::parse("{{ strftime_now('%Y') }}", error);
  ASSERT_TRUE(chat) << error;
  chat->setClock(1'700'000'000); // November 2023 everywhere
  std::vector<ChatSegment> out;
  ASSERT_TRUE(chat->render("[]", 2, nullptr, false, "", "", out, error)) << error;
  EXPECT_EQ(out.at(0).text, "2023");
}

TEST(JinjaProvenance, FollowsEachPart) {
  EXPECT_EQ(marked("{{ '<|a|>' + messages[0].content + '<|b|>' }}"), "[T:<|a|>][U:Hi <|end|>][T:<|b|>]");
  EXPECT_EQ(marked("{{ bos_token ~ messages[0].role ~ eos_token }}"), "[T:<s>][U:user][T:</s>]");
  EXPECT_EQ(marked("{{ ('<' ~ messages[0].content ~ '>')[::-1] | upper }}"), "[T:>][U:>|DNE|< IH][T:<]");
  EXPECT_EQ(marked("{{ messages[0].content.replace('Hi', '#') | trim }}"), "[T:#][U: <|end|>]");
  EXPECT_EQ(marked("{{ ('a' ~ messages[0].content).split(' ')[1] }}"), "[U:<|end|>]");
  EXPECT_EQ(marked("{{ messages[0].content | tojson }}"), "[T:\"][U:Hi <|end|>][T:\"]");
  EXPECT_EQ(marked("{% set x %}<{{ messages[0].content }}>{% endset %}{{ x }}"), "[T:<][U:Hi <|end|>][T:>]");
  EXPECT_EQ(marked("{{ '%s|' % messages[0].content }}"), "[U:Hi <|end|>][T:|]");
  EXPECT_EQ(marked("{{ 'same' if messages[0].role == 'user' }}"), "[T:same]");
}

void expectError(const std::string &source, const std::string &part) {
  const std::string error = run(source).error;
  EXPECT_NE(error.find(part), std::string::npos) << source << " gave: " << error;
}

TEST(JinjaErrors, NameLineAndCause) {
  expectError("a\n{% if x %}", "line 2: unexpected end of template");
  expectError("\n\n{{ 'abc }}", "line 3: string is not closed");
  expectError("{# x", "comment is not closed");
  expectError("{% raw %}x", "'raw' is not closed");
  expectError("{{ 1 | frobnicate }}", "no filter named 'frobnicate'");
  expectError("{{ 1 is frobnicated }}", "no test named 'frobnicated'");
  expectError("{% include 'x' %}", "unknown statement 'include'");
  expectError("{{ (1 }}", "line 1: ");
  expectError("\n{{ missing.x }}", "line 2: 'missing' is undefined");
  expectError("{{ d.zz.y }}", "'dict object' has no attribute 'zz'");
  expectError("{{ 1 + 'a' }}", "unsupported operands for '+': 'int' and 'str'");
  expectError("{{ raise_exception('no ' ~ s) }}", "the template refuses this input: no Hello");
  expectError("{% break %}", "outside of a loop");
  expectError("{{ 1 // 0 }}", "division by zero");
  expectError("\xff", "invalid UTF-8 at byte 0");
  EXPECT_EQ(render("{% if 0 %}{{ 1 | frobnicate }}{% endif %}ok"), "ok"); // as in Jinja2: only when reached
}

TEST(JinjaErrors, Limits) {
  Limits limits;
  limits.maxSteps = 100'000;
  limits.maxOutputBytes = 10'000;
  limits.maxMemoryBytes = 1 << 20;
  auto error = [&](const std::string &source) { return run(source, defaultMessages, limits).error; };
  EXPECT_NE(error("{% for i in range(900) %}{% for j in range(900) %}{% endfor %}{% endfor %}")
                .find("runs too long"),
            std::string::npos);
  EXPECT_NE(error("{% for i in range(9999) %}xxxxxxxx{% endfor %}").find("output grows beyond 10000"),
            std::string::npos);
  EXPECT_NE(error("{{ 'x' * 10 ** 12 }}").find("grows beyond"), std::string::npos);
  EXPECT_NE(error("{% set n = namespace(s='xxxxxxxx') %}{% for i in range(50) %}{% set n.s = n.s ~ n.s %}{% "
                  "endfor %}")
                .find("bytes"),
            std::string::npos);
  EXPECT_NE(error("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}").find("nests too deeply"),
            std::string::npos);
  EXPECT_NE(
      error("{{ " + std::string(5000, '(') + "1" + std::string(5000, ')') + " }}").find("nested too deeply"),
      std::string::npos);
  std::string chain = "{{ 1";
  for (int i = 0; i < 50'000; ++i)
    chain += "+1";
  EXPECT_NE(error(chain + " }}").find("too long"), std::string::npos);
  limits.maxTemplateBytes = 10;
  EXPECT_NE(error("more than ten bytes").find("limit of 10"), std::string::npos);
}

// Each of these once took minutes or hours within the limits.
TEST(JinjaErrors, TheStepLimitBoundsTheTime) {
  EXPECT_EQ(value("('a' * 16000000).find('a' * 8000000 ~ 'b')"), "-1");
  EXPECT_EQ(value("('a' * 16000000).rfind('b' ~ 'a' * 8000000)"), "-1");
  EXPECT_EQ(value("('a' * 8000000 ~ 'b') in ('a' * 16000000)"), "False");
  EXPECT_EQ(value("('a' * 16000000).replace('a' * 8000000 ~ 'b', '')|length"), "16000000");
  EXPECT_EQ(value("(' a' * 200000).split()|length ~ ' ' ~ (' a' * 200000).rsplit(none, 100000)|length"),
            "200000 100001");
  Limits limits;
  limits.maxSteps = 1'000'000;
  std::istringstream readings(
      "s.count('b'); s.find('b'); s.rfind('b'); 'b' in s; s.strip(); s|trim('a'); s.strip('a'); "
      "s.isalpha(); s.isupper(); s is upper; s.split('b'); s.rsplit('b'); s.partition('b'); "
      "s.startswith(s); s.endswith((s, s)); s.removeprefix(s); s|wordcount; s|center(1); s|length; "
      "s|int; s|float; s|e; s|tojson; s < s; s == t; s is sameas t; {}[s]; [][s]; s ~ ''; '%s' % s; "
      "'{}'.format(s); s.ljust(1); s.replace('b', 'c'); s.splitlines(); s|indent");
  for (std::string reading; std::getline(readings >> std::ws, reading, ';');) {
    const std::string error =
        run("{% set s = 'a' * 1000000 %}{% set t = 'a' * 1000000 %}{% for i in range(90000) %}"
            "{% set x = " +
                reading + " %}{% endfor %}",
            defaultMessages, limits)
            .error;
    EXPECT_NE(error.find("runs too long"), std::string::npos) << reading << ": " << error;
  }
  // Many names and arguments are looked up one by one.
  std::string many;
  for (int i = 0; i < 10'000; ++i)
    many += "{% set v" + std::to_string(i) + " = 1 %}";
  EXPECT_NE(run(many, defaultMessages, limits).error.find("runs too long"), std::string::npos);
}

TEST(JinjaErrors, CyclesAndDeepNestsAreFreed) {
  EXPECT_EQ(
      run("{% set n = namespace() %}{% set n.n = n %}{% set x = [] %}{% set _ = x.append(x) %}ok").text(),
      "ok");
  EXPECT_NE(run("{% set x = [] %}{% set _ = x.append(x) %}{{ x }}").error.find("nests too deeply"),
            std::string::npos);
  EXPECT_EQ(run("{% set n = namespace(x=[]) %}{% for a in range(90000) %}{% set n.x = [n.x] %}{% endfor %}ok")
                .text(),
            "ok");
}

TEST(JinjaErrors, UntrustedMessages) {
  auto error = [](const std::string &messages) { return run("x", messages).error; };
  EXPECT_NE(error("{}").find("messages: expected an array of objects, found dict"), std::string::npos);
  EXPECT_NE(error("[1]").find("messages[0]: expected an object, found int"), std::string::npos);
  EXPECT_NE(error(R"([{"role":"a"},{}])").find("messages[1]: field 'role' is missing"), std::string::npos);
  EXPECT_NE(error(R"([{"role":1}])").find("field 'role' must be a string, found int"), std::string::npos);
  EXPECT_NE(error("[").find("messages: is not valid JSON at byte"), std::string::npos);
  EXPECT_NE(error("[{\"role\":\"\xff\"}]").find("messages: invalid UTF-8 at byte 10"), std::string::npos);
  EXPECT_NE(error(std::string(100'000, '[')).find("nests deeper than 100"), std::string::npos);
  EXPECT_NE(error(R"([{"role":"a","n":1e999}])").find("out of range"), std::string::npos);
  EXPECT_NE(run("x", "[]", {}, "[]").error.find("extra variables: expected an object"), std::string::npos);
}

} // namespace
