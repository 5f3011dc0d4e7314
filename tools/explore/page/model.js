// model.js: what the model is, how it was compiled, and what the report does not say.

const words = (value) => (Array.isArray(value) ? value.join(", ") || "none" : typeof value === "boolean" ? (value ? "yes" : "no") : String(value === "" ? "—" : value));
const factList = (pairs) => h("dl.facts", {}, pairs.filter(([, value]) => value !== null && value !== undefined && value !== "")
  .map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));

function fileBar() {
  const {file} = report;
  const parts = [["code", file.code], ["manifest", file.manifest], ["tokenizer", file.tokenizer?.bytes ?? 0], ["weights", file.weights]].filter(([, bytes]) => bytes);
  const total = sum(parts, ([, bytes]) => bytes);
  return table([["Part of the file", "name"], ["Bytes", "number"], ["Share", "share"]],
    parts.map(([name, bytes]) => [name, formatBytes(bytes), h("span.share", {style: `--part:${bytes / total}`}, `${(100 * bytes / total).toFixed(1)} %`)]));
}

function modelView() {
  const model = report.model ?? {}, file = report.file;
  return [
    h("h2", {}, report.title),
    h("div.columns", {},
      h("section", {}, h("h3", {}, "Model"), factList([["family", model.family], ["layers", model.layers && formatWhole(model.layers)], ["hidden", model.hidden && formatWhole(model.hidden)],
        ["heads", model.heads && `${model.heads}, ${model.kv_heads} for keys and values`], ["vocabulary", model.vocab && formatWhole(model.vocab)],
        ["context", model.context && formatWhole(model.context)], ["parameters", model.parameters && formatWhole(model.parameters)],
        ["tokenizer", file?.tokenizer ? `${file.tokenizer.kind}, ${formatWhole(file.tokenizer.vocab)} tokens` : file ? "none" : null]])),
      h("section", {}, h("h3", {}, "Compiled with"), factList([["llmc", report.llmc], ["activations in use", report.activations], ["KV cache in use", report.kv],
        ...Object.entries(report.options ?? {}).map(([name, value]) => [name.replaceAll("_", " "), words(value)]),
        ["variants", file?.variants.length ? file.variants.join(", ") : null], ["module ABI", file?.abi], ["weights' XXH3", file?.weights_hash]]))),
    file ? [h("h3", {}, "File"), fileBar()] : null,
    report.sources.length ? [h("h3", {}, "Sources"), table([["File", "name"], ["XXH3 of its tensors", "hash"], ["Bytes", "number"]],
      report.sources.map((s) => [s.path || "(by content only)", s.xxh3, formatBytes(s.bytes)]))] : null,
    report.kind === "module" && passes.length ? [h("h3", {}, "Passes"), h("p", {}, passes.map((pass) => pass.name).join(" → "))] : null,
    program?.caches.length ? [h("h3", {}, "KV cache"), table([["Cache", "name"], ["Type", ""], ["Layers", "number"], ["Heads", "number"], ["Tokens a page", "number"], ["Bytes a token", "number"]],
      program.caches.map((c) => [c.name, c.type, formatWhole(c.layers), formatWhole(c.heads), formatWhole(c.page_tokens), formatWhole(c.page_bytes / c.page_tokens)]))] : null,
    h("h3", {}, report.kind === "module" ? "What a compiled model does not say" : "What this report does not show"),
    report.missing.length ? h("ul", {}, report.missing.map((sentence) => h("li", {}, sentence))) : h("p.quiet", {}, "Nothing is left out."),
  ];
}
