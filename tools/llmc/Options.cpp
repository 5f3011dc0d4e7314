//===- Options.cpp - what options share -----------------------------------===//
#include "tools/llmc/Options.h"

#include "runtime/device/DeviceOptions.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace llmc::cli {

// The parser's own checks say neither what they expect nor what they found.

CLI::Validator whole(uint64_t least, uint64_t most) {
  auto check = [least, most](std::string &text) -> std::string {
    uint64_t value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value < least || value > most)
      return fmt::format("expected a whole number from {} to {}, but found '{}'", least, most, text);
    text = std::to_string(value); // a leading zero would be taken for octal
    return "";
  };
  return CLI::Validator(check, "");
}

CLI::Validator real(float least, float most) {
  auto check = [least, most](std::string &text) -> std::string {
    char *end = nullptr;
    float value = std::strtof(text.c_str(), &end);
    bool isGood = !text.empty() && !*end && value >= least && value <= most;
    return isGood ? "" : fmt::format("expected a number from {} to {}, but found '{}'", least, most, text);
  };
  return CLI::Validator(check, "");
}

CLI::Validator oneOf(std::vector<std::string> words) {
  std::string list = fmt::format("{{{}}}", fmt::join(words, ","));
  auto check = [words = std::move(words)](std::string &text) -> std::string {
    if (std::find(words.begin(), words.end(), text) != words.end())
      return "";
    return fmt::format("expected one of {}, but found '{}'", fmt::join(words, ", "), text);
  };
  return CLI::Validator(check, list);
}

void addModelOptions(CLI::App *command, ModelOptions &options) {
  command
      ->add_option(
          "MODEL", options.model,
          "model.so; a model of another form (.gguf, .mlir, a directory) is compiled into the cache first")
      ->required()
      ->type_name("FILE");
  command->add_option("--threads", options.threads, "worker threads (default: one a core)")
      ->type_name("N")
      ->transform(whole(1, 1024));
  command
      ->add_option("--ctx", options.ctx,
                   "longest sequence in tokens (default: as many as are known to be needed, else what the "
                   "model is made for, at most 4096)")
      ->type_name("N")
      ->transform(whole(1, 1u << 30));
  command->add_option("--batch", options.batch, "most tokens in one step (default: 512)")
      ->type_name("N")
      ->transform(whole(1, 1u << 20));
  command
      ->add_option("--kv", options.kv, "storage of the KV cache (default: what the model was compiled for)")
      ->type_name("TYPE")
      ->check(oneOf({"auto", "f32", "f16", "bf16", "q8"}));
  command
      ->add_option(
          "--device", options.device,
          "what runs the model: cpu, cuda, cuda:N, or simt, which emulates a GPU to test kernels, slowly. "
          "Behind simt: may stand, by commas: seed=N (another order of threads), "
          "checks=bounds|races|bounds+races|none, counts=FILE (bytes that kernels move), code=FILE (the "
          "kernels, as llmc-compile simt makes them; checks and counts need those that it makes to be "
          "checked) (default: auto)")
      ->type_name("NAME")
      ->check([](const std::string &text) -> std::string {
        if (std::ranges::find(deviceWords, deviceWord(text)) == std::end(deviceWords))
          return fmt::format("expected one of {}, but found '{}'", fmt::join(deviceWords, ", "), text);
        DeviceOptions options;
        const std::string words = readDeviceOptions(text, options);
        return words.empty() ? "" : fmt::format("{}, but found '{}'", words, text);
      });
  command->add_flag("--copy-weights", options.copyWeights,
                    "copy the weights into memory of their own, in huge pages, each part by the thread that "
                    "reads it, instead of mapping the file: a slower start, for long runs");
  command->add_flag(
      "--no-cache", options.noCache,
      "compile a model of another form anew and keep nothing, instead of looking into the cache");
  command->add_flag("-v,--verbose", options.verbose, "say more on stderr");
}

void addInputOptions(CLI::App *command, InputOptions &options, const std::string &promptHelp) {
  command->add_option("-p,--prompt", options.prompt, promptHelp)->type_name("TEXT");
  command->add_option("--tokens", options.tokens, "token ids instead of text: 1,2,3")->type_name("IDS");
}

} // namespace llmc::cli
