//===- OptionsMeasure.cpp - the options of commands that look at a model --===//
#include "tools/llmc/Options.h"

namespace llmc::cli {

static void addLogits(CLI::App &app, int &code) {
  auto declare = [](CLI::App *command, LogitsOptions &options) {
    addModelOptions(command, options);
    command->add_option("--tokens", options.tokens, "token ids: 1,2,3")->required()->type_name("IDS");
    command->add_flag("--all", options.all, "after every token, not only the last");
    command->add_flag("--json", options.json, "all logits, in the shortest digits that read back exactly");
    addTraceOptions(command, options);
    command->footer("Example:\n  llmc logits model.so --tokens 1,2,3 --all --json");
  };
  addCommand<LogitsOptions>(app, code, "logits", "print what the model predicts after given tokens", declare,
                            logits);
}

static void addEmbed(CLI::App &app, int &code) {
  auto declare = [](CLI::App *command, EmbedOptions &options) {
    addModelOptions(command, options);
    addInputOptions(command, options, "the text");
    command->add_option("--pooling", options.pooling, "which hidden rows make the vector (default: last)")
        ->type_name("NAME")
        ->check(oneOf({"last", "mean", "first"}));
    command->add_flag("--all", options.all, "the hidden row of every token instead of one vector")
        ->excludes("--pooling");
    command->add_flag("--json", options.json, "print {\"embedding\":[…]}; with --all {\"rows\":[…]}");
    command->footer("Example:\n  llmc embed model.so -p \"Hello, world\" --pooling mean --json");
  };
  addCommand<EmbedOptions>(app, code, "embed", "turn text into a vector", declare, embed);
}

static void addPerplexity(CLI::App &app, int &code) {
  auto declare = [](CLI::App *command, PerplexityOptions &options) {
    addModelOptions(command, options);
    command->add_option("--file", options.file, "the text, taken as it is; - is standard input")
        ->type_name("FILE");
    command
        ->add_option(
            "--tokens-file", options.tokensFile,
            "token ids instead of text: 1,2,3, or what llmc tokenize --json prints; - is standard input")
        ->type_name("FILE");
    command
        ->add_option(
            "--stride", options.stride,
            "a new window of --ctx tokens starts every N tokens and scores those that none before it "
            "did (default: --ctx)")
        ->type_name("N")
        ->transform(whole(1, INT32_MAX));
    command
        ->add_option("--skip", options.skip,
                     "the first N tokens of every window are context only and are not scored (default: 0)")
        ->type_name("N")
        ->transform(whole(0, INT32_MAX));
    command
        ->add_option("--save-logits", options.saveLogits,
                     "write the logits of all scored tokens to a file (4 bytes x vocabulary each)")
        ->type_name("FILE");
    command
        ->add_option(
            "--kl", options.kl,
            "also compare with the logits that --save-logits wrote, of another build of the model: mean "
            "KL(saved || this)")
        ->type_name("FILE");
    command->add_flag("--json", options.json,
                      "print {\"nll\":[one a scored token],\"perplexity\":…,\"kl\":…}");
    command->footer("Without --ctx the whole text is one window; beyond 32768 tokens (or what the model is "
                    "made for), windows of\n"
                    "the length it is made for follow each other. Where the model starts a text with a token "
                    "of its own, that\n"
                    "token also takes the first place of every later window.\n\n"
                    "Examples:\n"
                    "  llmc perplexity model.so --file text.txt --save-logits base.logits\n"
                    "  llmc perplexity model.so --file text.txt --kl base.logits\n"
                    "  llmc perplexity model.so --file text.txt --ctx 32 --stride 16");
  };
  addCommand<PerplexityOptions>(app, code, "perplexity",
                                "how well the model predicts a text, and how far from another", declare,
                                perplexity);
}

static void addBench(CLI::App &app, int &code) {
  auto declare = [](CLI::App *command, BenchOptions &options) {
    addModelOptions(command, options);
    command
        ->add_option("-p,--prompt", options.prompt,
                     "tokens of the prompt to evaluate; 0: none (default: 512)")
        ->type_name("N")
        ->transform(whole(0, INT32_MAX));
    command->add_option("-n,--n", options.n, "tokens to generate one by one; 0: none (default: 64)")
        ->type_name("N")
        ->transform(whole(0, INT32_MAX));
    command->add_option("-d,--depth", options.depth, "tokens that the cache holds before (default: 0)")
        ->type_name("N")
        ->transform(whole(0, INT32_MAX));
    command->add_option("--parallel", options.parallel, "sequences evaluated together (default: 1)")
        ->type_name("N")
        ->transform(whole(1, 4096));
    command->add_option("-r,--repetitions", options.repetitions, "measurements of each kind (default: 5)")
        ->type_name("N")
        ->transform(whole(1, 10000));
    addProfileOptions(command, options);
    command->add_flag("--json", options.json, "print {\"results\":[…]} with every measurement");
    command->footer("Example:\n  llmc bench model.so -p 64 -n 16 -r 3");
  };
  addCommand<BenchOptions>(app, code, "bench", "measure speed, and how much of this machine it uses", declare,
                           bench);
}

static void addPlan(CLI::App &app, int &code) {
  auto declare = [](CLI::App *command, PlanOptions &options) {
    addModelOptions(command, options);
    command->add_option("--seqs", options.seqs, "sequences at a time (default: 1)")
        ->type_name("N")
        ->transform(whole(1, 1u << 16));
    command->add_flag("--json", options.json,
                      "print one object: device, weights, kv, workspace, total, pinned, host");
    command->footer("Example:\n  llmc plan model.so --ctx 4096 --seqs 8");
  };
  addCommand<PlanOptions>(app, code, "plan", "how much memory a session takes at most", declare, plan);
}

void addMeasuringCommands(CLI::App &app, int &code) {
  addLogits(app, code);
  addEmbed(app, code);
  addPerplexity(app, code);
  addBench(app, code);
  addPlan(app, code);
}

} // namespace llmc::cli
