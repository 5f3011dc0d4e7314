//===- OptionsRead.cpp - the options of commands that execute no model ----===//
#include "tools/llmc/Explore.h"
#include "tools/llmc/Manual.h"
#include "tools/llmc/Options.h"

namespace llmc::cli {

static void addTokenize(CLI::App &app, int &code) {
  auto declare = [](CLI::App *command, TokenizeOptions &options) {
    command
        ->add_option("MODEL", options.model,
                     "model.so or what it can be compiled from; only its tokenizer is read")
        ->required()
        ->type_name("FILE");
    command->add_option("-p,--prompt", options.prompt, "the text")->type_name("TEXT");
    command
        ->add_option("--file", options.file, "a file with the text, taken byte for byte; - is standard input")
        ->type_name("FILE");
    command->add_flag("--plain", options.plain, "special tokens in the text are ordinary text");
    command->add_flag("--add-special", options.addSpecial,
                      "add the tokens that the model starts and ends a text with");
    command->add_flag("--json", options.json, "print {\"tokens\":[1,2,3]}");
    command->footer("Example:\n  llmc tokenize model.so -p \"Hello, world\"");
  };
  addCommand<TokenizeOptions>(app, code, "tokenize", "turn text into token ids", declare, tokenize);
}

static void addInspect(CLI::App &app, int &code) {
  auto declare = [](CLI::App *command, InspectOptions &options) {
    command
        ->add_option("MODEL", options.model,
                     "model.so, a .gguf or .safetensors file, or a Hugging Face directory")
        ->required()
        ->type_name("FILE");
    command->add_flag("--verify", options.verify,
                      "of a compiled model read all weights too and compare their hash");
    command->add_flag("--json", options.json, "print one object");
    command->footer("Examples:\n  llmc inspect model.so\n  llmc inspect model.so --verify");
  };
  addCommand<InspectOptions>(app, code, "inspect", "say what a model file is, without executing it", declare,
                             inspect);
}

static void addCache(CLI::App &app, int &code) {
  auto declare = [](CLI::App *command, CacheOptions &options) {
    command->add_flag("--clear", options.clear, "remove everything in it that nobody uses just now");
    command->add_flag("--json", options.json, "print one object: folder, bytes, limit, models");
    command->footer("Examples:\n  llmc cache\n  llmc cache --clear");
  };
  addCommand<CacheOptions>(app, code, "cache", "list what llmc has compiled on the way to running it",
                           declare, cache);
}

static void addDevices(CLI::App &app, int &code) {
  auto declare = [](CLI::App *command, DevicesOptions &options) {
    command->add_flag("--json", options.json, "print {\"devices\":[\"cpu\",…]}");
    command->footer(
        "The CPU, the GPUs that NVIDIA's driver finds, and simt, which runs kernels of GPUs on the CPU, "
        "for tests.\n\nExample:\n  llmc devices");
  };
  addCommand<DevicesOptions>(app, code, "devices", "list what --device may name on this machine", declare,
                             devices);
}

static void addExplore(CLI::App &app, int &code) {
  auto declare = [](CLI::App *command, ExploreOptions &options) {
    command
        ->add_option("SOURCE", options.source,
                     "a folder that llmc compile --dump-ir has written, or a model.so, which shows less")
        ->required()
        ->type_name("DIR");
    command->add_option("-o,--output", options.output, "the page to write: one file, to open in a browser")
        ->required()
        ->type_name("FILE");
    command
        ->add_option("--profile", options.profile,
                     "a profile of the same model (llmc run --profile=FILE), for measured times")
        ->type_name("FILE");
    command->footer("Example:\n  llmc explore model.so -o report.html");
  };
  addCommand<ExploreOptions>(app, code, "explore",
                             "show passes, graph, kernels, roofline and memory as a page", declare, explore);
}

void addReadingCommands(CLI::App &app, int &code) {
  addTokenize(app, code);
  addInspect(app, code);
  addCache(app, code);
  addDevices(app, code);
  addExplore(app, code);
  struct Shell {
    std::string name;
  };
  auto declareCompletion = [](CLI::App *command, Shell &shell) {
    command->add_option("SHELL", shell.name, "the shell to complete commands in")
        ->required()
        ->type_name("NAME")
        ->check(oneOf(shellNames()));
    command->footer("Examples:\n"
                    "  llmc completion bash >~/.local/share/bash-completion/completions/llmc\n"
                    "  llmc completion zsh >\"${fpath[1]}/_llmc\"\n"
                    "  llmc completion fish >~/.config/fish/completions/llmc.fish");
  };
  addCommand<Shell>(app, code, "completion", "print a script that completes llmc's commands in a shell",
                    declareCompletion,
                    [&app](const Shell &shell) { return printCompletion(app, shell.name); });
  addCommand<Shell>(
      app, code, "man", "print the manual page",
      [](CLI::App *command, Shell &) { command->footer("Example:\n  llmc man | man -l -"); },
      [&app](const Shell &) { return printManual(app); });
}

} // namespace llmc::cli
