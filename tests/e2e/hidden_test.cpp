//===- hidden_test.cpp - the hidden rows of a compiled model --------------===//
//
// The hidden row of an asked token, times the output matrix as it stands in the file, gives its logits; steps
// that do not ask for hidden rows run no dispatch for them and compute the very same logits.
//
//   hidden_test MODEL.so MODEL.gguf OUTPUT_TENSOR (F32)
//
//===----------------------------------------------------------------------===//
#include "Reference.h"
#include "frontend/formats/Gguf.h"

using namespace llmc;
using namespace llmc::e2e;

namespace {

struct Matrix {
  size_t rows, columns;
  std::vector<float> values;
};

Matrix readMatrix(const char *path, const std::string &name) {
  std::string error;
  auto file = formats::GgufFile::open(path, error);
  if (!file)
    die("%s", error.c_str());
  for (const formats::GgufTensor &tensor : file->tensors())
    if (tensor.name == name) {
      constexpr uint32_t f32 = 0; // its number in the format
      if (tensor.type != f32 || tensor.shape.size() != 2)
        die("%s: %s is no F32 matrix", path, name.c_str());
      Matrix matrix{tensor.shape[0], tensor.shape[1], std::vector<float>(tensor.data.size() / 4)};
      std::memcpy(matrix.values.data(), tensor.data.data(), tensor.data.size());
      return matrix;
    }
  die("%s: has no tensor %s", path, name.c_str());
}

struct Seen {
  size_t dispatches = 0, norms = 0;
};

bool count(const llmc_dispatch_info *info, void *data) {
  auto *seen = static_cast<Seen *>(data);
  ++seen->dispatches;
  // The final norm alone is a kernel of its own; the others are prologues.
  seen->norms += std::string(info->kernel).rfind("rms_norm", 0) == 0;
  return true;
}

} // namespace

int main(int argc, char **argv) {
  if (argc != 4)
    die("usage: hidden_test MODEL.so MODEL.gguf OUTPUT_TENSOR");
  llmc_model *loaded = nullptr;
  LLMC_CHECK(llmc_model_load(argv[1], nullptr, &loaded));
  Model model(loaded);
  int64_t vocab = 0, hidden = 0;
  LLMC_CHECK(llmc_model_info(model.get(), LLMC_INFO_VOCAB, &vocab));
  LLMC_CHECK(llmc_model_info(model.get(), LLMC_INFO_HIDDEN, &hidden));
  Matrix output = readMatrix(argv[2], argv[3]);
  if (output.rows != static_cast<size_t>(vocab) || output.columns != static_cast<size_t>(hidden))
    die("%s: has %zu x %zu numbers", argv[3], output.rows, output.columns);

  Tokens tokens;
  for (int i = 0; i < 40; ++i)
    tokens.push_back(static_cast<llmc_token>((i * 37 + 11) % vocab));
  Seen seen[2];
  std::vector<Row> logits[2];
  WorstError error;
  for (int asks : {0, 1}) {
    const uint32_t bit = asks ? LLMC_OUT_HIDDEN : 0;
    Session session = newSession(model, 64, 2, 32);
    Batch batch = newBatch(32);
    llmc_seq a = newSequence(session), b = newSequence(session);
    LLMC_CHECK(llmc_session_observe(session.get(), count, &seen[asks]));
    auto keep = [&](int32_t row, bool isAsked) {
      logits[asks].push_back(logitsRow(session, row, output.rows));
      const float *values = nullptr;
      size_t n = 0;
      llmc_status status = llmc_hidden(session.get(), row, &values, &n);
      if (!asks || !isAsked) {
        if (status != LLMC_ESTATE)
          die("a hidden row that nobody asked for: expected LLMC_ESTATE, got %s", llmc_status_name(status));
        return;
      }
      check(status, "llmc_hidden");
      if (n != output.columns)
        die("a hidden row has %zu numbers, expected %zu", n, output.columns);
      Row expected(output.rows);
      for (size_t r = 0; r < output.rows; ++r) {
        double sum = 0;
        for (size_t c = 0; c < n; ++c)
          sum += double(values[c]) * output.values[r * n + c];
        expected[r] = static_cast<float>(sum);
      }
      double unit = spread(expected);
      for (size_t r = 0; r < output.rows; ++r)
        error.add(logits[asks].back()[r], expected[r], unit);
    };
    // Prefills of 7 (all rows) and 5 (the last row, never its hidden row), then two decode steps of both.
    LLMC_CHECK(llmc_batch_add(batch.get(), a, tokens.data(), 7, LLMC_OUT_ALL | bit, nullptr));
    LLMC_CHECK(llmc_batch_add(batch.get(), b, tokens.data() + 20, 5, LLMC_OUT_LAST, nullptr));
    LLMC_CHECK(llmc_eval(session.get(), batch.get()));
    for (int32_t row = 0; row < 8; ++row)
      keep(row, row < 7);
    for (int i = 0; i < 2; ++i) {
      llmc_batch_clear(batch.get());
      LLMC_CHECK(llmc_batch_add(batch.get(), b, tokens.data() + 25 + i, 1, LLMC_OUT_LAST, nullptr));
      LLMC_CHECK(llmc_batch_add(batch.get(), a, tokens.data() + 7 + i, 1, LLMC_OUT_LAST | bit, nullptr));
      LLMC_CHECK(llmc_eval(session.get(), batch.get()));
      keep(0, false);
      keep(1, true);
    }
  }
  if (logits[0] != logits[1])
    die("asking for hidden rows changes the logits");
  if (seen[0].norms != 0 || seen[1].norms != 3 || seen[1].dispatches != seen[0].dispatches + 3)
    die("expected one dispatch more a step that asks for hidden rows: %zu and %zu dispatches, %zu and %zu "
        "norms",
        seen[0].dispatches, seen[1].dispatches, seen[0].norms, seen[1].norms);
  // Both are sums of a few hundred float32 products in another order.
  std::printf("%zu logits, largest error %.2e std\n", error.compared(), error.value());
  if (error.compared() == 0 || !error.within(1e-5))
    die("the hidden rows do not give the logits");
  return 0;
}
