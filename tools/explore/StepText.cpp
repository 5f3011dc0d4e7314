//===- StepText.cpp - the tables of a step program ------------------------===//
#include "tools/explore/StepText.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <stdexcept>

using namespace llmc::explore;
using Json = nlohmann::ordered_json;

namespace {
using Attributes = std::map<std::string, std::string, std::less<>>;

std::string_view trimLeft(std::string_view text) {
  size_t begin = text.find_first_not_of(' ');
  return begin == std::string_view::npos ? std::string_view() : text.substr(begin);
}

/// "@b0" => "b0"
std::string withoutSigil(std::string_view name) {
  return std::string(name.starts_with("@") ? name.substr(1) : name);
}

/// The symbol behind the op's name: "step.weight @w3 {" => "w3".
std::string symbolOf(std::string_view line) {
  size_t at = line.find('@');
  return at == std::string_view::npos
             ? ""
             : std::string(line.substr(at + 1, line.find_first_of(" ({[", at) - at - 1));
}

class ProgramReader {
public:
  ProgramReader(const Places &places, std::string file) : places(places), file(std::move(file)) {}

  void read(const std::vector<Line> &lines) {
    for (const Line &line : lines)
      readLine(trimLeft(line.text), line);
    for (DispatchRow &row : program.dispatches)
      for (const Program::Kernel &kernel : program.kernels)
        if (kernel.name == row.kernel && kernel.isLookup)
          row.weightBytes = 0;
  }
  Program program;

private:
  [[noreturn]] void fail(const std::string &words) const { throw std::runtime_error(file + ": " + words); }

  int64_t number(const Attributes &attributes, const char *key, int64_t otherwise = 0) const {
    auto entry = attributes.find(key);
    if (entry == attributes.end())
      return otherwise;
    int64_t value = 0;
    std::string_view text = entry->second;
    text = text.substr(0, text.find(' ')); // "64 : i64"
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value < 0)
      fail(std::string("expected '") + key + "' to be a whole number but got '" + entry->second + "'");
    return value;
  }
  static std::string word(const Attributes &attributes, const char *key) {
    auto entry = attributes.find(key);
    return entry == attributes.end() ? "" : entry->second;
  }

  void readLine(std::string_view text, const Line &line) {
    const bool isWeight = text.starts_with("step.weight ");
    if (text.starts_with("step.program ")) {
      readHead(text);
    } else if (isWeight || text.starts_with("step.constant ")) {
      const Attributes attributes = attributesOf(text);
      weights[symbolOf(text)] = static_cast<int64_t>(program.weights.size());
      WeightRow &row = program.weights.emplace_back();
      row.id = symbolOf(text);
      row.scheme = isWeight ? word(attributes, "scheme") : "constant";
      row.offset = number(attributes, "offset");
      row.bytes = isWeight ? number(attributes, "bytes") : readConstant(attributes, row);
    } else if (text.starts_with("step.buffer ")) {
      const Attributes attributes = attributesOf(text);
      buffers[symbolOf(text)] = static_cast<int64_t>(program.buffers.size());
      program.buffers.push_back(
          {symbolOf(text), word(attributes, "rows"), "", number(attributes, "row_bytes")});
    } else if (text.starts_with("step.cache ")) {
      const Attributes attributes = attributesOf(text);
      const std::string of = word(attributes, "of");
      caches[symbolOf(text)] = static_cast<int64_t>(program.caches.size());
      program.caches.push_back(
          {of.empty() ? symbolOf(text) : of, word(attributes, "type"), number(attributes, "layers"),
           number(attributes, "heads"), number(attributes, "dim_k"), number(attributes, "dim_v"),
           std::max<int64_t>(1, number(attributes, "page_tokens", 1)), number(attributes, "page_bytes")});
    } else if (text.starts_with("step.kernel ")) {
      program.kernels.push_back({symbolOf(text), "", false});
      isInKernel = true;
    } else if (text.starts_with("step.dispatch ")) {
      readDispatch(text, line);
    } else {
      readBody(text);
    }
  }

  void readHead(std::string_view text) {
    const Attributes attributes = attributesOf(text);
    program.model["name"] = symbolOf(text);
    for (const char *key : {"vocab", "context", "layers", "hidden", "heads", "kv_heads", "parameters"})
      program.model[key] = number(attributes, key);
    if (attributes.contains("family"))
      program.model["family"] = word(attributes, "family");
  }

  static int64_t readConstant(const Attributes &attributes, WeightRow &row) {
    const std::string values = word(attributes, "values");
    row.name = "constant @" + row.id;
    row.shape = {values.size() < 3 ? 0 : 1 + std::count(values.begin(), values.end(), ',')};
    return row.shape[0] * static_cast<int64_t>(sizeof(float));
  }

  /// Lines inside of a weight or a kernel.
  void readBody(std::string_view text) {
    if (isInKernel && program.kernels.back().op.empty() && text.find("lm.") != std::string_view::npos) {
      program.kernels.back().op = text;
      std::string_view op = text.substr(text.find("lm."));
      program.kernels.back().isLookup = op.starts_with("lm.embed ") || op.starts_with("lm.position_embed ");
      isInKernel = false;
      return;
    }
    if (program.weights.empty() || !program.kernels.empty())
      return;
    WeightRow &row = program.weights.back();
    size_t reference = text.find("lm.weight \"");
    if (reference != std::string_view::npos) {
      std::string_view name = text.substr(reference + 11);
      row.name += (row.name.empty() ? "" : " ") + std::string(name.substr(0, name.find('"')));
    }
    size_t shape = text.find("!lm.weight<");
    if (text.starts_with("step.return") && shape != std::string_view::npos) {
      const char *at = text.data() + shape + 11, *end = text.data() + text.size();
      for (int64_t size = 0; at < end; ++at) {
        auto [next, error] = std::from_chars(at, end, size);
        if (error != std::errc())
          break;
        row.shape.push_back(size);
        at = next;
        if (at == end || *at != 'x')
          break;
      }
    }
  }

  void readDispatch(std::string_view text, const Line &line) {
    const std::string number_ = std::to_string(program.dispatches.size());
    DispatchRow row;
    row.kernel = symbolOf(text);
    if (std::none_of(program.kernels.begin(), program.kernels.end(),
                     [&](const Program::Kernel &kernel) { return kernel.name == row.kernel; }))
      fail("dispatch " + number_ + " names the kernel @" + row.kernel + ", which is not declared");
    size_t open = text.find('['), close = open == std::string_view::npos ? open : endOfBrackets(text, open);
    if (close == std::string_view::npos)
      fail("dispatch " + number_ + " has no arguments");
    const Attributes attributes = attributesOf(text, close);
    row.rows = word(attributes, "rows");
    row.layer = attributes.contains("layer") ? number(attributes, "layer") : -1;
    row.hasBarrier = attributes.contains("barrier");
    if (const std::string storage = withoutSigil(word(attributes, "storage")); !storage.empty()) {
      auto cache = caches.find(storage);
      if (cache == caches.end())
        fail("dispatch " + number_ + " names the cache @" + storage + ", which is not declared");
      row.cache = cache->second;
    }
    row.from = places.all()[line.places];
    const std::string output = withoutSigil(word(attributes, "output"));
    // Arguments are what is read, then the results, of which the first is `output`, then scratch.
    bool isWritten = false;
    for (std::string_view list = text.substr(open + 1, close - open - 2); !list.empty();) {
      size_t comma = list.find(',');
      std::string_view argument = trimLeft(list.substr(0, comma));
      list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
      if (!argument.starts_with("@"))
        continue;
      const std::string name = withoutSigil(argument);
      isWritten |= name == output;
      if (auto buffer = buffers.find(name); buffer != buffers.end()) {
        (isWritten ? row.writes : row.reads).push_back(buffer->second);
        row.rowBytes += program.buffers[buffer->second].rowBytes;
      } else if (auto weight = weights.find(name); weight != weights.end()) {
        row.weights.push_back(weight->second);
        row.weightBytes += program.weights[weight->second].bytes;
      } else {
        fail("dispatch " + number_ + " names @" + name + ", which is not declared");
      }
    }
    program.dispatches.push_back(std::move(row));
  }

  const Places &places;
  const std::string file;
  std::map<std::string, int64_t, std::less<>> weights, buffers, caches;
  bool isInKernel = false;
};
} // namespace

Program llmc::explore::readProgram(const std::vector<Line> &lines, const Places &places,
                                   const std::string &file) {
  ProgramReader reader(places, file);
  reader.read(lines);
  return std::move(reader.program);
}

Json Program::json() const {
  Json json{{"weights", Json::array()},
            {"buffers", Json::array()},
            {"caches", Json::array()},
            {"dispatches", Json::array()}};
  for (const WeightRow &row : weights)
    json["weights"].push_back({{"id", row.id},
                               {"name", row.name},
                               {"scheme", row.scheme},
                               {"shape", row.shape},
                               {"bytes", row.bytes},
                               {"offset", row.offset}});
  for (const BufferRow &row : buffers)
    json["buffers"].push_back(
        {{"id", row.id}, {"rows", row.rows}, {"value", row.value}, {"row_bytes", row.rowBytes}});
  for (const CacheRow &row : caches)
    json["caches"].push_back({{"name", row.name},
                              {"type", row.type},
                              {"layers", row.layers},
                              {"heads", row.heads},
                              {"dim_k", row.dimK},
                              {"dim_v", row.dimV},
                              {"page_tokens", row.pageTokens},
                              {"page_bytes", row.pageBytes}});
  for (const DispatchRow &row : dispatches)
    json["dispatches"].push_back({{"kernel", row.kernel},
                                  {"layer", row.layer},
                                  {"rows", row.rows},
                                  {"barrier", row.hasBarrier},
                                  {"cache", row.cache},
                                  {"from", row.from},
                                  {"reads", row.reads},
                                  {"writes", row.writes},
                                  {"weights", row.weights},
                                  {"weight_bytes", row.weightBytes},
                                  {"row_bytes", row.rowBytes},
                                  {"key_bytes", row.keyBytes},
                                  {"flops_per_row", row.flopsPerRow},
                                  {"flops_per_key", row.flopsPerKey}});
  return json;
}
