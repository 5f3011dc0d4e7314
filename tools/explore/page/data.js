// data.js: the report, unpacked. `report` is there at once; texts of chunks are unpacked when somebody looks at them.

const chunks = new Map();

/** The object in chunk `number`: base64 of deflated JSON. */
function unpack(number) {
  if (!chunks.has(number)) {
    const element = document.getElementById("chunk-" + number);
    const bytes = Uint8Array.from(atob(element.textContent), (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    chunks.set(number, new Response(stream).json());
  }
  return chunks.get(number);
}

const report = await unpack(0);
const {passes, kernels, shared, units, places, program, profile} = report;

/** Texts of a chunk: each a list of {text, place}, place a number in `places`. */
const openChunks = new Map();
async function openTexts(number) {
  if (!openChunks.has(number)) {
    const {lines, places: placeOf = [], texts} = await unpack(number);
    const table = lines.split("\n").map((text, i) => ({text, place: placeOf[i] ?? 0}));
    openChunks.set(number, texts.map((runs) => {
      const list = [];
      for (let i = 0; i < runs.length; i += 2)
        for (let j = 0; j < runs[i + 1]; ++j) list.push(table[runs[i] + j]);
      return list;
    }));
  }
  return openChunks.get(number);
}

const modelTexts = report.kind === "dump" ? await openTexts(1) : [];
const textOf = (pass) => (pass?.text === undefined ? null : modelTexts[pass.text]);

/** Passes over the model, those that leave a text of the lm or step dialect. */
const modelPasses = passes.filter((pass) => pass.text !== undefined);
const layerCount = report.model?.layers ?? 0;

/** "blk.{i}.attn_q" is in every layer: of one layer it is "blk.3.attn_q". */
const inLayer = (name, layer) => name.replaceAll("{i}", String(layer));

const includes = (whole, part) => part.every((place) => whole.includes(place));
/**
 * Whether one of two sets of places (numbers) includes the other: an op is a part of what it was fused into. One place
 * in common is not enough, two residuals of a layer have that.
 */
function related(a, b) {
  if (!a || !b) return false;
  return a === b || includes(places[a], places[b]) || includes(places[b], places[a]);
}
const kernelByName = new Map(kernels.map((kernel) => [kernel.name, kernel]));
const dispatchesOf = (name) => program.dispatches.map((row, number) => ({...row, number})).filter((row) => row.kernel === name);
