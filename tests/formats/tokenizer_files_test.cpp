//===- tokenizer_files_test.cpp - damaged tokenizer files -----------------===//
//
// tokenizer.json and tokenizer.model cut off at every byte, with wrong types in every field and with numbers
// and depths out of range: one sentence that names the file, never a crash.
//
//===----------------------------------------------------------------------===//
#include "frontend/formats/RegexTranslator.h"
#include "frontend/formats/TokenizerBlob.h"
#include "runtime/Error.h"
#include "runtime/Tokenizer.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>

using namespace llmc;
using Json = nlohmann::json;

namespace {

const char *const bpe = R"({
  "added_tokens": [{"id": 6, "content": "<s>", "special": true, "single_word": false, "lstrip": false, "rstrip": true,
                    "normalized": true}],
  "normalizer": {"type": "Sequence", "normalizers": [
    {"type": "NFC"}, {"type": "Prepend", "prepend": "_"}, {"type": "Strip", "strip_left": true, "strip_right": false},
    {"type": "Replace", "pattern": {"String": "  "}, "content": " "},
    {"type": "Replace", "pattern": {"Regex": "\\s{3,}"}, "content": " "},
    {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null,
     "lowercase": false}]},
  "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
    {"type": "Split", "pattern": {"Regex": "[^\\r\\n\\p{L}]?\\p{L}+"}, "behavior": "Isolated", "invert": false},
    {"type": "Digits", "individual_digits": true}, {"type": "Punctuation", "behavior": "Contiguous"},
    {"type": "CharDelimiterSplit", "delimiter": "|"},
    {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "first", "split": true}]},
  "decoder": {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "},
    {"type": "Strip", "content": " ", "start": 1, "stop": 0}, {"type": "ByteFallback"}, {"type": "Fuse"}]},
  "post_processor": {"type": "TemplateProcessing",
    "single": [{"SpecialToken": {"id": "<s>"}}, {"Sequence": {"id": "A"}}],
    "special_tokens": {"<s>": {"id": "<s>", "ids": [6]}}},
  "model": {"type": "BPE", "dropout": null, "unk_token": "?", "continuing_subword_prefix": "", "end_of_word_suffix": "",
    "fuse_unk": true, "byte_fallback": false, "ignore_merges": false,
    "vocab": {"?": 0, "a": 1, "b": 2, "ab": 3, "aab": 4, "\u2581": 5, "<s>": 6}, "merges": ["a b", ["a", "ab"]]}})";

const char *const unigram = R"({"pre_tokenizer": {"type": "Metaspace", "replacement": "\u2581"},
  "decoder": {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always"},
  "post_processor": {"type": "BertProcessing", "sep": ["a", 1], "cls": ["b", 2]},
  "model": {"type": "Unigram", "unk_id": 0, "byte_fallback": false,
    "vocab": [["?", 0], ["a", -1.5], ["b", -2], ["ab", -2.5], ["\u2581", -3]]}})";

std::string field(unsigned number, std::string_view bytes) { // of fewer than 128 bytes
  return {std::string(1, char(number << 3 | 2)) + char(bytes.size()) + std::string(bytes)};
}
std::string integer(unsigned number, unsigned value) {
  std::string key = number < 16 ? std::string(1, char(number << 3))
                                : std::string{char((number << 3 & 127) | 128), char(number >> 4)};
  return key + char(value);
}

std::string model() {
  auto piece = [](std::string_view text, unsigned type) {
    return field(1, field(1, text) + std::string("\x15\0\0\x80\xbf", 5) + integer(3, type));
  };
  return piece("<unk>", 2) + piece("<s>", 3) + piece("a", 1) + piece("b", 1) + piece("ab", 1) +
         piece("<0x0A>", 6) + field(2, integer(3, 1) + integer(35, 1)) +
         field(3, integer(3, 1) + integer(4, 1) + integer(5, 1));
}

using Build = bool (*)(std::string_view, const std::string &, std::string &, std::string &);

/// Whether a tokenizer comes out, which then must work; or else one sentence.
bool isTaken(Build build, std::string_view bytes, std::string &error) {
  std::string blob, text = "aab ab <s>\xc3\xa9 12";
  if (!build(bytes, "file", blob, error)) {
    EXPECT_EQ(error.rfind("file: ", 0), 0u) << error;
    EXPECT_LT(error.size(), 400u) << error;
    EXPECT_TRUE(error.size() > 10 && error.back() != '.') << error;
    EXPECT_TRUE(std::all_of(error.begin(), error.end(), [](char c) { return uint8_t(c) >= ' '; })) << error;
    return false;
  }
  Tokenizer t;
  EXPECT_EQ(t.open(blob.data(), blob.size()), LLMC_OK) << lastError() << "\n" << bytes;
  std::vector<llmc_token> tokens;
  Tokenizer::Segment segment{text, true};
  EXPECT_EQ(t.encode({&segment, 1}, true, tokens), LLMC_OK) << lastError();
  EXPECT_EQ(t.decode(tokens, false, text, true), LLMC_OK) << lastError();
  return true;
}

TEST(TokenizerFiles, CutOffAtEveryByte) {
  std::string error;
  for (std::string_view file : {bpe, unigram}) {
    ASSERT_TRUE(isTaken(formats::buildTokenizerBlobFromJson, file, error)) << error;
    for (size_t n = 0; n < file.size(); ++n)
      EXPECT_FALSE(isTaken(formats::buildTokenizerBlobFromJson, file.substr(0, n), error)) << n;
  }
  std::string whole = model();
  ASSERT_TRUE(isTaken(formats::buildTokenizerBlobFromModel, whole, error)) << error;
  size_t taken = 0;
  for (size_t n = 0; n < whole.size(); ++n)
    taken += isTaken(formats::buildTokenizerBlobFromModel, std::string_view(whole).substr(0, n), error);
  EXPECT_LE(taken, 8u); // between two fields the rest is a shorter model
}

TEST(TokenizerFiles, AnyByteOfAModelChanged) {
  const std::string whole = model();
  std::string error;
  for (size_t i = 0; i < whole.size(); ++i)
    for (int value = 0; value < 256; ++value) {
      std::string changed = whole;
      changed[i] = char(value);
      isTaken(formats::buildTokenizerBlobFromModel, changed, error);
    }
}

TEST(TokenizerFiles, WrongTypesInEveryField) {
  // These are not looked at, or are names of the file's own.
  const std::set<std::string> ignored = {"Sequence", "id", "A"};
  const Json values[] = {true,           -1,
                         4294967296,     1e300,
                         "\u00e9\u00e9", Json::array(),
                         Json::object(), Json::array({Json::object()})};
  for (const char *file : {bpe, unigram}) {
    const Json whole = Json::parse(file);
    std::vector<Json::json_pointer> fields;
    auto walk = [&](auto &self, const Json &at, const Json::json_pointer &path) -> void {
      if (!path.empty())
        fields.push_back(path);
      if (at.is_object())
        for (auto it = at.begin(); it != at.end(); ++it)
          self(self, *it, path / it.key());
      for (size_t i = 0; at.is_array() && i < at.size(); ++i)
        self(self, at[i], path / i);
    };
    walk(walk, whole, Json::json_pointer());
    EXPECT_GT(fields.size(), 20u);
    for (const auto &path : fields)
      for (const Json &value : values) {
        if (value.type() == whole.at(path).type() || (value.is_number() && whole.at(path).is_number()))
          continue;
        Json changed = whole;
        changed[path] = value;
        std::string error, where = path.to_string();
        bool isName = ignored.count(path.back()) || where.find("/single/1") != where.npos ||
                      (where.find("Processing") == where.npos && where.find("/post_processor/") == 0 &&
                       path.back() == "0");
        bool taken = isTaken(formats::buildTokenizerBlobFromJson, changed.dump(), error);
        EXPECT_TRUE(!taken || isName || whole.at(path).is_null()) << where << " = " << value;
        EXPECT_TRUE(taken || error.find("field '") != error.npos) << where << " = " << value << ": " << error;
      }
  }
}

TEST(TokenizerFiles, OutOfRange) {
  auto with = [](const char *pointer, const Json &value, const char *file = bpe) {
    Json j = Json::parse(file);
    j[Json::json_pointer(pointer)] = value;
    return j.dump();
  };
  Json deep = {{"type", "NFC"}}, deepSplit = {{"type", "Whitespace"}};
  for (int i = 0; i < 9; ++i) {
    deep = {{"type", "Sequence"}, {"normalizers", {deep}}};
    deepSplit = {{"type", "Sequence"}, {"pretokenizers", {deepSplit}}};
  }
  auto regex = [&](const std::string &pattern) {
    return with("/pre_tokenizer/pretokenizers/0/pattern/Regex", pattern);
  };
  std::string classes(20, '['), brackets(100000, '[');
  classes += "a" + std::string(20, ']');
  const std::pair<std::string, const char *> files[] = {
      {brackets, "file: nests deeper than 64 levels"},
      {"{\"a\": 1e400}", "file: is not valid JSON at line 1, byte 11: a number is out of range"},
      {"{\"a\": \"\xff\"}", "file: is not valid JSON at line 1, byte 8"},
      {"[]", "file: is an array, expected an object"},
      {"{\"model\":" + brackets + std::string(100000, ']') + "}", "file: nests deeper than 64 levels"},
      {with("/normalizer", deep), "field 'normalizer.normalizers' is absent, no list, or nested too deeply"},
      {with("/pre_tokenizer", deepSplit),
       "field 'pre_tokenizer.pretokenizers' is absent, no list, or nested too"},
      {with("/model/vocab/a", 9223372036854775807), "is more than can be kept"},
      {with("/model/vocab/a", 16777215), "has the id 16777215, which is far more than there are tokens"},
      {with("/model/vocab/a", 2), "has the id of another token, 2"},
      {with("/model/vocab", Json::object()), "field 'model.vocab' is absent, empty or no object"},
      {with("/model/merges/0", "ab ab"),
       "field 'model.merges', element 0 'ab ab': its result is not a token"},
      {with("/model/merges/0", "a"), "field 'model.merges', element 0 'a' is not two tokens"},
      {with("/model/dropout", 0.1), "field 'model.dropout' is not 0"},
      {with("/model/fuse_unk", 1), "field 'model.fuse_unk' is neither true nor false"},
      {with("/model/unk_token", 1), "field 'model.unk_token' is no string"},
      {with("/model/type", "WordPiece"), "field 'model.type' is 'WordPiece', expected 'BPE' or 'Unigram'"},
      {with("/model/unk_id", 5, unigram), "field 'model.unk_id' is not less than 5"},
      {with("/model/vocab/1/1", nullptr, unigram), "element 1 is no pair of a string and a finite score"},
      {with("/model/vocab/1/1", 1e300, unigram), "element 1 is no pair of a string and a finite score"},
      {with("/added_tokens/0/rstrip", 1), "element 0 has a 'rstrip' that is neither true nor false"},
      {with("/post_processor/special_tokens/<s>/ids/0", 7), "names a token that is not less than 7"},
      {with("/decoder/decoders/1/start", 2), "field 'decoder' strips something else than one space"},
      {regex("(a"), "field 'pre_tokenizer' has the pattern '(a', which is wrong at byte 2: missing closing"},
      {regex("a{2,1}"), "which is wrong at byte 5: numbers out of order"},
      {regex("[z-a]"), "which is wrong at byte 3: range out of order"},
      {regex(classes), "has a pattern with '[', which cannot be translated"},
      {regex(std::string(40000, 'a')), "has a pattern of 40000 bytes, expected at most 32768"},
      {regex("\\p{Klingon}"), "has a pattern with '\\p{Klingon}', which cannot be translated"},
      {regex(""), "field 'pre_tokenizer.pattern' is empty"},
  };
  for (auto &[file, what] : files) {
    std::string error;
    EXPECT_FALSE(isTaken(formats::buildTokenizerBlobFromJson, file, error)) << what;
    EXPECT_NE(error.find(what), error.npos) << what << "\n  but: " << error;
  }
  auto piece = [](std::string_view inside) { return field(1, inside); };
  const std::pair<std::string, const char *> models[] = {
      {"", "file: field 'pieces' is absent"},
      {std::string(30, '\xff'), "file: is no SentencePiece model: it does not consist of fields"},
      {"\x0a\x7f", "file: is no SentencePiece model"},
      {integer(1, 5), "file: is no SentencePiece model"},
      {piece(field(1, "\xff")), "field 'pieces', element 0 is not UTF-8"},
      {piece(integer(1, 1)), "field 'pieces', element 0 '' is cut off or damaged"},
      {piece(field(1, "a") + field(2, "abcd")), "element 0 'a' is cut off or damaged"},
      {piece(field(1, "a") + integer(3, 7)), "element 0 'a' has type 7, expected 1 to 6"},
      {piece(field(1, "a") + std::string("\x15\0\0\xc0\x7f", 5)), "has a score that is not a finite number"},
      {piece(field(1, "<0xZZ>") + integer(3, 6)), "is a byte, expected '<0x00>' to '<0xFF>'"},
      {model() + field(2, integer(3, 4)), "field 'trainer_spec.model_type' is 4"},
      {model() + field(2, integer(24, 1)), "field 'trainer_spec.treat_whitespace_as_suffix' is set"},
      {model() + field(2, field(3, "a")), "field 'trainer_spec' is cut off or damaged"},
      {model() + field(3, field(2, "abc")), "field 'normalizer_spec.precompiled_charsmap' "},
  };
  for (auto &[file, what] : models) {
    std::string error;
    EXPECT_FALSE(isTaken(formats::buildTokenizerBlobFromModel, file, error)) << what;
    EXPECT_NE(error.find(what), error.npos) << what << "\n  but: " << error;
  }
}

// Files beside tokenizer.json say what their fields are if they are not what they must be; null is nothing.
TEST(TokenizerFiles, WrongTypesInTheFilesBesideThem) {
  namespace fs = std::filesystem;
  const fs::path folder = fs::path(testing::TempDir()) / "llmc_tokenizer_files";
  fs::create_directories(folder);
  auto errorOf = [&](const std::string &name, const std::string &text) {
    std::ofstream(folder / "tokenizer.json") << bpe;
    std::ofstream(folder / name) << text;
    std::string blob, error;
    formats::buildTokenizerBlobFromFile(folder.string(), blob, error);
    fs::remove(folder / name);
    return error;
  };
  const std::tuple<const char *, const char *, const char *> wrong[] = {
      {"tokenizer_config.json", R"({"eos_token": 7})",
       "field 'eos_token' is 7, expected a string or an object with a string 'content'"},
      {"tokenizer_config.json", R"({"add_bos_token": "yes"})",
       "field 'add_bos_token' is 'yes', expected true or false"},
      {"tokenizer_config.json", R"({"chat_template": 1})",
       "field 'chat_template' is neither a string nor a list"},
      {"tokenizer_config.json", "[1]", "is an array, expected an object"},
      {"tokenizer_config.json", R"({"bos_token": "a", "bos_token": "b"})",
       "has the key 'bos_token' twice in one object"},
      {"special_tokens_map.json", R"({"bos_token": {"content": 1}})",
       "field 'bos_token' is an object, expected a string or an object with a string 'content'"},
      {"special_tokens_map.json", R"({"pad_token": ["a"]})",
       "field 'pad_token' is an array, expected a string or an object with a string 'content'"},
      {"generation_config.json", R"({"eos_token_id": "2"})",
       "field 'eos_token_id' is '2', expected an integer or a list of integers"},
      {"generation_config.json", R"({"eos_token_id": [2, null]})",
       "field 'eos_token_id' holds null, expected an integer or a list of integers"},
      {"config.json", R"({"bos_token_id": 1.5})", "field 'bos_token_id' is 1.5, expected an integer"},
  };
  for (auto &[name, text, what] : wrong)
    EXPECT_EQ(errorOf(name, text), (folder / name).string() + ": " + what) << text;
  EXPECT_EQ(errorOf("special_tokens_map.json", R"({"pad_token": null, "eos_token": {"content": "<s>"}})"),
            "");
  EXPECT_EQ(errorOf("tokenizer_config.json", R"({"add_bos_token": null, "eos_token": "<s>"})"), "");
  EXPECT_EQ(errorOf("generation_config.json", R"({"eos_token_id": [1, -1, 100000]})"), "");
  // A link to nothing is not an absent file.
  const std::string broken = (folder / "chat_template.jinja").string();
  fs::create_symlink("none", broken);
  std::string blob, error;
  EXPECT_FALSE(formats::buildTokenizerBlobFromFile(folder.string(), blob, error));
  EXPECT_EQ(error, broken + ": is a link to none, which is not there");
  fs::remove_all(folder);
}

TEST(TokenizerFiles, PatternsCutOffAtEveryByte) {
  std::string out, error;
  for (
      std::string_view pattern :
      {R"((?i:'s|'t)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s+(?!\S)|\s+)",
       R"([\p{Lu}\p{Ll}&&[^\p{Han}]]+|[a-z[\h\w]]++| ?[^(\s|[.,!?])]+|\u4e00|(?mi)x.|(?<=a)b|\p{^Greek}\P{Letter})"}) {
    ASSERT_TRUE(formats::translateRegex(pattern, out, error)) << error;
    for (size_t n = 1; n < pattern.size(); ++n) // what is taken was compiled
      if (!formats::translateRegex(pattern.substr(0, n), out, error))
        EXPECT_EQ(error.rfind("has ", 0), 0u) << error;
    for (size_t n = 0; n < pattern.size(); ++n) {
      std::string changed(pattern);
      for (char c : {'[', ']', '(', ')', '\\', '{', '&', '\xff', '\0'}) {
        changed[n] = c;
        if (!formats::translateRegex(changed, out, error))
          EXPECT_EQ(error.rfind("has ", 0), 0u) << error;
      }
    }
  }
}

TEST(TokenizerFiles, FilesThatOnceFailed) {
  size_t count = 0;
  for (auto &entry : std::filesystem::directory_iterator(LLMC_TOKENIZER_REGRESSIONS)) {
    std::ifstream in(entry.path(), std::ios::binary);
    std::string bytes((std::istreambuf_iterator<char>(in)), {}), error;
    isTaken(formats::buildTokenizerBlobFromJson, bytes, error);
    isTaken(formats::buildTokenizerBlobFromModel, bytes, error);
    ++count;
  }
  EXPECT_GE(count, 1u);
}

} // namespace
