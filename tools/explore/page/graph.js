// graph.js: a layer, or the model around its layers, as a graph: ops in ranks, joined by the values between them.

/** The ops of a pass's text by region: the forward body, and each kind of layer. */
function readGraph(lines) {
  const weights = new Map(), regions = {forward: null, layers: [], kinds: null};
  const stack = [];
  let scope = null;
  const begin = (name, inputs) => ({name, inputs, ops: []});
  lines.forEach((line, number) => {
    const text = line.text.trim();
    if (text.startsWith("}")) {
      scope = stack.pop() ?? null;
      if (text.endsWith("{") && scope?.isLayers) {
        stack.push(scope);
        scope = begin("layer", scope.iter);
        regions.layers.push(scope);
      }
      if (scope?.isLayers) scope = stack.pop() ?? null;
      return;
    }
    const op = parseOp(line.text);
    if (op?.name === "lm.weight") weights.set(op.results[0], {tensor: op.tensor ?? op.results[0], shape: shapeOf(op.types[0] ?? "")});
    if (op && scope && op.name !== "lm.weight") scope.ops.push({...op, line, number});
    if (!text.endsWith("{")) return;
    stack.push(scope);
    if (op?.name === "lm.forward") scope = regions.forward = begin("forward", [...text.matchAll(/%([\w$.-]+):/g)].map((m) => m[1]));
    else if (op?.name === "lm.layers") {
      const iter = [...text.slice(text.indexOf("iter(")).matchAll(/%([\w$.-]+) = /g)].map((m) => m[1]);
      regions.kinds = /kinds = \[([\d, ]+)\]/.exec(text)?.[1].split(",").map(Number) ?? null;
      stack.push({isLayers: true, iter});
      scope = begin("layer", iter);
      regions.layers.push(scope);
    } else scope = null;
  });
  return {...regions, weights};
}

const dims = (shape) => shape.join("×");
/** What an op yields: the shape of its first result. */
function resultShape(op) {
  const type = op.resultTypes[0] ?? op.types[0] ?? "";
  const shape = shapeOf(type);
  if (op.resultTypes.length || type.startsWith("tensor")) return shape.map((size) => (size === "?" ? "T" : size));
  if (!shape.length) return [];
  return ["T", op.name === "lm.embed" ? shape.at(-1) : shape[0]];
}

/** Operations for one token, and for each key that it sees. */
function workOf(op, graph) {
  const used = op.operands.map((name) => graph.weights.get(name)).filter(Boolean);
  const attribute = (name) => Number(new RegExp(`\\b${name} = (\\d+)`).exec(op.attributes)?.[1] ?? 0);
  if (/embed$/.test(op.name)) return {perToken: 0, perKey: 0};
  if (/attention$/.test(op.name)) {
    const heads = attribute("heads"), kvHeads = attribute("kv_heads") || heads;
    const width = (i) => Number(shapeOf(op.types[i] ?? "").at(-1) ?? 0);
    return {perToken: 0, perKey: heads && 2 * heads * (width(0) / heads + width(2) / kvHeads)};
  }
  const matrices = used.filter(({shape}) => shape.length === 2);
  if (matrices.length) return {perToken: sum(matrices, ({shape}) => 2 * shape[0] * shape[1]), perKey: 0};
  const width = Number(resultShape(op).at(-1)) || 0;
  return {perToken: /rms_norm|layer_norm/.test(op.name) ? 4 * width : /add|mul|silu|gelu|rope/.test(op.name) ? width : 0, perKey: 0};
}

const weightByName = new Map((program?.weights ?? []).map((weight) => [weight.name, weight]));
function weightsOf(op, graph, layer) {
  return op.operands.map((name) => graph.weights.get(name)).filter(Boolean).map(({tensor, shape}) => {
    const name = inLayer(tensor, layer), packed = weightByName.get(name);
    return {name, shape, scheme: packed?.scheme, bytes: packed?.bytes};
  });
}

/** Nodes and edges of a region. */
function makeGraph(region, graph, layer) {
  const nodes = region.inputs.filter((name) => name !== "tokens").map((name) => ({title: name, kind: "input", lines: []}));
  const maker = new Map(nodes.map((node) => [node.title, node]));
  const edges = [];
  let appended = null;
  for (const op of region.ops) {
    const isEnd = op.name === "lm.yield" || op.name === "lm.return";
    const weights = weightsOf(op, graph, layer), work = workOf(op, graph);
    const shape = dims(resultShape(op));
    const node = {
      op, weights, work, kind: isEnd ? "end" : /linear|embed$/.test(op.name) ? "heavy" : /attention|kv_/.test(op.name) ? "cache" : "light",
      title: isEnd ? (op.name === "lm.yield" ? "next layer" : "outputs") : op.name.replace("lm.", ""),
      lines: isEnd ? [] : [shape && !op.results.length ? null : [op.results[0]?.replace(/#0$/, ""), shape].filter(Boolean).join("  "),
        weights.length ? [weights.map((w) => dims(w.shape)).join(" + "), [...new Set(weights.map((w) => w.scheme).filter((s) => s && s !== "vector"))].join(", "),
          weights.some((w) => w.bytes) && formatBytes(sum(weights, (w) => w.bytes ?? 0))].filter(Boolean).join(" · ") : null,
        work.perToken ? `${formatCount(work.perToken)} flops a token` : work.perKey ? `${formatCount(work.perKey)} flops a key` : null].filter(Boolean),
    };
    nodes.push(node);
    const seen = new Set();
    for (const name of op.operands) {
      const from = maker.get(name);
      if (from && !seen.has(from)) edges.push({from, to: node});
      seen.add(from);
    }
    if (op.name === "lm.kv_append") appended = node;
    else if (op.name === "lm.kv_view" && appended) edges.push({from: appended, to: node, isCache: true});
    op.results.forEach((name) => maker.set(name, node));
  }
  return {nodes, edges};
}

const nodeGap = 28, rankGap = 44, charWidth = 6.6;
/** Gives nodes x, y, width, height, and edges their points: ranks by longest path, order and places by barycenters. */
function layOut({nodes, edges}) {
  for (const node of nodes) {
    node.width = Math.max(96, 28 + charWidth * Math.max(node.title.length * 1.15, ...node.lines.map((line) => line.length)));
    node.height = 30 + 16 * node.lines.length;
    node.rank = 0;
  }
  for (const node of nodes) // in the order of the text, so that makers come first
    for (const edge of edges) if (edge.to === node) node.rank = Math.max(node.rank, edge.from.rank + 1);
  const ranks = [];
  const put = (node) => (ranks[node.rank] ??= []).push(node);
  nodes.forEach(put);
  const links = [];
  for (const edge of edges) { // through a point in each rank between
    edge.way = [edge.from];
    for (let rank = edge.from.rank + 1; rank < edge.to.rank; ++rank) {
      const point = {rank, width: 10, height: 0, isPoint: true};
      put(point);
      edge.way.push(point);
    }
    edge.way.push(edge.to);
    for (let i = 1; i < edge.way.length; ++i) links.push([edge.way[i - 1], edge.way[i]]);
  }
  const above = new Map(), below = new Map();
  for (const [from, to] of links) {
    above.set(to, [...(above.get(to) ?? []), from]);
    below.set(from, [...(below.get(from) ?? []), to]);
  }
  const mean = (list, of) => sum(list, of) / list.length;
  for (let sweep = 0; sweep < 12; ++sweep) {
    const neighbours = sweep % 2 ? below : above;
    const order = sweep % 2 ? [...ranks].reverse() : ranks;
    ranks.forEach((rank) => rank.forEach((node, i) => (node.order = i)));
    for (const rank of order) {
      rank.forEach((node) => (node.key = neighbours.has(node) ? mean(neighbours.get(node), (n) => n.order) : node.order));
      rank.sort((a, b) => a.key - b.key);
      rank.forEach((node, i) => (node.order = i));
    }
  }
  let y = 0;
  for (const rank of ranks) {
    let x = -sum(rank, (node) => node.width + nodeGap) / 2;
    const height = Math.max(...rank.map((node) => node.height));
    for (const node of rank) {
      if (node.isPoint) node.height = height; // edges pass ops at their sides
      node.x = x + node.width / 2;
      node.y = y + height / 2;
      x += node.width + nodeGap;
    }
    y += height + rankGap;
  }
  // Ops pull at each other more than at the points of edges that pass by: the trunk of a model stays straight.
  const weight = (node) => (node.isPoint ? 0.05 : 1);
  const wish = (node, near) => sum(near, (n) => weight(n) * n.x) / sum(near, weight);
  for (let round = 0; round < 60; ++round)
    for (const rank of round % 2 ? [...ranks].reverse() : ranks)
      spread(rank, rank.map((node) => {
        const near = [...(above.get(node) ?? []), ...(below.get(node) ?? [])];
        return near.length ? wish(node, near) : node.x;
      }), weight);
  const all = ranks.flat();
  const left = Math.min(...all.map((n) => n.x - n.width / 2)), right = Math.max(...all.map((n) => n.x + n.width / 2));
  return {left, top: 0, width: right - left, height: y - rankGap};
}

/** Places a rank as near to the wishes as its order and widths allow: neighbours that collide move as one block. */
function spread(rank, wishes, weight) {
  const blocks = [];
  let offset = 0;
  rank.forEach((node, i) => {
    if (i) offset += (rank[i - 1].width + node.width) / 2 + nodeGap;
    node.offset = offset;
    let block = {at: wishes[i] - offset, weight: weight(node), nodes: [node]};
    while (blocks.length && blocks.at(-1).at > block.at) {
      const last = blocks.pop(), whole = last.weight + block.weight;
      block = {at: (last.at * last.weight + block.at * block.weight) / whole, weight: whole, nodes: [...last.nodes, ...block.nodes]};
    }
    blocks.push(block);
  });
  for (const {at, nodes} of blocks) for (const node of nodes) node.x = at + node.offset;
}

function edgePath({way}) {
  let path = `M${way[0].x},${way[0].y + way[0].height / 2}`;
  for (let i = 1; i < way.length; ++i) {
    const from = way[i - 1], to = way[i], y1 = from.y + from.height / 2, y2 = to.y - to.height / 2;
    path += `C${from.x},${(y1 + y2) / 2} ${to.x},${(y1 + y2) / 2} ${to.x},${y2}` + (to.isPoint ? `L${to.x},${to.y + to.height / 2}` : "");
  }
  return path;
}

/** Wheel and drag, two fingers, keys: changes the viewBox. Yields {element, zoom, fit}. */
function zoomable(picture, bounds) {
  const margin = 24;
  const whole = {x: bounds.left - margin, y: bounds.top - margin, width: bounds.width + 2 * margin, height: bounds.height + 2 * margin};
  let view = {...whole};
  const apply = () => picture.setAttribute("viewBox", [view.x, view.y, view.width, view.height].join(" "));
  const zoom = (factor, cx = view.x + view.width / 2, cy = view.y + view.height / 2) => {
    const width = Math.min(whole.width * 3, Math.max(120, view.width * factor)), by = width / view.width;
    view = {x: cx - (cx - view.x) * by, y: cy - (cy - view.y) * by, width, height: view.height * by};
    apply();
  };
  const fit = () => {
    const {width, height} = picture.getBoundingClientRect();
    if (!width || !height) return; // the page has gone on to another view
    view = {...whole};
    // Not larger than life; a graph that is too tall to read begins at its top.
    const scale = Math.min(1.1, Math.max(Math.min(width / whole.width, height / whole.height), Math.min(0.62, width / whole.width)));
    view.width = width / scale;
    view.height = height / scale;
    view.x = whole.x + (whole.width - view.width) / 2;
    view.y = view.height >= whole.height ? whole.y + (whole.height - view.height) / 2 : whole.y;
    apply();
  };
  const toPicture = (event) => {
    const box = picture.getBoundingClientRect();
    return [view.x + (event.clientX - box.left) / box.width * view.width, view.y + (event.clientY - box.top) / box.height * view.height];
  };
  picture.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoom(Math.exp(Math.max(-0.5, Math.min(0.5, event.deltaY * 0.0015))), ...toPicture(event));
  }, {passive: false});
  const fingers = new Map();
  let moved = false;
  picture.addEventListener("pointerdown", (event) => {
    fingers.set(event.pointerId, event);
    moved = false;
  });
  picture.addEventListener("pointermove", (event) => {
    const last = fingers.get(event.pointerId);
    if (!last) return;
    const box = picture.getBoundingClientRect(), scale = view.width / box.width;
    if (fingers.size === 2) {
      const other = [...fingers.values()].find((f) => f.pointerId !== event.pointerId);
      const gap = (f) => Math.hypot(f.clientX - other.clientX, f.clientY - other.clientY);
      zoom(gap(last) / Math.max(1, gap(event)), ...toPicture(event));
    } else {
      view.x -= (event.clientX - last.clientX) * scale;
      view.y -= (event.clientY - last.clientY) * scale;
      if (Math.hypot(event.clientX - last.clientX, event.clientY - last.clientY) > 1) {
        moved = true;
        picture.setPointerCapture(event.pointerId);
      }
      apply();
    }
    fingers.set(event.pointerId, event);
  });
  for (const end of ["pointerup", "pointercancel"]) picture.addEventListener(end, (event) => fingers.delete(event.pointerId));
  picture.addEventListener("click", (event) => moved && event.stopPropagation(), true);
  picture.addEventListener("keydown", (event) => {
    const by = view.width / 12;
    const act = {"+": () => zoom(0.8), "=": () => zoom(0.8), "-": () => zoom(1.25), 0: fit, ArrowLeft: () => (view.x -= by), ArrowRight: () => (view.x += by),
      ArrowUp: () => (view.y -= by), ArrowDown: () => (view.y += by)}[event.key];
    if (!act || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    act();
    apply();
  });
  requestAnimationFrame(fit);
  return {zoom, fit};
}

function drawGraph(graph, chosen, choose) {
  const bounds = layOut(graph);
  const picture = svg("svg.graph", {role: "group", "aria-label": "Graph of ops", tabindex: "0"},
    svg("defs", {}, svg("marker", {id: "arrow", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto"}, svg("path", {d: "M0,0L8,4L0,8z"}))),
    graph.edges.map((edge) => svg("path.edge" + (edge.isCache ? ".cache" : "") + (chosen && (edge.from === chosen || edge.to === chosen) ? ".near" : ""), {d: edgePath(edge), "marker-end": "url(#arrow)"})),
    graph.nodes.map((node) => {
      const act = node.op && node.kind !== "end" ? () => choose(node) : null;
      return svg("g.node", {class: node.kind + (node === chosen ? " chosen" : ""), transform: `translate(${node.x - node.width / 2},${node.y - node.height / 2})`,
        role: act ? "button" : null, tabindex: act ? "0" : null, "aria-label": act ? [node.title, ...node.lines].join(", ") : null, "aria-pressed": act ? String(node === chosen) : null,
        onclick: act, onkeydown: act && ((event) => (event.key === "Enter" || event.key === " ") && (event.preventDefault(), act()))},
      svg("rect", {width: node.width, height: node.height, rx: 7}),
      svg("text.title", {x: node.width / 2, y: 20, "text-anchor": "middle"}, node.title),
      node.lines.map((line, i) => svg("text", {x: node.width / 2, y: 37 + 16 * i, "text-anchor": "middle"}, line)));
    }));
  return {picture, bounds};
}

function graphView([numberText], parameters) {
  const withGraph = modelPasses.filter((pass) => pass.phase !== "step");
  if (!withGraph.length) return absent("the graph of a layer");
  let pass = passes[Number(numberText)];
  if (!withGraph.includes(pass)) pass = withGraph.at(-1);
  const number = passes.indexOf(pass), whole = readGraph(textOf(pass));
  const scope = parameters.get("layer") ?? (whole.layers.length ? "0" : "model"), layer = scope === "model" ? 0 : Number(scope);
  const region = scope === "model" ? whole.forward : whole.layers[whole.kinds?.[layer] ?? 0];
  if (!region) return absent("a graph in this text");
  const graph = makeGraph(region, whole, layer);
  const chosen = graph.nodes.find((node) => node.op && String(node.op.number) === parameters.get("op"));
  const go = (more) => navigate("graph", [more.pass ?? number], {layer: scope, ...more, pass: undefined});
  const {picture, bounds} = drawGraph(graph, chosen, (node) => go({op: node.op.number}));
  const view = zoomable(picture, bounds);
  const layers = Array.from({length: layerCount || 1}, (_, i) => [String(i), `layer ${i}` + (whole.kinds ? `, kind ${whole.kinds[i]}` : "")]);
  const button = (text, label, act) => h("button", {type: "button", title: label, "aria-label": label, onclick: act}, text);
  return [
    h("header.bar", {},
      select("After pass", withGraph.map((other) => [passes.indexOf(other), `${String(passes.indexOf(other)).padStart(2, "0")}  ${other.name}`]), number, (value) => go({pass: value})),
      select("Of", [...(whole.layers.length ? layers : []), ["model", "model, around its layers"]], scope, (value) => go({layer: value})),
      h("span.spring"), h("div.choice", {}, button("−", "Smaller", () => view.zoom(1.25)), button("Fit", "Fit into the window", view.fit), button("+", "Larger", () => view.zoom(0.8)))),
    h("div.split", {}, h("div.stage", {}, picture), chosen ? opPanel(chosen, number, scope === "model" ? null : layer) : layerPanel(graph, scope)),
  ];
}

function layerPanel(graph, scope) {
  const ops = graph.nodes.filter((node) => node.op && node.kind !== "end");
  const weights = new Map(ops.flatMap((node) => node.weights).map((weight) => [weight.name, weight]));
  const bytes = sum([...weights.values()], (weight) => weight.bytes ?? 0);
  return h("aside.panel", {"aria-label": "About the graph"},
    h("h2", {}, scope === "model" ? "The model" : `Layer ${scope}`),
    h("dl.facts", {}, [["ops", formatWhole(ops.length)], ["flops a token", formatCount(sum(ops, (n) => n.work.perToken))],
      ["flops a key", formatCount(sum(ops, (n) => n.work.perKey))], ["weights", bytes ? formatBytes(bytes) : null]]
      .filter(([, value]) => value).map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])),
    h("p.quiet", {}, "T is the number of tokens in a step. Choose an op to follow it to its kernel. Scroll to zoom, drag to move."));
}

function opPanel(node, passNumber, layer) {
  const {op} = node, place = op.line.place;
  const rows = place ? dispatchesFrom(place).filter((row) => layer === null ? row.layer < 0 : row.layer === layer) : [];
  const names = [...new Set(rows.map((row) => row.kernel))];
  const cost = rows.map((row) => costOf(row));
  return h("aside.panel", {"aria-label": "Chosen op"},
    h("h2", {}, op.name), op.results.length ? h("p.quiet", {}, op.results.map((name) => "%" + name).join(", ")) : null,
    h("dl.facts", {}, [["yields", dims(resultShape(op))], ["flops a token", node.work.perToken && formatCount(node.work.perToken)], ["flops a key", node.work.perKey && formatCount(node.work.perKey)],
      ["from", place ? places[place].join(" + ") : null]].filter(([, value]) => value).map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])),
    node.weights.length ? [h("h3", {}, "Weights"), table([["Tensor", "name"], ["Scheme", ""], ["Bytes", "number"]],
      node.weights.map((w) => ({href: link("tensors", [], {q: w.name}), cells: [w.name, w.scheme === "vector" ? "f32" : w.scheme ?? "—", w.bytes ? formatBytes(w.bytes) : "—"]})))] : null,
    h("h3", {}, "Where it runs"),
    names.length ? h("ul.links", {}, names.map((name) => h("li", {}, h("a", {href: link("kernels", [name], {stage: "assembly"})}, name))),
      h("li.quiet", {}, `in a step of ${plural(assumed.tokens, "token")} behind ${formatWhole(assumed.context)}: ${formatBytes(sum(cost, (c) => c.bytes))}, ${formatCount(sum(cost, (c) => c.flops))} flops`))
      : h("p.quiet", {}, "No dispatch comes from this op by itself."),
    h("div.actions", {}, place ? h("a.button", {href: link("ir", [passNumber], {place})}, "Through all passes") : null,
      names.length ? h("a.button", {href: link("roofline", [], {kernel: names[0]})}, "In the roofline") : null),
    h("h3", {}, "Text"), h("pre.text", {}, h("code", {}, coloured(op.line.text.trim(), "mlir"))));
}
