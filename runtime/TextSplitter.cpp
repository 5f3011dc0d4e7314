// The pre-tokenizer on PCRE2, compiled to machine code where the CPU allows it.
#include "runtime/TextSplitter.h"

#include "runtime/Error.h"
#include "runtime/TextSplitterScratch.h"
#include "runtime/Utf8.h"

#include <algorithm>
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

llmc_status compilePattern(std::string_view pattern, const char *what, pcre2_code *&code) {
  int error;
  PCRE2_SIZE at;
  // \C is refused because it could cut a character in two.
  code =
      pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                    PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &error, &at, nullptr);
  if (!code) {
    PCRE2_UCHAR message[160] = {};
    pcre2_get_error_message(error, message, sizeof message);
    return setError(LLMC_EFORMAT, "tokenizer block: %s pattern, character %zu: %s", what, at,
                    reinterpret_cast<const char *>(message));
  }
  pcre2_jit_compile(code, PCRE2_JIT_COMPLETE); // without it matching is slower
  return LLMC_OK;
}

llmc_status PatternSearch::next(size_t &begin, size_t &end, bool &found) {
  auto *subject = reinterpret_cast<PCRE2_SPTR>(text.data());
  found = false;
  while (from < text.size()) {
    int rc = hasJit ? pcre2_jit_match(code, subject, text.size(), from, 0, scratch.match, scratch.context)
                    : pcre2_match(code, subject, text.size(), from, PCRE2_NO_UTF_CHECK, scratch.match,
                                  scratch.context);
    if (rc == PCRE2_ERROR_NOMATCH)
      break;
    if (rc == PCRE2_ERROR_JIT_STACKLIMIT && scratch.growStack())
      continue;
    const PCRE2_SIZE *ends = pcre2_get_ovector_pointer(scratch.match);
    begin = ends[0], end = ends[1];
    if (rc < 0 || begin < done || end < begin || end > text.size()) {
      PCRE2_UCHAR message[160] = "unusable match";
      if (rc < 0)
        pcre2_get_error_message(rc, message, sizeof message);
      return setError(LLMC_EINTERNAL, "a tokenizer's pattern failed on %zu bytes of text: %s", text.size(),
                      reinterpret_cast<const char *>(message));
    }
    if (begin < end) {
      done = from = end;
      found = true;
      break;
    }
    if (end >= text.size())
      break;
    from = end + utf8Char(text.data() + end, text.size() - end).size;
  }
  return LLMC_OK;
}

llmc_status TextSplitter::open(const TokenizerData &data) {
  steps.reserve(data.steps.size());
  for (const llmc_tok_step &s : data.steps) {
    steps.push_back({s.type, s.behaviour, s.flags, nullptr, data.string(s.pattern)});
    if (s.type == LLMC_TOK_STEP_SPLIT)
      if (auto status = compilePattern(data.string(s.pattern), "pre-tokenizer", steps.back().code))
        return status;
  }
  return LLMC_OK;
}

llmc_status TextSplitter::split(std::string_view text, bool isFirst, Scratch &scratch, Pieces &pieces) const {
  scratch.texts.clear();
  return apply(0, text, isFirst, scratch, pieces);
}

namespace {

struct Span {
  size_t begin, end;
  bool isMatch;
};

/// Joins matches with their neighbours as the behaviour says.
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

llmc_status TextSplitter::apply(size_t number, std::string_view text, bool isFirst, Scratch &scratch,
                                Pieces &pieces) const {
  if (text.empty())
    return LLMC_OK;
  if (number == steps.size()) {
    pieces.push_back(text);
    return LLMC_OK;
  }
  switch (steps[number].type) {
  case LLMC_TOK_STEP_PREFIX_SPACE:
    if (text[0] != ' ')
      text = scratch.texts.emplace_back(" ").append(text);
    return apply(number + 1, text, isFirst, scratch, pieces);
  case LLMC_TOK_STEP_METASPACE:
    return markSpaces(number, text, isFirst, scratch, pieces);
  default:
    return splitByPattern(number, text, isFirst, scratch, pieces);
  }
}

llmc_status TextSplitter::markSpaces(size_t number, std::string_view text, bool isFirst, Scratch &scratch,
                                     Pieces &pieces) const {
  const Step &step = steps[number];
  std::string &own = scratch.texts.emplace_back();
  bool hasPrefix =
      (step.flags & LLMC_TOK_META_PREFIX_EACH) || ((step.flags & LLMC_TOK_META_PREFIX_FIRST) && isFirst);
  if (hasPrefix && text[0] != ' ' && !text.starts_with(step.mark))
    own.append(step.mark);
  for (size_t at = 0; at < text.size();) {
    size_t next = std::min(text.find(' ', at), text.size());
    own.append(text.substr(at, next - at));
    if (next < text.size())
      own.append(step.mark);
    at = next + 1;
  }
  if (!(step.flags & LLMC_TOK_META_SPLIT))
    return apply(number + 1, own, isFirst, scratch, pieces);
  std::string_view rest = own;
  while (!rest.empty()) {
    size_t end = std::min(rest.find(step.mark, 1), rest.size());
    if (auto status = apply(number + 1, rest.substr(0, end), isFirst, scratch, pieces))
      return status;
    rest.remove_prefix(end);
    isFirst = false;
  }
  return LLMC_OK;
}

llmc_status TextSplitter::splitByPattern(size_t number, std::string_view text, bool isFirst, Scratch &scratch,
                                         Pieces &pieces) const {
  const Step &step = steps[number];
  bool isInverted = step.flags & LLMC_TOK_SPLIT_INVERT;
  bool isSimple = step.behaviour == LLMC_TOK_ISOLATED || step.behaviour == LLMC_TOK_REMOVED;
  auto next = [&](size_t begin, size_t end) {
    return apply(number + 1, text.substr(begin, end - begin), isFirst && begin == 0, scratch, pieces);
  };
  std::vector<Span> spans; // only for the behaviours that join
  auto take = [&](size_t begin, size_t end, bool isMatch) -> llmc_status {
    isMatch ^= isInverted;
    if (begin == end || (isMatch && step.behaviour == LLMC_TOK_REMOVED))
      return LLMC_OK;
    if (isSimple)
      return next(begin, end);
    spans.push_back({begin, end, isMatch});
    return LLMC_OK;
  };
  PatternSearch search(step.code, text, scratch);
  for (size_t done = 0, begin, end;; done = end) {
    bool found;
    if (auto status = search.next(begin, end, found))
      return status;
    if (auto status = take(done, found ? begin : text.size(), false))
      return status;
    if (!found)
      break;
    if (auto status = take(begin, end, true))
      return status;
  }
  joinMatches(step.behaviour, spans);
  for (const Span &s : spans)
    if (auto status = next(s.begin, s.end))
      return status;
  return LLMC_OK;
}

} // namespace llmc
