// router.js: the address behind # says what is shown, so that every place in the report can be linked to.

const views = [
  {id: "pipeline", label: "Pipeline", show: pipelineView, isThere: passes.length > 0},
  {id: "ir", label: "IR", show: irView, isThere: modelPasses.length > 0},
  {id: "graph", label: "Graph", show: graphView, isThere: modelPasses.some((pass) => pass.phase !== "step")},
  {id: "kernels", label: "Kernels", show: kernelsView, isThere: kernels.length > 0},
  {id: "roofline", label: "Roofline", show: rooflineView, isThere: Boolean(program?.dispatches.length)},
  {id: "memory", label: "Memory", show: memoryView, isThere: Boolean(program)},
  {id: "tensors", label: "Tensors", show: tensorsView, isThere: Boolean(program?.weights.length)},
  {id: "model", label: "Model", show: modelView, isThere: true},
];
const current = {view: null, parameters: {}};

function link(view, args = [], parameters = {}) {
  const query = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value !== null && value !== undefined && value !== "").map(([key, value]) => [key, String(value)]));
  return "#/" + [view, ...args].map((part) => encodeURIComponent(part)).join("/") + (query.size ? "?" + query : "");
}
function navigate(view, args, parameters) {
  location.hash = link(view, args, parameters);
}

function parseAddress() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const decode = (part) => { try { return decodeURIComponent(part); } catch { return part; } };
  const [id, ...args] = path.split("/").filter(Boolean).map(decode);
  const view = views.find((candidate) => candidate.id === id) ?? views.find((candidate) => candidate.isThere && (report.kind === "dump" || candidate.id === "model"));
  return {view, args, parameters: new URLSearchParams(query)};
}

let renders = 0;
async function render() {
  const {view, args, parameters} = parseAddress(), main = document.getElementById("main"), turn = ++renders;
  const scroll = [scrollX, scrollY], isSame = current.view === view;
  hint.hide();
  document.getElementById("search").close();
  current.parameters = Object.fromEntries(parameters);
  const content = [await view.show(args, parameters)].flat(Infinity).filter((node) => node instanceof Node);
  if (turn !== renders) return; // somebody went on meanwhile
  current.view = view;
  main.replaceChildren(h("div.view", {id: "view-" + view.id}, content));
  document.title = `${view.label} · ${report.title} · llmc explore`;
  document.querySelectorAll("#tabs a").forEach((tab) => tab.toggleAttribute("aria-current", tab.dataset.view === view.id));
  if (isSame) scrollTo(...scroll);
  else {
    scrollTo(0, 0);
    if (turn > 1) main.focus({preventScroll: true});
  }
  document.querySelector("#tabs [aria-current]")?.scrollIntoView({block: "nearest", inline: "nearest"});
  document.documentElement.dataset.ready = String(turn);
}

function setUpTheme() {
  const button = document.getElementById("theme"), dark = matchMedia("(prefers-color-scheme: dark)");
  let chosen = null;
  try { chosen = localStorage.getItem("llmc-theme"); } catch { /* a file without storage follows the system */ }
  const show = () => {
    const isDark = chosen ? chosen === "dark" : dark.matches;
    document.documentElement.dataset.theme = isDark ? "dark" : "light";
    button.textContent = isDark ? "☀" : "☾";
    button.setAttribute("aria-label", isDark ? "Use light colours" : "Use dark colours");
  };
  button.addEventListener("click", () => {
    chosen = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    try { localStorage.setItem("llmc-theme", chosen); } catch { /* not kept */ }
    show();
  });
  dark.addEventListener("change", show);
  show();
}

document.getElementById("model-name").textContent = report.title;
document.getElementById("tabs").append(...views.filter((view) => view.isThere).map((view, i) =>
  h("a", {href: link(view.id), "data-view": view.id, title: `${view.label} (press ${i + 1})`}, view.label)));
document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault();
  document.getElementById("main").focus();
});
setUpTheme();
const openSearch = setUpSearch();
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.("input, select, dialog[open]")) return;
  if (event.key === "/") {
    event.preventDefault();
    openSearch();
  } else if (/^[1-9]$/.test(event.key)) {
    document.querySelectorAll("#tabs a")[Number(event.key) - 1]?.click();
  } else if ((event.key === "ArrowLeft" || event.key === "ArrowRight") && !event.target.closest?.(".codebox, svg, .passes")) {
    document.querySelector(`[data-key="${event.key}"]`)?.click();
  }
});
addEventListener("hashchange", render);
await render();
