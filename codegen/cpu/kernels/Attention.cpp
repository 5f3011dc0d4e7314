//===- Attention.cpp - rope, append and attention over the paged cache ----===//
//
// 1. prepare: the workers share the (token, kv head) pairs; each rotates the pair's K and writes K and V into
//    the page of the token's position. It always runs: a query may see keys that another worker appends.
// 2. run: the pairs again, dealt in turn, since later tokens see more keys. For the query heads of the group
//    together: rotate q; for each page with visible keys, ascending: scores with keys in lanes, p = exp(s -
//    m) with the page's own maximum m, l = sum p, o = sum p v; merge (m, l, o) into the running one by a
//    single formula. A page stands at an absolute position, so the result does not depend on how tokens were
//    batched.
//
//===----------------------------------------------------------------------===//
#include "codegen/cpu/Emitter.h"
#include "codegen/cpu/Kernels.h"
#include "codegen/cpu/MathPoly.h"
#include "runtime/include/llmc/module_abi.h"

#include <cstddef>
#include <limits>

using namespace mlir;

namespace llmc::cpu {
namespace {

constexpr double minusInfinity = -std::numeric_limits<double>::infinity();

int64_t largestDivisor(int64_t value, int64_t limit) {
  for (int64_t d = std::min(value, limit); d > 1; --d)
    if (value % d == 0)
      return d;
  return 1;
}

struct AttentionEmitter {
  Emitter &e;
  ModuleOp module;
  std::string name;
  const AttentionSpec &spec;
  const Isa &isa;

  int64_t group = spec.heads / spec.kvHeads; // query heads that share a kv head
  int64_t dimVPadded = spec.dimVPadded(), size = spec.cacheF16 ? 2 : 4;
  int64_t keyVectors = spec.pageTokens / lanes;
  int64_t pairs = spec.ropeDims / 2;

  // A worker's scratch: rotated queries, output sums, probabilities; then for each head 64 bytes of scalars.
  int64_t queryStride = rowStride(spec.dimK), outStride = dimVPadded * 4,
          probabilityStride = spec.pageTokens * 4;
  int64_t outAt = group * queryStride, probabilityAt = outAt + group * outStride;
  int64_t scalarsAt = probabilityAt + group * probabilityStride;
  int64_t anglesAt = scalarsAt + group * 64, angleBytes = rowStride(pairs);
  enum Scalar : int64_t { Maximum = 0, Sum = 4, OldFactor = 8, NewFactor = 12 };
  int64_t scratchBytes() const { return roundUp(anglesAt + 2 * angleBytes, 64); }

  int64_t frequencies() const { return 3; }
  int64_t immediates() const { return spec.ropeDims ? 4 : 3; }
  int64_t output() const { return immediates() + 3; }

  /// A token of the step and its place in the cache.
  struct Token {
    Value sequence, position;
  };
  Token token(const KernelArguments &k, Value index) {
    Value row =
        e.at(e.load(e.ptr(), k.step, offsetof(llmc_step, tokens)), e.mul(index, sizeof(llmc_token_row)));
    return {e.widen(e.load(e.i32(), row, offsetof(llmc_token_row, seq))),
            e.widen(e.load(e.i32(), row, offsetof(llmc_token_row, pos)))};
  }

  struct Cache {
    Value pages, table, pageBytes, tableStride, offsetK, offsetV;
  };
  Cache cache(const KernelArguments &k) {
    Value pool = e.at(e.load(e.ptr(), k.step, offsetof(llmc_step, kv)),
                      e.mul(k.immediate(e, immediates()), sizeof(llmc_kv_pool)));
    return {e.load(e.ptr(), pool, offsetof(llmc_kv_pool, pages)),
            e.load(e.ptr(), pool, offsetof(llmc_kv_pool, table)),
            e.load(e.i64(), pool, offsetof(llmc_kv_pool, page_bytes)),
            e.load(e.i64(), pool, offsetof(llmc_kv_pool, table_stride)),
            k.immediate(e, immediates() + 1),
            k.immediate(e, immediates() + 2)};
  }
  Value page(const Cache &c, Value sequence, Value number) {
    Value entry = e.add(e.mul(sequence, c.tableStride), number);
    Value index = e.widen(e.load(e.i32(), e.at(c.table, e.mul(entry, 4))));
    return e.at(c.pages, e.mul(index, c.pageBytes));
  }

  /// angles(position, frequencies, cosines and sines): both times ropeFactor.
  LLVM::LLVMFuncOp emitAngles() {
    return e.function(module, name + ".angles", isa, {e.i64(), e.ptr(), e.ptr()}, true, [&](ValueRange a) {
      Value position = e.broadcast(arith::SIToFPOp::create(e, e.f32(), a[0]));
      e.loop(e.c(0), e.c(roundUp(pairs, lanes) * 4), 64, [&](Value at) {
        auto [sine, cosine] = buildSinCos(e, e.mulf(position, e.loadFloats(e.at(a[1], at))));
        if (spec.ropeFactor != 1) {
          sine = e.mulf(sine, spec.ropeFactor);
          cosine = e.mulf(cosine, spec.ropeFactor);
        }
        Value target = e.at(a[2], at);
        e.store(cosine, target);
        e.store(sine, target, angleBytes);
      });
    });
  }

  /// rotate(source, cosines and sines, target): one head.
  LLVM::LLVMFuncOp emitRotate() {
    return e.function(module, name + ".rotate", isa, {e.ptr(), e.ptr(), e.ptr()}, true, [&](ValueRange a) {
      const int64_t step = spec.ropeInterleaved ? 8 : 4, other = spec.ropeInterleaved ? 4 : 4 * pairs;
      // Vectors where the halves consist of whole ones.
      const bool vectors = !spec.ropeInterleaved && pairs % lanes == 0;
      Type type = vectors ? Type(e.floats()) : e.f32();
      e.loop(e.c(0), e.c(pairs), vectors ? lanes : 1, [&](Value i) {
        Value at = e.mul(i, step), angle = e.at(a[1], e.mul(i, 4));
        Value source = e.at(a[0], at), target = e.at(a[2], at);
        Value x = e.load(type, source), y = e.load(type, source, other);
        Value cosine = e.load(type, angle), sine = e.load(type, angle, angleBytes);
        e.store(e.subf(e.mulf(x, cosine), e.mulf(y, sine)), target);
        e.store(e.addf(e.mulf(y, cosine), e.mulf(x, sine)), target, other);
      });
      copyFloats(a[0], a[2], spec.ropeDims, spec.dimK);
    });
  }

  /// Elements [first, last) of f32 rows.
  void copyFloats(Value source, Value target, int64_t first, int64_t last) {
    e.loop(e.c(4 * first), e.c(4 * first + (last - first) / lanes * 64), 64,
           [&](Value at) { e.store(e.loadFloats(e.at(source, at)), e.at(target, at)); });
    e.loop(e.c(4 * (last - (last - first) % lanes)), e.c(4 * last), 4,
           [&](Value at) { e.store(e.load(e.f32(), e.at(source, at)), e.at(target, at)); });
  }

  Value narrow(Value v) {
    if (!spec.cacheF16)
      return v;
    auto vector = dyn_cast<VectorType>(v.getType());
    return arith::TruncFOp::create(e, vector ? Type(e.vec(vector.getNumElements(), e.f16())) : e.f16(), v);
  }

  void emitPrepare() {
    emitEntry(e, module, name + ".prepare", isa, [&](const KernelArguments &k) {
      Value stack = e.scratch(queryStride + 2 * angleBytes);
      Cache c = cache(k);
      Value keys = k.pointer(e, 1), values = k.pointer(e, 2);
      auto [first, last] = k.share(e, e.mul(k.rows(e, LLMC_ROWS_TOKENS), spec.kvHeads));
      e.loop(first, last, 1, [&](Value item) {
        Value row = e.div(item, spec.kvHeads), head = e.rem(item, spec.kvHeads);
        Token t = token(k, row);
        Value target = page(c, t.sequence, e.div(t.position, spec.pageTokens));
        Value slot = e.rem(t.position, spec.pageTokens);

        Value key =
            e.at(e.at(keys, e.mul(row, rowStride(spec.kvHeads * spec.dimK))), e.mul(head, 4 * spec.dimK));
        if (spec.ropeDims) {
          Value angles = e.at(stack, queryStride);
          e.call(emitAngles(), {t.position, k.pointer(e, frequencies()), angles});
          e.call(emitRotate(), {key, angles, stack});
          key = stack;
        }
        Value targetK =
            e.at(e.at(target, c.offsetK), e.mul(e.add(e.mul(head, spec.dimK * spec.pageTokens), slot), size));
        e.loop(e.c(0), e.c(spec.dimK), 1, [&](Value d) {
          e.store(narrow(e.load(e.f32(), e.at(key, e.mul(d, 4)))),
                  e.at(targetK, e.mul(d, spec.pageTokens * size)));
        });

        Value value =
            e.at(e.at(values, e.mul(row, rowStride(spec.kvHeads * spec.dimV))), e.mul(head, 4 * spec.dimV));
        Value targetV = e.at(e.at(target, c.offsetV),
                             e.mul(e.add(e.mul(head, spec.pageTokens), slot), dimVPadded * size));
        const int64_t whole = spec.dimV / lanes * lanes;
        e.loop(e.c(0), e.c(whole), lanes, [&](Value d) {
          e.store(narrow(e.loadFloats(e.at(value, e.mul(d, 4)))), e.at(targetV, e.mul(d, size)));
        });
        e.loop(e.c(whole), e.c(spec.dimV), 1, [&](Value d) {
          e.store(narrow(e.load(e.f32(), e.at(value, e.mul(d, 4)))), e.at(targetV, e.mul(d, size)));
        });
      });
    });
  }

  Value scalar(Value scratch, Value head, Scalar which) {
    return e.at(scratch, e.add(e.mul(head, 64), scalarsAt + which));
  }

  /// Scores, probabilities and the running (m, l) of `heads` query heads from `head` on, for one page. Keys
  /// [first, last) of it are visible.
  void scorePage(Value scratch, Value head, int64_t heads, Value keys, Value first, Value last) {
    Value query = e.at(scratch, e.mul(head, queryStride));
    Values sums = e.loop(e.c(0), e.c(spec.dimK), e.c(1), Values(heads * keyVectors, e.zeros()),
                         [&](Value d, ValueRange carried) {
                           Value at = e.at(keys, e.mul(d, spec.pageTokens * size)),
                                 q = e.at(query, e.mul(d, 4));
                           Values k, sums(carried);
                           for (int64_t v = 0; v < keyVectors; ++v)
                             k.push_back(e.loadFloats(at, v * lanes * size, spec.cacheF16));
                           for (int64_t g = 0; g < heads; ++g) {
                             Value x = e.broadcast(e.load(e.f32(), q, g * queryStride));
                             for (int64_t v = 0; v < keyVectors; ++v)
                               sums[g * keyVectors + v] = e.fma(x, k[v], sums[g * keyVectors + v]);
                           }
                           return sums;
                         });
    Type i32 = e.i32();
    Value from = e.broadcast(arith::TruncIOp::create(e, i32, first));
    Value to = e.broadcast(arith::TruncIOp::create(e, i32, last));
    Values visible;
    for (int64_t v = 0; v < keyVectors; ++v) {
      Value key = e.add(e.iota(), v * lanes);
      visible.push_back(e.both(e.compare(arith::CmpIPredicate::sge, key, from), e.less(key, to)));
    }
    for (int64_t g = 0; g < heads; ++g) {
      Value largest;
      for (int64_t v = 0; v < keyVectors; ++v) {
        Value &s = sums[g * keyVectors + v];
        s = e.mulf(s, spec.scale);
        if (spec.softcap)
          s = e.mulf(buildTanh(e, e.divf(s, e.real(s.getType(), spec.softcap))), spec.softcap);
        s = e.select(visible[v], s, e.real(s.getType(), minusInfinity));
        largest = largest ? e.maxf(largest, s) : s;
      }
      Value index = e.add(head, g);
      largest = e.maxLanes(largest);
      Value probabilities = e.at(scratch, e.add(e.mul(index, probabilityStride), probabilityAt)), sum;
      for (int64_t v = 0; v < keyVectors; ++v) {
        Value p = buildExp(e, e.subf(sums[g * keyVectors + v], e.broadcast(largest)));
        p = e.select(visible[v], p, e.zeros());
        e.store(p, probabilities, 64 * v);
        sum = sum ? e.addf(sum, p) : p;
      }
      sum = e.sumLanes(sum);
      // m = max(m, m'), l = l exp(m_old - m) + l' exp(m' - m); o follows with the same factors.
      Value old = e.load(e.f32(), scalar(scratch, index, Maximum)), maximum = e.maxf(old, largest);
      Value oldFactor = buildExp(e, e.subf(old, maximum)), newFactor = buildExp(e, e.subf(largest, maximum));
      Value total = e.load(e.f32(), scalar(scratch, index, Sum));
      e.store(e.fma(total, oldFactor, e.mulf(sum, newFactor)), scalar(scratch, index, Sum));
      e.store(maximum, scalar(scratch, index, Maximum));
      e.store(oldFactor, scalar(scratch, index, OldFactor));
      e.store(newFactor, scalar(scratch, index, NewFactor));
    }
  }

  /// o = o * old factor + (sum over visible keys of p v) * new factor, for `heads` heads and `vectors`
  /// vectors.
  void weighPage(Value scratch, Value head, int64_t heads, Value column, int64_t vectors, Value values,
                 Value first, Value last) {
    Value probabilities = e.at(scratch, e.add(e.mul(head, probabilityStride), probabilityAt));
    Value source = e.at(values, e.mul(column, size));
    Values sums =
        e.loop(first, last, e.c(1), Values(heads * vectors, e.zeros()), [&](Value key, ValueRange carried) {
          Value at = e.at(source, e.mul(key, dimVPadded * size)), p = e.at(probabilities, e.mul(key, 4));
          Values v, sums(carried);
          for (int64_t i = 0; i < vectors; ++i)
            v.push_back(e.loadFloats(at, i * lanes * size, spec.cacheF16));
          for (int64_t g = 0; g < heads; ++g) {
            Value weight = e.broadcast(e.load(e.f32(), p, g * probabilityStride));
            for (int64_t i = 0; i < vectors; ++i)
              sums[g * vectors + i] = e.fma(weight, v[i], sums[g * vectors + i]);
          }
          return sums;
        });
    for (int64_t g = 0; g < heads; ++g) {
      Value index = e.add(head, g);
      Value oldFactor = e.broadcast(e.load(e.f32(), scalar(scratch, index, OldFactor)));
      Value newFactor = e.broadcast(e.load(e.f32(), scalar(scratch, index, NewFactor)));
      Value out = e.at(scratch, e.add(e.add(e.mul(index, outStride), e.mul(column, 4)), outAt));
      for (int64_t i = 0; i < vectors; ++i)
        e.store(e.fma(e.loadFloats(out, 64 * i), oldFactor, e.mulf(sums[g * vectors + i], newFactor)), out,
                64 * i);
    }
  }

  void writeOutput(Value scratch, Value index, Value target) {
    Value total = e.load(e.f32(), scalar(scratch, index, Sum));
    Value none = e.less(arith::CmpFPredicate::OEQ, total, e.real(e.f32(), 0));
    total = e.select(none, e.real(e.f32(), 1), total); // all sums are 0 then
    Value divisor = e.broadcast(total), out = e.at(scratch, e.add(e.mul(index, outStride), outAt));
    const int64_t whole = spec.dimV / lanes * lanes;
    e.loop(e.c(0), e.c(4 * whole), 64,
           [&](Value at) { e.store(e.divf(e.loadFloats(e.at(out, at)), divisor), e.at(target, at)); });
    e.loop(e.c(4 * whole), e.c(4 * spec.dimV), 4,
           [&](Value at) { e.store(e.divf(e.load(e.f32(), e.at(out, at)), total), e.at(target, at)); });
  }

  void emitRun() {
    const int64_t limit = isa.tuning.attentionAccumulators;
    const int64_t scoreHeads = largestDivisor(group, std::max<int64_t>(1, limit / keyVectors));
    const int64_t vectors = largestDivisor(dimVPadded / lanes, 4);
    const int64_t valueHeads = largestDivisor(group, std::max<int64_t>(1, limit / vectors));
    emitEntry(e, module, name, isa, [&](const KernelArguments &k) {
      Cache c = cache(k);
      Value queries = k.pointer(e, 0), y = k.pointer(e, output()), scratch = k.scratch(e);
      Value items = e.mul(k.rows(e, LLMC_ROWS_TOKENS), spec.kvHeads);
      e.loop(k.worker, items, k.workers, ValueRange{}, [&](Value item, ValueRange) -> Values {
        Value row = e.div(item, spec.kvHeads), kvHead = e.rem(item, spec.kvHeads),
              head = e.mul(kvHead, group);
        Token t = token(k, row);
        Value query =
            e.at(e.at(queries, e.mul(row, rowStride(spec.heads * spec.dimK))), e.mul(head, 4 * spec.dimK));
        if (spec.ropeDims)
          e.call(emitAngles(), {t.position, k.pointer(e, frequencies()), e.at(scratch, anglesAt)});
        e.loop(e.c(0), e.c(group), 1, [&](Value g) {
          Value source = e.at(query, e.mul(g, 4 * spec.dimK)), target = e.at(scratch, e.mul(g, queryStride));
          if (spec.ropeDims)
            e.call(emitRotate(), {source, e.at(scratch, anglesAt), target});
          else
            copyFloats(source, target, 0, spec.dimK);
          e.store(e.real(e.f32(), minusInfinity), scalar(scratch, g, Maximum));
          e.store(e.real(e.f32(), 0), scalar(scratch, g, Sum));
        });
        e.loop(e.c(0), e.c(group * outStride), 64,
               [&](Value at) { e.store(e.zeros(), e.at(scratch, e.add(at, outAt))); });

        Value oldest = e.c(0);
        if (spec.window)
          oldest = e.max(e.sub(t.position, spec.window - 1), e.c(0));
        Value end = e.add(t.position, 1);
        e.loop(e.div(oldest, spec.pageTokens), e.add(e.div(t.position, spec.pageTokens), 1), 1,
               [&](Value number) {
                 Value base = e.mul(number, spec.pageTokens);
                 Value first = e.max(e.sub(oldest, base), e.c(0)),
                       last = e.min(e.sub(end, base), e.c(spec.pageTokens));
                 Value data = page(c, t.sequence, number);
                 const int64_t bytesK = spec.dimK * spec.pageTokens * size,
                               bytesV = spec.pageTokens * dimVPadded * size;
                 Value keys = e.at(e.at(data, c.offsetK), e.mul(kvHead, bytesK));
                 Value values = e.at(e.at(data, c.offsetV), e.mul(kvHead, bytesV));
                 if (spec.countLoads) {
                   Value seen = e.sub(last, first);
                   emitCountLoad(e, k.step, keys, e.mul(seen, spec.dimK * size));
                   emitCountLoad(e, k.step, values, e.mul(seen, dimVPadded * size));
                 }
                 e.loop(e.c(0), e.c(group), scoreHeads,
                        [&](Value g) { scorePage(scratch, g, scoreHeads, keys, first, last); });
                 e.loop(e.c(0), e.c(group), valueHeads, [&](Value g) {
                   e.loop(e.c(0), e.c(dimVPadded), vectors * lanes, [&](Value column) {
                     weighPage(scratch, g, valueHeads, column, vectors, values, first, last);
                   });
                 });
               });

        const int64_t width = spec.heads * spec.dimV;
        Value target = e.at(y, e.mul(row, rowStride(width)));
        e.loop(e.c(0), e.c(group), 1,
               [&](Value g) { writeOutput(scratch, g, e.at(target, e.mul(e.add(head, g), 4 * spec.dimV))); });
        if (width % lanes)
          e.when(e.equal(kvHead, e.c(spec.kvHeads - 1)), [&] {
            e.loop(e.c(4 * width), e.c(rowStride(width)), 4,
                   [&](Value at) { e.store(e.real(e.f32(), 0), e.at(target, at)); });
          });
        return {};
      });
    });
  }
};

} // namespace

FailureOr<KernelResult> emitAttention(ModuleOp module, StringRef name, const AttentionSpec &spec,
                                      const Isa &isa) {
  auto fail = [&](const Twine &what) {
    module.emitError() << "attention kernel '" << name << "': " << what;
    return failure();
  };
  if (spec.heads <= 0 || spec.kvHeads <= 0 || spec.heads % spec.kvHeads || spec.dimK <= 0 || spec.dimV <= 0)
    return fail("expected positive dimensions and heads in multiples of kv heads, but got " +
                Twine(spec.heads) + " heads, " + Twine(spec.kvHeads) + " kv heads, dimensions " +
                Twine(spec.dimK) + " and " + Twine(spec.dimV));
  if (spec.pageTokens <= 0 || spec.pageTokens % lanes)
    return fail("expected pages of a multiple of 16 tokens, but got " + Twine(spec.pageTokens));
  if (spec.ropeDims < 0 || spec.ropeDims % 2 || spec.ropeDims > spec.dimK)
    return fail("expected an even number of rotated dimensions up to " + Twine(spec.dimK) + ", but got " +
                Twine(spec.ropeDims));
  if (!spec.causal)
    return fail("only causal attention is supported over the paged cache");
  Emitter e(module.getLoc(), module.getContext());
  e.setInsertionPointToEnd(module.getBody());
  AttentionEmitter emitter{e, module, name.str(), spec, isa};
  emitter.emitPrepare();
  emitter.emitRun();
  KernelResult result;
  result.hasPrepare = true;
  result.prepareMinRows = 1;
  result.scratchConstant = emitter.scratchBytes();
  return result;
}

} // namespace llmc::cpu
