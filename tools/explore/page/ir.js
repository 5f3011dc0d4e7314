// ir.js: MLIR, LLVM IR and assembly as coloured lines; ops, values and types of the lm dialect from their text.

const syntax = {
  mlir: /("(?:[^"\\]|\\.)*")|(\/\/.*)|(%[\w$.-]+(?:#\d+)?)|([@#^][\w$.-]+)|\b((?:lm|step|func|arith|vector|scf|memref|llvm|math|linalg|tensor|builtin|cf|affine|bufferization)\.[\w.]+)|(<[\dx?]+>|\b(?:tensor|vector|memref)<[^>]*>|![\w.]+(?:<[^>]*>)?|\b(?:[if]\d+|bf16|index)\b)|(?<![\w.])(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)\b/g,
  llvm: /("(?:[^"\\]|\\.)*")|(;.*)|(%[\w$.-]+)|([@#!][\w$.-]+)|\b(define|declare|call|ret|br|switch|phi|load|store|getelementptr|add|sub|mul|fadd|fsub|fmul|fma|icmp|fcmp|select|bitcast|zext|sext|trunc|shl|lshr|ashr|and|or|xor|shufflevector|insertelement|extractelement|tail|alloca|sdiv|udiv|fdiv|urem|srem|unreachable)\b|(<\d+ x \w+>|\b(?:i\d+|float|double|half|bfloat|ptr|void|label)\b)|(?<![\w.])(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?|0x[\dA-F]+)\b/g,
  asm: /("(?:[^"\\]|\\.)*")|(#.*)|(%[a-z][a-z\d]*)|(^[\w.$]+:|\.L\w+)|^(\s+[a-z][\w.]*)|(\$-?\w+)|(?<![\w.])(-?\d+|0x[\da-f]+)\b/g,
};
const classes = ["string", "comment", "value", "symbol", "op", "type", "number"];

/** The line as coloured nodes. */
function coloured(text, language) {
  const nodes = [];
  let end = 0;
  for (const match of text.matchAll(syntax[language])) {
    const kind = classes[match.slice(1).findIndex((group) => group !== undefined)];
    if (match.index > end) nodes.push(text.slice(end, match.index));
    nodes.push(h("i." + kind, {}, match[0]));
    end = match.index + match[0].length;
  }
  if (end < text.length) nodes.push(text.slice(end));
  return nodes;
}

const shapeOf = (type) => {
  const match = /<([\dx?]+)(?:x[a-z]\w*)?>/.exec(type);
  return match ? match[1].replace(/x$/, "").split("x") : [];
};

/** The types behind " : ", of operands, and behind "->", of results. */
function splitTypes(text) {
  const list = [];
  let depth = 0, begin = 0;
  for (let i = 0; i <= text.length; ++i) {
    if ("<([{".includes(text[i] ?? " ")) ++depth;
    else if (")]}".includes(text[i] ?? " ") || (text[i] === ">" && text[i - 1] !== "-")) --depth;
    if (i === text.length || (text[i] === "," && depth === 0)) {
      const type = text.slice(begin, i).trim();
      if (type) list.push(type);
      begin = i + 1;
    }
  }
  return list;
}

/** One op of lm text: {results, name, operands, attributes, types, resultTypes, opens}; null if the line is none. */
function parseOp(text) {
  const match = /^\s*(?:((?:%[\w$.-]+(?::\d+)?(?:, )?)+) = )?((?:lm|step)\.[\w.]+)\b(.*)$/.exec(text);
  if (!match) return null;
  const [, results = "", name, rest] = match;
  const opens = /\{\s*$/.test(rest);
  // In the type part there are no values: the last " : " that none follows.
  let colon = opens ? -1 : rest.lastIndexOf(" : ");
  if (colon >= 0 && rest.slice(colon).includes("%")) colon = -1;
  const head = colon < 0 ? rest : rest.slice(0, colon);
  const [types, resultTypes = ""] = colon < 0 ? [""] : rest.slice(colon + 3).split(" -> ");
  return {
    name, opens,
    results: [...results.matchAll(/%([\w$.-]+)(?::(\d+))?/g)].flatMap(([, value, count]) =>
      count ? Array.from({length: Number(count)}, (_, i) => `${value}#${i}`) : [value]),
    operands: [...head.matchAll(/%([\w$.-]+(?:#\d+)?)/g)].map((found) => found[1]),
    tensor: /"((?:[^"\\]|\\.)*)"/.exec(head)?.[1],
    attributes: /\{(.*)\}/.exec(head)?.[1] ?? "",
    types: splitTypes(types), resultTypes: splitTypes(resultTypes.replace(/^\((.*)\)$/, "$1")),
  };
}
