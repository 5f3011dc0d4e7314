//===- CommandTable.cpp - commands and options as plain data --------------===//
#include "tools/support/CommandTable.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <sstream>

namespace llmc {

// The library finds these two by name.
static void to_json(nlohmann::ordered_json &json, const OptionInfo &option) {
  json = {{"names", option.names}, {"value", option.value},         {"choices", option.choices},
          {"help", option.help},   {"required", option.isRequired}, {"repeats", option.repeats}};
}
static void from_json(const nlohmann::ordered_json &json, OptionInfo &option) {
  json.at("names").get_to(option.names);
  json.at("value").get_to(option.value);
  json.at("choices").get_to(option.choices);
  json.at("help").get_to(option.help);
  json.at("required").get_to(option.isRequired);
  json.at("repeats").get_to(option.repeats);
}
static void to_json(nlohmann::ordered_json &json, const CommandInfo &command) {
  json = {{"name", command.name},
          {"summary", command.summary},
          {"positionals", command.positionals},
          {"options", command.options},
          {"footer", command.footer}};
}
static void from_json(const nlohmann::ordered_json &json, CommandInfo &command) {
  json.at("name").get_to(command.name);
  json.at("summary").get_to(command.summary);
  json.at("positionals").get_to(command.positionals);
  json.at("options").get_to(command.options);
  json.at("footer").get_to(command.footer);
}

/// The parser says "TYPE:{a,b}": the type, then what its checks say of themselves.
static void readType(const std::string &type, OptionInfo &info) {
  info.value = type.substr(0, type.find_first_of(":{"));
  size_t open = type.find('{'), close = type.find('}', open);
  if (open == std::string::npos || close == std::string::npos)
    return;
  std::istringstream words(type.substr(open + 1, close - open - 1));
  for (std::string word; std::getline(words, word, ',');)
    info.choices.push_back(word);
}

static OptionInfo describe(const CLI::Option &option) {
  OptionInfo info;
  if (option.get_positional()) {
    info.names = {option.get_name(/*positional=*/true)};
  } else {
    for (const std::string &name : option.get_snames())
      info.names.push_back("-" + name);
    for (const std::string &name : option.get_lnames())
      info.names.push_back("--" + name);
  }
  if (option.get_expected_max() > 0) // a flag takes no value
    readType(option.get_type_name(), info);
  info.help = option.get_description();
  info.isRequired = option.get_required();
  info.repeats = option.get_multi_option_policy() == CLI::MultiOptionPolicy::TakeAll ||
                 option.get_items_expected_max() > 1;
  return info;
}

std::vector<CommandInfo> commandTable(const CLI::App &app) {
  std::vector<CommandInfo> table;
  for (const CLI::App *command : app.get_subcommands([](const CLI::App *) { return true; })) {
    CommandInfo info{command->get_name(), command->get_description(), {}, {}, command->get_footer()};
    for (const CLI::Option *option : command->get_options())
      if (!option->get_group().empty())
        (option->get_positional() ? info.positionals : info.options).push_back(describe(*option));
    table.push_back(std::move(info));
  }
  return table;
}

std::string toJson(const std::vector<CommandInfo> &table) { return nlohmann::ordered_json(table).dump(); }

std::vector<CommandInfo> commandTableFromJson(std::string_view text) {
  return nlohmann::ordered_json::parse(text.begin(), text.end()).get<std::vector<CommandInfo>>();
}

} // namespace llmc
