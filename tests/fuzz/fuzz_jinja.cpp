// Fuzzes the chat template interpreter: a template and a message list, separated by a NUL byte.
// Low limits keep each run short; anything but a clean result or an error sentence is a bug.
#include "ChatTemplate.h"
#include "jinja/Value.h"

#include <cstdlib>
#include <cstring>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const std::string_view all(reinterpret_cast<const char *>(data), size);
  const size_t cut = all.find('\0');
  const std::string_view source = all.substr(0, cut);
  const std::string messages =
      cut == std::string_view::npos
          ? R"([{"role":"system","content":"be brief"},{"role":"user","content":"h\u00e9llo"},)"
            R"({"role":"assistant","content":[{"type":"text","text":"x"}],"n":1.5}])"
          : std::string(all.substr(cut + 1));
  llmc::jinja::Limits limits;
  limits.maxSteps = 50'000;
  limits.maxOutputBytes = 1 << 18;
  limits.maxMemoryBytes = 1 << 22;
  std::string error;
  const auto chat = llmc::ChatTemplate::parse(source, limits, error);
  if (!chat) {
    if (error.empty())
      abort();
    return 0;
  }
  std::vector<llmc::ChatSegment> out;
  const bool ok =
      chat->render(messages.data(), messages.size(), R"({"tools":[{"name":"f","parameters":{}}]})", true,
                   "<s>", "</s>", out, error);
  if (ok == !error.empty())
    abort();
  size_t total = 0;
  for (const auto &segment : out)
    total += segment.text.size();
  if (total > limits.maxOutputBytes)
    abort();
  return 0;
}
