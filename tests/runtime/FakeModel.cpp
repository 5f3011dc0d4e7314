#include "FakeModel.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <atomic>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <random>
#include <unistd.h>

namespace fake {

ModelFile::ModelFile(const char *kind) {
  std::ifstream in(std::string(LLMC_FAKE_DIR "/") + kind + ".so", std::ios::binary);
  elf.assign(std::istreambuf_iterator<char>(in), {});
  EXPECT_FALSE(elf.empty()) << kind;
  weights.resize(layers * 8);
  for (size_t i = 0; i < weights.size(); ++i)
    weights[i] = uint8_t(i * 37 + 11);
}

Bytes ModelFile::finish(llmc_footer *footerOut) const {
  Bytes file = elf;
  auto append = [&](const auto &part, size_t alignment) {
    file.resize((file.size() + alignment - 1) / alignment * alignment);
    uint64_t offset = file.size();
    file.insert(file.end(), part.begin(), part.end());
    return offset;
  };
  llmc_footer footer = {};
  memcpy(footer.magic, LLMC_FOOTER_MAGIC, sizeof(footer.magic));
  footer.abi = LLMC_MODULE_ABI;
  footer.footer_size = sizeof(footer);
  footer.elf_size = elf.size();
  footer.manifest_offset = append(manifest, 8);
  footer.manifest_size = manifest.size();
  footer.tokenizer_offset = append(tokenizer, 8);
  footer.tokenizer_size = tokenizer.size();
  footer.weights_offset = append(weights, LLMC_MODULE_ALIGN);
  footer.weights_size = weights.size();
  footer.weights_hash = XXH3_64bits(weights.data(), weights.size());
  footer.file_size = file.size() + sizeof(footer);
  file.resize(footer.file_size);
  setFooter(file, footer);
  repairHashes(file, true);
  if (footerOut)
    *footerOut = footerOf(file);
  return file;
}

llmc_footer footerOf(const Bytes &file) {
  llmc_footer footer;
  memcpy(&footer, file.data() + file.size() - sizeof(footer), sizeof(footer));
  return footer;
}

void setFooter(Bytes &file, const llmc_footer &footer) {
  memcpy(file.data() + file.size() - sizeof(footer), &footer, sizeof(footer));
}

void repairHashes(Bytes &file, bool head) {
  llmc_footer footer = footerOf(file);
  if (head)
    footer.head_hash = XXH3_64bits(file.data(), footer.weights_offset);
  footer.footer_hash = XXH3_64bits(&footer, offsetof(llmc_footer, footer_hash));
  setFooter(file, footer);
}

TempFile::TempFile(const Bytes &bytes) {
  static std::atomic<int> counter{0};
  name = testing::TempDir() + "/llmc-" + std::to_string(getpid()) + "-" + std::to_string(counter++) + ".so";
  std::ofstream out(name, std::ios::binary);
  out.write(reinterpret_cast<const char *>(bytes.data()), std::streamsize(bytes.size()));
}

TempFile::~TempFile() { unlink(name.c_str()); }

Model load(const char *path, uint32_t threads) {
  llmc_model_params params;
  llmc_model_params_init(&params, sizeof(params));
  params.n_threads = threads;
  llmc_model *model = nullptr;
  EXPECT_OK(llmc_model_load(path, &params, &model));
  return Model(model);
}

Model load(uint32_t threads, const char *kind) {
  TempFile file(ModelFile(kind).finish());
  return load(file.path(), threads);
}

Session session(llmc_model *model, const std::function<void(llmc_session_params &)> &edit) {
  llmc_session_params params;
  llmc_session_params_init(&params, sizeof(params));
  if (edit)
    edit(params);
  llmc_session *session = nullptr;
  EXPECT_OK(llmc_session_new(model, &params, &session));
  return Session(session);
}

llmc_seq sequence(llmc_session *session) {
  llmc_seq seq = -1;
  EXPECT_OK(llmc_seq_new(session, &seq));
  return seq;
}

Batch batch(uint32_t capacity) {
  llmc_batch *batch = nullptr;
  EXPECT_OK(llmc_batch_new(capacity, &batch));
  return Batch(batch);
}

Sampler sampler(llmc_model *model, const std::function<void(llmc_sampling_params &)> &edit) {
  llmc_sampling_params params;
  llmc_sampling_params_init(&params, sizeof(params));
  if (edit)
    edit(params);
  llmc_sampler *sampler = nullptr;
  EXPECT_OK(llmc_sampler_new(model, &params, &sampler));
  return Sampler(sampler);
}

std::vector<float> logits(llmc_session *session, int32_t row) {
  const float *data = nullptr;
  size_t n = 0;
  if (!isStatus(llmc_logits(session, row, &data, &n), LLMC_OK)) {
    ADD_FAILURE() << llmc_last_error();
    return {};
  }
  return {data, data + n};
}

std::vector<llmc_token> someTokens(size_t n, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<llmc_token> tokens(n);
  for (llmc_token &token : tokens)
    token = llmc_token(random() % (vocab - 1));
  return tokens;
}

std::vector<float> fresh(llmc_model *model, const std::vector<llmc_token> &tokens) {
  Session own = session(model);
  llmc_seq seq = sequence(own.get());
  EXPECT_OK(llmc_prefill(own.get(), seq, tokens.data(), tokens.size()));
  return logits(own.get());
}

testing::AssertionResult isStatus(llmc_status status, llmc_status expected, const std::string &part) {
  if (status != expected)
    return testing::AssertionFailure() << "expected " << llmc_status_name(expected) << ", got "
                                       << llmc_status_name(status) << ": " << llmc_last_error();
  if (!part.empty() && std::string(llmc_last_error()).find(part) == std::string::npos)
    return testing::AssertionFailure() << "expected \"" << part << "\" in \"" << llmc_last_error() << '"';
  return testing::AssertionSuccess();
}

} // namespace fake
