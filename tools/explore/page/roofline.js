// roofline.js: each kernel's work against what memory and arithmetic of a machine allow, predicted or measured.

/** Work added up by kernel, or of each dispatch: {name, calls, bytes, flops, seconds, predicted}. */
function workRows(phase, byDispatch) {
  const rows = new Map();
  for (const row of runningDispatches()) {
    const found = phase?.of.get(row.number);
    if (phase && !found) continue;
    const cost = phase ? {bytes: found.bytes, flops: found.operations} : costOf(row);
    if (!cost.bytes && !cost.flops) continue;
    const key = byDispatch ? row.number : row.kernel;
    const entry = rows.get(key) ?? {name: row.kernel, number: row.number, layer: row.layer, calls: 0, bytes: 0, flops: 0, seconds: 0, predicted: 0};
    entry.calls += phase ? found.calls : 1;
    entry.bytes += cost.bytes;
    entry.flops += cost.flops;
    entry.seconds += phase ? found.seconds : 0;
    entry.predicted += phase ? found.predicted : predicted(cost);
    rows.set(key, entry);
  }
  return [...rows.values()];
}

function rooflinePlot(rows, chosen, isMeasured) {
  const roofs = profile ? ["int8", "bf16", "f32"].map((name) => [name, profile.machine[`${name}_gops`]]).filter(([, gops]) => gops)
    : [["", assumed.compute]];
  const bandwidth = profile ? profile.machine.read_gb_s : assumed.bandwidth;
  const top = Math.max(...roofs.map(([, gops]) => gops));
  const shown = rows.filter((row) => row.flops && row.bytes).map((row) => {
    const seconds = isMeasured ? row.seconds : row.predicted;
    return {...row, time: seconds, intensity: row.flops / row.bytes, rate: row.flops / Math.max(seconds, 1e-12) / 1e9};
  });
  const low = Math.min(0.1, ...shown.map((row) => row.intensity)), high = Math.max(1000, ...shown.map((row) => row.intensity)) * 1.5;
  const lowRate = Math.min(bandwidth * low, ...shown.map((row) => row.rate)) * 0.7, highRate = Math.max(top, ...shown.map((row) => row.rate)) * 2;
  const total = sum(shown, (row) => row.time);
  return responsive((width) => {
    const height = Math.max(280, Math.min(430, width * 0.6)), box = {left: 58, top: 34, right: width - 16, bottom: height - 46};
    const x = logScale(low, high, box.left, box.right), y = logScale(lowRate, highRate, box.bottom, box.top);
    const roof = ([name, gops]) => {
      const ridge = gops / bandwidth;
      return [svg("path.roof", {d: `M${x(lowRate / bandwidth > low ? lowRate / bandwidth : low)},${y(Math.max(lowRate, bandwidth * low))}L${x(ridge)},${y(gops)}L${x(high)},${y(gops)}`}),
        svg("text.roof-name", {x: box.right - 4, y: y(gops) - 7, "text-anchor": "end"}, `${name ? name + " " : ""}${formatShort(gops)} GOPS`)];
    };
    const slopeAt = Math.sqrt(low * (top / bandwidth));
    return svg("svg", {viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": "Roofline plot: operations a byte against operations a second"},
      axes(box, {x, y, xTicks: decades(low, high), yTicks: decades(lowRate, highRate), xText: formatShort, yText: formatShort,
        xLabel: "operations a byte", yLabel: "GOPS"}),
      roofs.map(roof),
      svg("text.roof-name", {x: x(slopeAt) - 8, y: y(slopeAt * bandwidth) - 10, "text-anchor": "end"}, `${formatShort(bandwidth)} GB/s`),
      shown.sort((a, b) => b.time - a.time).map((row) => svg("circle.point", {
        class: (isMeasured ? "measured" : "predicted") + (row.name === chosen ? " chosen" : ""), cx: x(row.intensity), cy: y(row.rate),
        r: 4 + 12 * Math.sqrt(row.time / (total || 1)), tabindex: 0, role: "button", "aria-label": row.name,
        onclick: () => navigate("roofline", [], {...current.parameters, kernel: row.name}),
        onkeydown: (event) => event.key === "Enter" && navigate("roofline", [], {...current.parameters, kernel: row.name}),
        ...hinted(() => [row.name, `${formatShort(row.intensity)} operations a byte, ${formatCount(row.rate * 1e9)}OPS, ${formatCount(row.bytes / Math.max(row.time, 1e-12))}B/s`,
          `${formatSeconds(row.time)} ${isMeasured ? "measured" : "predicted"}, ${plural(row.calls, "call")}`]),
      })));
  });
}
const formatShort = (value) => (value >= 1e4 || value < 0.01 ? value.toExponential(0).replace("e+", "e") : String(Number(value.toPrecision(3))));

function rooflineView(_, parameters) {
  if (!program?.dispatches.length) return absent("the dispatches of a step");
  const phases = profile?.phases.map(({name}) => name) ?? [];
  const asked = parameters.get("phase") ?? phases.at(-1) ?? "predicted";
  const phase = measured(asked), isMeasured = phase !== null;
  const chosen = parameters.get("kernel"), byDispatch = parameters.get("each") === "1";
  const go = (more) => navigate("roofline", [], {...Object.fromEntries(parameters), ...more});
  const rows = workRows(phase, byDispatch), byKernel = byDispatch ? workRows(phase, false) : rows;
  const time = (row) => (isMeasured ? row.seconds : row.predicted), total = sum(byKernel, time);
  byKernel.sort((a, b) => time(b) - time(a));
  const most = Math.max(...byKernel.map(time), 1e-12);
  const set = (name) => (value) => { assumed[name] = value; render(); };
  const steps = Math.max(1, phase?.steps ?? 1);
  return [
    h("header.bar", {},
      phases.length ? choice("Times", [...phases.map((name) => [name, `measured: ${name}`]), ["predicted", "predicted"]], isMeasured ? asked : "predicted", (value) => go({phase: value})) : null,
      isMeasured ? null : [numberField("Tokens a step", assumed.tokens, {min: 1, max: 8192}, set("tokens")), numberField("Cached tokens", assumed.context, {min: 0, max: 1 << 20}, set("context"))],
      profile ? null : [numberField("Memory", assumed.bandwidth, {min: 1, max: 10000, unit: "GB/s"}, set("bandwidth")), numberField("Arithmetic", assumed.compute, {min: 1, max: 1e6, unit: "GOPS"}, set("compute"))],
      h("span.spring"), choice("Points", [["", "Kernels"], ["1", "Dispatches"]], parameters.get("each") ?? "", (value) => go({each: value || null}))),
    h("p.quiet", {}, isMeasured
      ? `Measured in ${plural(phase.steps, "step")} of ${formatShort(phase.tokens / steps)} ${phase.tokens === steps ? "token" : "tokens"}: ${formatSeconds(phase.seconds / steps)} a step, ${formatSeconds(sum(byKernel, (r) => r.predicted) / steps)} predicted by this machine's roofline.`
      : `Predicted, not measured: a step of ${plural(assumed.tokens, "token")} behind ${formatWhole(assumed.context)} takes at least ${formatSeconds(total)}` + (profile ? " on the profile's machine." : " on a machine with this memory and arithmetic.")),
    rooflinePlot(rows, chosen, isMeasured),
    h("h2", {}, "By kernel"),
    table([["Kernel", "name"], ["Calls", "number"], ["Bytes", "number"], ["Operations", "number"], ["Ops a byte", "number"], ["GB/s", "number"], [isMeasured ? "Measured" : "Predicted", "number"], ...(isMeasured ? [["Predicted", "number"]] : []), ["Share", "share"]],
      byKernel.map((row) => ({href: link("kernels", [row.name], {stage: "assembly"}), current: row.name === chosen,
        cells: [row.name, formatShort(row.calls / steps), formatBytes(row.bytes / steps), formatCount(row.flops / steps), row.flops ? formatShort(row.flops / row.bytes) : "—",
          formatShort(row.bytes / Math.max(time(row), 1e-12) / 1e9), formatSeconds(time(row) / steps), ...(isMeasured ? [formatSeconds(row.predicted / steps)] : []),
          h("span.share", {style: `--part:${time(row) / most}`}, `${(100 * time(row) / (total || 1)).toFixed(1)} %`)]}))),
  ];
}
