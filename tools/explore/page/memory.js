// memory.js: the arena while a step runs, weights by scheme, KV cache by context.

const memorySettings = {batch: 512, sequences: 1};

/** By address, or a row for each buffer: the outputs' buffer is so large that it leaves others no room. */
function arenaPlot(batch, byAddress) {
  const buffers = arena(batch), spans = lifetimes(), count = program.dispatches.length;
  const high = byAddress ? (buffers.length ? buffers.at(-1).offset + buffers.at(-1).bytes : 1) : buffers.length;
  const extent = (buffer, i) => (byAddress ? [buffer.offset, buffer.offset + buffer.bytes] : [high - 1 - i + 0.1, high - i - 0.1]);
  return responsive((width) => {
    const height = byAddress ? Math.max(260, Math.min(420, width * 0.5)) : 30 + 46 + 24 * buffers.length, box = {left: 108, top: 30, right: width - 12, bottom: height - 46};
    const x = linearScale(0, count, box.left, box.right), y = linearScale(0, high, box.bottom, box.top);
    const layers = program.dispatches.map((row, i) => [row.layer, i]).filter(([layer], i, list) => layer >= 0 && layer !== list[i - 1]?.[0]);
    const every = Math.max(1, Math.ceil(layers.length / (width / 96)));
    return svg("svg", {viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `Buffers of the arena over ${count} dispatches`},
      axes(box, {x, y, xTicks: layers.filter((_, i) => i % every === 0).map(([, i]) => i), yTicks: byAddress ? byteTicks(high) : buffers.map((_, i) => high - i - 0.5),
        yText: byAddress ? formatBytes : (tick) => { const b = buffers[Math.round(high - tick - 0.5)]; return `${b.id}  ${formatBytes(b.bytes)}`; },
        xText: (tick) => "layer " + program.dispatches[tick].layer, xLabel: "dispatches of a step", yLabel: byAddress ? "address in the arena" : "buffer"}),
      buffers.map((buffer, i) => svg("g", {}, spans[i].map(([from, to]) => {
        const row = program.dispatches[from];
        return svg("rect.live", {class: i % 2 ? "odd" : "", x: x(from), width: Math.max(1, x(to + 1) - x(from) - 0.5), y: y(extent(buffer, i)[1]),
          height: Math.max(1, y(extent(buffer, i)[0]) - y(extent(buffer, i)[1]) - (byAddress ? 1 : 0)), rx: byAddress ? 0 : 2,
          ...hinted(() => [`${buffer.id}: ${formatBytes(buffer.bytes)} at ${formatBytes(buffer.offset)}`, `written by dispatch ${from}, ${row.kernel}`,
            `last read by dispatch ${to}${row.layer >= 0 ? `, layer ${row.layer}` : ""}`])});
      }))));
  });
}

function weightBars() {
  const schemes = new Map();
  for (const {scheme, bytes, shape} of program.weights) {
    const entry = schemes.get(scheme) ?? {tensors: 0, bytes: 0, values: 0};
    entry.tensors += 1;
    entry.bytes += bytes;
    entry.values += shape.reduce((a, b) => a * b, shape.length ? 1 : 0);
    schemes.set(scheme, entry);
  }
  const rows = [...schemes].sort((a, b) => b[1].bytes - a[1].bytes), total = sum(rows, ([, entry]) => entry.bytes);
  if (!rows.length) return h("p.quiet", {}, "The report lists no weights.");
  return table([["Scheme", "name"], ["Tensors", "number"], ["Bytes", "number"], ["Bits a weight", "number"], ["Share", "share"]],
    rows.map(([scheme, entry]) => ({href: link("tensors", [], {q: scheme}), cells: [scheme === "vector" ? "vector (f32)" : scheme, formatWhole(entry.tensors), formatBytes(entry.bytes),
      entry.values ? (8 * entry.bytes / entry.values).toFixed(2) : "—", h("span.share", {style: `--part:${entry.bytes / rows[0][1].bytes}`}, `${(100 * entry.bytes / total).toFixed(1)} %`)]})));
}

/** Caches of one name are one cache in several storage types. */
function cachePlot(sequences) {
  const types = [...new Set(program.caches.map((cache) => cache.type))];
  const most = Math.max(1024, report.model.context ?? 4096);
  const bytes = (type, tokens) => sequences * sum(program.caches.filter((cache) => cache.type === type), (cache) => cacheBytes(cache, tokens));
  const high = Math.max(...types.map((type) => bytes(type, most)));
  const contexts = [512, 2048, 4096, 8192, 32768, 131072].filter((n) => n < most).concat(most);
  const plot = responsive((width) => {
    const height = 240, box = {left: 78, top: 30, right: width - 60, bottom: height - 46};
    const x = linearScale(0, most, box.left, box.right), y = linearScale(0, high, box.bottom, box.top);
    return svg("svg", {viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": "KV cache by context"},
      axes(box, {x, y, xTicks: niceTicks(most, width < 500 ? 3 : 6), yTicks: byteTicks(high), xText: formatWhole, yText: formatBytes, xLabel: "tokens in each sequence", yLabel: "KV cache"}),
      types.map((type, i) => [svg("path.line", {class: i ? "other" : "", d: `M${x(0)},${y(0)}L${x(most)},${y(bytes(type, most))}`}),
        svg("text.line-name", {x: box.right + 6, y: y(bytes(type, most)) + 4}, type)]));
  });
  return [plot, table([["Tokens", "number"], ...types.map((type) => [type, "number"])], contexts.map((n) => [formatWhole(n), ...types.map((type) => formatBytes(bytes(type, n)))]))];
}

function memoryView(_, parameters) {
  if (!program) return absent("a memory plan");
  const set = (name) => (value) => { memorySettings[name] = value; render(); };
  const buffers = arena(memorySettings.batch), total = buffers.length ? buffers.at(-1).offset + buffers.at(-1).bytes : 0;
  const users = program.buffers.map((_, i) => program.dispatches.filter((row) => row.reads.includes(i) || row.writes.includes(i)).length);
  return [
    h("header.bar", {}, h("h2", {}, "The arena while a step runs"), h("span.spring"), choice("Rows", [["", "By buffer"], ["1", "By address"]], parameters.get("address") ?? "", (value) => navigate("memory", [], {address: value || null})), numberField("Most tokens in a step", memorySettings.batch, {min: 1, max: 65536}, set("batch"))),
    program.buffers.length ? [h("p.quiet", {}, `${plural(program.buffers.length, "buffer")}, ${formatBytes(total)} at ${plural(memorySettings.batch, "token")}. A bar is a buffer from when it is written to its last reader; buffers are reused layer after layer. Scratch of workers is not in it.`),
      arenaPlot(memorySettings.batch, parameters.get("address") === "1"),
      h("details", {}, h("summary", {}, "Buffers"), table([["Buffer", "name"], ["Rows", ""], ["Bytes a row", "number"], ["Offset", "number"], ["Bytes", "number"], ["Dispatches", "number"]],
        buffers.map((b, i) => [b.id, b.rows, formatWhole(b.rowBytes ?? b.row_bytes), formatWhole(b.offset), formatBytes(b.bytes), formatWhole(users[i])])))]
      : h("p.quiet", {}, "The tables with buffers were not read."),
    h("div.columns", {}, h("section", {}, h("h2", {}, "Weights by scheme"), weightBars()),
      h("section", {}, h("header.bar", {}, h("h2", {}, "KV cache"), h("span.spring"), numberField("Sequences", memorySettings.sequences, {min: 1, max: 4096}, set("sequences"))),
        program.caches.length ? cachePlot(memorySettings.sequences) : h("p.quiet", {}, "The model keeps no cache."))),
  ];
}
