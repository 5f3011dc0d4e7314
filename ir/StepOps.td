//===- StepOps.td - the step dialect: what runs, and in which order -------===//
#ifndef LLMC_IR_STEPOPS_TD
#define LLMC_IR_STEPOPS_TD

include "ir/LMDialect.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/IR/RegionKindInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Step_Dialect : Dialect {
  let name = "step";
  let cppNamespace = "::llmc::step";
  let summary = "what runs: kernels, buffers, packed weights and an ordered table of dispatches";
  let description = [{
    One `step.program` is everything that becomes a model.so, in the shape of its tables (module_abi.h): arena buffers,
    packed weights with their places, kernels deduplicated over the layers, and one `step.dispatch` for each kernel
    call of a step, layers unrolled. A kernel still says what it computes as an op of the lm dialect; code generation
    either has its own way to emit that op or uses the op's decomposition.
  }];
  let dependentDialects = ["::llmc::lm::LMDialect"];
}

class Step_Op<string mnemonic, list<Trait> traits = []> : Op<Step_Dialect, mnemonic, traits>;

/// `hidden` rows are the asked ones in a step that asks for hidden rows, else none.
def Step_Space : LM_Word<["tokens", "asked", "keys", "hidden"]>;
def Step_Storage : LM_Word<["f32", "f16", "bf16", "q8"]>;

def Step_BufferOp : Step_Op<"buffer", [Symbol, HasParent<"ProgramOp">]> {
  let summary = "a buffer of the arena";
  let description = [{
    One row of `row_bytes` bytes for each token, asked row or visible key of the step. Buffers are reused: a value's
    lifetime ends with its last reader.

        step.buffer @b0 {rows = tokens, row_bytes = 2304}
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, Step_Space:$rows, I64Attr:$row_bytes);
  let assemblyFormat = "$sym_name custom<Params>(prop-dict, attr-dict)";
}

def Step_CacheOp : Step_Op<"cache", [Symbol, HasParent<"ProgramOp">]> {
  let summary = "a KV cache and how its pages are laid out";
  let description = [{
    `page_tokens` tokens of all `layers` layers lie in one page of `page_bytes` bytes. A cache with several storage
    types is several of these, `of` one name; a session has one of them.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, I64Attr:$layers, I64Attr:$heads, I64Attr:$dim_k, I64Attr:$dim_v,
      I64Attr:$page_tokens, Step_Storage:$type, I64Attr:$page_bytes, OptionalAttr<StrAttr>:$of);
  let assemblyFormat = "$sym_name custom<Params>(prop-dict, attr-dict)";
}

def Step_ConstantOp : Step_Op<"constant", [Symbol, HasParent<"ProgramOp">]> {
  let summary = "numbers worked out at compile time, stored with the weights";
  let description = [{
    For example the frequencies of a rotary embedding. `offset` is the place among the packed weights, in bytes.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, DenseF32ArrayAttr:$values, I64Attr:$offset);
  let assemblyFormat = "$sym_name custom<Params>(prop-dict, attr-dict)";
}

def Step_DispatchOp : Step_Op<"dispatch", [HasParent<"ProgramOp">]> {
  let summary = "one kernel call of a step";
  let description = [{
    Calls the kernel with `args`: buffers, weights and constants by name, or integers. `rows` is the row space it works
    over, `barrier` says that all earlier dispatches must have ended, `output` is the buffer a trace would show. With
    `storage` the dispatch belongs to that cache, and is left out where a session stores otherwise.

        step.dispatch @fused_linear_576 [@b0, @w3, @b1] {layer = 3, rows = tokens, barrier}
  }];
  let arguments = (ins FlatSymbolRefAttr:$kernel, ArrayAttr:$args, OptionalAttr<I64Attr>:$layer, Step_Space:$rows,
      UnitAttr:$barrier, OptionalAttr<FlatSymbolRefAttr>:$output, OptionalAttr<FlatSymbolRefAttr>:$storage);
  let assemblyFormat = "$kernel $args custom<Params>(prop-dict, attr-dict)";
}

def Step_KernelOp : Step_Op<"kernel", [Symbol, IsolatedFromAbove, HasParent<"ProgramOp">, SingleBlock]> {
  let summary = "a kernel, as the op it computes";
  let description = [{
    The block's arguments are what the op reads (tensors, weights, tokens); it ends in `step.return` with what the op
    writes. `schemes` names how each weight argument is packed, `activations` the type matmuls multiply in. The kernel's
    run-time arguments are: the tensor and weight arguments in order; of a rope its frequencies, of a cached attention's
    window its tokens, of a cache its number and where the layer's K and V lie in a page; one buffer for each result, and, where `packed_row_bytes` is set, a buffer for packed
    activations.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, StrArrayAttr:$schemes, LM_Word<["f32", "bf16", "f16", "int8"]>:$activations,
      Step_Space:$rows, OptionalAttr<I64Attr>:$packed_row_bytes, OptionalAttr<DictionaryAttr>:$cache);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$sym_name custom<Params>(prop-dict, attr-dict) custom<KernelBody>($body)";
  let extraClassDeclaration = [{
    /// The op that the kernel computes: the only one beside the terminator.
    ::mlir::Operation *computed() { return &getBody().front().front(); }
  }];
  let hasRegionVerifier = 1;
}

def Step_ProgramOp : Step_Op<"program", [Symbol, SymbolTable, IsolatedFromAbove, NoTerminator, SingleBlock]> {
  let summary = "everything that becomes one model.so";
  let description = [{
    `logits` is the buffer that holds the outputs [asked rows, vocab].

    - program_c1: every name in a dispatch is declared, kernels as kernels and storage as a cache.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, I64Attr:$vocab, I64Attr:$context, I64Attr:$layers, I64Attr:$hidden,
      I64Attr:$heads, I64Attr:$kv_heads, I64Attr:$parameters, I64Attr:$weight_bytes, FlatSymbolRefAttr:$logits,
      OptionalAttr<FlatSymbolRefAttr>:$hidden_rows, OptionalAttr<StrAttr>:$tokenizer, OptionalAttr<StrAttr>:$family,
      StrArrayAttr:$files);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$sym_name custom<Params>(prop-dict, attr-dict) $body";
  let hasRegionVerifier = 1;
}

def Step_ReturnOp : Step_Op<"return", [Pure, Terminator]> {
  let summary = "what a kernel writes, or the value of a weight";
  let arguments = (ins Variadic<AnyType>:$values);
  let assemblyFormat = "($values^ `:` type($values))? attr-dict";
}

def Step_WeightOp : Step_Op<"weight", [Symbol, IsolatedFromAbove, HasParent<"ProgramOp">, SingleBlock]> {
  let summary = "a weight as it is packed";
  let description = [{
    The region is the weight expression, with the layer already filled in. `scheme` is how it is packed: a
    quantization scheme, or `vector` for f32 numbers in a row. `offset` is its place among the packed weights in
    bytes, a multiple of 64.

        step.weight @w3 {scheme = q4_1, offset = 4096, bytes = 207360} {
          %0 = lm.weight "blk.0.attn_q.weight" : <576x576>
          step.return %0 : !lm.weight<576x576>
        }
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, StrAttr:$scheme, I64Attr:$offset, I64Attr:$bytes);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$sym_name custom<Params>(prop-dict, attr-dict) $body";
}

#endif
