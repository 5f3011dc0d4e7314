//===- LMOps.td - the ops of the lm dialect -------------------------------===//
//
// Shapes in brackets; T = rows of the step's tokens. Rules are numbered (`linear_c1`); verifier and tests repeat the
// numbers.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_IR_LMOPS_TD
#define LLMC_IR_LMOPS_TD

include "ir/LMDialect.td"
include "ir/LMInterfaces.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/IR/OpAsmInterface.td"
include "mlir/IR/BuiltinTypeInterfaces.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def LM_KVStore : Resource<"::llmc::lm::KVStore">;

/// x [T, K] and y [T, N] follow from w <NxK>.
def LM_XFromW : TypesMatchWith<"x is [T, K] of the weight", "w", "x", "::llmc::lm::rowsOf($_self, 1)">;
def LM_YFromW : TypesMatchWith<"y is [T, N] of the weight", "w", "y", "::llmc::lm::rowsOf($_self, 0)">;
def LM_BFromW : OptionalTypesMatchWith<"b is <N> of the weight", "w", "b", "::llmc::lm::vectorOf($_self, 0)">;

//===----------------------------------------------------------------------===//
// Declarations
//===----------------------------------------------------------------------===//

def LM_CacheOp : LM_Op<"cache", [Symbol, HasParent<"ModelOp">]> {
  let summary = "declares a KV cache";
  let description = [{
    A cache that layers append to and read, with `heads` key and value heads of `dim_k` and `dim_v` numbers. Each
    layer of the stack has its own rows in it. plan-kv-cache adds `page_tokens` (tokens in a page) and `type` (how
    numbers are stored: f32, f16, bf16, or q8, int8 with an f16 scale for each 32 numbers of a head). With a list of
    types the model is compiled for each, and a session chooses; the first is the default.

        lm.cache @kv {heads = 3, dim_k = 64, dim_v = 64}
        lm.cache @kv {heads = 3, dim_k = 64, dim_v = 64, page_tokens = 32, type = [f16, q8]}

    - cache_c1: heads, dim_k and dim_v are positive and at most 1024.
    - cache_c2: page_tokens is a multiple of 16 and at most 4096.
    - cache_c3: type is f32, f16, bf16 or q8, or a list of these without repetition.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, I64Attr:$heads, I64Attr:$dim_k, I64Attr:$dim_v,
      OptionalAttr<I64Attr>:$page_tokens, OptionalAttr<AnyAttrOf<[StrAttr, StrArrayAttr]>>:$type);
  let extraClassDeclaration = [{
    /// The storage types, the default first; none before plan-kv-cache.
    ::llvm::SmallVector<::llvm::StringRef> storageTypes();
  }];
  let assemblyFormat = "$sym_name custom<Params>(prop-dict, attr-dict)";
  let hasVerifier = 1;
}

def LM_ForwardOp : LM_Op<"forward", [HasParent<"ModelOp">, SingleBlockImplicitTerminator<"ReturnOp">]> {
  let summary = "what one step computes";
  let description = [{
    The entry of a decoder: takes the ragged batch, ends in `lm.return` with the logits of the asked rows.

        lm.forward(%tokens: !lm.tokens) { ... lm.return %logits : tensor<?x49152xf32> }

    - forward_c1: the region has one argument, a `!lm.tokens`.
  }];
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "custom<EntryBody>($body) attr-dict";
  let hasRegionVerifier = 1;
}

def LM_LayersOp : LM_Op<"layers", [RecursiveMemoryEffects,
    DeclareOpInterfaceMethods<OpAsmOpInterface, ["getAsmBlockArgumentNames"]>]> {
  let summary = "the stack of layers";
  let description = [{
    Runs `count` layers one after the other; the values after `iter` go in, each layer's `lm.yield` feeds the next,
    the last one's is the result. There is one region for each *kind* of layer, and `kinds` names the kind of every
    layer (absent: one kind). The layer index is implicit: weight patterns spell it `{i}`, attributes that differ by
    layer name an `lm.table`, and cache ops use the layer's own rows.

        %x = lm.layers count = 30 iter(%h = %x0 : tensor<?x576xf32>) { ... lm.yield %h2 : tensor<?x576xf32> }

    - layers_c1: count is positive and at most 1024.
    - layers_c2: kinds has one entry a layer, each the number of a region.
    - layers_c3: each region takes and yields the types of the iterated values.
  }];
  let arguments = (ins Variadic<LM_Rows>:$inits, I64Attr:$count, OptionalAttr<DenseI64ArrayAttr>:$kinds);
  let results = (outs Variadic<LM_Rows>:$results);
  let regions = (region VariadicRegion<SizedRegion<1>>:$bodies);
  let assemblyFormat = [{
    `count` `=` $count (`kinds` `=` $kinds^)? custom<LayerBodies>($inits, type($inits), type($results), $bodies) attr-dict
  }];
  let extraClassDeclaration = [{
    /// The region number of layer `i`.
    int64_t kindOf(int64_t i) { return getKinds() ? (*getKinds())[i] : 0; }
  }];
  let hasRegionVerifier = 1;
  let hasVerifier = 1;
}

def LM_ModelOp : LM_Op<"model", [Symbol, SymbolTable, IsolatedFromAbove, NoTerminator, SingleBlock]> {
  let summary = "one model";
  let description = [{
    Holds everything of a model: weight files, caches, tables, weights used outside the stack, and `lm.forward`.
    `vocab` is the number of logits, `context` the trained length in tokens, `tokenizer` the file that the tokenizer
    is taken from (relative to the file of the text). `family` is for people: no pass looks at it.

        lm.model @smollm2 {vocab = 49152, context = 8192, tokenizer = "smollm2.gguf"} { ... }

    - model_c1: vocab and context are positive; vocab at most 2^24, context at most 2^24.
    - model_c2: there is exactly one lm.forward.
    - model_c3: a weight expression has at most 4096 terms; one that is used twice counts twice.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, I64Attr:$vocab, I64Attr:$context, OptionalAttr<StrAttr>:$tokenizer,
      OptionalAttr<StrAttr>:$family);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$sym_name custom<Params>(prop-dict, attr-dict) $body";
  let hasRegionVerifier = 1;
  let extraClassDeclaration = [{
    ForwardOp forward();
    LayersOp layers(); // null if the model has none
  }];
}

def LM_ReturnOp : LM_Op<"return", [Terminator, HasParent<"ForwardOp">]> {
  let summary = "the outputs of a step";
  let description = [{
    The logits [asked rows, vocab], and optionally the hidden rows they were made from. What only the hidden rows
    need is computed only in steps that ask for them.

        lm.return %logits, hidden = %last : tensor<?x49152xf32>, tensor<?x576xf32>

    - return_c1: the logits are as wide as the model's vocab.
  }];
  let arguments = (ins LM_Rows:$logits, Optional<LM_Rows>:$hidden);
  let builders = [OpBuilder<(ins), [{ (void)$_state; }]>];
  let assemblyFormat = "$logits (`,` `hidden` `=` $hidden^)? custom<Params>(prop-dict, attr-dict) `:` type($logits) (`,` type($hidden)^)?";
  let hasVerifier = 1;
}

def LM_TableOp : LM_Op<"table", [Symbol, HasParent<"ModelOp">]> {
  let summary = "one number for each layer";
  let description = [{
    Attributes that differ by layer name a table: `base = @base`.

        lm.table @base = [1.0e4, 1.0e6, 1.0e4]

    - table_c1: as many numbers as the stack has layers.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, DenseF64ArrayAttr:$values);
  let assemblyFormat = "$sym_name `=` $values attr-dict";
}

def LM_WeightsOp : LM_Op<"weights", [HasParent<"ModelOp">]> {
  let summary = "a file of weights";
  let description = [{
    A file whose tensors `lm.weight` names: a GGUF file (of a split one any part), a safetensors file, or the
    index of one in shards (`model.safetensors.index.json`). The path is relative to the file of the text. With
    several files the first that has a tensor of the name gives it.

        lm.weights "smollm2.gguf"
  }];
  let arguments = (ins StrAttr:$path);
  let assemblyFormat = "$path attr-dict";
}

def LM_YieldOp : LM_Op<"yield", [Pure, Terminator, ReturnLike, HasParent<"LayersOp">]> {
  let summary = "the values a layer hands on";
  let description = [{
    Become the iterated values of the next layer, or the results of `lm.layers` after the last one.

        lm.yield %h2 : tensor<?x576xf32>
  }];
  let arguments = (ins Variadic<LM_Rows>:$values);
  let assemblyFormat = "($values^ `:` type($values))? attr-dict";
}

//===----------------------------------------------------------------------===//
// Weight expressions: evaluated by the packer while it streams
//===----------------------------------------------------------------------===//

class LM_WeightOp<string mnemonic, list<Trait> traits = []> : LM_Op<mnemonic, [Pure] # traits>;

def LM_WeightRefOp : LM_WeightOp<"weight", [DeclareOpInterfaceMethods<OpAsmOpInterface, ["getAsmResultNames"]>]> {
  let summary = "a tensor of the weight files";
  let description = [{
    Names a tensor; `{i}` in the name is the layer. The shape is checked against the file, which decides the storage
    type.

        %wq = lm.weight "blk.{i}.attn_q.weight" : <576x576>
  }];
  let arguments = (ins StrAttr:$tensor);
  let results = (outs LM_Weight:$w);
  let assemblyFormat = "$tensor attr-dict `:` type($w)";
}

def LM_WAddOp : LM_WeightOp<"w.add", [SameOperandsAndResultType]> {
  let summary = "the sum of two weights";
  let description = [{Elementwise in f32; the result is stored as f32.}];
  let arguments = (ins LM_Weight:$a, LM_Weight:$b);
  let results = (outs LM_Weight:$w);
  let assemblyFormat = "$a `,` $b attr-dict `:` type($w)";
}

def LM_WConcatOp : LM_WeightOp<"w.concat"> {
  let summary = "rows of several weights, one below the other";
  let description = [{
    Lossless where all parts have one storage type.

    - w_concat_c1: all parts have the result's columns, and their rows add up to the result's.
  }];
  let arguments = (ins Variadic<LM_Weight>:$parts);
  let results = (outs LM_Weight:$w);
  let assemblyFormat = "$parts attr-dict `:` type($parts) `->` type($w)";
  let hasVerifier = 1;
}

def LM_WMulOp : LM_WeightOp<"w.mul"> {
  let summary = "the matrix product of two weights";
  let description = [{
    w [M, N] = a [M, K] * b [K, N], in f32 with f64 sums; stored as f32.

    - w_mul_c1: the shapes fit.
  }];
  let arguments = (ins LM_Matrix:$a, LM_Matrix:$b);
  let results = (outs LM_Matrix:$w);
  let assemblyFormat = "$a `,` $b attr-dict `:` type($a) `,` type($b) `->` type($w)";
  let hasVerifier = 1;
}

def LM_WPermuteOp : LM_WeightOp<"w.permute", [SameOperandsAndResultType]> {
  let summary = "rows in another order";
  let description = [{
    Views the rows as [shape...], transposes the axes by `order`, and flattens again: row moves, lossless on any
    storage type. With `shape = [heads, head_dim / 2, 2], order = [0, 2, 1]` rows of an interleaved rotary layout
    become those of the half layout.

    - w_permute_c1: the product of shape is the number of rows.
    - w_permute_c2: order is a permutation of shape's axes.
  }];
  let arguments = (ins LM_Weight:$a, DenseI64ArrayAttr:$shape, DenseI64ArrayAttr:$order);
  let results = (outs LM_Weight:$w);
  let assemblyFormat = "$a custom<Params>(prop-dict, attr-dict) `:` type($w)";
  let hasVerifier = 1;
}

def LM_WQuantizeOp : LM_WeightOp<"w.quantize", [SameOperandsAndResultType]> {
  let summary = "a matrix stored in another scheme";
  let description = [{
    Rounds each row to the scheme `to`; a list names a scheme for each layer of the stack, where `keep` leaves the layer
    as it is stored. What has the scheme already is not touched; what is in blocks of another scheme is widened first
    and loses twice, which a remark says. A row that ends within a block is padded with zeros.

        %q = lm.w.quantize %wq {to = q4_0} : <576x576>
        %d = lm.w.quantize %wd {to = [q6_k, q4_k, keep]} : <576x1536>

    - w_quantize_c1: every scheme is one that weights can be quantized to.
    - w_quantize_c2: a list stands in the stack and has an entry for each of its layers; `keep` stands in a list.
  }];
  let arguments = (ins LM_Matrix:$a, LM_Schemes:$to);
  let results = (outs LM_Matrix:$w);
  let assemblyFormat = "$a custom<Params>(prop-dict, attr-dict) `:` type($w)";
  let extraClassDeclaration = [{
    /// The scheme of the layer, `keep` included; outside the stack that of the op.
    ::llvm::StringRef schemeIn(std::optional<int64_t> layer);
  }];
  let hasVerifier = 1;
}

def LM_WRowsOp : LM_WeightOp<"w.rows"> {
  let summary = "some rows of a weight";
  let description = [{
    Rows `from` (included) to `to` (excluded): lossless on any storage type.

        %wk = lm.w.rows %wqkv [576:768] : <960x576> -> <192x576>

    - w_rows_c1: 0 <= from < to <= rows, and the result has to - from rows of the same length.
  }];
  let arguments = (ins LM_Weight:$a, I64Attr:$from, I64Attr:$to);
  let results = (outs LM_Weight:$w);
  let assemblyFormat = "$a `[` $from `:` $to `]` attr-dict `:` type($a) `->` type($w)";
  let hasVerifier = 1;
}

def LM_WScaleOp : LM_WeightOp<"w.scale", [SameOperandsAndResultType]> {
  let summary = "a weight times a number";
  let description = [{Elementwise in f32; stored as f32.}];
  let arguments = (ins LM_Weight:$a, F64Attr:$factor);
  let results = (outs LM_Weight:$w);
  let assemblyFormat = "$a custom<Params>(prop-dict, attr-dict) `:` type($w)";
}

def LM_WTransposeOp : LM_WeightOp<"w.transpose"> {
  let summary = "a matrix with rows and columns exchanged";
  let description = [{
    Keeps float storage types; block formats are widened to f32.

    - w_transpose_c1: the result's shape is the operand's reversed.
  }];
  let arguments = (ins LM_Matrix:$a);
  let results = (outs LM_Matrix:$w);
  let assemblyFormat = "$a attr-dict `:` type($a) `->` type($w)";
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Tokens and rows
//===----------------------------------------------------------------------===//

def LM_AskedRowsOp : LM_Op<"asked_rows", [Pure, SameOperandsAndResultTypeOfX]> {
  let summary = "keeps the rows whose outputs are asked for";
  let description = [{
    Stands before the output matmul, so that it runs only for rows somebody reads. The result has one row for each
    asked token, in order.

    - asked_rows_c1: used once in a model, outside the stack.
  }];
  let arguments = (ins LM_Rows:$x, LM_Tokens:$tokens);
  let results = (outs LM_Rows:$y);
  let assemblyFormat = "$x `,` $tokens attr-dict `:` type($x)";
}

def LM_EmbedOp : LM_Op<"embed", [Pure, LM_Decomposable, LM_YFromWCols]> {
  let summary = "rows of an embedding table";
  let description = [{
    y [T, H] = scale * w[id] for the table w <VxH>.

        %x0 = lm.embed %tokens, %table : <49152x576>

    - embed_c1: the table has a row for every token of the model's vocab.
  }];
  let arguments = (ins LM_Tokens:$tokens, LM_Matrix:$w, DefaultValuedAttr<F64Attr, "1.0">:$scale);
  let results = (outs LM_Rows:$y);
  let assemblyFormat = "$tokens `,` $w custom<Params>(prop-dict, attr-dict) `:` type($w)";
}

def LM_PositionEmbedOp : LM_Op<"position_embed", [Pure, LM_Decomposable, LM_YFromWCols]> {
  let summary = "learned position embeddings";
  let description = [{
    y [T, H] = w[position + offset] for the table w <PxH>; positions beyond the table use its last row.

    - position_embed_c1: offset is not negative and below the table's rows.
  }];
  let arguments = (ins LM_Tokens:$tokens, LM_Matrix:$w, DefaultValuedAttr<I64Attr, "0">:$offset);
  let results = (outs LM_Rows:$y);
  let assemblyFormat = "$tokens `,` $w custom<Params>(prop-dict, attr-dict) `:` type($w)";
  let hasVerifier = 1;
}

def LM_TokenRowsOp : LM_Op<"token_rows", [Pure]> {
  let summary = "the tokens as numbers (id, sequence, position, asked)";
  let description = [{The door from `!lm.tokens` to tensors. Stands only in decompositions.}];
  let arguments = (ins LM_Tokens:$tokens);
  let results = (outs LM_TokenRows:$rows);
  let assemblyFormat = "$tokens attr-dict";
}

def LM_WeightValuesOp : LM_Op<"weight_values", [Pure]> {
  let summary = "a weight as a tensor of floats";
  let description = [{
    The exact values that the storage type stands for. The door from `!lm.weight` to tensors; stands only in
    decompositions.
  }];
  let arguments = (ins LM_Weight:$w);
  let results = (outs AnyStaticShapeTensor:$values);
  let assemblyFormat = "$w attr-dict `:` type($w) `->` type($values)";
}

//===----------------------------------------------------------------------===//
// Matmul and norms
//===----------------------------------------------------------------------===//

def LM_LinearOp : LM_Op<"linear", [Pure, LM_Decomposable, LM_XFromW, LM_YFromW, LM_BFromW]> {
  let summary = "the matmul: x W^T + b";
  let description = [{
    y [T, N] = x [T, K] * w^T + b, for a weight w <NxK> and an optional bias b <N>.

        %q = lm.linear %n, %wq : <576x576>
  }];
  let arguments = (ins LM_Rows:$x, LM_Matrix:$w, Optional<LM_Weight>:$b);
  let results = (outs LM_Rows:$y);
  let assemblyFormat = "$x `,` $w (`,` $b^)? custom<Params>(prop-dict, attr-dict) `:` type($w)";
}

def LM_LayerNormOp : LM_Op<"layer_norm", [Pure, LM_Decomposable, AttrSizedOperandSegments,
    TypesMatchWith<"y is like x", "x", "y", "$_self">]> {
  let summary = "layer normalization";
  let description = [{
    y = (x - mean(x)) / sqrt(var(x) + eps) * g + b over each row, or over each group of `group` columns; var is the
    mean of squares about the mean. Gain and bias are optional. Ba, Kiros, Hinton 2016, arXiv:1607.06450.

    - norm_c1: eps is not negative.
    - norm_c2: group divides the width.
    - norm_c3: the gain is as long as a group or as the row, the bias as the gain.
  }];
  let arguments = (ins LM_Rows:$x, Optional<LM_Vector>:$gain, Optional<LM_Vector>:$bias, F64Attr:$eps,
      OptionalAttr<I64Attr>:$group);
  let results = (outs LM_Rows:$y);
  let assemblyFormat = [{
    $x (`,` $gain^ (`,` $bias^)?)? custom<Params>(prop-dict, attr-dict) `:`
    custom<NormTypes>(ref($gain), ref($bias), type($x), type($gain), type($bias))
  }];
  let hasVerifier = 1;
}

def LM_RMSNormOp : LM_Op<"rms_norm", [Pure, LM_Decomposable, TypesMatchWith<"y is like x", "x", "y", "$_self">]> {
  let summary = "root mean square normalization";
  let description = [{
    y = x / sqrt(mean(x^2) + eps) * g over each row, or over each group of `group` columns (the norm per head); with
    `plus_one` the gain is 1 + g. The gain is optional. Zhang, Sennrich 2019, arXiv:1910.07467.

        %n = lm.rms_norm %h, %g {eps = 1.0e-5} : <576>

    - norm_c1: eps is not negative.
    - norm_c2: group divides the width.
    - norm_c3: the gain is as long as a group or as the row.
  }];
  let arguments = (ins LM_Rows:$x, Optional<LM_Vector>:$gain, F64Attr:$eps, UnitAttr:$plus_one,
      OptionalAttr<I64Attr>:$group);
  let results = (outs LM_Rows:$y);
  let assemblyFormat = "$x (`,` $gain^)? custom<Params>(prop-dict, attr-dict) `:` custom<NormType>(ref($gain), type($x), type($gain))";
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Positions, cache and attention
//===----------------------------------------------------------------------===//

def LM_AttentionOp : LM_Op<"attention", [Pure, LM_Decomposable]> {
  let summary = "scaled dot-product attention over the visible keys";
  let description = [{
    y [T, heads * dim_v] = softmax(q k^T * scale) v, per head; query head h reads key head h * kv_heads / heads. A
    query sees the keys of its own sequence; with `mask = causal` only those at its position or before it, with
    `window` only the last `window` of these, itself included (0 in a table of windows: no window). `softcap` c turns a score s into c * tanh(s / c)
    before the mask. `sinks` <heads> adds one logit a head to the softmax's sum, without a value. A query that sees
    no key yields 0. Vaswani et al. 2017, arXiv:1706.03762; grouped heads: arXiv:2305.13245.

    - attention_c1: kv_heads divides heads.
    - attention_c2: q is heads * dim_k wide and k is kv_heads * dim_k.
    - attention_c3: v is kv_heads * dim_v wide and the result heads * dim_v.
    - attention_c4: scale, softcap and window are positive, the window at most 2^30.
    - attention_c5: the sinks are one number a head.
  }];
  let arguments = (ins LM_Rows:$q, LM_Rows:$k, LM_Rows:$v, LM_Keys:$keys, LM_Tokens:$tokens,
      Optional<LM_Vector>:$sinks, I64Attr:$heads, I64Attr:$kv_heads, F64Attr:$scale, LM_Mask:$mask,
      OptionalAttr<LM_LayerInt>:$window, OptionalAttr<F64Attr>:$softcap);
  let results = (outs LM_Rows:$y);
  let assemblyFormat = [{
    $q `,` $k `,` $v `,` $keys `,` $tokens (`,` $sinks^ `:` type($sinks))? custom<Params>(prop-dict, attr-dict) `:`
    custom<AttentionTypes>(type($q), type($k), type($v), type($y))
  }];
  let hasVerifier = 1;
}

def LM_KVAppendOp : LM_Op<"kv_append", [DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "writes rows into the KV cache at their positions";
  let description = [{
    k [T, heads * dim_k] and v [T, heads * dim_v] become the cached rows of their tokens in this layer.

    - kv_c1: the widths are those of the cache.
    - kv_c2: all uses of a kv_view stand before the next append to the same cache.
  }];
  let arguments = (ins Arg<FlatSymbolRefAttr, "", [MemWrite<LM_KVStore>]>:$cache, LM_Rows:$k, LM_Rows:$v,
      LM_Tokens:$tokens);
  let assemblyFormat = "$cache `,` $k `,` $v `,` $tokens attr-dict `:` type($k) `,` type($v)";
}

def LM_KVViewOp : LM_Op<"kv_view", [DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "all rows of the KV cache that this step can see";
  let description = [{
    k [S, heads * dim_k], v [S, heads * dim_v] and the (sequence, position) of each: the rows of this layer of every
    sequence that has a token in the step, those just appended included.

    - kv_c1: the widths are those of the cache.
  }];
  let arguments = (ins Arg<FlatSymbolRefAttr, "", [MemRead<LM_KVStore>]>:$cache, LM_Tokens:$tokens);
  let results = (outs LM_Rows:$k, LM_Rows:$v, LM_Keys:$keys);
  let assemblyFormat = "$cache `,` $tokens attr-dict `:` type($k) `,` type($v)";
}

def LM_RopeOp : LM_Op<"rope", [Pure, LM_Decomposable, SameOperandsAndResultTypeOfX]> {
  let summary = "rotary position embedding";
  let description = [{
    Rotates pairs of each head of `head_dim` columns by the angle position * f_j: with c = factor * cos, s = factor * sin,
    (a, b) becomes (a c - b s, b c + a s). Style `half` pairs column j with j + dims/2, `interleaved` 2j with 2j + 1; only
    the first `dims` columns of a head (default: all) take part. f_j = base^(-2j/dims), or `freqs[j]` where that list
    is given (a scaling rule worked out by the importer); `factor` multiplies cos and sin. The angle is rounded to
    f32 as the reference implementations do. Su et al. 2021, arXiv:2104.09864.

        %qr = lm.rope %q, %tokens {head_dim = 64, base = 1.0e4, style = half} : tensor<?x576xf32>

    - rope_c1: head_dim divides the width.
    - rope_c2: dims is even, positive and at most head_dim.
    - rope_c3: freqs, where given, has dims / 2 numbers; base is above 0.
  }];
  let arguments = (ins LM_Rows:$x, LM_Tokens:$tokens, I64Attr:$head_dim,
      DefaultValuedAttr<LM_RopeStyle, "\"half\"">:$style, OptionalAttr<I64Attr>:$dims, LM_LayerNumber:$base,
      OptionalAttr<DenseF64ArrayAttr>:$freqs, DefaultValuedAttr<F64Attr, "1.0">:$factor);
  let results = (outs LM_Rows:$y);
  let assemblyFormat = "$x `,` $tokens custom<Params>(prop-dict, attr-dict) `:` type($x)";
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Elementwise and columns
//===----------------------------------------------------------------------===//

class LM_UnaryOp<string mnemonic, string what, string formula> : LM_Op<mnemonic,
    [Pure, LM_Decomposable, SameOperandsAndResultType]> {
  let summary = what;
  let description = "y = " # formula # ", elementwise.";
  let arguments = (ins LM_Rows:$x);
  let results = (outs LM_Rows:$y);
  let assemblyFormat = "$x custom<Params>(prop-dict, attr-dict) `:` type($x)";
}

class LM_BinaryOp<string mnemonic, string what, string formula> : LM_Op<mnemonic,
    [Pure, LM_Decomposable, SameOperandsAndResultType]> {
  let summary = what;
  let description = "y = " # formula # ", elementwise on rows of one shape.";
  let arguments = (ins LM_Rows:$a, LM_Rows:$b);
  let results = (outs LM_Rows:$y);
  let assemblyFormat = "$a `,` $b custom<Params>(prop-dict, attr-dict) `:` type($a)";
}

def LM_AddOp : LM_BinaryOp<"add", "sum", "a + b">;

def LM_ClampOp : LM_UnaryOp<"clamp", "limits to a range", "min(max(x, min), max)"> {
  let arguments = (ins LM_Rows:$x, F64Attr:$min, F64Attr:$max);
}

def LM_ConcatOp : LM_Op<"concat", [Pure, LM_Decomposable]> {
  let summary = "columns of several rows side by side";
  let description = [{
    - concat_c1: the widths add up to the result's.
  }];
  let arguments = (ins Variadic<LM_Rows>:$parts);
  let results = (outs LM_Rows:$y);
  let assemblyFormat = "$parts custom<Params>(prop-dict, attr-dict) `:` type($parts) `->` type($y)";
  let hasVerifier = 1;
}

def LM_GeluOp : LM_UnaryOp<"gelu", "Gaussian error linear unit",
    "x * P(x): erf is 0.5 x (1 + erf(x / sqrt 2)); tanh is 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))); quick is x / (1 + exp(-1.702 x)); arXiv:1606.08415"> {
  let arguments = (ins LM_Rows:$x, DefaultValuedAttr<LM_GeluForm, "\"erf\"">:$form);
}

def LM_MulOp : LM_BinaryOp<"mul", "product", "a * b">;
def LM_ReluOp : LM_UnaryOp<"relu", "rectified linear unit", "max(x, 0)">;
def LM_Relu2Op : LM_UnaryOp<"relu2", "squared rectified linear unit", "max(x, 0)^2">;

def LM_ScaleOp : LM_UnaryOp<"scale", "times a number", "factor * x"> {
  let arguments = (ins LM_Rows:$x, F64Attr:$factor);
}

def LM_SigmoidOp : LM_UnaryOp<"sigmoid", "logistic function", "1 / (1 + exp(-x))">;
def LM_SiluOp : LM_UnaryOp<"silu", "sigmoid linear unit", "x / (1 + exp(-x)); arXiv:1702.03118">;

def LM_SliceOp : LM_Op<"slice", [Pure, LM_Decomposable]> {
  let summary = "some columns";
  let description = [{
    Columns `from` (included) to `to` (excluded) of x.

        %gate = lm.slice %gu [0:1536] : tensor<?x3072xf32> -> tensor<?x1536xf32>

    - slice_c1: 0 <= from < to <= width, and the result is to - from wide.
  }];
  let arguments = (ins LM_Rows:$x, I64Attr:$from, I64Attr:$to);
  let results = (outs LM_Rows:$y);
  let assemblyFormat = "$x `[` $from `:` $to `]` attr-dict `:` type($x) `->` type($y)";
  let hasVerifier = 1;
}

def LM_SoftcapOp : LM_UnaryOp<"softcap", "bounded smoothly", "cap * tanh(x / cap)"> {
  let arguments = (ins LM_Rows:$x, F64Attr:$cap);
}

def LM_TanhOp : LM_UnaryOp<"tanh", "hyperbolic tangent", "tanh(x)">;

//===----------------------------------------------------------------------===//
// Made by passes
//===----------------------------------------------------------------------===//

def LM_CachedAttentionOp : LM_Op<"cached_attention", [LM_Decomposable, AttrSizedOperandSegments,
    DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "norms of heads, rope, append, view and attention in one";
  let description = [{
    q [T, heads * dim_k], k [T, kv_heads * dim_k] and v [T, kv_heads * dim_v] give y [T, heads * dim_v]. Norms each head
    of q and k as `lm.rms_norm` does with a group of dim_k columns (not where `norm_eps` is absent), by gains of dim_k
    numbers that all heads share, each of them optional; with `norm_plus_one` they are 1 + gain. Then rotates q and k as
    `lm.rope` does (not where `rope_base` is absent), appends k and v to the cache, and attends as `lm.attention` does.
    The normed and the rotated rows are never stored outside the cache. Made by fuse-rope-attention; decomposes into
    what it was made from. The rules of `lm.attention`, of `lm.kv_append` and, with a rope, of `lm.rope` hold. Norms of
    queries and keys: Henry et al. 2020, arXiv:2010.04245; with RMS norms and gains: Qwen3, arXiv:2505.09388.

        %y = lm.cached_attention @kv, %q, %k, %v, %tokens q_gain(%gq : !lm.weight<64>) k_gain(%gk : !lm.weight<64>)
            {heads = 9, kv_heads = 3, mask = causal, norm_eps = 1.0e-6, rope_base = 1.0e6, scale = 0.125}
            : tensor<?x576xf32>, tensor<?x192xf32>, tensor<?x192xf32>

    - cached_attention_c1: kv_heads are the heads of the cache.
    - cached_attention_c2: attributes of a rope need a `rope_base`.
    - cached_attention_c3: gains and norm_plus_one need a `norm_eps`, which is not negative; a gain is as long as a head.
  }];
  let arguments = (ins Arg<FlatSymbolRefAttr, "", [MemRead<LM_KVStore>, MemWrite<LM_KVStore>]>:$cache,
      LM_Rows:$q, LM_Rows:$k, LM_Rows:$v, LM_Tokens:$tokens, Optional<LM_Vector>:$sinks,
      Optional<LM_Vector>:$q_gain, Optional<LM_Vector>:$k_gain,
      I64Attr:$heads, I64Attr:$kv_heads, F64Attr:$scale, LM_Mask:$mask, OptionalAttr<LM_LayerInt>:$window,
      OptionalAttr<F64Attr>:$softcap, OptionalAttr<F64Attr>:$norm_eps, UnitAttr:$norm_plus_one,
      OptionalAttr<LM_RopeStyle>:$rope_style, OptionalAttr<I64Attr>:$rope_dims,
      OptionalAttr<LM_LayerNumber>:$rope_base, OptionalAttr<DenseF64ArrayAttr>:$rope_freqs,
      OptionalAttr<F64Attr>:$rope_factor);
  let results = (outs LM_Rows:$y);
  let assemblyFormat = [{
    $cache `,` $q `,` $k `,` $v `,` $tokens (`,` $sinks^ `:` type($sinks))?
    (`q_gain` `(` $q_gain^ `:` type($q_gain) `)`)? (`k_gain` `(` $k_gain^ `:` type($k_gain) `)`)?
    custom<Params>(prop-dict, attr-dict) `:` custom<AttentionTypes>(type($q), type($k), type($v), type($y))
  }];
}

def LM_FusedLinearOp : LM_Op<"fused_linear", [Pure, LM_Decomposable, AttrSizedOperandSegments]> {
  let summary = "matmuls that share an input, with what stands before and after them";
  let description = [{
    n = norm(x) (`norm = rms` or `layer`, with eps, plus_one, gain and bias as in those ops; `none`: x itself), then for
    each weight z_i = n w_i^T + b_i. With `glu` the weights come in pairs (gate, up) and y_i = act(z_2i) * z_2i+1;
    otherwise y_i = act(z_i). Every y_i is multiplied by `scale`, and then a residual is added to the single result.
    The normed row is never stored. Made by fuse-rmsnorm-matmul, fuse-qkv, fuse-swiglu and fuse-epilogue.

        %q, %k = lm.fused_linear %h norm(%g) weights(%wq, %wk) {norm = rms, eps = 1.0e-5}
            : <576x576>, <192x576> -> tensor<?x576xf32>, tensor<?x192xf32>

    - fused_linear_c1: every weight has as many columns as x; gain, norm_bias and eps belong to the norm and fit it.
    - fused_linear_c2: there is one result a weight, or one for two with glu.
    - fused_linear_c3: biases are none or one a weight, each as long as its weight's rows.
    - fused_linear_c4: a residual needs a single result of its type.
    - fused_linear_c5: scale is finite.
  }];
  let arguments = (ins LM_Rows:$x, Optional<LM_Vector>:$gain, Optional<LM_Vector>:$norm_bias,
      Variadic<LM_Matrix>:$weights, Variadic<LM_Vector>:$biases, Optional<LM_Rows>:$residual,
      DefaultValuedAttr<LM_NormKind, "\"none\"">:$norm, OptionalAttr<F64Attr>:$eps, UnitAttr:$plus_one,
      DefaultValuedAttr<LM_ActKind, "\"none\"">:$act, UnitAttr:$glu, OptionalAttr<F64Attr>:$scale);
  let results = (outs Variadic<LM_Rows>:$results);
  let assemblyFormat = [{
    $x (`norm` `(` $gain^ (`,` $norm_bias^)? `)`)? `weights` `(` $weights `)` (`biases` `(` $biases^ `)`)?
    (`residual` `(` $residual^ `)`)? custom<Params>(prop-dict, attr-dict) `:`
    custom<FusedTypes>(ref($gain), ref($norm_bias), ref($biases), ref($residual), type($x), type($gain),
                       type($norm_bias), type($weights), type($biases), type($residual), type($results))
  }];
  let hasVerifier = 1;
}

#endif
