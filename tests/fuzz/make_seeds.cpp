// Writes the seeds of the fuzz targets into a folder: a small model file, tokenizers as GGUF and compiled.
#include "frontend/formats/TokenizerBlob.h"
#include "tests/support/TinyVocabulary.h"

#include <cstdio>

using namespace llmc::test;
using namespace llmc::formats;

static bool write(const std::string &path, const std::string &bytes) {
  std::FILE *f = std::fopen(path.c_str(), "wb");
  if (!f)
    return false;
  bool ok = std::fwrite(bytes.data(), 1, bytes.size(), f) == bytes.size();
  return std::fclose(f) == 0 && ok;
}

int main(int argc, char **argv) {
  if (argc != 2)
    return 2;
  std::string folder = argv[1], blob, error;
  GgufWriter model;
  model.addString("general.architecture", "llama").add("n", uint32_t(1)).add("f", 1.0f).add("b", true);
  model.addStrings("s", {"a", "b"}).addNumbers("i", std::vector<int16_t>{1, 2});
  model.addTensor("t", {2, 32}, 3, std::string(40, 1)).addTensor("u", {4}, 0, std::string(16, 1));
  bool ok = write(folder + "/model", model.bytes());
  for (const char *pre : {"gpt-2", "llama-bpe", "qwen2"}) {
    TinyVocabulary v;
    v.pre = pre;
    std::string bytes = v.writeAll().bytes();
    auto f = GgufFile::parse({reinterpret_cast<const uint8_t *>(bytes.data()), bytes.size()}, pre, error);
    ok = ok && f && buildTokenizerBlob(*f, blob, error) && write(folder + "/" + pre, bytes) &&
         write(folder + "/" + pre + ".blob", blob);
  }
  return ok ? 0 : 1;
}
