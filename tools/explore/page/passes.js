// passes.js: the IR of a pass beside that of the one before, and one op through all of them.

function irView([numberText], parameters) {
  if (!modelPasses.length) return absent("the IR after each pass");
  let number = Number(numberText ?? passes.indexOf(modelPasses.find((pass) => pass.changed && pass.phase !== "import") ?? modelPasses[0]));
  if (passes[number]?.text === undefined) number = passes.indexOf(modelPasses[0]);
  const pass = passes[number], at = modelPasses.indexOf(pass), before = modelPasses[at - 1];
  const place = Number(parameters.get("place") ?? 0), asked = parameters.get("show") ?? (innerWidth < 700 ? "one" : "two"), alone = asked === "after" || !before;
  const go = (more) => navigate("ir", [more.pass ?? number], {place: place || null, show: parameters.get("show"), ...more, pass: undefined});
  const step = (by) => modelPasses[at + by] && h("a.button", {href: link("ir", [passes.indexOf(modelPasses[at + by])], {place: place || null, show: parameters.get("show")}),
    "data-key": by < 0 ? "ArrowLeft" : "ArrowRight"}, by < 0 ? "← " + modelPasses[at - 1].name : modelPasses[at + 1].name + " →");
  const lines = textOf(pass);
  return [
    h("header.bar", {},
      select("Pass", modelPasses.map((other) => [passes.indexOf(other), `${String(passes.indexOf(other)).padStart(2, "0")}  ${other.name}${other.changed ? "" : "  (no change)"}`]), number,
        (value) => go({pass: value})),
      before ? choice("Show", [["two", "Side by side"], ["one", "One column"], ["after", "After only"]], asked, (value) => go({show: value})) : null,
      h("span.spring"), step(-1), step(1)),
    before && !pass.changed ? h("p.quiet", {}, `${pass.name} changed nothing.`) : null,
    place ? followBar(place, number) : h("p.quiet", {}, "Choose a line to follow what it was made from through all passes, to its kernel."),
    codeView(alone ? null : textOf(before), lines, {
      language: "mlir", inOne: asked === "one", names: alone || asked === "one" ? [] : [`before: ${before.name}`, `after: ${pass.name}`],
      isMarked: (line) => place > 0 && related(line.place, place),
      onLine: (line) => go({place: line.place}),
    }),
  ];
}

/** Lines of a pass's text that come from the same places; of the step program those of a layer too. */
const relatedLines = (pass, place) => (textOf(pass) ?? []).filter((line) => related(line.place, place));

/** The dispatches made from just these places, else those made from them and others, else from some of them. */
function dispatchesFrom(place) {
  if (!program) return [];
  const rows = program.dispatches.map((row, number) => ({...row, number})).filter((row) => row.from.length), wanted = places[place];
  const wide = rows.filter((row) => includes(row.from, wanted)), exact = wide.filter((row) => includes(wanted, row.from));
  return exact.length ? exact : wide.length ? wide : rows.filter((row) => includes(wanted, row.from));
}

/** The way of one op: its places, its lines in each pass, its kernels. */
function followBar(place, current) {
  const found = dispatchesFrom(place), names = [...new Set(found.map((row) => row.kernel))];
  const ops = (pass) => {
    const lines = relatedLines(pass, place).filter((line) => !/^\s*[})]/.test(line.text));
    if (pass.phase === "step") return names.length ? plural(found.length, "dispatch").replace("dispatchs", "dispatches") : plural(lines.length, "line");
    return [...new Set(lines.map((line) => parseOp(line.text)?.name).filter((name) => name && name !== "lm.weight"))].join(", ") || (lines.length ? "weights" : "—");
  };
  return h("section.follow", {"aria-label": "Followed op"},
    h("header", {}, h("h2", {}, places[place].join(" + ")), h("a.button", {href: link("ir", [current])}, "Stop following")),
    h("ol.way", {}, modelPasses.map((pass) => {
      const number = passes.indexOf(pass);
      return h("li", {}, h("a", {href: link("ir", [number], {place}), "aria-current": number === current ? "true" : null},
        h("span", {}, pass.name), h("b", {}, ops(pass))));
    }), names.map((name) => h("li", {}, h("a", {href: link("kernels", [name])}, h("span", {}, "kernel"), h("b", {}, name)))),
    found.length ? h("li", {}, h("a", {href: link("roofline", [], {kernel: names[0]})}, h("span", {}, "roofline"), h("b", {}, "its points"))) : null));
}

function absent(what) {
  return h("section.absent", {}, h("h2", {}, "Not in this report"),
    h("p", {}, report.kind === "module" ? `A compiled model does not store ${what}. Compile with --dump-ir DIR and explore DIR.` : `The folder does not hold ${what}.`));
}
