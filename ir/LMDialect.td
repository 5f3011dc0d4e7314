//===- LMDialect.td - the lm dialect: what a language model computes ------===//
#ifndef LLMC_IR_LMDIALECT_TD
#define LLMC_IR_LMDIALECT_TD

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/OpBase.td"

def LM_Dialect : Dialect {
  let name = "lm";
  let cppNamespace = "::llmc::lm";
  let summary = "what a language model computes, in the words of the papers";
  let description = [{
    A model is one `lm.model`: where its weights lie, its caches, and an `lm.forward` region that maps a ragged batch
    of tokens to logits. Layers are a region with a count, weights are named and never embedded, and the only state
    is the KV cache, touched by two ops. Every op that computes has a decomposition to tensor, linalg, arith, math
    and the cache ops: its meaning, its default lowering on every target, and the oracle for tests.

    Braces are one strict dictionary: unknown keys are errors, words are bare (`mask = causal`), integers stand for
    floats where a float is meant. A line carries at most one short trailing type, from which the others follow.
  }];
  let useDefaultTypePrinterParser = 1;
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect", "::mlir::math::MathDialect",
    "::mlir::scf::SCFDialect", "::mlir::tensor::TensorDialect"
  ];
}

/// An attribute without a dialect's prefix that the op does not know is an error, wherever it was written.
def LM_StrictAttributes : NativeOpTrait<"StrictAttributes"> {
  let cppNamespace = "::llmc::lm";
}

class LM_Op<string mnemonic, list<Trait> traits = []>
    : Op<LM_Dialect, mnemonic, [LM_StrictAttributes] # traits>;

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

class LM_Type<string name, string typeMnemonic> : TypeDef<LM_Dialect, name> {
  let mnemonic = typeMnemonic;
}

def LM_Tokens : LM_Type<"Tokens", "tokens"> {
  let summary = "the ragged batch of a step";
  let description = [{
    T rows, each a token id, the sequence it belongs to, its position there, and whether its outputs are asked for.
    T, the sequences and the positions are known only when a step runs.
  }];
}

def LM_Weight : LM_Type<"Weight", "weight"> {
  let summary = "a weight of a logical shape";
  let description = [{
    The shape of the values, outermost first: `<out x in>` for a matrix, `<n>` for a vector. How the file stores them
    (type, blocks, row order) is not part of the type and may differ by layer.
  }];
  let parameters = (ins ArrayRefParameter<"int64_t">:$shape);
  let assemblyFormat = "`<` custom<WeightShape>($shape) `>`";
  let extraClassDeclaration = [{
    int64_t dim(unsigned i) const { return getShape()[i]; }
    unsigned rank() const { return getShape().size(); }
  }];
}

/// Activations: rows of a step. The element type is logical; the compute type is the compiler's choice.
/// At most 2^24 columns, so that sizes in bytes stay within 64 bits.
def LM_Rows : Type<CPred<"::llmc::lm::isRows($_self)">, "rows tensor<?xNxf32>", "::mlir::RankedTensorType">;

/// (sequence, position) of each visible key.
def LM_Keys : Type<CPred<"::llmc::lm::isIntRows($_self, 2)">, "tensor<?x2xi32>", "::mlir::RankedTensorType">,
    BuildableType<"::llmc::lm::intRowsType($_builder.getContext(), 2)">;

/// (id, sequence, position, asked) of each token.
def LM_TokenRows : Type<CPred<"::llmc::lm::isIntRows($_self, 4)">, "tensor<?x4xi32>", "::mlir::RankedTensorType">,
    BuildableType<"::llmc::lm::intRowsType($_builder.getContext(), 4)">;

def LM_Matrix : Type<And<[LM_Weight.predicate, CPred<"::llvm::cast<::llmc::lm::WeightType>($_self).rank() == 2">]>,
    "matrix weight", "::llmc::lm::WeightType">;
def LM_Vector : Type<And<[LM_Weight.predicate, CPred<"::llvm::cast<::llmc::lm::WeightType>($_self).rank() == 1">]>,
    "vector weight", "::llmc::lm::WeightType">;

//===----------------------------------------------------------------------===//
// Attributes: words, and numbers that may differ by layer
//===----------------------------------------------------------------------===//

/// One of a few words, written bare.
class LM_Word<list<string> words>
    : Attr<CPred<"::llmc::lm::isWord($_self, {\"" # !interleave(words, "\", \"") # "\"})">,
           "one of " # !interleave(words, ", ")> {
  let storageType = "::mlir::StringAttr";
  let returnType = "::llvm::StringRef";
  let convertFromStorage = "$_self.getValue()";
  let constBuilderCall = "$_builder.getStringAttr($0)";
}

def LM_Mask : LM_Word<["causal", "full"]>;
def LM_RopeStyle : LM_Word<["half", "interleaved"]>;
def LM_NormKind : LM_Word<["none", "rms", "layer"]>;
def LM_GeluForm : LM_Word<["erf", "tanh", "quick"]>;
def LM_ActKind : LM_Word<["none", "relu", "relu2", "gelu", "gelu_tanh", "gelu_quick", "silu", "sigmoid", "tanh"]>;

/// A number, or `@table` with one number a layer.
def LM_LayerNumber : AnyAttrOf<[F64Attr, FlatSymbolRefAttr], "number or @table">;
def LM_LayerInt : AnyAttrOf<[I64Attr, FlatSymbolRefAttr], "integer or @table">;

/// A scheme's name, or a list with one name a layer.
def LM_Schemes : AnyAttrOf<[StrAttr, StrArrayAttr], "scheme or a list of schemes">;

#endif
