//===- AttentionCase.h - attention in double precision ----------*- C++ -*-===//
#ifndef LLMC_TESTS_CODEGEN_ATTENTIONCASE_H
#define LLMC_TESTS_CODEGEN_ATTENTIONCASE_H

#include "TestData.h"
#include "codegen/cpu/Kernels.h"

#include <cmath>
#include <map>

namespace llmc::test {

/// An attention with inputs by sequence and position, so that every batch sees the same values.
struct AttentionCase {
  emit::AttentionSpec spec;
  int64_t window; // 0: none
  int64_t maxPosition;
  std::vector<float> frequencies, sinks, gainQ, gainK;
  std::vector<float> q, k, v;
  static constexpr int64_t sequences = 2;

  int64_t widthQ() const { return spec.heads * spec.dimK; }
  int64_t widthK() const { return spec.kvHeads * spec.dimK; }
  int64_t widthV() const { return spec.kvHeads * spec.dimV; }
  int64_t widthOut() const { return spec.heads * spec.dimV; }

  using Token = std::pair<int32_t, int32_t>; // sequence, position
  using Outputs = std::map<Token, std::vector<float>>;

  AttentionCase(const emit::AttentionSpec &spec, Random &random, int64_t window, int64_t maxPosition)
      : spec(spec), window(window), maxPosition(maxPosition),
        frequencies((spec.ropeDims / 2 + 15) / 16 * 16) {
    this->spec.hasWindow = window != 0;
    for (int64_t i = 0; i < spec.ropeDims / 2; ++i)
      frequencies[i] = float(std::pow(10000.0, -2.0 * i / spec.ropeDims));
    auto fill = [&](std::vector<float> &values, int64_t width) {
      for (int64_t i = 0; i < sequences * maxPosition * width; ++i)
        values.push_back(uniform(random, -1.5, 1.5));
    };
    fill(q, widthQ());
    fill(k, widthK());
    fill(v, widthV());
    for (int64_t i = 0; spec.hasSinks && i < spec.heads; ++i)
      sinks.push_back(uniform(random, -1, 2));
    auto fillGain = [&](std::vector<float> &gain, bool isThere) {
      for (int64_t i = 0; isThere && i < spec.dimK; ++i)
        gain.push_back(uniform(random, 0.2f, 1.5f) - spec.normPlusOne);
      gain.resize((gain.size() + 15) / 16 * 16);
    };
    fillGain(gainQ, spec.gainQ);
    fillGain(gainK, spec.gainK);
  }

  /// The rows of these tokens.
  void fillRows(const std::vector<Token> &batch, Matrix &mq, Matrix &mk, Matrix &mv) const {
    for (size_t r = 0; r < batch.size(); ++r) {
      const int64_t at = batch[r].first * maxPosition + batch[r].second;
      std::copy_n(&q[at * widthQ()], widthQ(), &mq.at(r, 0));
      std::copy_n(&k[at * widthK()], widthK(), &mk.at(r, 0));
      std::copy_n(&v[at * widthV()], widthV(), &mv.at(r, 0));
    }
  }

  std::vector<double> normed(const float *x, const std::vector<float> &gain) {
    std::vector<double> y(x, x + spec.dimK);
    if (!spec.headNorms)
      return y;
    double squares = 0;
    for (double value : y)
      squares += value * value;
    for (int64_t i = 0; i < spec.dimK; ++i) {
      y[i] /= std::sqrt(squares / spec.dimK + spec.normEps);
      if (!gain.empty())
        y[i] *= gain[i] + double(spec.normPlusOne);
    }
    return y;
  }

  std::vector<double> rotated(const std::vector<double> &x, int64_t position) {
    std::vector<double> y(x);
    const int64_t pairs = spec.ropeDims / 2;
    for (int64_t i = 0; i < pairs; ++i) {
      const float angle = float(position) * frequencies[i];
      const double cosine = std::cos(double(angle)) * spec.ropeFactor,
                   sine = std::sin(double(angle)) * spec.ropeFactor;
      const int64_t a = spec.ropeInterleaved ? 2 * i : i, b = spec.ropeInterleaved ? 2 * i + 1 : i + pairs;
      y[a] = x[a] * cosine - x[b] * sine;
      y[b] = x[b] * cosine + x[a] * sine;
    }
    return y;
  }

  std::vector<double> reference(int64_t sequence, int64_t position) {
    const int64_t base = sequence * maxPosition, group = spec.heads / spec.kvHeads;
    std::vector<double> out(widthOut());
    for (int64_t head = 0; head < spec.heads; ++head) {
      auto query = rotated(normed(&q[(base + position) * widthQ() + head * spec.dimK], gainQ), position);
      std::vector<double> scores;
      const int64_t first = window ? std::max<int64_t>(0, position - window + 1) : 0;
      double largest = spec.hasSinks ? sinks[head] : -INFINITY, sum = 0;
      for (int64_t j = first; j <= position; ++j) {
        auto key = rotated(normed(&k[(base + j) * widthK() + head / group * spec.dimK], gainK), j);
        double score = 0;
        for (int64_t d = 0; d < spec.dimK; ++d)
          score += query[d] * key[d];
        score *= spec.scale;
        if (spec.softcap)
          score = spec.softcap * std::tanh(score / spec.softcap);
        scores.push_back(score);
        largest = std::max(largest, score);
      }
      if (spec.hasSinks)
        sum = std::exp(sinks[head] - largest);
      for (double &score : scores)
        sum += score = std::exp(score - largest);
      for (int64_t j = first; j <= position; ++j)
        for (int64_t d = 0; d < spec.dimV; ++d)
          out[head * spec.dimV + d] +=
              scores[j - first] / sum * v[(base + j) * widthV() + head / group * spec.dimV + d];
    }
    return out;
  }
};

inline emit::AttentionSpec makeSpec(int64_t heads, int64_t kvHeads, int64_t dim) {
  emit::AttentionSpec spec;
  spec.heads = heads;
  spec.kvHeads = kvHeads;
  spec.dimK = spec.dimV = spec.ropeDims = dim;
  spec.scale = 1 / std::sqrt(double(dim));
  return spec;
}

/// Each head of q and k normed, by gains.
inline emit::AttentionSpec withNorms(emit::AttentionSpec spec) {
  spec.headNorms = true;
  spec.normEps = 1e-6;
  spec.gainQ = spec.gainK = true;
  return spec;
}

} // namespace llmc::test
#endif
