// cost.js: what a step costs, by the compiler's own counts, and what a machine would take for it.

/** The step and machine that predictions are for; views let people change them. */
const assumed = {
  tokens: 1, context: 512,
  bandwidth: profile?.machine.read_gb_s ?? 20, // GB/s
  compute: profile?.machine.int8_gops ?? 400, // GOPS
};

const rowsOf = (space, step = assumed) => ({tokens: step.tokens, asked: 1, hidden: 0, keys: step.context + step.tokens}[space] ?? step.tokens);

/** Bytes and operations of a dispatch in a step of one sequence: `tokens` new ones behind `context` cached ones. */
function costOf(row, step = assumed) {
  const rows = rowsOf(row.rows, step);
  if (!rows) return {weights: 0, cache: 0, activations: 0, bytes: 0, flops: 0};
  const keys = step.context + step.tokens;
  const tokenKeys = step.tokens * step.context + step.tokens * (step.tokens + 1) / 2;
  const weights = row.weight_bytes, cache = row.key_bytes * keys, activations = row.row_bytes * rows;
  return {weights, cache, activations, bytes: weights + cache + activations,
          flops: row.flops_per_row * rows + row.flops_per_key * tokenKeys};
}

/** The roofline's time, in seconds: what memory or arithmetic takes, whichever is more. */
const predicted = ({bytes, flops}) => Math.max(bytes / (assumed.bandwidth * 1e9), flops / (assumed.compute * 1e9));

/** Dispatches that a session with the first storage type of each cache runs. */
function runningDispatches() {
  if (!program) return [];
  const isFirst = program.caches.map(({name}, i) => program.caches.findIndex((other) => other.name === name) === i);
  return program.dispatches.map((row, number) => ({...row, number})).filter((row) => row.cache < 0 || isFirst[row.cache]);
}

/** Measured work of a phase by dispatch number; null if there is none. */
function measured(phaseName) {
  const phase = profile?.phases.find(({name}) => name === phaseName) ?? null;
  return phase && {...phase, of: new Map(phase.dispatches.map((row) => [row.dispatch, row]))};
}

const cacheBytes = (cache, tokens) => Math.ceil(tokens / cache.page_tokens) * cache.page_bytes;

/** Where each buffer lies in the arena of a session whose largest step has `tokens` tokens, and how large it is. */
function arena(tokens) {
  let offset = 0;
  return program.buffers.map((buffer) => {
    const rows = buffer.rows === "keys" ? assumed.context + tokens : tokens;
    const bytes = Math.ceil(rows * buffer.row_bytes / 64) * 64;
    const place = {...buffer, offset, bytes};
    offset += bytes;
    return place;
  });
}

/** Of each buffer the times it holds something: [first dispatch, last dispatch] from a write to its last read. */
function lifetimes() {
  const spans = program.buffers.map(() => []);
  program.dispatches.forEach((row, number) => {
    for (const buffer of row.reads) {
      const last = spans[buffer].at(-1);
      if (last) last[1] = number;
      else spans[buffer].push([number, number]);
    }
    for (const buffer of row.writes) {
      const last = spans[buffer].at(-1);
      // A write into what is read here too goes on in place; alternatives for another storage type write the same.
      if (last && last[1] === number && row.reads.includes(buffer)) continue;
      spans[buffer].push([number, number]);
    }
  });
  return spans;
}
