//===- ModelSpec.cpp - checks of the traits of a model --------------------===//
#include "frontend/ModelSpec.h"

#include <cmath>
#include <fmt/format.h>

namespace llmc::frontend {
namespace {

/// Collects the first thing that is wrong.
class Checker {
public:
  Checker(const ModelSpec &spec, std::string &error) : spec(spec), error(error) {}

  template <typename T> void expect(bool holds, const char *trait, T found, const std::string &expected) {
    if (!ok || holds)
      return;
    ok = false;
    error = fmt::format("{}: {} is {}, expected {}", spec.file, key(trait), found, expected);
  }
  void range(const char *trait, int64_t found, int64_t low, int64_t high) {
    expect(found >= low && found <= high, trait, found, fmt::format("{} to {}", low, high));
  }
  void positive(const char *trait, double found) {
    expect(std::isfinite(found) && found > 0, trait, found, "a number above 0");
  }
  void named(const char *trait, const std::string &tensor) {
    expect(!tensor.empty(), trait, "missing", "a tensor");
  }
  void layerList(const char *trait, const std::vector<bool> &found) {
    expect(found.empty() || static_cast<int64_t>(found.size()) == spec.layers, trait,
           fmt::format("a list of {}", found.size()),
           fmt::format("one entry for each of {} layers", spec.layers));
  }
  void fail(const std::string &what) {
    if (ok)
      error = fmt::format("{}: {}", spec.file, what);
    ok = false;
  }
  std::string key(const char *trait) const {
    auto it = spec.keys.find(trait);
    return it == spec.keys.end() ? std::string(trait) : "key '" + it->second + "'";
  }

  bool ok = true;

private:
  const ModelSpec &spec;
  std::string &error;
};

} // namespace

bool ModelSpec::check(std::string &error) const {
  Checker c(*this, error);
  c.range("layers", layers, 1, 1024);
  c.range("hidden", hidden, 1, 1 << 17);
  c.range("vocab", vocab, 1, 1 << 24);
  c.range("context", context, 1, 1 << 24);
  c.expect(std::isfinite(normEps) && normEps >= 0 && normEps < 1, "norm.eps", normEps,
           "a number from 0 to 1");
  c.expect(!normPlusOne || normKind == NormKind::RMS, "norm.plus_one", "set", "it only with rms norms");
  c.positive("embedding.scale", embeddingScale);
  c.positive("residual.scale", residualScale);
  c.named("embedding", embedding);

  const AttentionSpec &a = attention;
  c.range("attention.heads", a.heads, 1, 1024);
  c.range("attention.kv_heads", a.kvHeads, 1, 1024);
  c.expect(c.ok && a.heads % a.kvHeads == 0, "attention.heads", a.heads,
           fmt::format("a multiple of {} ({})", c.key("attention.kv_heads"), a.kvHeads));
  c.range("attention.dim_k", a.dimK, 1, 1024);
  c.range("attention.dim_v", a.dimV, 1, 1024);
  c.positive("attention.scale", a.scale);
  if (a.window)
    c.range("attention.window", *a.window, 1, 1 << 24);
  if (a.softcap)
    c.positive("attention.softcap", *a.softcap);
  c.layerList("attention.window", a.windowLayers);
  for (const LinearTensors *linear : {&a.q, &a.k, &a.v, &a.o})
    c.named("attention", linear->weight);

  if (positions == Positions::Rope) {
    c.range("rope.dims", rope.dims, 2, a.dimK);
    c.expect(rope.dims % 2 == 0, "rope.dims", rope.dims, "an even number");
    c.positive("rope.base", rope.base);
    c.expect(rope.scaling.rule != RopeRule::Yarn || rope.base > 1, "rope.base", rope.base,
             "a number above 1 for yarn scaling"); // it divides by the logarithm
    c.layerList("rope.layers", rope.layers);
    std::string problem;
    if (c.ok && !ropeNumbers(rope.scaling, rope.base, rope.dims, ropeContext, problem))
      c.fail("rope scaling: " + problem);
  }
  if (positions == Positions::Learned) {
    c.named("position_embedding", positionEmbedding);
    c.range("position_embedding", positionRows, 1, 1 << 24);
    c.range("position_embedding.offset", positionOffset, 0, positionRows);
  }

  c.range("mlp.ffn", mlp.ffn, 1, 1 << 20);
  if (mlp.gated)
    c.named("mlp.gate", mlp.gate.weight);
  c.named("mlp.up", mlp.up.weight);
  c.named("mlp.down", mlp.down.weight);
  c.expect(block == BlockForm::Sequential || (!a.norms.residual.present && !mlp.norms.residual.present),
           "block", "parallel", "no norm of the residual stream in a parallel block");

  if (!tied)
    c.named("output", output.weight);
  c.positive("output.scale", outputScale);
  if (outputSoftcap)
    c.positive("output.softcap", *outputSoftcap);
  return c.ok;
}

} // namespace llmc::frontend
