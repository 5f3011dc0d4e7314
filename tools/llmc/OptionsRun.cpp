//===- OptionsRun.cpp - llmc run's options --------------------------------===//
#include "tools/llmc/Options.h"

namespace llmc::cli {

static void addSamplingOptions(CLI::App *command, RunOptions &options) {
  command
      ->add_option(
          "--temp", options.temperature,
          "temperature; 0 takes the likeliest token, whatever else is said about choosing (default: 0)")
      ->type_name("T")
      ->check(real(0, 1e6f));
  command->add_option("--top-k", options.topK, "choose among the k likeliest tokens; 0: all (default: 0)")
      ->type_name("K")
      ->transform(whole(0, INT32_MAX));
  command
      ->add_option("--top-p", options.topP,
                   "choose among the likeliest tokens of this total probability; 1: all (default: 1)")
      ->type_name("P")
      ->check(real(0, 1));
  command
      ->add_option("--min-p", options.minP,
                   "choose among tokens at least this part as likely as the likeliest; 0: all (default: 0)")
      ->type_name("P")
      ->check(real(0, 1));
  command
      ->add_option("--typical-p", options.typicalP,
                   "choose among the tokens of this total probability whose surprise is nearest to the "
                   "expected one; 1: all (default: 1)")
      ->type_name("P")
      ->check(real(0, 1));
  command
      ->add_option("--repeat-penalty", options.repeatPenalty,
                   "divides positive logits of tokens seen before and multiplies negative ones (default: 1)")
      ->type_name("X")
      ->check(real(1e-3f, 1e3f));
  command
      ->add_option("--presence-penalty", options.presencePenalty,
                   "taken from the logits of tokens seen before (default: 0)")
      ->type_name("X")
      ->check(real(-1e3f, 1e3f));
  command
      ->add_option("--frequency-penalty", options.frequencyPenalty,
                   "taken from the logits of tokens seen before, once for each time (default: 0)")
      ->type_name("X")
      ->check(real(-1e3f, 1e3f));
  command
      ->add_option("--penalty-last-n", options.penaltyLastN,
                   "the penalties look at the last n tokens; 0: none (default: 64)")
      ->type_name("N")
      ->transform(whole(0, INT32_MAX));
  command->add_option("--seed", options.seed, "the same seed gives the same text (default: 0)")
      ->type_name("N")
      ->transform(whole(0, UINT64_MAX));
}

void addRunCommand(CLI::App &app, int &code) {
  auto declare = [](CLI::App *command, RunOptions &options) {
    addModelOptions(command, options);
    addInputOptions(command, options, "text to continue; with --chat the question");
    command->add_flag("--chat", options.chat,
                      "use the model's chat format: a conversation on the terminal, or with -p one answer");
    command
        ->add_option("--system", options.system,
                     "with --chat: what the model is told before the conversation")
        ->type_name("TEXT");
    command
        ->add_option("-n,--n", options.n,
                     "most tokens to generate (default: until the model ends or the context is full)")
        ->type_name("N")
        ->transform(whole(1, INT32_MAX));
    addSamplingOptions(command, options);
    command->add_flag("--ignore-eos", options.ignoreEos, "go on after an end-of-text token");
    command->add_option("--stop", options.stop, "end before this text; may be given several times")
        ->type_name("TEXT")
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    command
        ->add_option(
            "--session", options.session,
            "keep the cache in this file, and with --chat the conversation: what it holds of the prompt is "
            "not evaluated again; made if it is not there, else replaced at the end")
        ->type_name("FILE");
    command
        ->add_option(
            "--ctx-policy", options.ctxPolicy,
            "when the context is full: error ends the text; window forgets the older half of it, but not "
            "what the system said, and evaluates the rest again; shift, which would move the rest without "
            "that, is not in this llmc yet (default: error)")
        ->type_name("WORD")
        ->check(oneOf({"error", "window", "shift"}));
    addTraceOptions(command, options);
    addProfileOptions(command, options);
    command->add_flag("--json", options.json, "print one object: tokens, text, prompt_tokens, stop, timings");
    command->footer("Examples:\n"
                    "  llmc run model.so -p \"Once upon a time\" -n 100 --temp 0.8 --seed 1\n"
                    "  llmc run model.so --chat\n"
                    "  llmc run model.so --chat -p \"Why is the sky blue?\" -n 100");
  };
  addCommand<RunOptions>(app, code, "run", "generate text", declare, run);
}

} // namespace llmc::cli
