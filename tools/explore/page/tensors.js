// tensors.js: every packed tensor, and a field to find some.

const mostTensors = 400;

function tensorsView(_, parameters) {
  if (!program?.weights.length) return absent("tensors");
  const body = h("div");
  const show = (query) => {
    const words = query.toLowerCase().split(/\s+/).filter(Boolean);
    const rows = program.weights.filter((w) => words.every((word) => `${w.name} ${w.scheme} ${dims(w.shape)}`.toLowerCase().includes(word)));
    const most = Math.max(...rows.map((w) => w.bytes), 1);
    body.replaceChildren(
      h("p.quiet", {}, `${plural(rows.length, "tensor")}, ${formatBytes(sum(rows, (w) => w.bytes))}` + (rows.length > mostTensors ? `; the first ${mostTensors} are shown` : "")),
      table([["Tensor", "name"], ["Shape", "number"], ["Scheme", ""], ["Bits a weight", "number"], ["Offset", "number"], ["Bytes", "share"]],
        rows.slice(0, mostTensors).map((w) => {
          const values = w.shape.reduce((a, b) => a * b, 1);
          return [w.name, dims(w.shape), w.scheme === "vector" ? "f32" : w.scheme, values ? (8 * w.bytes / values).toFixed(2) : "—", w.offset < 0 ? "—" : formatWhole(w.offset),
            h("span.share", {style: `--part:${w.bytes / most}`}, formatBytes(w.bytes))];
        })));
  };
  const query = parameters.get("q") ?? "";
  const input = h("input", {type: "search", placeholder: "name, scheme or shape", "aria-label": "Find tensors", value: query, oninput: () => {
    show(input.value);
    history.replaceState(null, "", link("tensors", [], {q: input.value || null}));
  }});
  show(query);
  return [h("header.bar", {}, h("h2", {}, "Tensors"), h("span.spring"), input), body];
}
