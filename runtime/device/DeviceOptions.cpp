#include "runtime/device/DeviceOptions.h"

#include "runtime/device/DeviceNames.h"

#include <algorithm>
#include <charconv>
#include <iterator>

namespace llmc {

template <typename Number> static bool readNumber(std::string_view text, Number &out) {
  auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && stop == text.data() + text.size();
}

namespace {
struct SimtOption {
  std::string_view key; // with its '='
  bool (*read)(std::string_view value, DeviceOptions &out);
};
} // namespace

static constexpr SimtOption simtOptions[] = {
    {"code=",
     [](std::string_view value, DeviceOptions &out) {
       out.code = value;
       return !value.empty();
     }},
    {"counts=",
     [](std::string_view value, DeviceOptions &out) {
       out.counts = value;
       out.needsChecks = true;
       return !value.empty();
     }},
    {"checks=",
     [](std::string_view value, DeviceOptions &out) {
       out.checksBounds = value.starts_with("bounds");
       out.checksRaces = value.ends_with("races");
       out.needsChecks |= value != "none";
       return value == "bounds+races" || value == "bounds" || value == "races" || value == "none";
     }},
    {"seed=", [](std::string_view value, DeviceOptions &out) { return readNumber(value, out.seed); }},
};

/// The option that the text begins with, or null.
static const SimtOption *simtOptionOf(std::string_view text) {
  const auto *found = std::find_if(std::begin(simtOptions), std::end(simtOptions),
                                   [&](const SimtOption &option) { return text.starts_with(option.key); });
  return found == std::end(simtOptions) ? nullptr : found;
}

/// Where the first option ends: at a comma that another one follows, since names of files may have commas.
static size_t endOfOption(std::string_view options) {
  for (size_t at = options.find(','); at != options.npos; at = options.find(',', at + 1))
    if (simtOptionOf(options.substr(at + 1)))
      return at;
  return options.size();
}

std::string readDeviceOptions(std::string_view name, DeviceOptions &out) {
  const std::string_view word = deviceWord(name);
  std::string_view rest = name.substr(std::min(word.size() + 1, name.size()));
  if (word == cudaDevice)
    return rest.empty() || (readNumber(rest, out.ordinal) && out.ordinal >= 0)
               ? ""
               : "expected a number behind the colon";
  if (word != simtDevice)
    return rest.empty() ? "" : "expected nothing behind '" + std::string(word) + "'";
  while (!rest.empty()) {
    const size_t end = endOfOption(rest);
    const SimtOption *option = simtOptionOf(rest);
    if (!option || !option->read(rest.substr(option->key.size(), end - option->key.size()), out))
      return "expected code=FILE, seed=N, checks=bounds|races|bounds+races|none or counts=FILE, by commas";
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return "";
}

} // namespace llmc
