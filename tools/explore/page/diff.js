// diff.js: two texts side by side. Lines that stayed are folded but for a few around each change.

/** Longest common subsequence by lines (Myers, with equal ends cut off). Yields [kind, a, b]: "=", "-", "+". */
function diffLines(a, b) {
  const edits = [];
  let head = 0;
  while (head < a.length && head < b.length && a[head].text === b[head].text) edits.push(["=", head, head++]);
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail].text === b[b.length - 1 - tail].text) ++tail;
  middle(a, head, a.length - tail, b, head, b.length - tail, edits);
  for (let i = tail; i > 0; --i) edits.push(["=", a.length - i, b.length - i]);
  return edits;
}

const mostEdits = 1500; // beyond, a block counts as rewritten
function middle(a, aBegin, aEnd, b, bBegin, bEnd, edits) {
  const n = aEnd - aBegin, m = bEnd - bBegin;
  const all = () => {
    for (let i = aBegin; i < aEnd; ++i) edits.push(["-", i, -1]);
    for (let i = bBegin; i < bEnd; ++i) edits.push(["+", -1, i]);
  };
  if (!n || !m) return all();
  const limit = Math.min(n + m, mostEdits), offset = limit + 1, trace = [];
  let furthest = new Int32Array(2 * limit + 3);
  for (let d = 0; d <= limit; ++d) {
    trace.push(furthest.slice());
    for (let k = -d; k <= d; k += 2) {
      let x = k === -d || (k !== d && furthest[offset + k - 1] < furthest[offset + k + 1])
        ? furthest[offset + k + 1] : furthest[offset + k - 1] + 1;
      while (x < n && x - k < m && a[aBegin + x].text === b[bBegin + x - k].text) ++x;
      furthest[offset + k] = x;
      if (x >= n && x - k >= m) return backtrack(trace, d, n, m, aBegin, bBegin, offset, edits);
    }
  }
  return all();
}

function backtrack(trace, d, n, m, aBegin, bBegin, offset, edits) {
  const found = [];
  let x = n, y = m;
  for (; d > 0; --d) {
    const before = trace[d], k = x - y;
    const down = k === -d || (k !== d && before[offset + k - 1] < before[offset + k + 1]);
    const from = before[offset + (down ? k + 1 : k - 1)];
    const fromY = from - (down ? k + 1 : k - 1);
    while (x > from && y > fromY) found.push(["=", aBegin + --x, bBegin + --y]);
    if (down) found.push(["+", -1, bBegin + --y]);
    else found.push(["-", aBegin + --x, -1]);
  }
  while (x > 0 && y > 0) found.push(["=", aBegin + --x, bBegin + --y]);
  edits.push(...found.reverse());
}

/** Rows of the two columns: changed blocks stand beside each other. */
function diffRows(a, b) {
  const rows = [];
  let removed = [], added = [];
  const flush = () => {
    for (let i = 0; i < Math.max(removed.length, added.length); ++i)
      rows.push({kind: "changed", a: removed[i] ?? -1, b: added[i] ?? -1});
    removed = [];
    added = [];
  };
  for (const [kind, i, j] of diffLines(a, b)) {
    if (kind === "-") removed.push(i);
    else if (kind === "+") added.push(j);
    else {
      flush();
      rows.push({kind: "same", a: i, b: j});
    }
  }
  flush();
  return rows;
}

/** The same in one column: of a changed block first what was, then what is. */
function unified(rows) {
  const out = [];
  for (let i = 0; i < rows.length;) {
    let end = i;
    while (end < rows.length && rows[end].kind === "changed") ++end;
    for (const {a} of rows.slice(i, end)) if (a >= 0) out.push({kind: "changed", a, b: -1, isOne: true});
    for (const {b} of rows.slice(i, end)) if (b >= 0) out.push({kind: "changed", a: -1, b, isOne: true});
    for (i = end; i < rows.length && rows[i].kind === "same"; ++i) out.push({...rows[i], isOne: true});
  }
  return out;
}

const around = 3, foldFrom = 9, mostShown = 4000;

/** The rows with runs of "same" ones folded: {kind: "fold", rows}. */
function folded(rows, isKept) {
  const keep = new Uint8Array(rows.length);
  rows.forEach((row, i) => {
    if (row.kind === "changed" || isKept(row))
      for (let j = Math.max(0, i - around); j <= Math.min(rows.length - 1, i + around); ++j) keep[j] = 1;
  });
  const out = [];
  for (let i = 0; i < rows.length;) {
    let end = i;
    while (end < rows.length && !keep[end]) ++end;
    if (end - i >= foldFrom) out.push({kind: "fold", rows: rows.slice(i, end)});
    else out.push(...rows.slice(i, end));
    for (i = end; i < rows.length && keep[i]; ++i) out.push(rows[i]);
  }
  return out;
}

/**
 * One text (b only), or two side by side or in one column: {language, isMarked(line, number), onLine(line), names, inOne,
 * first: the number of the first line, show(text): a line as nodes}.
 */
function codeView(a, b, {language, isMarked = () => false, onLine, names = [], inOne = false, first = 1, show = (text) => coloured(text, language)}) {
  const isTwo = a && !inOne;
  const rows = !a ? b.map((_, i) => ({kind: "same", a: -1, b: i})) : inOne ? unified(diffRows(a, b)) : diffRows(a, b);
  const cell = (list, number, side, kind) => {
    const line = list?.[number];
    const marked = line && isMarked(line, number);
    const isButton = line && onLine && line.place;
    return [
      h("td.n", {}, line ? String(number + first) : ""),
      h("td.code", {class: [kind, side, marked ? "marked" : "", isButton ? "can-follow" : ""].join(" ").trim(),
                    onclick: isButton ? () => onLine(line, number) : null,
                    onkeydown: isButton ? (event) => event.key === "Enter" && onLine(line, number) : null,
                    tabindex: isButton ? "0" : null, style: line ? `--indent:${/^ */.exec(line.text)[0].length}` : null},
        line ? h("code", {}, show(line.text)) : null),
    ];
  };
  const rowElement = (row) => row.isOne && row.b < 0 ? h("tr", {}, cell(a, row.a, "old", "removed")) : h("tr", {}, isTwo ? cell(a, row.a, "old", row.kind === "changed" ? (row.a < 0 ? "none" : "removed") : "") : null,
    cell(b, row.b, "new", row.kind === "changed" ? (row.b < 0 ? "none" : "added") : ""));
  const elements = (list) => list.map((row) => {
    if (row.kind !== "fold") return rowElement(row);
    const open = () => foldRow.replaceWith(...row.rows.map(rowElement));
    const foldRow = h("tr.fold", {}, h("td", {colspan: isTwo ? 4 : 2},
      h("button", {type: "button", onclick: open}, `${plural(row.rows.length, "line")} that stayed`)));
    return foldRow;
  });
  const isKept = (row) => (row.b >= 0 && isMarked(b[row.b])) || (row.a >= 0 && isMarked(a[row.a]));
  const list = a ? folded(rows, isKept) : rows;
  const body = h("tbody", {}, elements(list.slice(0, mostShown)));
  const more = (from) => from < list.length && body.append(h("tr.fold", {}, h("td", {colspan: isTwo ? 4 : 2},
    h("button", {type: "button", onclick: (event) => {
      event.target.closest("tr").remove();
      body.append(...elements(list.slice(from, from + mostShown)));
      more(from + mostShown);
    }}, `${plural(list.length - from, "more line")}`))));
  more(mostShown);
  return h("div.scroll.codebox", {role: "region", "aria-label": "Text", tabindex: "0"},
    h("table.code" + (isTwo ? ".two" : ""), {},
      h("colgroup", {}, isTwo ? [h("col.n"), h("col")] : null, h("col.n"), h("col")),
      names.length ? h("thead", {}, h("tr", {}, names.map((name) => h("th", {colspan: 2, scope: "col"}, name)))) : null,
      body));
}
