//===- explore_test.cpp - reading of dumps and modules for a report -------===//
#include "tools/explore/ElfTables.h"
#include "tools/explore/Fields.h"
#include "tools/explore/IrText.h"
#include "tools/explore/Report.h"
#include "tools/explore/StepText.h"
#include "tools/explore/TextStore.h"
#include "tools/explore/UnitTexts.h"

#include <gtest/gtest.h>

#include <cstring>
#include <elf.h>
#include <filesystem>
#include <fstream>

using namespace llmc::explore;
namespace fs = std::filesystem;
using Strings = std::vector<std::string>;

static Strings textsOf(const std::vector<Line> &lines) {
  Strings texts;
  for (const Line &line : lines)
    texts.push_back(line.text);
  return texts;
}

TEST(IrText, LocationsBecomePlaces) {
  Places places;
  auto lines = readLines("#loc1 = loc(\"blk.{i}.q\")\n"
                         "module attributes {llmc.dump = {path = \"}\"}} {\n"
                         "  %a = lm.linear %x loc(#loc2)\n"
                         "  %b = lm.add %a loc(fused[\"v\"(#loc1), \"dir/model.mlir\":12:5, #loc3])\n"
                         "  lm.forward (%t: !lm.tokens loc(\"t\"(#loc1))) {\n"
                         "    lm.text \" loc(\"  loc(unknown)\n"
                         "  } loc(#loc3)\n"
                         "}\n"
                         "#loc2 = loc(\"q_rotated\"(#loc1))\n"
                         "#loc3 = loc(\"-\")\n",
                         places);
  EXPECT_EQ(textsOf(lines),
            (Strings{"module {", "  %a = lm.linear %x", "  %b = lm.add %a", "  lm.forward (%t: !lm.tokens) {",
                     "    lm.text \" loc(\"", "  }", "}"}));
  EXPECT_EQ(places.all()[lines[1].places], Strings{"blk.{i}.q"});
  EXPECT_EQ(places.all()[lines[2].places], (Strings{"blk.{i}.q", "model.mlir:12"}));
  EXPECT_EQ(lines[3].places, 0);
  EXPECT_EQ(lines[4].places, 0);
}

TEST(IrText, AnOpWithRegionHasTheLocationBehindItsBrace) {
  Places places;
  auto lines = readLines("a {\n  b loc(\"inner\")\n} loc(\"outer\")\n", places);
  EXPECT_EQ(places.all()[lines[0].places], Strings{"outer"});
  EXPECT_EQ(places.all()[lines[1].places], Strings{"inner"});
}

TEST(IrText, LocationsThatNeverEndAreText) {
  Places places;
  for (const char *text :
       {"a loc(", "a loc(\"b", "a loc(fused[\"b\"", "} } }", "#loc1 = loc(#loc1)\na loc(#loc1)"})
    EXPECT_FALSE(readLines(text, places).empty()) << text;
  std::string deep = "#loc0 = loc(\"x\")\n";
  for (int i = 1; i < 200; ++i)
    deep += "#loc" + std::to_string(i) + " = loc(\"n\"(#loc" + std::to_string(i - 1) + "))\n";
  EXPECT_EQ(readLines(deep + "a loc(#loc199)", places).size(), 1u);
}

TEST(IrText, LocationsThatNameEachOtherOften) {
  Places places;
  std::string text = "#loc0 = loc(fused[\"a\", \"b\"])\n";
  for (int i = 1; i < 16; ++i) { // ten to the fifteenth, one by one
    const std::string name = "#loc" + std::to_string(i - 1);
    text += "#loc" + std::to_string(i) + " = loc(fused[" + name;
    for (int n = 1; n < 10; ++n)
      text += ", " + name;
    text += "])\n";
  }
  auto lines = readLines(text + "x loc(#loc15)", places);
  EXPECT_EQ(places.all()[lines[0].places], (Strings{"a", "b"}));

  text = "x loc(fused[";
  for (int i = 0; i < 1000; ++i)
    text += "\"" + std::to_string(i) + "\", ";
  lines = readLines(text + "\"1000\"])", places);
  EXPECT_EQ(places.all()[lines[0].places].size(), 100u);
}

TEST(UnitTexts, OneThatWasCut) {
  for (const char *text : {"// u.avx2\n#loc", "// u.avx2\n#loc1 = loc(\"a\")\n#", "// u.avx2\n", "// u"}) {
    UnitTexts units;
    units.addPass("emit-kernels", text);
    std::vector<std::string> chunks;
    EXPECT_EQ(units.write(chunks).size(), text[4] ? 1u : 0u) << text;
  }
}

TEST(IrText, Attributes) {
  auto entries =
      attributesOf("x @a [@b] {barrier, values = [1.0, 2.0], name = \"a, }b\", n = 3 : i64} (%y) {");
  EXPECT_EQ(entries.size(), 4u);
  EXPECT_EQ(entries["barrier"], "");
  EXPECT_EQ(entries["values"], "[1.0, 2.0]");
  EXPECT_EQ(entries["name"], "a, }b");
  EXPECT_TRUE(attributesOf("x {a = [1").empty());
}

TEST(TextStore, WhatStaysIsStoredOnce) {
  TextStore store;
  auto text = [](std::string_view words) { return plainLines(words); };
  store.add(text("a\nb\nc\n}\n"));
  store.add(text("a\nb\nx\n}\n"));
  auto json = nlohmann::json::parse(store.json());
  EXPECT_EQ(json["lines"], "a\nb\nc\n}\nx");
  EXPECT_EQ(json["texts"][0], (std::vector<int>{0, 4}));
  EXPECT_EQ(json["texts"][1], (std::vector<int>{0, 2, 4, 1, 3, 1}));
  EXPECT_FALSE(json.contains("places"));
}

TEST(TextStore, TextThatIsNoUtf8IsReplaced) {
  TextStore store;
  store.add(plainLines("a\xff"));
  EXPECT_EQ(nlohmann::json::parse(store.json())["lines"], "a\xef\xbf\xbd");
}

static std::string sentenceOf(auto call) {
  try {
    call();
  } catch (const std::runtime_error &error) {
    return error.what();
  }
  return "";
}

TEST(StepText, NamesThatAreNotDeclaredAreAnError) {
  auto read = [](std::string_view text) {
    return sentenceOf([&] { readProgram(plainLines(text), Places(), "f"); });
  };
  const std::string kernel = "step.kernel @k {} (%a: t) {\n%y = lm.add %a\n}\n";
  EXPECT_EQ(read("step.dispatch @k [@b0] {rows = tokens}"),
            "f: dispatch 0 names the kernel @k, which is not declared");
  EXPECT_EQ(read(kernel + "step.dispatch @k [@b0] {rows = tokens}"),
            "f: dispatch 0 names @b0, which is not declared");
  EXPECT_EQ(read(kernel + "step.dispatch @k"), "f: dispatch 0 has no arguments");
  EXPECT_EQ(read("step.buffer @b {row_bytes = many}"),
            "f: expected 'row_bytes' to be a whole number but got 'many'");
}

/// The folder of this test with one file replaced by `text`; its path.
static std::string changed(const std::string &file, const std::string &text) {
  const fs::path place = fs::path(LLMC_WORK) / "changed";
  fs::remove_all(place);
  fs::copy(LLMC_HOSTILE, place, fs::copy_options::recursive);
  if (text.empty())
    fs::remove(place / file);
  else
    std::ofstream(place / file) << text;
  return place.string();
}

static std::string textOf(const std::string &file) {
  std::ifstream in(fs::path(LLMC_HOSTILE) / file);
  return {std::istreambuf_iterator<char>(in), {}};
}

static std::string replaced(std::string text, const std::string &what, const std::string &by) {
  size_t at = text.find(what);
  EXPECT_NE(at, std::string::npos) << what;
  return at == std::string::npos ? text : text.replace(at, what.size(), by);
}

TEST(DumpFolder, SaysWhatIsWrongInASentence) {
  const std::string passes = textOf("passes.json"), kernels = textOf("kernels.json");
  auto with = [](const std::string &file, const std::string &text) {
    std::string folder = changed(file, text);
    std::string sentence = sentenceOf([&] { readDumpFolder(folder, ""); });
    return sentence.starts_with(folder + "/") ? sentence.substr(folder.size() + 1) : sentence;
  };
  auto starts = [](const std::string &text, const std::string &begin) {
    return text.starts_with(begin) ? "" : "'" + text + "' does not begin with '" + begin + "'";
  };
  EXPECT_EQ(with("passes.json", ""),
            "passes.json: no such file; a folder that llmc compile --dump-ir has written holds one");
  EXPECT_EQ(starts(with("passes.json", passes.substr(0, 300)), "passes.json: is not valid JSON"), "");
  EXPECT_EQ(with("passes.json", replaced(passes, "llmc dump", "other")),
            "passes.json: expected 'format' to be 'llmc dump' but got 'other'");
  EXPECT_EQ(with("passes.json", replaced(passes, "\"version\": 1", "\"version\": 2")),
            "passes.json: has version 2, but this llmc reads version 1");
  EXPECT_EQ(with("passes.json", replaced(passes, "\"ms\": 0.2", "\"ms\": \"fast\"")),
            "passes.json: expected 'passes[1].ms' to be a number but got 'fast'");
  EXPECT_EQ(with("passes.json", replaced(passes, "00-import.mlir", "../hostile/00-import.mlir")),
            "passes.json: names the file '../hostile/00-import.mlir', which is not in the folder");
  EXPECT_EQ(with("01-fuse.mlir", ""), "01-fuse.mlir: no such file, though the folder's tables name it");
  EXPECT_EQ(with("kernels.json", ""),
            "kernels.json: no such file; a folder that llmc compile --dump-ir has written holds one");
  EXPECT_EQ(with("kernels.json", replaced(kernels, "\"code_bytes\": 100", "\"code_bytes\": -1")),
            "kernels.json: expected 'kernels[0].code_bytes' to be a whole number of at least 0 but got -1");
  EXPECT_EQ(with("kernels/k.s", ""), "kernels/k.s: no such file, though the folder's tables name it");
  // Whatever the text is, nothing crashes.
  for (size_t length = 0; length < 900; length += 13)
    with("02-lower-to-step.mlir", textOf("02-lower-to-step.mlir").substr(0, length + 1));
}

TEST(DumpFolder, TablesOfTheProgram) {
  auto data = nlohmann::json::parse(readDumpFolder(LLMC_HOSTILE, "").data);
  const auto &program = data["program"];
  EXPECT_EQ(program["weights"][1]["name"], "blk.1.</script>");
  EXPECT_EQ(program["weights"][1]["shape"], (std::vector<int>{4, 4}));
  const auto &dispatch = program["dispatches"][1];
  EXPECT_EQ(dispatch["reads"], std::vector<int>{1});
  EXPECT_EQ(dispatch["writes"], std::vector<int>{0});
  EXPECT_EQ(dispatch["weight_bytes"], 64);
  EXPECT_EQ(dispatch["row_bytes"], 32);
  EXPECT_EQ(dispatch["flops_per_row"], 32);
  EXPECT_EQ(dispatch["from"], Strings{"blk.{i}.</script>"});
  EXPECT_EQ(data["units"]["linear<b>.avx2"]["stages"],
            (Strings{"convert-arith-to-llvm", "LLVM IR", "assembly"}));
}

/// A profile with one dispatch, as `llmc run --profile` writes it.
static std::string profileOf(const std::string &name, const std::string &hash, int dispatch,
                             const std::string &kernel) {
  const nlohmann::json row = {{"dispatch", dispatch}, {"kernel", kernel}, {"calls", 1},
                              {"seconds", 1},         {"bytes", 1},       {"operations", 1}};
  const nlohmann::json profile = {
      {"model", {{"name", name}, {"head_hash", hash}}},
      {"machine", {{"read_gb_s", 1}, {"f32_gops", 1}, {"int8_gops", 1}}},
      {"phases",
       {{{"name", "generation"}, {"steps", 1}, {"tokens", 1}, {"seconds", 1}, {"dispatches", {row}}}}}};
  const fs::path place = fs::path(LLMC_WORK) / "profile.json";
  std::ofstream(place) << profile;
  return place.string();
}

TEST(Profile, OfAnotherModelIsRefused) {
  const std::string name = "</script><img src=x onerror=alert(1)>", kernel = "linear<b>";
  const std::string hash = "0123456789abcdef", other = "1123456789abcdef";
  auto sentence = [](const std::string &folder, const std::string &profile) {
    std::string text = sentenceOf([&] { readDumpFolder(folder, profile); });
    return text.substr(text.find(": ") == text.npos ? 0 : text.find(": ") + 2);
  };
  const std::string hint = ": run the model.so that it is about with --profile";
  // Without a model.so: by name, and by the kernels of all dispatches.
  EXPECT_EQ(sentence(LLMC_HOSTILE, profileOf(name, hash, 1, kernel)), "");
  EXPECT_EQ(sentence(LLMC_HOSTILE, profileOf("other", hash, 1, kernel)),
            "is a profile of 'other', but the report is about '" + name + "'" + hint);
  EXPECT_EQ(
      sentence(LLMC_HOSTILE, profileOf(name, hash, 1, "add")),
      "is a profile of a model with add at dispatch 1, but the report is about one with linear<b> there" +
          hint);
  EXPECT_EQ(sentence(LLMC_HOSTILE, profileOf(name, hash, 2, kernel)),
            "is a profile of a model with a dispatch 2, but the report is about one with 2" + hint);
  // With one: by its hash.
  const std::string folder =
      changed("passes.json", replaced(textOf("passes.json"), "\"version\": 1,",
                                      "\"version\": 1, \"module\": {\"head_hash\": \"" + hash + "\"},"));
  EXPECT_EQ(sentence(folder, profileOf(name, hash, 1, kernel)), "");
  EXPECT_EQ(sentence(folder, profileOf(name, other, 1, kernel)),
            "is a profile of '" + name + "' with the hash " + other + ", but the report is about '" + name +
                "' with the hash " + hash + hint);
}

TEST(Page, NothingOfTheReportIsMarkup) {
  const Report report = readDumpFolder(LLMC_HOSTILE, "");
  const std::string page = makePage(report);
  EXPECT_EQ(page.find("<img"), std::string::npos);
  EXPECT_NE(page.find("<title>&lt;/script&gt;&lt;img"), std::string::npos);
  size_t ends = 0;
  for (size_t at = 0; (at = page.find("</script>", at)) != std::string::npos; ++at)
    ++ends;
  EXPECT_EQ(ends, report.chunks.size() + 2); // one for each chunk, the tables, the page's own
}

TEST(ElfTables, BytesThatAreNoModule) {
  std::string error;
  std::vector<uint8_t> bytes;
  EXPECT_FALSE(readElfTables(bytes, error));
  bytes.assign(64, 0);
  EXPECT_FALSE(readElfTables(bytes, error));
  EXPECT_EQ(error, "it has no table of sections");
  // This program is an ELF file, but no model.
  std::ifstream in("/proc/self/exe", std::ios::binary);
  bytes.assign(std::istreambuf_iterator<char>(in), {});
  EXPECT_FALSE(readElfTables(bytes, error));
  EXPECT_EQ(error, "it does not export llmc_module");
}

// Many headers over the same bytes would be read as many times.
TEST(ElfTables, SectionsOfMoreThanTheFile) {
  auto errorOf = [](uint16_t count, uint32_t type) {
    Elf64_Ehdr head = {};
    std::memcpy(head.e_ident, ELFMAG, SELFMAG);
    head.e_ident[EI_CLASS] = ELFCLASS64;
    head.e_shoff = sizeof head;
    head.e_shentsize = sizeof(Elf64_Shdr);
    head.e_shnum = count;
    Elf64_Shdr section = {};
    section.sh_type = type;
    std::vector<uint8_t> bytes(sizeof head + count * sizeof section);
    section.sh_size = bytes.size() / 2 + 1;
    std::memcpy(bytes.data(), &head, sizeof head);
    for (size_t i = 0; i < count; ++i)
      std::memcpy(bytes.data() + sizeof head + i * sizeof section, &section, sizeof section);
    std::string error;
    EXPECT_FALSE(readElfTables(bytes, error));
    return error;
  };
  EXPECT_EQ(errorOf(1, SHT_RELA), "it does not export llmc_module");
  EXPECT_EQ(errorOf(2, SHT_RELA), "its sections have more bytes than the file");
  EXPECT_EQ(errorOf(2, SHT_SYMTAB), "its sections have more bytes than the file");
  EXPECT_EQ(errorOf(1024, SHT_NOBITS), "it does not export llmc_module");
  EXPECT_EQ(errorOf(1025, SHT_NOBITS), "it has more than 1024 sections");
}
