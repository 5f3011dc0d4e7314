//===- Main.cpp - llmc ----------------------------------------------------===//
//
// The command line: options to structs, exceptions to exit codes. 0 is success, 1 a failure with one sentence
// on stderr that names file and field, 2 a wrong command line.
//
//===----------------------------------------------------------------------===//
#include "tools/llmc/Common.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sstream>

using namespace llmc::cli;

namespace {

void say(std::string_view sentence) {
  std::fprintf(stderr, "llmc: error: %.*s\n", int(sentence.size()), sentence.data());
}

/// A decimal number from `least` to `most`; CLI11's own checks say neither what they expect nor what they
/// found.
CLI::Validator whole(uint64_t least, uint64_t most) {
  auto check = [least, most](std::string &text) -> std::string {
    uint64_t value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value < least || value > most)
      return "expected a whole number from " + std::to_string(least) + " to " + std::to_string(most) +
             ", but found '" + text + "'";
    text = std::to_string(value); // CLI11 takes a leading zero for octal
    return "";
  };
  return CLI::Validator(check, ">=" + std::to_string(least));
}
CLI::Validator real(float most, const char *expected) {
  auto check = [most, expected](std::string &text) -> std::string {
    char *end = nullptr;
    float value = std::strtof(text.c_str(), &end);
    bool isGood = !text.empty() && !*end && value >= 0 && value <= most;
    return isGood ? "" : std::string("expected ") + expected + ", but found '" + text + "'";
  };
  return CLI::Validator(check, "");
}

void addModelOptions(CLI::App *command, ModelOptions &options) {
  command->add_option("MODEL", options.model, "model.so; a .gguf or .mlir is compiled into the cache first")
      ->required();
  command->add_option("--threads", options.threads, "worker threads (default: one a core)")
      ->transform(whole(1, 1024));
  command
      ->add_option("--ctx", options.ctx,
                   "longest sequence in tokens (default: as many as are known to be needed, else what the "
                   "model is made for, at most 4096)")
      ->transform(whole(1, UINT32_MAX));
  command->add_option("--batch", options.batch, "most tokens in one step (default: 512)")
      ->transform(whole(1, UINT32_MAX));
  command->add_option("--kv", options.kv, "storage of the KV cache: auto, f32, f16, bf16, q8, q4")
      ->check(CLI::IsMember({"auto", "f32", "f16", "bf16", "q8", "q4"}));
  command->add_option("--device", options.device, "auto, cpu, cuda or simt");
  command->add_flag("-v,--verbose", options.verbose, "say more on stderr");
}

void addRun(CLI::App &app, RunOptions &options) {
  CLI::App *command = app.add_subcommand("run", "generate text");
  addModelOptions(command, options);
  command->add_option("-p,--prompt", options.prompt, "text to continue; with --chat the question");
  command->add_flag("--chat", options.chat,
                    "use the model's chat format: a conversation on the terminal, or with -p one answer");
  command->add_option("--tokens", options.tokens, "token ids to continue: 1,2,3");
  command
      ->add_option("-n,--n", options.n,
                   "most tokens to generate (default: until the model ends or the context is full)")
      ->transform(whole(1, UINT32_MAX));
  command
      ->add_option("--temp", options.temperature,
                   "temperature; 0 takes the likeliest token, whatever --top-k, --top-p and --seed say "
                   "(default: 0)")
      ->check(real(1e6f, "a number from 0 to 1000000"));
  command->add_option("--top-k", options.topK, "sample among the k likeliest tokens; 0: all (default: 0)")
      ->transform(whole(0, INT32_MAX));
  command
      ->add_option("--top-p", options.topP,
                   "sample among the likeliest tokens of this total probability; 1: all (default: 1)")
      ->check(real(1, "a number from 0 to 1"));
  command->add_option("--seed", options.seed, "the same seed gives the same text (default: 0)")
      ->transform(whole(0, UINT64_MAX));
  command->add_flag("--ignore-eos", options.ignoreEos, "go on after an end-of-text token");
  command->add_option("--stop", options.stop, "end before this text; may be given several times")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command->add_flag("--json", options.json, "print one object: tokens, text, prompt_tokens, stop, timings");
  command->footer("Examples:\n"
                  "  llmc run model.so -p \"Once upon a time\" -n 100 --temp 0.8 --seed 1\n"
                  "  llmc run model.so --chat\n"
                  "  llmc run model.so --chat -p \"What is the capital of France?\"");
}

void addLogits(CLI::App &app, LogitsOptions &options) {
  CLI::App *command = app.add_subcommand("logits", "print what the model predicts after given tokens");
  addModelOptions(command, options);
  command->add_option("--tokens", options.tokens, "token ids: 1,2,3")->required();
  command->add_flag("--all", options.all, "after every token, not only the last");
  command->add_flag("--json", options.json, "all logits, in the shortest digits that read back exactly");
  command->footer("Example:\n  llmc logits model.so --tokens 1,2,3 --all --json");
}

void addTokenize(CLI::App &app, TokenizeOptions &options) {
  CLI::App *command = app.add_subcommand("tokenize", "turn text into token ids");
  command->add_option("MODEL", options.model, "model.so or a .gguf file")->required();
  command->add_option("-p,--prompt", options.prompt, "the text");
  command->add_option("--file", options.file,
                      "a file with the text, taken byte for byte; - is standard input");
  command->add_flag("--plain", options.plain, "special tokens in the text are ordinary text");
  command->add_flag("--add-special", options.addSpecial,
                    "add the tokens that the model starts and ends a text with");
  command->add_flag("--json", options.json, "print {\"tokens\":[1,2,3]}");
  command->footer("Example:\n  llmc tokenize model.so -p \"Hello, world\"");
}

void addInspect(CLI::App &app, InspectOptions &options) {
  CLI::App *command = app.add_subcommand("inspect", "say what a model file is, without executing it");
  command->add_option("MODEL", options.model, "model.so or a .gguf file")->required();
  command->add_flag("--json", options.json, "print one object");
  command->footer("Example:\n  llmc inspect model.so");
}

/// Shown in the list only: main() hands both to llmc-compile before anything here is parsed.
void addCompilerCommands(CLI::App &app) {
  app.add_subcommand("import", "write a model as text: llmc import model.gguf -o model.mlir");
  app.add_subcommand("compile", "make a model.so: llmc compile model.gguf -o model.so");
}

int parseAndRun(int argc, char **argv) {
  RunOptions runOptions;
  LogitsOptions logitsOptions;
  TokenizeOptions tokenizeOptions;
  InspectOptions inspectOptions;
  CLI::App app("llmc: compiles language models and runs them", "llmc");
  app.set_version_flag("--version", std::string("llmc ") + llmc_version_string());
  app.require_subcommand(1);
  app.footer(
      "Example:\n  llmc compile model.gguf -o model.so && llmc run model.so --chat\n\n"
      "llmc COMMAND --help says more. A model.so is a program: run it only from where you would run one.\n"
      "LLMC_CPU=avx2|avx512 chooses among the CPU variants in a model.so.");
  addCompilerCommands(app);
  addRun(app, runOptions);
  addLogits(app, logitsOptions);
  addTokenize(app, tokenizeOptions);
  addInspect(app, inspectOptions);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success &success) { // --help, --version
    std::ostringstream out, err;
    int code = app.exit(success, out, err);
    print(out.str());
    flushOutput();
    return code;
  } catch (const CLI::ParseError &error) {
    if (argc == 1) {
      std::fputs(app.help().c_str(), stderr);
      return 2;
    }
    auto isFirst = [&](CLI::App *command) { return command->get_name() == argv[1]; };
    if (app.get_subcommands(isFirst).empty())
      throw UsageError(std::string(argv[1][0] == '-' ? "unknown option '" : "unknown command '") + argv[1] +
                       "'");
    throw UsageError(error.what());
  }
  std::string command = app.get_subcommands().front()->get_name();
  if (std::ranges::any_of(runOptions.stop, [](const std::string &stop) { return stop.empty(); }))
    throw UsageError("--stop: expected some text, but found none");
  if (command == "run")
    return run(runOptions);
  if (command == "logits")
    return logits(logitsOptions);
  if (command == "tokenize")
    return tokenize(tokenizeOptions);
  return inspect(inspectOptions);
}

} // namespace

int main(int argc, char **argv) {
  try {
    if (argc > 1 && (!std::strcmp(argv[1], "compile") || !std::strcmp(argv[1], "import")))
      return becomeCompiler(argc, argv);
    return parseAndRun(argc, argv);
  } catch (const Exit &exit) {
    return exit.code;
  } catch (const UsageError &error) {
    std::string_view command = argc > 1 ? argv[1] : "";
    bool known = command == "run" || command == "logits" || command == "tokenize" || command == "inspect";
    say(std::string(error.what()) + " (see llmc " + (known ? std::string(command) + " " : "") + "--help)");
    return 2;
  } catch (const Failure &failure) {
    say(failure.what());
  } catch (const std::bad_alloc &) {
    say("out of memory");
  } catch (const std::exception &error) {
    say(error.what());
  }
  return 1;
}
