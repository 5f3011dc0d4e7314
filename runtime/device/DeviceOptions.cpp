#include "runtime/device/DeviceOptions.h"

#include "runtime/device/DeviceNames.h"

#include <algorithm>
#include <charconv>

namespace llmc {

template <typename Number> static bool readNumber(std::string_view text, Number &out) {
  auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && stop == text.data() + text.size();
}

static bool readSimtOption(std::string_view option, DeviceOptions &out) {
  const size_t equals = std::min(option.find('='), option.size());
  const std::string_view key = option.substr(0, equals),
                         value = option.substr(std::min(equals + 1, option.size()));
  if (key == "code" && !value.empty()) {
    out.code = value;
    return true;
  }
  if (key == "counts" && !value.empty()) {
    out.counts = value;
    out.needsChecks = true;
    return true;
  }
  if (key == "checks" &&
      (value == "bounds+races" || value == "bounds" || value == "races" || value == "none")) {
    out.checksBounds = value.starts_with("bounds");
    out.checksRaces = value.ends_with("races");
    out.needsChecks |= value != "none";
    return true;
  }
  return key == "seed" && readNumber(value, out.seed);
}

/// Where the first option ends: at a comma that another one follows, since names of files may have commas.
static size_t endOfOption(std::string_view options) {
  size_t at = options.find(',');
  for (; at != options.npos; at = options.find(',', at + 1))
    for (std::string_view next : {"code=", "seed=", "checks=", "counts="})
      if (options.substr(at + 1).starts_with(next))
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
    if (!readSimtOption(rest.substr(0, end), out))
      return "expected code=FILE, seed=N, checks=bounds|races|bounds+races|none or counts=FILE, by commas";
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return "";
}

} // namespace llmc
