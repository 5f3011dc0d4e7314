// charts.js: scales and axes for the plots.

const logScale = (low, high, from, to) => {
  const a = Math.log10(low), b = Math.log10(high);
  return (value) => from + (Math.log10(Math.max(value, low)) - a) / (b - a) * (to - from);
};
const linearScale = (low, high, from, to) => (value) => from + (value - low) / (high - low || 1) * (to - from);

function decades(low, high) {
  const list = [];
  for (let e = Math.ceil(Math.log10(low) - 1e-9); e <= Math.log10(high) + 1e-9; ++e) list.push(10 ** e);
  return list;
}

function niceTicks(high, count = 5) {
  const rough = high / count || 1, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((x) => x * power).find((x) => x >= rough);
  return Array.from({length: Math.floor(high / step) + 1}, (_, i) => i * step);
}

/** Steps of powers of two, for bytes. */
function byteTicks(high) {
  const step = 2 ** Math.ceil(Math.log2(Math.max(high, 4) / 4));
  return Array.from({length: Math.floor(high / step) + 1}, (_, i) => i * step);
}

/** Axes of a plot in a box {left, top, right, bottom}. */
function axes(box, {x, y, xTicks, yTicks, xText, yText, xLabel, yLabel}) {
  return svg("g.axes", {"aria-hidden": "true"},
    yTicks.map((tick) => [svg("line", {x1: box.left, x2: box.right, y1: y(tick), y2: y(tick)}),
      svg("text", {x: box.left - 8, y: y(tick) + 4, "text-anchor": "end"}, yText(tick))]),
    xTicks.map((tick) => [svg("line", {x1: x(tick), x2: x(tick), y1: box.top, y2: box.bottom}),
      svg("text", {x: x(tick), y: box.bottom + 18, "text-anchor": "middle"}, xText(tick))]),
    svg("text.label", {x: box.right, y: box.bottom + 36, "text-anchor": "end"}, xLabel),
    svg("text.label", {x: box.left, y: box.top - 10, "text-anchor": "start"}, yLabel));
}

/** Wide pictures keep their height and lose width on a phone: the plot is drawn again when the window changes. */
function responsive(draw) {
  const box = h("div.plot");
  let width = 0;
  new ResizeObserver(([{contentRect}]) => {
    if (Math.abs(contentRect.width - width) < 2) return;
    width = contentRect.width;
    box.replaceChildren(draw(Math.max(width, 280)));
  }).observe(box);
  return box;
}
