//===- EvaluationBytes.cpp - an evaluation on its way between processes ---===//
//
// One list of fields serves both ways: a writer and a reader walk over the same `fields`.
//
//===----------------------------------------------------------------------===//
#include "tools/gate/EvaluationBytes.h"

#include <cstring>
#include <type_traits>

namespace llmc::tools {

namespace {

class Writer {
public:
  explicit Writer(llvm::raw_ostream &out) : out(out) {}

  template <typename T> void number(const T &value) {
    static_assert(std::is_trivially_copyable_v<T>);
    out.write(reinterpret_cast<const char *>(&value), sizeof value);
  }
  template <typename List> void list(const List &values) {
    number(static_cast<uint64_t>(values.size()));
    out.write(reinterpret_cast<const char *>(values.data()), values.size() * sizeof(values[0]));
  }

private:
  llvm::raw_ostream &out;
};

/// Beyond the end everything is zero, and the reader has failed.
class Reader {
public:
  explicit Reader(llvm::StringRef bytes) : bytes(bytes) {}

  template <typename T> void number(T &value) {
    static_assert(std::is_trivially_copyable_v<T>);
    take(&value, sizeof value);
  }
  template <typename List> void list(List &values) {
    const uint64_t n = count(sizeof(values[0]));
    values.resize(n);
    take(values.data(), n * sizeof(values[0]));
  }
  uint64_t count(size_t bytesOfOne) {
    uint64_t n = 0;
    number(n);
    if (n > bytes.size() / bytesOfOne) {
      hasFailed = true;
      return 0;
    }
    return n;
  }
  bool isAtEnd() const { return !hasFailed && bytes.empty(); }

private:
  void take(void *to, size_t n) {
    if (n > bytes.size()) {
      hasFailed = true;
      std::memset(to, 0, n);
      return;
    }
    std::memcpy(to, bytes.data(), n);
    bytes = bytes.drop_front(n);
  }

  llvm::StringRef bytes;
  bool hasFailed = false;
};

/// All of a value but its rows.
template <typename Stream, typename Value> void fields(Stream &stream, Value &value) {
  stream.number(value.key.layer);
  stream.list(value.key.name);
  stream.number(value.key.number);
  stream.number(value.hasName);
  stream.list(value.kernel);
  stream.list(value.location);
  stream.number(value.columns);
  stream.number(value.stride);
}

void write(Writer &out, const EvaluatedValue &value) {
  fields(out, value);
  out.number(static_cast<uint64_t>(value.rows.size()));
  for (const auto &[place, row] : value.rows) {
    out.number(place);
    out.list(row);
  }
}

EvaluatedValue read(Reader &in) {
  EvaluatedValue value;
  fields(in, value);
  for (uint64_t n = in.count(sizeof(RowPlace)); n > 0; --n) {
    RowPlace place = {};
    in.number(place);
    in.list(value.rows[place]);
  }
  return value;
}

} // namespace

void writeEvaluation(const Evaluation &evaluation, llvm::raw_ostream &stream) {
  Writer out(stream);
  out.number(static_cast<uint64_t>(evaluation.values.size()));
  for (const EvaluatedValue &value : evaluation.values)
    write(out, value);
  write(out, evaluation.logits);
}

std::optional<Evaluation> readEvaluation(llvm::StringRef bytes) {
  Reader in(bytes);
  Evaluation evaluation;
  for (uint64_t n = in.count(1); n > 0; --n)
    evaluation.values.push_back(read(in));
  evaluation.logits = read(in);
  return in.isAtEnd() ? std::optional(std::move(evaluation)) : std::nullopt;
}

} // namespace llmc::tools
