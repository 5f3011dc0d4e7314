// pipeline.js: the compile as a row of passes.

const phaseNames = {import: "import", fuse: "fuse", quantize: "quantize", plan: "plan", step: "lower to step", llvm: "kernels to machine code"};
const totalOps = (counts) => sum(Object.values(counts ?? {}));

/** One number for what a pass did with ops: "−7", "+3", "0". */
function opDelta(pass) {
  const delta = totalOps(pass.after) - totalOps(pass.before);
  return (delta > 0 ? "+" : delta < 0 ? "−" : "±") + formatCount(Math.abs(delta));
}

function passCard(pass, number, chosen, longest) {
  if (report.kind === "module")
    return h("li", {}, h("span.card", {}, h("b", {}, pass.name)));
  const notes = pass.remarks.length;
  return h("li", {},
    h("a.card" + (pass.changed ? "" : ".unchanged"), {
      href: link("pipeline", [number]), "aria-current": number === chosen ? "true" : null, id: "pass-" + number,
    },
    h("span.number", {}, String(number).padStart(2, "0")),
    h("b", {}, pass.name),
    h("span.facts", {}, h("span", {}, pass.changed ? "changed" : number === 0 ? "as read" : "no change"),
      totalOps(pass.before) || pass.changed ? h("span", {}, totalOps(pass.before) ? opDelta(pass) + " ops" : `${formatCount(totalOps(pass.after))} ops`) : null),
    h("span.facts", {}, h("span", {}, formatSeconds(pass.ms / 1000)), notes ? h("span", {}, plural(notes, "remark")) : null),
    h("span.bar", {"aria-hidden": "true", style: `--part:${Math.max(0.01, pass.ms / longest)}`})));
}

function summary() {
  const model = report.model ?? {};
  const facts = [
    ["layers", model.layers && formatWhole(model.layers)],
    ["parameters", model.parameters && formatCount(model.parameters)],
    ["weights", program && formatBytes(sum(program.weights, (w) => w.bytes))],
    ["dispatches a step", program?.dispatches.length && formatWhole(runningDispatches().length)],
    ["kernels", kernels.length && formatWhole(kernels.length)],
    ["machine code", kernels.length && formatBytes(sum([...kernels.flatMap((k) => k.variants), ...shared], (v) => v.code))],
    report.kind === "dump" ? ["in passes", formatSeconds(sum(passes, (p) => p.ms) / 1000)] : ["file", formatBytes(report.file.bytes)],
  ].filter(([, value]) => value);
  return h("dl.facts-row", {}, facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}

function countsTable(pass) {
  const names = [...new Set([...Object.keys(pass.before), ...Object.keys(pass.after)])];
  const rows = names.map((name) => [name, pass.before[name] ?? 0, pass.after[name] ?? 0])
    .sort((a, b) => Math.abs(b[2] - b[1]) - Math.abs(a[2] - a[1]) || b[2] - a[2]);
  const changed = rows.filter(([, before, after]) => before !== after), shown = changed.length ? changed : rows;
  return table([["Op", "name"], ["Before", "number"], ["After", "number"], ["Δ", "number"]],
    shown.slice(0, 40).map(([name, before, after]) => [name, formatWhole(before), formatWhole(after),
      before === after ? "" : (after > before ? "+" : "−") + formatWhole(Math.abs(after - before))]));
}

function remarkList(pass) {
  return h("ul.remarks", {}, pass.remarks.map((remark) => h("li", {},
    h("span.kind", {class: remark.kind}, remark.kind),
    h("div", {}, h("p", {}, remark.message), remark.location ? h("p.quiet", {}, remark.location) : null))));
}

function passDetails(pass, number) {
  const statistics = Object.entries(pass.statistics);
  const where = pass.text !== undefined ? link("ir", [number]) : Object.values(units).some((unit) => unit.stages.includes(pass.name))
    ? link("kernels", [], {stage: pass.name}) : null;
  return h("section.details", {"aria-label": pass.name},
    h("header", {}, h("h2", {}, pass.name), where ? h("a.button", {href: where}, pass.text !== undefined ? "What it changed" : "In a kernel") : null),
    h("p.quiet", {}, [`phase ${pass.phase}`, pass.options && `options ${pass.options}`,
      pass.start && `a compile can start from here: --start-from ${pass.start}`].filter(Boolean).join(" · ")),
    h("div.columns", {},
      h("div", {}, h("h3", {}, "Ops"), countsTable(pass)),
      h("div", {}, h("h3", {}, "Remarks"),
        statistics.length ? h("p", {}, statistics.map(([name, count]) => `${formatWhole(count)} × ${name}`).join(", ")) : null,
        pass.remarks.length ? remarkList(pass) : h("p.quiet", {}, "This pass said nothing."))));
}

function pipelineView([numberText]) {
  if (!passes.length) return h("p.quiet", {}, "The report has no passes.");
  let chosen = numberText === undefined ? passes.findIndex((pass) => pass.changed && pass.phase !== "import") : Number(numberText);
  if (!passes[chosen]) chosen = 0;
  const longest = Math.max(...passes.map((pass) => pass.ms ?? 0), 1e-9);
  const groups = [];
  passes.forEach((pass, number) => {
    if (groups.at(-1)?.phase !== pass.phase) groups.push({phase: pass.phase, items: []});
    groups.at(-1).items.push(passCard(pass, number, chosen, longest));
  });
  const row = h("div.passes", {role: "region", "aria-label": "Passes in order", tabindex: "0"}, groups.map(({phase, items}) =>
    h("section", {}, phase ? h("h3", {}, phaseNames[phase] ?? phase) : null, h("ol", {}, items))));
  requestAnimationFrame(() => {
    const card = row.querySelector("[aria-current]");
    if (card) row.scrollLeft = card.offsetLeft - row.offsetLeft - row.clientWidth / 3;
  });
  return [summary(), notes(), row, report.kind === "dump" ? passDetails(passes[chosen], chosen) : null];
}

/** What the report lacks, said openly. */
function notes() {
  return report.missing.length ? h("details.notes", {open: report.kind === "module"},
    h("summary", {}, report.kind === "module" ? "What a compiled model does not say" : "What this report does not show"),
    h("ul", {}, report.missing.map((sentence) => h("li", {}, sentence)))) : null;
}
