// search.js: finds passes, ops, tensors, kernels and remarks. "/" opens it; arrows and Enter choose.

let searchIndex = null;
function makeIndex() {
  const list = [];
  const add = (kind, text, more, href) => list.push({kind, text, more, href, key: `${text} ${more}`.toLowerCase()});
  passes.forEach((pass, number) => {
    add("pass", pass.name, pass.phase, report.kind === "dump" ? link("pipeline", [number]) : link("model"));
    for (const remark of pass.remarks ?? []) add("remark", remark.message, `${pass.name} ${remark.location}`, link("pipeline", [number]));
  });
  for (const kernel of codeItems()) add("kernel", kernel.name, `${kernel.op} ${kernel.location}`, link("kernels", [kernel.name]));
  const seen = new Set();
  for (const pass of modelPasses) {
    if (pass.phase === "step") continue;
    for (const line of textOf(pass)) {
      const op = parseOp(line.text);
      if (!op || !line.place || op.name === "lm.weight" || seen.has(line.text)) continue;
      seen.add(line.text);
      add("op", `${op.results[0] ? "%" + op.results[0] + " = " : ""}${op.name}`, `${places[line.place].join(" + ")} · ${pass.name}`, link("ir", [passes.indexOf(pass)], {place: line.place}));
    }
  }
  for (const weight of program?.weights ?? []) add("tensor", weight.name, `${weight.scheme} ${dims(weight.shape)}`, link("tensors", [], {q: weight.name}));
  return list;
}

const mostOfKind = 12, kindOrder = ["pass", "op", "kernel", "remark", "tensor"];
function find(query) {
  const terms = query.toLowerCase().split(/\s+/).filter(Boolean);
  if (!terms.length) return [];
  searchIndex ??= makeIndex();
  const counts = {};
  const score = (item) => (item.text.toLowerCase().startsWith(terms[0]) ? 0 : item.text.toLowerCase().includes(terms[0]) ? 1 : 2);
  return searchIndex.filter((item) => terms.every((term) => item.key.includes(term))).map((item, i) => [score(item), i, item])
    .sort((a, b) => a[0] - b[0] || a[1] - b[1]).map(([, , item]) => item)
    .filter((item, _, all) => (counts[item.kind] = (counts[item.kind] ?? 0) + 1) <= mostOfKind)
    .sort((a, b) => kindOrder.indexOf(a.kind) - kindOrder.indexOf(b.kind));
}

function setUpSearch() {
  const dialog = document.getElementById("search");
  let results = [], at = 0;
  const list = h("ul", {role: "listbox", id: "results", "aria-label": "Results"});
  const input = h("input", {type: "search", role: "combobox", "aria-expanded": "true", "aria-controls": "results", "aria-label": "Search ops, tensors, kernels, remarks",
    placeholder: "Search passes, ops, tensors, kernels, remarks", autocomplete: "off", spellcheck: "false"});
  const show = () => {
    list.replaceChildren(...results.map((item, i) => h("li", {role: "option", id: "result-" + i, "aria-selected": String(i === at)},
      h("a", {href: item.href, tabindex: "-1", onclick: () => dialog.close()}, h("span.kind", {}, item.kind), h("span.text", {}, item.text), h("span.quiet", {}, item.more)))));
    if (!results.length && input.value) list.append(h("li.quiet", {}, "Nothing found."));
    input.setAttribute("aria-activedescendant", results.length ? "result-" + at : "");
    list.children[at]?.scrollIntoView({block: "nearest"});
  };
  input.addEventListener("input", () => {
    results = find(input.value);
    at = 0;
    show();
  });
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      at = Math.max(0, Math.min(results.length - 1, at + (event.key === "ArrowDown" ? 1 : -1)));
      show();
    } else if (event.key === "Escape") {
      event.preventDefault();
      dialog.close();
    } else if (event.key === "Enter" && results[at]) {
      location.hash = results[at].href;
      dialog.close();
    }
  });
  dialog.append(input, list);
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  const open = () => {
    input.value = "";
    results = [];
    show();
    dialog.showModal();
    input.focus();
  };
  document.getElementById("open-search").addEventListener("click", open);
  return open;
}
