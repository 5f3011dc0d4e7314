//===- TokenizerConfig.cpp - the files beside a tokenizer -----------------===//
#include "frontend/formats/MappedFile.h"
#include "frontend/formats/TokenizerMerges.h"
#include "frontend/formats/TokenizerReaders.h"

#include <algorithm>
#include <filesystem>

using namespace llmc::formats;
namespace fs = std::filesystem;

namespace {

class ConfigReader {
public:
  ConfigReader(const std::string &folder, TokenizerDescription &d, std::string &error)
      : folder(folder), d(d), error(error) {
    for (uint32_t i = 0; i < d.text.size(); ++i)
      if (d.attr[i] != LLMC_TOK_BYTE)
        ids.emplace(d.spelled(i), i);
  }

  bool read() {
    JsonValue tokenizer, specials, model, generation, processor;
    if (!load("tokenizer_config.json", tokenizer) || !load("special_tokens_map.json", specials) ||
        !load("config.json", model) || !load("generation_config.json", generation) ||
        !load("chat_template.json", processor))
      return false;
    if (!readRoles("special_tokens_map.json", specials) ||
        !readRoles("tokenizer_config.json", tokenizer)) // wins
      return false;
    const JsonValue *text = model.find("text_config");
    if ((text && text->object() && !readEnds("config.json", *text)) || !readEnds("config.json", model) ||
        !readEnds("generation_config.json", generation))
      return false;
    impliedRoles();
    if (!applyFlag(tokenizer, "add_bos_token", LLMC_TOK_BOS, d.prefix, true) ||
        !applyFlag(tokenizer, "add_eos_token", LLMC_TOK_EOS, d.suffix, false))
      return false;
    findStops(d, ids);
    return readTemplates(tokenizer, processor);
  }

private:
  const std::string &folder;
  TokenizerDescription &d;
  std::string &error;
  TokenIds ids;

  std::string pathOf(const std::string &name) const { return (fs::path(folder) / name).string(); }
  bool fail(const std::string &name, const std::string &what) {
    error = pathOf(name) + ": " + what;
    return false;
  }

  /// For a field of another kind than it must have.
  bool refuse(const char *name, const char *key, const JsonValue &found, const char *expected) {
    return fail(name, std::string("field '") + key + "' is " + found.describe() + ", expected " + expected);
  }

  bool loadText(const std::string &name, std::string &out, bool &isThere) {
    std::error_code code;
    isThere = !folder.empty() && fs::exists(fs::symlink_status(pathOf(name), code));
    if (!isThere)
      return true;
    auto file = MappedFile::open(pathOf(name), error);
    if (!file)
      return false;
    out.assign(reinterpret_cast<const char *>(file->bytes().data()), file->bytes().size());
    return true;
  }
  bool load(const char *name, JsonValue &out) {
    std::string text;
    bool isThere;
    out = JsonValue(JsonValue::Object());
    return loadText(name, text, isThere) && (!isThere || parseObject(text, pathOf(name), out, error));
  }

  /// A token as a string or as an object with its content; null for none.
  bool readRoles(const char *name, const JsonValue &config) {
    static const std::pair<const char *, int> roles[] = {
        {"bos_token", LLMC_TOK_BOS},   {"eos_token", LLMC_TOK_EOS}, {"unk_token", LLMC_TOK_UNK},
        {"pad_token", LLMC_TOK_PAD},   {"sep_token", LLMC_TOK_SEP}, {"cls_token", LLMC_TOK_CLS},
        {"mask_token", LLMC_TOK_MASK}, {"eot_token", LLMC_TOK_EOT}};
    for (auto &[key, role] : roles) {
      const JsonValue *found = config.findValue(key);
      if (!found)
        continue;
      const JsonValue *text = found->object() ? found->find("content") : found;
      if (!text || !text->string())
        return refuse(name, key, *found, "a string or an object with a string 'content'");
      if (auto id = ids.find(*text->string()); id != ids.end())
        d.special[static_cast<size_t>(role)] = static_cast<int32_t>(id->second);
    }
    return true;
  }

  /// eos_token_id: a number or several, each of which ends the answer. Ids of a padded vocabulary are
  /// ignored, as is -1, which some write for none.
  bool readEnds(const char *name, const JsonValue &config) {
    auto isToken = [&](const JsonValue &id) { return id.count() && *id.count() < d.text.size(); };
    auto take = [&](const JsonValue &id) {
      if (!isToken(id))
        return;
      auto token = static_cast<int32_t>(*id.integer());
      d.stops.push_back(token);
      if (d.special[LLMC_TOK_EOS] < 0)
        d.special[LLMC_TOK_EOS] = token;
    };
    if (const JsonValue *ends = config.findValue("eos_token_id")) {
      const char *expected = "an integer or a list of integers";
      if (!ends->integer() && !ends->array())
        return refuse(name, "eos_token_id", *ends, expected);
      if (ends->integer())
        take(*ends);
      else
        for (const JsonValue &id : *ends->array()) {
          if (!id.integer())
            return fail(name, "field 'eos_token_id' holds " + id.describe() + ", expected " + expected);
          take(id);
        }
    }
    if (const JsonValue *begin = config.findValue("bos_token_id")) {
      if (!begin->integer())
        return refuse(name, "bos_token_id", *begin, "an integer");
      if (isToken(*begin) && d.special[LLMC_TOK_BOS] < 0)
        d.special[LLMC_TOK_BOS] = static_cast<int32_t>(*begin->integer());
    }
    return true;
  }

  /// Without any file beside it, what goes around a text tells the roles, then the common names.
  void impliedRoles() {
    if (d.special[LLMC_TOK_BOS] < 0 && !d.prefix.empty())
      d.special[LLMC_TOK_BOS] = d.prefix.front();
    if (d.special[LLMC_TOK_EOS] < 0 && !d.suffix.empty())
      d.special[LLMC_TOK_EOS] = d.suffix.back();
    for (const char *name : {"</s>", "<|end_of_text|>", "<|endoftext|>", "<eos>"})
      if (auto it = ids.find(name);
          d.special[LLMC_TOK_EOS] < 0 && it != ids.end() && d.attr[it->second] == LLMC_TOK_CONTROL)
        d.special[LLMC_TOK_EOS] = static_cast<int32_t>(it->second);
  }

  bool applyFlag(const JsonValue &config, const char *key, int role, std::vector<int32_t> &around,
                 bool atFront) {
    const JsonValue *found = config.findValue(key);
    if (found && !found->boolean())
      return refuse("tokenizer_config.json", key, *found, "true or false");
    int32_t id = d.special[static_cast<size_t>(role)];
    if (!found || id < 0)
      return true;
    bool isWanted = *found->boolean(), isThere = std::find(around.begin(), around.end(), id) != around.end();
    if (isWanted && !isThere)
      around.insert(atFront ? around.begin() : around.end(), id);
    else if (!isWanted)
      around.erase(std::remove(around.begin(), around.end(), id), around.end());
    return true;
  }

  bool addTemplate(const std::string &file, std::string name, std::string text) {
    if (text.size() > kMaxTemplate || d.templates.size() == kMaxTemplates)
      return fail(file, "has more chat templates than can be kept: at most " + std::to_string(kMaxTemplates) +
                            " of " + std::to_string(kMaxTemplate) + " bytes");
    if (name == "default")
      name.clear();
    for (auto &t : d.templates)
      if (t.name == name)
        return true; // an earlier place wins
    d.templates.insert(name.empty() ? d.templates.begin() : d.templates.end(), {name, std::move(text)});
    return true;
  }

  bool readTemplates(const JsonValue &tokenizer, const JsonValue &processor) {
    std::string text;
    bool isThere;
    if (!loadText("chat_template.jinja", text, isThere))
      return false;
    if (isThere && !addTemplate("chat_template.jinja", "", text))
      return false;
    if (!readNamedFiles())
      return false;
    for (auto &[name, config] :
         {std::pair{"tokenizer_config.json", &tokenizer}, std::pair{"chat_template.json", &processor}}) {
      const JsonValue *found = config->findValue("chat_template");
      if (!found)
        continue;
      if (const std::string *only = found->string()) {
        if (!addTemplate(name, "", *only))
          return false;
        continue;
      }
      if (!found->array())
        return fail(name, "field 'chat_template' is neither a string nor a list");
      for (const JsonValue &t : *found->array()) {
        const JsonValue *key = t.find("name"), *content = t.find("template");
        if (!key || !key->string() || !content || !content->string())
          return fail(name, "field 'chat_template' holds something else than pairs of name and template");
        if (!addTemplate(name, *key->string(), *content->string()))
          return false;
      }
    }
    return true;
  }

  /// additional_chat_templates/<name>.jinja
  bool readNamedFiles() {
    std::error_code code;
    std::vector<std::string> names;
    if (!folder.empty())
      for (fs::directory_iterator it(pathOf("additional_chat_templates"), code), end; !code && it != end;
           it.increment(code))
        if (it->path().extension() == ".jinja")
          names.push_back(it->path().stem().string());
    std::sort(names.begin(), names.end());
    for (const std::string &name : names) {
      std::string file = "additional_chat_templates/" + name + ".jinja", text;
      bool isThere;
      if (!loadText(file, text, isThere) || !addTemplate(file, name, text))
        return false;
    }
    return true;
  }
};

} // namespace

bool llmc::formats::readTokenizerConfig(const std::string &folder, TokenizerDescription &d,
                                        std::string &error) {
  return ConfigReader(folder, d, error).read();
}
