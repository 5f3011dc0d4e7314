//===- TokenizerConfig.cpp - the files beside a tokenizer -----------------===//
#include "frontend/formats/MappedFile.h"
#include "frontend/formats/TokenizerMerges.h"
#include "frontend/formats/TokenizerReaders.h"

#include <algorithm>
#include <filesystem>

using namespace llmc::formats;
using Json = nlohmann::json;
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
    Json tokenizer, specials, model, generation, processor;
    if (!load("tokenizer_config.json", tokenizer) || !load("special_tokens_map.json", specials) ||
        !load("config.json", model) || !load("generation_config.json", generation) ||
        !load("chat_template.json", processor))
      return false;
    readRoles(specials);
    readRoles(tokenizer); // wins
    if (model.contains("text_config") && model["text_config"].is_object())
      readEnds("config.json", model["text_config"]);
    readEnds("config.json", model);
    readEnds("generation_config.json", generation);
    impliedRoles();
    applyFlag(tokenizer, "add_bos_token", LLMC_TOK_BOS, d.prefix, true);
    applyFlag(tokenizer, "add_eos_token", LLMC_TOK_EOS, d.suffix, false);
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

  bool loadText(const std::string &name, std::string &out, bool &isThere) {
    std::error_code code;
    isThere = !folder.empty() && fs::exists(pathOf(name), code);
    if (!isThere)
      return true;
    auto file = MappedFile::open(pathOf(name), error);
    if (!file)
      return false;
    out.assign(reinterpret_cast<const char *>(file->bytes().data()), file->bytes().size());
    return true;
  }
  bool load(const char *name, Json &out) {
    std::string text;
    bool isThere;
    out = Json::object();
    return loadText(name, text, isThere) && (!isThere || parseObject(text, pathOf(name), out, error));
  }

  /// A token as a string or as an object with its content.
  void readRoles(const Json &config) {
    static const std::pair<const char *, int> roles[] = {
        {"bos_token", LLMC_TOK_BOS},   {"eos_token", LLMC_TOK_EOS}, {"unk_token", LLMC_TOK_UNK},
        {"pad_token", LLMC_TOK_PAD},   {"sep_token", LLMC_TOK_SEP}, {"cls_token", LLMC_TOK_CLS},
        {"mask_token", LLMC_TOK_MASK}, {"eot_token", LLMC_TOK_EOT}};
    for (auto &[key, role] : roles) {
      auto it = config.find(key);
      if (it == config.end())
        continue;
      const Json *text = it->is_object() && it->contains("content") ? &(*it)["content"] : &*it;
      if (!text->is_string())
        continue;
      if (auto id = ids.find(text->get_ref<const std::string &>()); id != ids.end())
        d.special[static_cast<size_t>(role)] = static_cast<int32_t>(id->second);
    }
  }

  /// eos_token_id: a number or several, each of which ends the answer. Ids of a padded vocabulary are
  /// ignored.
  void readEnds(const char *, const Json &config) {
    auto take = [&](const Json &id) {
      if (!id.is_number_unsigned() || id.get<uint64_t>() >= d.text.size())
        return;
      auto token = static_cast<int32_t>(id.get<uint64_t>());
      d.stops.push_back(token);
      if (d.special[LLMC_TOK_EOS] < 0)
        d.special[LLMC_TOK_EOS] = token;
    };
    if (auto it = config.find("eos_token_id"); it != config.end()) {
      if (it->is_array())
        for (const Json &id : *it)
          take(id);
      else
        take(*it);
    }
    auto bos = config.find("bos_token_id");
    if (bos != config.end() && bos->is_number_unsigned() && bos->get<uint64_t>() < d.text.size() &&
        d.special[LLMC_TOK_BOS] < 0)
      d.special[LLMC_TOK_BOS] = static_cast<int32_t>(bos->get<uint64_t>());
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

  void applyFlag(const Json &config, const char *key, int role, std::vector<int32_t> &around, bool atFront) {
    auto it = config.find(key);
    int32_t id = d.special[static_cast<size_t>(role)];
    if (it == config.end() || !it->is_boolean() || id < 0)
      return;
    bool isThere = std::find(around.begin(), around.end(), id) != around.end();
    if (it->get<bool>() && !isThere)
      around.insert(atFront ? around.begin() : around.end(), id);
    else if (!it->get<bool>())
      around.erase(std::remove(around.begin(), around.end(), id), around.end());
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

  bool readTemplates(const Json &tokenizer, const Json &processor) {
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
      auto it = config->find("chat_template");
      if (it == config->end() || it->is_null())
        continue;
      if (it->is_string()) {
        if (!addTemplate(name, "", it->get<std::string>()))
          return false;
        continue;
      }
      if (!it->is_array())
        return fail(name, "field 'chat_template' is neither a string nor a list");
      for (const Json &t : *it) {
        if (!t.is_object() || !t.contains("name") || !t["name"].is_string() || !t.contains("template") ||
            !t["template"].is_string())
          return fail(name, "field 'chat_template' holds something else than pairs of name and template");
        if (!addTemplate(name, t["name"].get<std::string>(), t["template"].get<std::string>()))
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
