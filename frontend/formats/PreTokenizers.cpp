//===- PreTokenizers.cpp - pre-tokenizers by the names of GGUF ------------===//
#include "frontend/formats/PreTokenizers.h"

#include <iterator>

using namespace llmc::formats;

#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define WHITE_SPACE R"(|\s*[\r\n]+|\s+(?!\S)|\s+)"
#define UPPER R"([\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}])"
#define LOWER R"([\p{Ll}\p{Lm}\p{Lo}\p{M}])"
#define GPT2 R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)"

// clang-format off
static const char *const gpt2[] = {GPT2};
static const char *const digitsThenGpt2[] = {R"(\p{N})", GPT2};
static const char *const falcon[] = {R"([\p{P}$+<=>^~|`]+)", GPT2, "[0-9][0-9][0-9]"};
static const char *const llama3[] = {
    CONTRACTIONS R"(|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*)" WHITE_SPACE};
static const char *const qwen2[] = {
    CONTRACTIONS R"(|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*)" WHITE_SPACE};
static const char *const o200k[] = {
    R"([^\r\n\p{L}\p{N}]?)" UPPER "*" LOWER "+" CONTRACTIONS "?"
    R"(|[^\r\n\p{L}\p{N}]?)" UPPER "+" LOWER "*" CONTRACTIONS "?"
    R"(|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*)" WHITE_SPACE};
static const char *const tekken[] = {
    R"([^\r\n\p{L}\p{N}]?)" UPPER "*" LOWER "+"
    R"(|[^\r\n\p{L}\p{N}]?)" UPPER "+" LOWER "*"
    R"(|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*)" WHITE_SPACE};
static const char *const deepseek3[] = {
    R"(\p{N}{1,3})",
    R"([\x{4e00}-\x{9fa5}\x{3040}-\x{309f}\x{30a0}-\x{30ff}]+)",
    R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+)"
    R"(|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*)" WHITE_SPACE};

static const struct Entry {
  std::string_view name;
  PreTokenizer value;
} table[] = { // sorted by name
    {"command-r",        {digitsThenGpt2, true}},
    {"dbrx",             {llama3}},
    {"deepseek-r1-qwen", {qwen2, true}},
    {"deepseek-v3",      {deepseek3}},
    {"falcon",           {falcon}},
    {"gpt-2",            {gpt2}},
    {"gpt-4o",           {o200k}},
    {"llama-bpe",        {llama3, false, true, true}},
    {"llama-v3",         {llama3, false, true, true}},
    {"llama3",           {llama3, false, true, true}},
    {"llama4",           {o200k}},
    {"mpt",              {gpt2, true}},
    {"olmo",             {gpt2, true}},
    {"phi-2",            {gpt2}},
    {"qwen2",            {qwen2, true}},
    {"refact",           {digitsThenGpt2}},
    {"smaug-bpe",        {llama3}},
    {"smollm",           {digitsThenGpt2}},
    {"starcoder",        {digitsThenGpt2}},
    {"tekken",           {tekken, false, true, true}},
};
// clang-format on

const PreTokenizer *llmc::formats::findPreTokenizer(std::string_view name) {
  for (const Entry &e : table)
    if (e.name == name)
      return &e.value;
  return nullptr;
}

std::string llmc::formats::preTokenizerNames() {
  std::string out;
  for (const Entry &e : table)
    out += (out.empty() ? "" : ", ") + std::string(e.name);
  return out;
}
