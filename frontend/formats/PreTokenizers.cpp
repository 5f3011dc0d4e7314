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

static const char *const deepseekLlm[] = {
    R"([\r\n])",
    R"(\s?[)"
    R"(A-Za-z\x{b5}\x{c0}-\x{d6}\x{d8}-\x{f6}\x{f8}-\x{1ba}\x{1bc}-\x{1bf}\x{1c4}-\x{293})"
    R"(\x{295}-\x{2af}\x{370}-\x{373}\x{376}\x{377}\x{37b}-\x{37d}\x{37f}\x{386}\x{388}-\x{38a}\x{38c})"
    R"(\x{38e}-\x{3a1}\x{3a3}-\x{3f5}\x{3f7}-\x{481}\x{48a}-\x{52f}\x{531}-\x{556}\x{10a0}-\x{10c5})"
    R"(\x{13a0}-\x{13f5}\x{13f8}-\x{13fd}\x{1c90}-\x{1cba}\x{1cbd}-\x{1cbf}\x{1d00}-\x{1d2b})"
    R"(\x{1d6b}-\x{1d77}\x{1d79}-\x{1d9a}\x{1e00}-\x{1f15}\x{1f18}-\x{1f1d}\x{1f20}-\x{1f45})"
    R"(\x{1f48}-\x{1f4d}\x{1f50}-\x{1f57}\x{1f59}\x{1f5b}\x{1f5d}\x{1f5f}-\x{1f7d}\x{1f80}-\x{1fb4})"
    R"(\x{1fb6}-\x{1fbc}\x{1fbe}\x{1fc2}-\x{1fc4}\x{1fc6}-\x{1fcc}\x{1fd0}-\x{1fd3}\x{1fd6}-\x{1fdb})"
    R"(\x{1fe0}-\x{1fec}\x{1ff2}-\x{1ff4}\x{1ff6}-\x{1ffc}\x{2102}\x{2107}\x{210a}-\x{2113}\x{2115})"
    R"(\x{2119}-\x{211d}\x{2124}\x{2126}\x{2128}\x{212a}-\x{212d}\x{212f}-\x{2134}\x{2139})"
    R"(\x{213c}-\x{213f}\x{2145}-\x{2149}\x{214e}\x{2183}\x{2184}\x{2c00}-\x{2c7b}\x{2c7e}-\x{2ce4})"
    R"(\x{2ceb}-\x{2cee}\x{2cf2}\x{2cf3}\x{a640}-\x{a66d}\x{a680}-\x{a69b}\x{a722}-\x{a76f})"
    R"(\x{a771}-\x{a787}\x{a78b}-\x{a78e}\x{ab70}-\x{abbf}\x{fb00}-\x{fb06}\x{fb13}-\x{fb17})"
    R"(\x{ff21}-\x{ff3a}\x{ff41}-\x{ff5a}\x{10400}-\x{1044f}\x{104b0}-\x{104d3}\x{104d8}-\x{104fb})"
    R"(\x{10c80}-\x{10cb2}\x{10cc0}-\x{10cf2}\x{118a0}-\x{118df}\x{1e900}-\x{1e943})"
    "]+",
    R"(\s?[!-/:-~\x{ff01}-\x{ff0f}\x{ff1a}-\x{ff5e}\x{2018}-\x{201f}\x{3000}-\x{3002}]+)",
    R"((?<!\s)\s+$)", // \s+$, tried once for each run
    R"([\x{4e00}-\x{9fa5}\x{800}-\x{4e00}\x{ac00}-\x{d7ff}]+)",
    R"(\p{N}+)"};
static const char *const deepseekCoder[] = {
    R"([\r\n])", R"(\s?\p{L}+)", R"(\s?\p{P}+)", R"([\x{4e00}-\x{9fa5}\x{800}-\x{4e00}\x{ac00}-\x{d7ff}]+)", R"(\p{N})"};
static const char *const qwen35[] = {
    CONTRACTIONS R"(|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*)" WHITE_SPACE};
static const char *const bloom[] = {R"( ?[^(\s|.,!?\x{2026}\x{3002}\x{ff0c}\x{3001}\x{964}\x{6d4}\x{60c})]+)"};
static const char *const viking[] = {R"( ?[^(\s|.,!?\x{2026}\x{3002}\x{ff0c}\x{3001}\x{964}\x{6d4}\x{60c})]+)", R"(\p{N})"};
static const char *const unnamed[] = {R"([\p{P}$+<=>^~|]+)", GPT2, R"(\p{N}+)", "[0-9][0-9][0-9]"};

static const struct Entry {
  std::string_view name;
  PreTokenizer value;
} table[] = { // sorted by name
    {"bloom",            {bloom}},
    {"chatglm-bpe",      {llama3}},
    {"command-r",        {digitsThenGpt2, true}},
    {"dbrx",             {llama3}},
    {"deepseek-coder",   {deepseekCoder}},
    {"deepseek-llm",     {deepseekLlm}},
    {"deepseek-r1-qwen", {qwen2, true}},
    {"deepseek-v3",      {deepseek3}},
    {"default",          {unnamed}},
    {"exaone",           {digitsThenGpt2, true}},
    {"exaone4",          {gpt2, true}},
    {"falcon",           {falcon}},
    {"falcon-h1",        {llama3, false, true, true}},
    {"falcon3",          {llama3, false, true, true}},
    {"glm4",             {llama3, false, true}},
    {"gpt-2",            {gpt2}},
    {"gpt-4o",           {o200k}},
    {"gpt3-finnish",     {bloom}},
    {"grok-2",           {qwen2}},
    {"hunyuan",          {qwen2}},
    {"hunyuan-dense",    {deepseek3}},
    {"jais",             {gpt2}},
    {"lfm2",             {llama3, false, true, true}},
    {"llama-bpe",        {llama3, false, true, true}},
    {"llama-v3",         {llama3, false, true, true}},
    {"llama3",           {llama3, false, true, true}},
    {"llama4",           {o200k}},
    {"megrez",           {qwen2, true}},
    {"minerva-7b",       {digitsThenGpt2}},
    {"mpt",              {gpt2, true}},
    {"olmo",             {gpt2, true}},
    {"phi-2",            {gpt2}},
    {"pixtral",          {llama3, false, true, true}},
    {"poro-chat",        {bloom}},
    {"qwen2",            {qwen2, true}},
    {"qwen35",           {qwen35}},
    {"refact",           {digitsThenGpt2}},
    {"smaug-bpe",        {llama3}},
    {"smollm",           {digitsThenGpt2}},
    {"stablelm2",        {qwen2}},
    {"starcoder",        {digitsThenGpt2}},
        {"tekken",           {tekken, false, true, true}},
    {"viking",           {viking}},
};
// clang-format on

const char *const llmc::formats::kGpt2Pattern = gpt2[0];

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

std::pair<std::string_view, const PreTokenizer *> llmc::formats::preTokenizerAt(size_t i) {
  return i < std::size(table) ? std::pair{table[i].name, &table[i].value}
                              : std::pair{std::string_view(), nullptr};
}
