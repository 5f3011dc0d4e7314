// Model files made at test time: the code of fake_model.c, with manifest, weights and footer around it.
#pragma once

#include "llmc/llmc.h"
#include "llmc/module_abi.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace fake {

using Bytes = std::vector<uint8_t>;

inline constexpr int vocab = 64, layers = 24, pageTokens = 4;
inline constexpr llmc_token slowToken = 63;

/// The parts of a file; finish() puts them together with right offsets and hashes.
struct ModelFile {
  Bytes elf;
  std::string manifest =
      R"({"source":{"name":"toy","layers":24},"passes":[{"name":"a","options":"n=1"},{"name":"b","options":""}],"fast":true,"note":null})";
  Bytes tokenizer, weights;

  /// `kind`: a shared object made from fake_model.c, e.g. "fake_model".
  explicit ModelFile(const char *kind = "fake_model");
  Bytes finish(llmc_footer *footerOut = nullptr) const;
};

/// Puts the footer's own hash, and with `head` also that of the head, right again after an edit.
void repairHashes(Bytes &file, bool head);
llmc_footer footerOf(const Bytes &file);
void setFooter(Bytes &file, const llmc_footer &footer);

/// A file in the test's temporary folder, removed at the end. Each gets a name of its own, because dlopen
/// knows files that it has loaded by name.
class TempFile {
public:
  explicit TempFile(const Bytes &bytes);
  ~TempFile();
  TempFile(const TempFile &) = delete;
  const char *path() const { return name.c_str(); }

private:
  std::string name;
};

template <typename T, void (*release)(T *)> struct Deleter {
  void operator()(T *pointer) const { release(pointer); }
};
using Model = std::unique_ptr<llmc_model, Deleter<llmc_model, llmc_model_release>>;
using Session = std::unique_ptr<llmc_session, Deleter<llmc_session, llmc_session_free>>;
using Batch = std::unique_ptr<llmc_batch, Deleter<llmc_batch, llmc_batch_free>>;
using Sampler = std::unique_ptr<llmc_sampler, Deleter<llmc_sampler, llmc_sampler_free>>;

Model load(const char *path, uint32_t threads = 1);
/// A model of the given kind; the file is gone when the call returns, which a loaded model survives.
Model load(uint32_t threads = 1, const char *kind = "fake_model");
Session session(llmc_model *model, const std::function<void(llmc_session_params &)> &edit = {});
llmc_seq sequence(llmc_session *session);
Batch batch(uint32_t capacity = 256);
Sampler sampler(llmc_model *model, const std::function<void(llmc_sampling_params &)> &edit = {});

std::vector<float> logits(llmc_session *session, int32_t row = -1);
std::vector<llmc_token> someTokens(size_t n, uint32_t seed);
/// The logits after all these tokens, from a session of its own.
std::vector<float> fresh(llmc_model *model, const std::vector<llmc_token> &tokens);

testing::AssertionResult isStatus(llmc_status status, llmc_status expected, const std::string &part = {});

} // namespace fake

#define EXPECT_OK(call) EXPECT_TRUE(fake::isStatus((call), LLMC_OK))
#define ASSERT_OK(call) ASSERT_TRUE(fake::isStatus((call), LLMC_OK))
/// The status, and a part of the sentence.
#define EXPECT_FAILS(call, status, part) EXPECT_TRUE(fake::isStatus((call), (status), (part)))
