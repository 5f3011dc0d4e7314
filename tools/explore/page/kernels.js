// kernels.js: kernels with their sizes; a kernel's text at each stage, down to assembly.

const languageOf = (stage) => (stage === "assembly" ? "asm" : stage === "LLVM IR" ? "llvm" : "mlir");

/** Everything that has code: kernels with variants, shared functions, whole variants as they were emitted. */
function codeItems() {
  const emitted = Object.keys(units).filter((unit) => !kernels.some((k) => k.variants.some((v) => v.unit === unit)) && !shared.some((s) => s.unit === unit));
  return [
    ...kernels.map((kernel) => ({...kernel, kind: "kernel"})),
    ...shared.map((item) => ({name: item.name, kind: "shared", op: "", text: "", location: "", variants: [item]})),
    ...emitted.map((unit) => ({name: unit, kind: "emitted", op: "", text: "", location: "", variants: [{variant: unit, unit, code: 0, functions: []}]})),
  ];
}

function kernelTable(items, chosen, stage) {
  const variants = [...new Set(kernels.flatMap((kernel) => kernel.variants.map((v) => v.variant)))];
  const counts = new Map();
  for (const row of program?.dispatches ?? []) counts.set(row.kernel, (counts.get(row.kernel) ?? 0) + 1);
  return table([["Kernel", "name"], ["Dispatches", "number"], ...variants.map((v) => [`${v} code`, "number"]), ["Stack", "number"]],
    items.filter((item) => item.kind === "kernel").map((item) => ({
      href: link("kernels", [item.name], {stage}), current: item === chosen,
      cells: [item.name, formatWhole(counts.get(item.name) ?? 0),
        ...variants.map((name) => { const code = item.variants.find((v) => v.variant === name)?.code; return code ? formatBytes(code) : "—"; }),
        item.variants.some((v) => v.stack !== undefined) ? formatBytes(Math.max(...item.variants.map((v) => v.stack ?? 0))) : "—"],
    })));
}

function sharedTable(items, chosen, stage) {
  const list = items.filter((item) => item.kind !== "kernel");
  return list.length ? h("details", {open: list.includes(chosen)}, h("summary", {}, `${plural(list.length, "text")} that kernels share`),
    table([["Function", "name"], ["Code", "number"]], list.map((item) => ({href: link("kernels", [item.name], {stage}), current: item === chosen,
      cells: [item.kind === "emitted" ? `all kernels of ${item.name}, as emitted` : item.name, item.variants[0].code ? formatBytes(item.variants[0].code) : "—"]})))) : null;
}

async function kernelsView([name], parameters) {
  const items = codeItems();
  if (!items.length) return absent("kernels");
  const stageAsked = parameters.get("stage");
  const chosen = items.find((item) => item.name === name) ??
    (stageAsked ? items.find((item) => item.variants.some((v) => units[v.unit]?.stages.includes(stageAsked))) : null);
  const list = [kernelTable(items, chosen, stageAsked), sharedTable(items, chosen, stageAsked)];
  if (!chosen) return [h("h2", {}, "Kernels"), h("p.quiet", {}, "Choose a kernel to see its code."), ...list];
  return [await kernelDetails(chosen, parameters), h("h2", {}, "All kernels"), ...list];
}

async function kernelDetails(item, parameters) {
  const variant = item.variants.find((v) => v.variant === parameters.get("variant")) ??
    item.variants.find((v) => units[v.unit]?.stages.includes(parameters.get("stage"))) ?? item.variants[0]; // stages are a target's
  const texts = units[variant.unit], rows = program ? dispatchesOf(item.name) : [];
  const go = (more) => navigate("kernels", [item.name], {variant: variant.variant, stage: parameters.get("stage"), beside: parameters.get("beside"), ...more});
  const layers = [...new Set(rows.map((row) => row.layer).filter((layer) => layer >= 0))];
  const places = [...new Set(rows.flatMap((row) => row.from))];
  const placed = modelPasses[0] ? findPlace(places) : 0;
  const head = [
    h("header", {}, h("h2", {}, item.kind === "emitted" ? `All kernels of ${item.name}, as emitted` : item.name)),
    item.text ? h("pre.text", {}, h("code", {}, coloured(item.text, "mlir"))) : null,
    h("dl.facts-row", {}, [["computes", item.op], ["dispatches", rows.length && formatWhole(rows.length)],
      ["layers", layers.length && (layers.length === layers.at(-1) - layers[0] + 1 ? `${layers[0]}–${layers.at(-1)}` : layers.join(", "))],
      ["from", item.location || places.slice(0, 4).join(", ") + (places.length > 4 ? " …" : "")],
      ["code", variant.code && formatBytes(variant.code)], ["stack", variant.stack !== undefined && formatBytes(variant.stack)]]
      .filter(([, value]) => value).map(([key, value]) => h("div", {}, h("dt", {}, key), h("dd", {}, value)))),
    h("div.actions", {}, placed ? h("a.button", {href: link("ir", [passes.indexOf(modelPasses.at(-1))], {place: placed})}, "Back through the passes") : null,
      rows.length ? h("a.button", {href: link("roofline", [], {kernel: item.name})}, "In the roofline") : null),
    variant.uses?.length ? h("p.quiet", {}, "calls ", variant.uses.map((use, i) => [i ? ", " : "", h("a", {href: link("kernels", [use], {stage: parameters.get("stage")})}, use)])) : null,
  ];
  const variants = item.variants.length > 1 ? choice("Variant", item.variants.map((v) => [v.variant, v.variant]), variant.variant, (value) => go({variant: value})) : null;
  if (!texts)
    return h("section.details", {}, ...head, h("header.bar", {}, variants), functionTable(variant),
      h("p.quiet", {}, report.kind === "module" ? "A compiled model holds this kernel as machine code only." : "Its text is not in the folder."));
  const asked = texts.stages.indexOf(parameters.get("stage")), at = asked >= 0 ? asked : texts.stages.length - 1;
  const all = await openTexts(texts.chunk + 1);
  const beside = parameters.get("beside") === "1" && at > 0 && languageOf(texts.stages[at]) === languageOf(texts.stages[at - 1]);
  const around = at === 0 && parameters.has("line") ? aroundLine(variant.unit, all[at], Number(parameters.get("line"))) : null;
  const shown = around
    ? codeView(null, around.lines, {language: "mlir", first: around.first, isMarked: (_, number) => number === around.at})
    : codeView(beside ? all[at - 1] : null, all[at], {language: languageOf(texts.stages[at]), names: beside ? [texts.stages[at - 1], texts.stages[at]] : [],
      show: texts.stages[at] === "assembly" ? (text) => assemblyLine(text, variant.variant) : undefined});
  if (around) requestAnimationFrame(() => shown.querySelector(".marked")?.scrollIntoView({block: "center"}));
  return h("section.details", {}, ...head, functionTable(variant),
    h("header.bar", {}, variants, select("Stage", texts.stages.map((stage) => [stage, stage]), texts.stages[at], (value) => go({stage: value})),
      at > 0 && languageOf(texts.stages[at]) === languageOf(texts.stages[at - 1])
        ? choice("Show", [["", "This stage"], ["1", "Beside the one before"]], beside ? "1" : "", (value) => go({beside: value || null})) : null,
      h("span.spring"), h("span.quiet", {}, around ? [`around line ${around.first + around.at} · `, h("a", {href: link("kernels", [item.name], {stage: texts.stages[at]})}, "all")] : plural(all[at].length, "line"))),
    shown);
}

/** A line of assembly; of a mark of lines the place leads to that line of the emitted kernels. */
function assemblyLine(text, variant) {
  const [, mark, place, line] = /^(\t\.loc\t.*# )(\S+:(\d+):\d+)$/.exec(text) ?? [];
  if (!place || line === "0" || !units[variant]) return coloured(text, "asm");
  return [...coloured(mark.trimEnd(), "asm"), " ", h("a", {href: link("kernels", [variant], {stage: units[variant].stages[0], line})}, place)];
}

/** Of a text what stands around a line of its file, in the same function: {lines, first, at}; null if there is no such line. */
const mostAround = 1500;
function aroundLine(unit, text, line) {
  const at = line - units[unit].line;
  if (!text[at]) return null;
  let begin = at, end = at;
  while (begin > 0 && at - begin < mostAround && !/^ {2}(llvm\.)?func/.test(text[begin].text)) --begin;
  while (end < text.length - 1 && end - at < mostAround && text[end].text !== "  }") ++end;
  return {lines: text.slice(begin, end + 1), first: units[unit].line + begin, at: at - begin};
}

function functionTable(variant) {
  if (variant.functions.length < 2) return null;
  return h("details", {}, h("summary", {}, plural(variant.functions.length, "function")),
    table([["Function", "name"], ["Code", "number"], ["Stack", "number"]],
      variant.functions.map((f) => [f.name, formatBytes(f.code), f.stack === undefined ? "—" : formatBytes(f.stack)])));
}

/** A set of places that holds the first of these. */
const findPlace = (names) => Math.max(0, places.findIndex((set) => set.length && names.length && set.every((place) => names.includes(place))));
