// elements.js: making elements, and numbers as people read them. Text from reports only ever becomes text nodes and
// attributes.

/** h("a.name", {href}, "text", child, [children]): an HTML element. A property "on…" is a listener. */
function h(tag, properties = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  return fill(document.createElement(name), classes, properties, children);
}

/** The same for SVG. */
function svg(tag, properties = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  return fill(document.createElementNS("http://www.w3.org/2000/svg", name), classes, properties, children);
}

function fill(element, classes, properties, children) {
  if (classes.length) element.setAttribute("class", classes.join(" "));
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "class") element.setAttribute("class", [...classes, value].join(" "));
    else if (key === "value") element.value = value;
    else element.setAttribute(key, value === true ? "" : value);
  }
  for (const child of children.flat(Infinity))
    if (child !== null && child !== undefined && child !== false) element.append(child);
  return element;
}

const scaled = (value, step, units) => {
  let unit = 0;
  while (Math.abs(value) >= step && unit < units.length - 1) {
    value /= step;
    ++unit;
  }
  const digits = unit === 0 && Number.isInteger(value) ? 0 : Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toFixed(digits) + (units[unit] ? "\u202f" + units[unit] : "");
};
const formatBytes = (value) => scaled(value, 1024, ["B", "KiB", "MiB", "GiB", "TiB"]);
const formatCount = (value) => scaled(value, 1000, ["", "k", "M", "G", "T"]);
const formatWhole = (value) => Math.round(value).toLocaleString("en-US").replaceAll(",", "\u202f");
const formatSeconds = (value) =>
  value >= 1 ? value.toFixed(2) + "\u202fs" : value >= 1e-3 ? (value * 1e3).toFixed(value >= 0.1 ? 0 : 2) + "\u202fms"
    : (value * 1e6).toFixed(value >= 1e-5 ? 0 : 1) + "\u202fµs";
const plural = (count, word) => `${formatWhole(count)} ${word}${count === 1 ? "" : "s"}`;
const sum = (list, of = (x) => x) => list.reduce((total, item) => total + of(item), 0);

/** table([["Name", "left"], ["Bytes", "number"]], rows): rows are lists of cells, or {cells, href, current}. */
function table(columns, rows, caption) {
  const body = rows.map((row) => {
    const {cells, href, current} = Array.isArray(row) ? {cells: row} : row;
    return h("tr", {"aria-current": current ? "true" : null},
      cells.map((cell, i) => h("td", {class: columns[i][1]}, i === 0 && href ? h("a", {href}, cell) : cell)));
  });
  return h("div.scroll", {}, h("table", {}, caption ? h("caption", {}, caption) : null,
    h("thead", {}, h("tr", {}, columns.map(([name, kind]) => h("th", {class: kind, scope: "col"}, name)))),
    h("tbody", {}, body)));
}

/** Buttons of which one is chosen. */
function choice(label, options, chosen, choose) {
  return h("div.choice", {role: "group", "aria-label": label}, options.map(([value, text]) =>
    h("button", {type: "button", "aria-pressed": String(value === chosen), onclick: () => choose(value)}, text)));
}

function select(label, options, chosen, choose) {
  const element = h("select", {"aria-label": label, onchange: () => choose(element.value)},
    options.map(([value, text]) => h("option", {value, selected: String(value) === String(chosen)}, text)));
  return h("label.field", {}, h("span", {}, label), element);
}

/** A slider over powers of two, or a plain number. */
function numberField(label, value, {min, max, step = 1, unit = ""}, change) {
  const input = h("input", {type: "number", min, max, step, value, "aria-label": label});
  input.addEventListener("change", () => {
    const number = Number(input.value);
    if (Number.isFinite(number)) change(Math.min(max, Math.max(min, number)));
  });
  return h("label.field", {}, h("span", {}, label), input, unit ? h("span.unit", {}, unit) : null);
}

const hint = {
  show(event, lines) {
    const box = document.getElementById("hint");
    box.replaceChildren(...lines.map((line, i) => h(i ? "div" : "b", {}, line)));
    box.classList.add("shown");
    const {innerWidth, innerHeight} = window, {width, height} = box.getBoundingClientRect();
    const x = event.clientX ?? 0, y = event.clientY ?? 0;
    box.style.left = Math.max(8, Math.min(x + 14, innerWidth - width - 8)) + "px";
    box.style.top = (y + height + 24 > innerHeight ? Math.max(8, y - height - 12) : y + 16) + "px";
  },
  hide() {
    document.getElementById("hint").classList.remove("shown");
  },
};
/** Properties that show lines while the pointer is over an element. */
const hinted = (lines) => ({
  onpointermove: (event) => hint.show(event, lines()),
  onpointerleave: () => hint.hide(),
});
