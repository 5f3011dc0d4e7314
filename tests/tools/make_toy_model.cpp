// make_toy_model OUT.so OUT.gguf: the toy model of the runtime tests with a tokenizer, and the GGUF file that
// the tokenizer came from (it has no tensors). 64 tokens: three special ones, letters, some punctuation, one
// merge.
#include "frontend/formats/TokenizerBlob.h"
#include "tests/runtime/FakeModel.h"
#include "tests/support/GgufWriter.h"

#include <cstdio>
#include <fstream>

static std::string gguf() {
  std::vector<std::string> tokens = {"<|endoftext|>", "<|im_start|>", "<|im_end|>", "he"};
  std::vector<int32_t> types = {3, 3, 3};
  for (const char *symbol : {"Ġ", "Ċ", ".", ",", "?"}) // the byte alphabet's space and line end
    tokens.push_back(symbol);
  for (char letter = 'a'; letter <= 'z'; ++letter)
    tokens.push_back(std::string(1, letter));
  for (char letter = 'A'; letter <= 'Z'; ++letter)
    tokens.push_back(std::string(1, letter));
  for (int i = 0; int(tokens.size()) < fake::vocab; ++i)
    tokens.push_back(std::to_string(i));
  types.resize(tokens.size(), 1);
  llmc::test::GgufWriter writer;
  writer.addString("general.architecture", "toy")
      .addString("tokenizer.ggml.model", "gpt2")
      .addString("tokenizer.ggml.pre", "gpt-2")
      .addStrings("tokenizer.ggml.tokens", tokens)
      .addNumbers("tokenizer.ggml.token_type", types)
      .addStrings("tokenizer.ggml.merges", {"h e"})
      .add("tokenizer.ggml.bos_token_id", uint32_t(1))
      .add("tokenizer.ggml.eos_token_id", uint32_t(2))
      .addString(
          "tokenizer.chat_template",
          "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>\\n' }}"
          "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}");
  return writer.bytes();
}

int main(int argc, char **argv) {
  if (argc != 3)
    return 2;
  std::string source = gguf(), blob, error;
  auto file = llmc::formats::GgufFile::parse(
      {reinterpret_cast<const uint8_t *>(source.data()), source.size()}, "toy.gguf", error);
  if (!file || !llmc::formats::buildTokenizerBlob(*file, blob, error)) {
    std::fprintf(stderr, "%s\n", error.c_str());
    return 1;
  }
  fake::ModelFile model;
  fake::Bytes bare = model.finish();
  std::ofstream(argv[1] + std::string(".bare"), std::ios::binary)
      .write(reinterpret_cast<const char *>(bare.data()), bare.size()); // without tokenizer
  model.tokenizer.assign(blob.begin(), blob.end());
  fake::Bytes bytes = model.finish();
  std::ofstream(argv[1], std::ios::binary).write(reinterpret_cast<const char *>(bytes.data()), bytes.size());
  std::ofstream(argv[2], std::ios::binary) << source;
  return 0;
}
