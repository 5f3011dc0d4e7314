//===- ModelSpec.h - a decoder model as checked traits ----------*- C++ -*-===//
//
// What an architecture file fills in and the one model builder reads. Traits are independent of each other:
// which norms stand where, how positions enter, how attention and mlp look. Only what the builder builds can
// be said here.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_FRONTEND_MODELSPEC_H
#define LLMC_FRONTEND_MODELSPEC_H

#include "frontend/RopeScaling.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace llmc::frontend {

enum class NormKind { RMS, Layer };
enum class Activation { Relu, Relu2, Gelu, GeluTanh, GeluQuick, Silu };
enum class Positions { None, Rope, Learned };
enum class RopeStyle { Half, Interleaved };
enum class QKNorm { None, PerHead, Whole };    // Whole: one norm over all heads of the projection
enum class BlockForm { Sequential, Parallel }; // Parallel: attention and mlp both read the block's input

// Names are patterns: `{i}` is the layer. An empty name means that the model has no such tensor.
/// Takes rows [from, to), or, where a shape is given, views the rows as [shape...] and transposes by `order`.
struct RowMove {
  int64_t from = 0, to = 0;
  std::vector<int64_t> shape = {}, order = {};
};

/// A linear's weight and bias. Where the tensors hold other rows as well, or in another order, `moves` picks
/// the linear's own from `rows` of them; both tensors move alike.
struct LinearTensors {
  std::string weight, bias;
  int64_t rows = 0; // of the tensors; 0: those of the linear
  std::vector<RowMove> moves = {};
};
struct NormTensors {
  bool present = false; // a norm may stand there without having weights
  std::string gain, bias;
};

/// The norms around a sublayer: h' = residual(h + after(sublayer(before(h)))). Pre-norm has `before`, OLMo 2
/// `after`, sandwich both, the first Transformers `residual`.
struct SublayerNorms {
  NormTensors before, after, residual;
};

struct RopeSpec {
  RopeStyle style = RopeStyle::Half;
  int64_t dims = 0; // of each head, from its first column
  double base = 10000.0;
  RopeScaling scaling;
  std::vector<bool> layers; // which layers are rotated; empty: all
};

struct AttentionSpec {
  int64_t heads = 0, kvHeads = 0, dimK = 0, dimV = 0;
  double scale = 0;
  std::optional<int64_t> window;
  std::vector<bool> windowLayers; // which layers have the window; empty: all
  std::optional<double> softcap;
  LinearTensors q, k, v, o;
  QKNorm qkNorm = QKNorm::None;
  NormTensors qNorm, kNorm;
  SublayerNorms norms;
};

struct MlpSpec {
  int64_t ffn = 0;
  bool gated = true; // down(act(gate(x)) * up(x)), else down(act(up(x)))
  Activation act = Activation::Silu;
  LinearTensors gate, up, down;
  SublayerNorms norms;
};

struct ModelSpec {
  std::string file;                        // named in messages
  std::map<std::string, std::string> keys; // trait -> the file's key, for messages
  std::string name, family;

  int64_t vocab = 0, context = 0, layers = 0, hidden = 0;
  int64_t ropeContext = 0; // sequence length for which the rotary frequencies are fixed

  NormKind normKind = NormKind::RMS;
  double normEps = 0;
  bool normPlusOne = false;
  BlockForm block = BlockForm::Sequential;
  double residualScale = 1.0; // of a sublayer's result before it is added

  std::string embedding;
  double embeddingScale = 1.0;
  NormTensors embeddingNorm;

  Positions positions = Positions::None;
  RopeSpec rope;
  std::string positionEmbedding;
  int64_t positionRows = 0, positionOffset = 0;

  AttentionSpec attention;
  MlpSpec mlp;

  NormTensors outputNorm;
  bool tied = false; // logits are made with the embedding
  LinearTensors output;
  double outputScale = 1.0;
  std::optional<double> outputSoftcap;

  /// Tensors that files may hold besides and the model does not read; a `*` stands for anything.
  std::vector<std::string> leftOut;

  /// Whether every trait is in range and the traits fit each other; else one sentence that names file, key,
  /// what was found and what is expected.
  bool check(std::string &error) const;
};

} // namespace llmc::frontend
#endif
