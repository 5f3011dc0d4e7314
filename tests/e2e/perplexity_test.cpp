//===- perplexity_test.cpp - llmc perplexity against its reference --------===//
//
// The command's numbers for the demo model are those of the float32 reference (smollm2.ref), token by token;
// saved logits compared with the model itself give a divergence of 0, and with another build of it one above
// 0.
//
//   perplexity_test LLMC MODEL.so OTHER.so REFERENCE.ref FOLDER
//
//===----------------------------------------------------------------------===//
#include "Smollm2Reference.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

using namespace llmc::e2e;

static std::string output(const std::string &command) {
  FILE *pipe = popen(command.c_str(), "r");
  if (!pipe)
    die("%s: cannot be started", command.c_str());
  std::string text;
  char buffer[65536];
  while (size_t n = fread(buffer, 1, sizeof buffer, pipe))
    text.append(buffer, n);
  if (int status = pclose(pipe))
    die("%s: exit status %d", command.c_str(), status);
  return text;
}

static double number(const std::string &json, const std::string &key) {
  size_t at = json.find("\"" + key + "\":");
  if (at == std::string::npos)
    die("no %s in %s", key.c_str(), json.substr(0, 100).c_str());
  return std::atof(json.c_str() + at + key.size() + 3);
}

static std::vector<double> list(const std::string &json, const std::string &key) {
  size_t at = json.find("\"" + key + "\":[");
  if (at == std::string::npos)
    die("no %s in %s", key.c_str(), json.substr(0, 100).c_str());
  std::vector<double> values;
  const char *text = json.c_str() + at + key.size() + 4;
  while (*text != ']') {
    char *end;
    values.push_back(std::strtod(text, &end));
    if (end == text)
      die("%s: no number at '%.20s'", key.c_str(), text);
    text = *end == ',' ? end + 1 : end;
  }
  return values;
}

int main(int argc, char **argv) {
  if (argc != 6)
    die("usage: perplexity_test LLMC MODEL.so OTHER.so REFERENCE.ref FOLDER");
  const std::string llmc = argv[1], model = argv[2], other = argv[3], folder = argv[5];
  Smollm2Reference reference = readSmollm2Reference(argv[4]);
  std::filesystem::create_directories(folder);
  // 256 tokens are enough to tell, and their saved logits are 50 MB.
  const size_t count = std::min<size_t>(reference.textTokens.size(), 256);
  std::string ids;
  for (size_t i = 0; i < count; ++i)
    ids += std::to_string(reference.textTokens[i]) + "\n";
  std::ofstream(folder + "/tokens") << ids;
  std::string saved = folder + "/saved.logits", options = " --tokens-file " + folder + "/tokens --json";

  std::string json = output(llmc + " perplexity " + model + options + " --save-logits " + saved);
  std::vector<double> nll = list(json, "nll");
  if (nll.size() != count - 1)
    die("%zu tokens were scored, expected %zu", nll.size(), count - 1);
  double worst = 0, sum = 0;
  for (size_t i = 0; i < nll.size(); ++i) {
    worst = std::max(worst, std::abs(nll[i] - double(reference.nll[i])));
    sum += double(reference.nll[i]);
  }
  double want = std::exp(sum / double(nll.size())), got = number(json, "perplexity");
  // Logits are within 2e-3 of a standard deviation of about 3, and each nll is a difference of two.
  bool good = worst < 1e-2 && std::abs(got / want - 1) < 1e-3;
  std::printf("perplexity %.6f, reference %.6f; largest difference of a token %.2g\n", got, want, worst);

  json = output(llmc + " perplexity " + model + options + " --kl " + saved);
  std::printf("KL of the model to itself %g, same likeliest token %g\n", number(json, "kl"),
              number(json, "same_top"));
  good = good && number(json, "kl") == 0 && number(json, "kl_max") == 0 && number(json, "same_top") == 1;
  json = output(llmc + " perplexity " + other + options + " --kl " + saved);
  std::printf("KL to the other build %g, same likeliest token %g\n", number(json, "kl"),
              number(json, "same_top"));
  good = good && number(json, "kl") > 0 && number(json, "kl") < 0.1 && number(json, "same_top") > 0.8;
  std::filesystem::remove(saved);
  return good ? 0 : 1;
}
