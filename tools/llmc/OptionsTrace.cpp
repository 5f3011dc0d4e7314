//===- OptionsTrace.cpp - the options of traces and profiles --------------===//
#include "tools/llmc/Options.h"

#include <fmt/format.h>
#include <regex>

namespace llmc::cli {

void addTraceOptions(CLI::App *command, TraceOptions &options) {
  auto isRegex = [](std::string &text) -> std::string {
    try {
      std::regex tried(text);
      return "";
    } catch (const std::regex_error &) {
      return fmt::format("expected a regular expression, but found '{}'", text);
    }
  };
  auto *trace = command
                    ->add_option("--trace", options.trace,
                                 "write what every dispatch computes: a folder with trace.json (statistics)")
                    ->type_name("DIR");
  command
      ->add_flag("--trace-values{.}", options.traceValues,
                 "also the values themselves, as .npy files; =REGEX: only of those whose layer and name it "
                 "matches somewhere (3.h_attn, logits)")
      ->check(CLI::Validator(isRegex, ""))
      ->needs(trace);
  command
      ->add_option("--trace-limit", options.traceLimit,
                   "most bytes that a trace may take (default: 4294967296)")
      ->type_name("BYTES")
      ->transform(whole(1, UINT64_MAX / 2))
      ->needs(trace);
}

void addProfileOptions(CLI::App *command, ProfileOptions &options) {
  command->add_flag("--profile{-}", options.profile,
                    "print on stderr where the time of each step goes, by kernel, against what this machine "
                    "can do; =FILE: also every dispatch, as JSON");
  command
      ->add_option("--profile-trace", options.profileTrace,
                   "write when each worker ran each dispatch, for Perfetto (ui.perfetto.dev)")
      ->type_name("FILE");
  command->add_flag("--remeasure", options.remeasure,
                    "measure for the profile what this machine can do, instead of taking what was measured "
                    "before");
}

void addCompareTraceCommand(CLI::App &app, int &code) {
  auto declare = [](CLI::App *command, CompareTraceOptions &options) {
    command->add_option("A", options.first, "a folder that --trace wrote")->required()->type_name("DIR");
    command->add_option("B", options.second, "the one to hold against it")->required()->type_name("DIR");
    command
        ->add_option("--tolerance", options.tolerance,
                     "largest difference that counts as equal, in standard deviations of a value in A "
                     "(default: 0.01; the same sums in another order stay below 0.001, int8 activations "
                     "above 0.1)")
        ->type_name("X")
        ->check(real(0, 1e6f));
    command->add_flag("--json", options.json, "print one object with every value");
    command->footer("Values are the same if layer and name are, and rows if sequence and position are, "
                    "however steps were\n"
                    "cut. Exit code 1: something is beyond the tolerance.\n\n"
                    "Example:\n"
                    "  llmc compare-trace a b --tolerance 0.001");
  };
  addCommand<CompareTraceOptions>(app, code, "compare-trace",
                                  "where two traces of a model differ, layer by layer", declare,
                                  compareTrace);
}

} // namespace llmc::cli
