//===- Attention.cpp - rope, append and attention over the paged cache ----===//
//
// 1. prepare: the workers share the (token, kv head) pairs; each norms (if heads are normed) and rotates the
//    pair's K and writes K and V into the page of the token's position. It always runs: a query may see keys
//    that another worker appends.
// 2. run: the pairs again, dealt in turn, since later tokens see more keys. For the query heads of the group
//    together: norm and rotate q; add the pages with visible keys, ascending (AttentionPage.h); divide. A
//    page stands at an absolute position, so the result does not depend on how tokens were batched.
// 3. Many tokens: a tile of consecutive ones of a sequence takes the place of a single one, and pages that
//    all of them see whole are turned into floats or pairs once and added to all queries. Before and after
//    these, each token adds by itself the pages of which it sees a part.
// 4. A single token: kv heads are too few to keep all workers busy. The pages that are whole already, of all
//    heads, are shared evenly in `prepare`, each one's (m, l, o) goes into a record in its worker's scratch,
//    and `run` adds the records in order.
//
//===----------------------------------------------------------------------===//
#include "codegen/cpu/Entry.h"
#include "codegen/cpu/Kernels.h"
#include "codegen/cpu/kernels/AttentionFunctions.h"
#include "codegen/cpu/kernels/HeadNorm.h"
#include "codegen/cpu/kernels/Rope.h"
#include "codegen/emit/KVPool.h"
#include "runtime/include/llmc/module_abi.h"

#include <cstddef>
#include <limits>

using namespace mlir;

namespace llmc::cpu {
namespace {

constexpr int64_t minPagesToShare = 4; // fewer are not worth the way through records

constexpr double minusInfinity = -std::numeric_limits<double>::infinity();

/// Tokens of a tile: so many that its queries, their sums and a page of floats stay in the first-level cache;
/// in bf16 more, since turning the page into it takes a good part of the time.
int64_t tileTokens(const AttentionSpec &spec, const Isa &isa) {
  const int64_t numbers = usesTiles(spec, isa) || usesBF16Dots(spec, isa) ? 64 * 64 : 32 * 64;
  int64_t tokens = 16;
  while (tokens > 1 && tokens * (spec.heads / spec.kvHeads) * std::max(spec.dimK, spec.dimV) > numbers)
    tokens /= 2;
  return tokens;
}

struct AttentionEmitter {
  Emitter &e;
  ModuleOp module;
  std::string name;
  const AttentionSpec &spec;
  const Isa &isa;

  int64_t group = spec.heads / spec.kvHeads; // query heads that share a kv head
  KVLayout layout = spec.layout();
  KVStore store{e, layout};
  int64_t tile = tileTokens(spec, isa);
  AttentionScratch places{spec, group * tile};
  AttentionPage pageSums{e, spec, isa, places};
  bool hasTiles = usesTiles(spec, isa) && tile > 1, hasPairs = usesBF16Dots(spec, isa);
  AttentionFunctions functions{e, module, name, spec, isa, places, tile};
  int64_t recordsAt = places.bytes + (hasTiles ? roundUp(functions.tileScratchBytes(), 64) : 0);
  int64_t angleBytes = places.angleBytes;
  HeadNorm norm{e, module, name, spec, isa};
  Rope rope{e, module, name, spec, isa, angleBytes};

  int64_t frequencies() const { return 3 + spec.gainQ + spec.gainK; }
  int64_t window() const { return frequencies() + (spec.ropeDims > 0); }
  int64_t immediates() const { return window() + spec.hasWindow; }
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

  /// How far it is to the page behind, if that is below `end`, else 0.
  Value toNextPage(const KVPool &pool, Value sequence, Value number, Value end) {
    Value next = e.min(e.add(number, 1), e.sub(end, 1));
    return e.sub(pool.offsetOf(e, sequence, next), pool.offsetOf(e, sequence, number));
  }
  void writeOutput(Value scratch, Value index, Value target) {
    Value total = e.load(e.f32(), pageSums.number(scratch, index, AttentionScratch::Sum));
    Value none = e.less(arith::CmpFPredicate::OEQ, total, e.real(e.f32(), 0));
    total = e.select(none, e.real(e.f32(), 1), total); // all sums are 0 then
    Value divisor = e.broadcast(total),
          out = e.at(scratch, e.add(e.mul(index, places.outStride), places.outAt));
    const int64_t whole = spec.dimV / lanes * lanes;
    e.loop(e.c(0), e.c(4 * whole), 64,
           [&](Value at) { e.store(e.divf(e.loadFloats(e.at(out, at)), divisor), e.at(target, at)); });
    e.loop(e.c(4 * whole), e.c(4 * spec.dimV), 4,
           [&](Value at) { e.store(e.divf(e.load(e.f32(), e.at(out, at)), total), e.at(target, at)); });
  }

  Value gainOfQ(const KernelArguments &k) { return spec.gainQ ? k.pointer(e, 3) : Value(); }
  Value gainOfK(const KernelArguments &k) { return spec.gainK ? k.pointer(e, 3 + spec.gainQ) : Value(); }
  bool changesHeads() const { return spec.headNorms || spec.ropeDims; }
  /// A head of q or k, normed and rotated.
  void changeHead(Value source, Value gain, Value angles, Value target) {
    if (spec.headNorms)
      norm.apply(source, gain, target);
    if (spec.ropeDims)
      rope.rotate(spec.headNorms ? target : source, angles, target);
  }

  /// What a run works on: the kernel's arguments, read once.
  struct Run {
    KernelArguments k;
    KVPool pool;
    Value queries, y, scratch, kvHead;
  };

  /// The token's queries, normed and rotated, become number `query` and following; their sums are empty.
  void begin(const Run &r, Value row, const Token &t, Value query) {
    Value source = e.at(e.at(r.queries, e.mul(row, rowStride(spec.heads * spec.dimK))),
                        e.mul(r.kvHead, group * 4 * spec.dimK));
    Value angles = e.at(r.scratch, places.anglesAt), gain = gainOfQ(r.k);
    if (spec.ropeDims)
      rope.angles(t.position, r.k.pointer(e, frequencies()), angles);
    e.loop(e.c(0), e.c(group), 1, [&](Value g) {
      Value index = e.add(query, g), head = e.at(source, e.mul(g, 4 * spec.dimK));
      Value target = e.at(r.scratch, e.mul(index, places.queryStride));
      if (changesHeads())
        changeHead(head, gain, angles, target);
      else
        copyFloats(e, head, target, 0, spec.dimK);
      if (hasPairs)
        PairProducts::prepareQuery(e, layout, target);
      e.store(e.real(e.f32(), minusInfinity), pageSums.number(r.scratch, index, AttentionScratch::Maximum));
      e.store(e.real(e.f32(), 0), pageSums.number(r.scratch, index, AttentionScratch::Sum));
    });
    Value out = e.at(r.scratch, e.add(e.mul(query, places.outStride), places.outAt));
    e.loop(e.c(0), e.c(group * places.outStride), 64, [&](Value at) { e.store(e.zeros(), e.at(out, at)); });
  }

  void end(const Run &r, Value row, Value query) {
    const int64_t width = spec.heads * spec.dimV;
    Value target = e.at(r.y, e.mul(row, rowStride(width))), head = e.mul(r.kvHead, group);
    e.loop(e.c(0), e.c(group), 1, [&](Value g) {
      writeOutput(r.scratch, e.add(query, g), e.at(target, e.mul(e.add(head, g), 4 * spec.dimV)));
    });
    if (width % lanes)
      e.when(e.equal(r.kvHead, e.c(spec.kvHeads - 1)), [&] {
        e.loop(e.c(4 * width), e.c(rowStride(width)), 4,
               [&](Value at) { e.store(e.real(e.f32(), 0), e.at(target, at)); });
      });
  }

  /// The head's keys and values in page `number` of a sequence.
  KVPool::Place pageOf(const Run &r, Value sequence, Value number) {
    return KVPool::head(e, layout, r.pool.layer(e, sequence, number), r.kvHead);
  }

  void countLoads(const Run &r, Value keys, Value values, Value seen) {
    if (!spec.countLoads)
      return;
    emitCountLoad(e, r.k.step, keys, e.mul(seen, layout.headBytesK() / spec.pageTokens));
    emitCountLoad(e, r.k.step, values, e.mul(seen, layout.headBytesV() / spec.pageTokens));
  }

  /// The first position that is visible from `position`.
  Value oldest(const Run &r, Value position) {
    if (!spec.hasWindow)
      return e.c(0);
    return e.max(e.sub(position, e.sub(r.k.immediate(e, window()), 1)), e.c(0));
  }

  /// What the token sees of pages [from, to), clipped to those that it sees anything of.
  void addParts(const Run &r, const Token &t, Value query, Value from, Value to) {
    Value start = oldest(r, t.position), stop = e.add(t.position, 1);
    from = e.max(from, e.div(start, spec.pageTokens));
    to = e.min(to, e.add(e.div(t.position, spec.pageTokens), 1));
    e.loop(from, to, 1, [&](Value number) {
      Value base = e.mul(number, spec.pageTokens);
      Value first = e.max(e.sub(start, base), e.c(0)), last = e.min(e.sub(stop, base), e.c(spec.pageTokens));
      auto [keys, values] = pageOf(r, t.sequence, number);
      countLoads(r, keys, values, e.sub(last, first));
      e.call(functions.addPart(),
             {r.scratch, query, keys, values, first, last, toNextPage(r.pool, t.sequence, number, to)});
    });
  }

  /// Pages [from, to) of the sequence to a tile of tokens, the first of which is `t`.
  void addBlocks(const Run &r, const Token &t, Value from, Value to) {
    e.call(functions.packQueries(), {r.scratch});
    e.loop(from, to, AttentionTiles::blockPages, [&](Value first) {
      Value pages = e.min(e.sub(to, first), e.c(AttentionTiles::blockPages));
      Value seen = e.sub(e.add(t.position, 1), e.mul(first, spec.pageTokens));
      e.loop(e.c(0), pages, 1, [&](Value index) {
        Value limit = e.sub(e.add(seen, tile - 1), e.mul(index, spec.pageTokens));
        Value number = e.add(first, index);
        auto [keys, values] = pageOf(r, t.sequence, number);
        countLoads(r, keys, values, e.min(limit, e.c(spec.pageTokens)));
        e.call(functions.packPage(),
               {r.scratch, keys, values, index, limit, toNextPage(r.pool, t.sequence, number, to)});
      });
      e.call(functions.addBlock(), {r.scratch, pages, seen});
    });
  }

  /// Whether the tokens of rows [first, first + tile) follow one another in one sequence.
  Value isRun(const KernelArguments &k, Value first) {
    Token t = token(k, first);
    Value sequence = t.sequence, position = t.position;
    return e.loop(e.c(1), e.c(tile), e.c(1), ValueRange{e.splat(e.i1(), 1)},
                  [&](Value i, ValueRange carried) {
                    Token next = token(k, e.add(first, i));
                    Value follows =
                        e.both(e.equal(next.sequence, sequence), e.equal(next.position, e.add(position, i)));
                    return Values{e.both(carried[0], follows)};
                  })[0];
  }

  /// The pages of a step's only token that workers share: [from, to) of every kv head.
  struct Shared {
    Value isUsed, from, to;
  };
  Shared sharedPages(const Run &r) {
    Token t = token(r.k, e.c(0));
    Value from = e.div(e.add(oldest(r, t.position), spec.pageTokens - 1), spec.pageTokens);
    Value to = e.div(t.position, spec.pageTokens);
    Value isUsed = e.both(e.equal(r.k.rows(e, LLMC_ROWS_TOKENS), e.c(1)), e.less(e.c(1), r.k.count));
    return {e.both(isUsed, e.less(e.add(from, minPagesToShare - 1), to)), from, to};
  }

  void recordPages(Run r, const Shared &shared) {
    Token t = token(r.k, e.c(0));
    Value pages = e.sub(shared.to, shared.from);
    auto [first, last] = r.k.share(e, e.mul(pages, spec.kvHeads));
    e.loop(first, last, 1, [&, first = first](Value item) {
      r.kvHead = e.div(item, pages);
      Value inHead = e.sub(item, e.mul(r.kvHead, pages));
      Value isNew = arith::OrIOp::create(e, e.equal(item, first), e.equal(inHead, e.c(0)));
      e.when(isNew, [&] { begin(r, e.c(0), t, e.c(0)); });
      Value number = e.add(shared.from, inHead);
      auto [keys, values] = pageOf(r, t.sequence, number);
      countLoads(r, keys, values, e.c(spec.pageTokens));
      Value record = e.at(r.scratch, e.add(e.mul(e.sub(item, first), places.recordBytes), recordsAt));
      e.call(functions.record(),
             {r.scratch, keys, values, record, toNextPage(r.pool, t.sequence, number, shared.to)});
    });
  }

  /// Adds the record that some worker has made (KernelArguments::share) of a page of this kv head.
  void addRecord(const Run &r, const Shared &shared, Value number) {
    Value pages = e.sub(shared.to, shared.from), all = e.mul(pages, spec.kvHeads);
    Value item = e.add(e.mul(r.kvHead, pages), e.sub(number, shared.from));
    Value owner = e.div(e.sub(e.mul(e.add(item, 1), r.k.count), 1), all);
    Value first = e.div(e.mul(all, owner), r.k.count);
    Value table = e.load(e.ptr(), r.k.step, offsetof(llmc_step, scratch));
    Value scratch = e.load(e.ptr(), e.at(table, e.mul(owner, 8)));
    Value record = e.at(scratch, e.add(e.mul(e.sub(item, first), places.recordBytes), recordsAt));
    pageSums.addRecord(r.scratch, e.c(0), group, record);
  }

  /// `count` tokens from row `first` on: a tile, or a single one.
  void emitTokens(const Run &r, Value first, Value count) {
    auto forEach = [&](llvm::function_ref<void(Value row, const Token &t, Value query)> body) {
      e.loop(e.c(0), count, 1, [&](Value i) {
        Value row = e.add(first, i);
        body(row, token(r.k, row), e.mul(i, group));
      });
    };
    Token t = token(r.k, first);
    // Pages [from, to) are whole for every token of a tile.
    Shared shared = sharedPages(r);
    Value from = e.select(shared.isUsed, shared.from, e.c(0)),
          to = e.select(shared.isUsed, shared.to, e.c(0));
    if (tile > 1) {
      Value isTile = e.equal(count, e.c(tile)), newest = e.sub(e.add(t.position, count), 1);
      Value start = e.div(e.add(oldest(r, newest), spec.pageTokens - 1), spec.pageTokens);
      Value stop = e.max(e.div(e.add(t.position, 1), spec.pageTokens), start);
      from = e.select(isTile, start, from), to = e.select(isTile, stop, to);
    }
    forEach([&](Value row, const Token &t, Value query) {
      begin(r, row, t, query);
      if (spec.hasWindow)
        addParts(r, t, query, e.c(0), from);
    });
    if (hasTiles) {
      // With a window, a token may see nothing of a page before it has seen anything.
      Value isTile = e.equal(count, e.c(tile)), end = to;
      if (!spec.hasWindow)
        end = e.add(e.div(e.sub(e.add(t.position, count), 1), spec.pageTokens), 1);
      e.when(isTile, [&] { addBlocks(r, t, from, end); });
      from = e.select(isTile, end, from), to = e.select(isTile, end, to);
    }
    e.loop(from, to, 1, [&](Value number) {
      auto addWhole = [&] {
        auto [keys, values] = pageOf(r, t.sequence, number);
        countLoads(r, keys, values, e.c(spec.pageTokens));
        e.call(functions.addWhole(), {r.scratch, keys, values, toNextPage(r.pool, t.sequence, number, to)});
      };
      e.when(
          shared.isUsed, [&] { addRecord(r, shared, number); },
          tile > 1 && !hasTiles ? llvm::function_ref<void()>(addWhole) : nullptr);
    });
    forEach([&](Value row, const Token &t, Value query) {
      addParts(r, t, query, to, e.c(INT32_MAX));
      end(r, row, query);
    });
  }

  void emitPrepare() {
    emitEntry(e, module, name + ".prepare", isa, [&](const KernelArguments &k) {
      Value stack = e.scratch(places.queryStride + 2 * angleBytes);
      const KVPool pool(e, k, immediates());
      Value keys = k.pointer(e, 1), values = k.pointer(e, 2);
      auto [first, last] = k.share(e, e.mul(k.rows(e, LLMC_ROWS_TOKENS), spec.kvHeads));
      e.loop(first, last, 1, [&](Value item) {
        Value row = e.div(item, spec.kvHeads), head = e.rem(item, spec.kvHeads);
        Token t = token(k, row);
        const KVPool::Place layer = pool.layer(e, t.sequence, e.div(t.position, spec.pageTokens));
        const KVPool::Place target = KVPool::head(e, layout, layer, head);
        Value slot = e.rem(t.position, spec.pageTokens);

        Value key =
            e.at(e.at(keys, e.mul(row, rowStride(spec.kvHeads * spec.dimK))), e.mul(head, 4 * spec.dimK));
        if (changesHeads()) {
          Value angles = e.at(stack, places.queryStride);
          if (spec.ropeDims)
            rope.angles(t.position, k.pointer(e, frequencies()), angles);
          changeHead(key, gainOfK(k), angles, stack);
          key = stack;
        }
        store.storeKey(target.keys, slot, key);
        Value value =
            e.at(e.at(values, e.mul(row, rowStride(spec.kvHeads * spec.dimV))), e.mul(head, 4 * spec.dimV));
        store.storeValue(target.values, slot, value);
      });
      Run r{k, pool, k.pointer(e, 0), {}, k.scratch(e), {}};
      Shared shared = sharedPages(r);
      e.when(shared.isUsed, [&] { recordPages(r, shared); });
    });
  }

  void emitRun() {
    emitEntry(e, module, name, isa, [&](const KernelArguments &k) {
      Run r{k, KVPool(e, k, immediates()), k.pointer(e, 0), k.pointer(e, output()), k.scratch(e), {}};
      Value rows = k.rows(e, LLMC_ROWS_TOKENS);
      // Tiles only where every worker gets several: fewer tokens are dealt one by one. Where that changes the
      // bits, the number of workers must not matter.
      Value isMany = hasTiles ? e.less(e.c(4 * tile - 1), rows)
                              : e.less(e.mul(k.count, 2 * tile), e.mul(rows, spec.kvHeads));
      Value unit = e.select(isMany, e.c(tile), e.c(1));
      Value tiles = e.div(e.sub(e.add(rows, unit), 1), unit);
      e.loop(k.number, e.mul(tiles, spec.kvHeads), k.count, [&](Value item) {
        Value first = e.mul(e.div(item, spec.kvHeads), unit), last = e.min(e.add(first, unit), rows);
        r.kvHead = e.rem(item, spec.kvHeads);
        Value step = e.c(1);
        if (tile > 1) {
          Value isWhole = e.equal(e.sub(last, first), e.c(tile));
          auto branch = scf::IfOp::create(e, TypeRange{e.i64()}, isWhole, /*withElseRegion=*/true);
          {
            OpBuilder::InsertionGuard guard(e);
            e.setInsertionPointToStart(branch.thenBlock());
            scf::YieldOp::create(e, e.select(isRun(k, first), e.c(tile), e.c(1)));
            e.setInsertionPointToStart(branch.elseBlock());
            scf::YieldOp::create(e, e.c(1));
          }
          step = branch.getResult(0);
        }
        e.loop(first, last, step, [&](Value row) { emitTokens(r, row, step); });
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
  if (!spec.cacheType)
    return fail("expected a type of the cache");
  if (spec.hasSinks)
    return fail("sinks are not supported");
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
  result.scratchConstant = emitter.recordsAt;
  // Of the keys of a single token, at most all pages of all heads.
  result.scratchPerKey = (spec.kvHeads * emitter.places.recordBytes + spec.pageTokens - 1) / spec.pageTokens;
  return result;
}

} // namespace llmc::cpu
