// The pre-tokenizer on PCRE2, compiled to machine code where the CPU allows it.
#include "runtime/TextSplitter.h"

#include "runtime/Error.h"
#include "runtime/TextSplitterScratch.h"
#include "runtime/Utf8.h"

#include <new>

namespace llmc {

// Matching starts on 32 KiB of the machine stack. Enough for the patterns in use on any text; the few that
// need more get this much, and a damaged pattern runs into it instead of running forever.
static constexpr size_t kJitStackStart = 64 << 10, kJitStackMax = 8 << 20;

TextSplitter::Scratch::Scratch()
    : match(pcre2_match_data_create(1, nullptr)), context(pcre2_match_context_create(nullptr)) {
  if (!match || !context) {
    pcre2_match_data_free(match);
    pcre2_match_context_free(context);
    throw std::bad_alloc();
  }
}

/// False if there is no more.
bool TextSplitter::Scratch::growStack() {
  if (stack)
    return false;
  stack = pcre2_jit_stack_create(kJitStackStart, kJitStackMax, nullptr);
  if (stack)
    pcre2_jit_stack_assign(context, nullptr, stack);
  return stack != nullptr;
}

TextSplitter::Scratch::~Scratch() {
  pcre2_match_data_free(match);
  pcre2_match_context_free(context);
  pcre2_jit_stack_free(stack);
}

TextSplitter::~TextSplitter() {
  for (Step &step : steps)
    pcre2_code_free(step.code);
}

llmc_status TextSplitter::open(const TokenizerData &data) {
  steps.reserve(data.steps.size());
  for (const llmc_tok_step &s : data.steps) {
    std::string_view pattern = data.string(s.pattern);
    int code;
    PCRE2_SIZE at;
    // \C is refused because it could cut a character in two.
    pcre2_code *compiled =
        pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                      PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &code, &at, nullptr);
    if (!compiled) {
      PCRE2_UCHAR message[160] = {};
      pcre2_get_error_message(code, message, sizeof message);
      return setError(LLMC_EFORMAT, "tokenizer block: pre-tokenizer pattern %zu, character %zu: %s",
                      steps.size(), at, reinterpret_cast<const char *>(message));
    }
    bool hasJit = pcre2_jit_compile(compiled, PCRE2_JIT_COMPLETE) == 0;
    steps.push_back({compiled, s.behaviour, hasJit});
  }
  return LLMC_OK;
}

llmc_status TextSplitter::split(std::string_view text, Scratch &scratch,
                                std::vector<std::string_view> &pieces) const {
  return apply(0, text, scratch, pieces);
}

namespace {

struct Span {
  size_t begin, end;
  bool isMatch;
};

/// Joins matches with their neighbours as the behaviour says; `spans` alternate freely.
void joinMatches(uint32_t behaviour, std::vector<Span> &spans) {
  std::vector<Span> out;
  bool matchBefore = false;
  if (behaviour == LLMC_TOK_MERGED_WITH_NEXT) {
    for (size_t i = spans.size(); i-- > 0; matchBefore = spans[i].isMatch)
      if (spans[i].isMatch && !matchBefore && !out.empty())
        out.back().begin = spans[i].begin;
      else
        out.push_back(spans[i]);
    spans.assign(out.rbegin(), out.rend());
    return;
  }
  for (const Span &s : spans) {
    bool join = behaviour == LLMC_TOK_CONTIGUOUS ? s.isMatch == matchBefore : s.isMatch && !matchBefore;
    if (join && !out.empty())
      out.back().end = s.end;
    else
      out.push_back(s);
    matchBefore = s.isMatch;
  }
  spans = std::move(out);
}

} // namespace

llmc_status TextSplitter::apply(size_t number, std::string_view text, Scratch &scratch,
                                std::vector<std::string_view> &pieces) const {
  if (text.empty())
    return LLMC_OK;
  if (number == steps.size()) {
    pieces.push_back(text);
    return LLMC_OK;
  }
  const Step &step = steps[number];
  auto next = [&](size_t begin, size_t end) {
    return apply(number + 1, text.substr(begin, end - begin), scratch, pieces);
  };
  bool simple = step.behaviour == LLMC_TOK_ISOLATED || step.behaviour == LLMC_TOK_REMOVED;
  std::vector<Span> spans; // only for the behaviours that join
  auto *subject = reinterpret_cast<PCRE2_SPTR>(text.data());
  size_t done = 0, from = 0;
  while (from < text.size()) {
    int rc = step.hasJit
                 ? pcre2_jit_match(step.code, subject, text.size(), from, 0, scratch.match, scratch.context)
                 : pcre2_match(step.code, subject, text.size(), from, PCRE2_NO_UTF_CHECK, scratch.match,
                               scratch.context);
    if (rc == PCRE2_ERROR_NOMATCH)
      break;
    if (rc == PCRE2_ERROR_JIT_STACKLIMIT && scratch.growStack())
      continue;
    const PCRE2_SIZE *ends = pcre2_get_ovector_pointer(scratch.match);
    size_t begin = ends[0], end = ends[1];
    if (rc < 0 || begin < done || end < begin || end > text.size()) {
      PCRE2_UCHAR message[160] = "unusable match";
      if (rc < 0)
        pcre2_get_error_message(rc, message, sizeof message);
      return setError(LLMC_EINTERNAL, "pre-tokenizer pattern %zu failed on %zu bytes of text: %s", number,
                      text.size(), reinterpret_cast<const char *>(message));
    }
    if (begin == end) { // an empty match splits nothing
      if (end >= text.size())
        break;
      from = end + utf8Char(text.data() + end, text.size() - end).size;
      continue;
    }
    if (simple) {
      if (begin > done)
        if (auto status = next(done, begin))
          return status;
      if (step.behaviour == LLMC_TOK_ISOLATED)
        if (auto status = next(begin, end))
          return status;
    } else {
      if (begin > done)
        spans.push_back({done, begin, false});
      spans.push_back({begin, end, true});
    }
    done = from = end;
  }
  if (simple)
    return done < text.size() ? next(done, text.size()) : LLMC_OK;
  if (done < text.size())
    spans.push_back({done, text.size(), false});
  joinMatches(step.behaviour, spans);
  for (const Span &s : spans)
    if (auto status = next(s.begin, s.end))
      return status;
  return LLMC_OK;
}

} // namespace llmc
