"use strict";
// The graph of a model for its page: read from the document, folded by block, laid out. Knows no canvas.
const viewGraph = (() => {
// --- The graph of one model, folded by block.

// A level with more parts is cut into runs of consecutive ones, so that no layout grows beyond what it can do at once.
const MOST_PARTS = 80;
const RUN = 40;
const VISIBLE_AT_FIRST = 60;

function pathOf(name) {
  const parts = name.split(/[/.]/).filter((part) => part !== "");
  return parts.length ? parts : [name];
}

class Group {
  constructor(label, parent) { this.label = label; this.parent = parent; this.parts = []; this.open = false; }
}

// Ops are those of the document, with `index`, `before` and `after`: the operators that make and use their values.
function readModel(json) {
  const ops = json.operators.map((op, index) => ({...op, index, before: [], after: [], parent: null}));
  const maker = new Map();
  for (const op of ops) for (const value of op.outputs) maker.set(value, op);
  for (const op of ops) {
    for (const value of op.inputs) {
      const from = maker.get(value);
      if (!from || from === op || op.before.includes(from)) continue;
      op.before.push(from);
      from.after.push(op);
    }
  }
  const root = new Group("", null);
  const groups = new Map([["", root]]);
  for (const op of ops) {
    const path = pathOf(op.name);
    let at = root, key = "";
    for (const part of path.slice(0, -1)) {
      key += "\n" + part;
      let next = groups.get(key);
      if (!next) {
        next = new Group(part, at);
        groups.set(key, next);
        at.parts.push(next);
      }
      at = next;
    }
    op.label = path[path.length - 1];
    op.parent = at;
    at.parts.push(op);
  }
  tidy(root);
  count(root);
  return {json, ops, root, byName: new Map(ops.map((op) => [op.name, op]))};
}

// A group of one part is that part; one of too many becomes a group of runs.
function tidy(group) {
  group.parts = group.parts.map((part) => {
    if (!(part instanceof Group)) return part;
    tidy(part);
    if (part.parts.length !== 1) return part;
    const only = part.parts[0];
    only.label = part.label + "." + only.label;
    only.parent = group;
    return only;
  });
  while (group.parts.length > MOST_PARTS) {
    const runs = [];
    for (let i = 0; i < group.parts.length; i += RUN) {
      const parts = group.parts.slice(i, i + RUN);
      const run = new Group(parts.length > 1 ? `${parts[0].label} to ${parts[parts.length - 1].label}` : parts[0].label, group);
      run.parts = parts;
      for (const part of parts) part.parent = run;
      runs.push(run);
    }
    group.parts = runs;
  }
}

function count(group) {
  group.ops = [];
  for (const part of group.parts) group.ops.push(...(part instanceof Group ? count(part) : [part]));
  return group.ops;
}

// The part of `group` that holds `op`; null when none does.
function partIn(group, op) {
  let part = op;
  while (part && part.parent !== group) part = part.parent;
  return part;
}

function openSome(root) {
  root.open = true;
  let shown = root.parts.length;
  const queue = root.parts.filter((part) => part instanceof Group);
  while (queue.length) {
    const group = queue.shift();
    if (shown + group.parts.length - 1 > VISIBLE_AT_FIRST) continue;
    group.open = true;
    shown += group.parts.length - 1;
    queue.push(...group.parts.filter((part) => part instanceof Group));
  }
}

// --- Layout: each open group by itself, its open parts as one box.

const ROW = 36, TITLE = 22, PAD = 12;
const widthOf = (part) => Math.max(96, Math.min(260, 7.2 * Math.max(part.label.length, (part.type || "").length) + 20));

function layOut(group) {
  for (const part of group.parts) {
    if (part instanceof Group && part.open) {
      layOut(part);
    } else {
      part.w = widthOf(part);
      part.h = ROW;
    }
  }
  const edges = new Map();
  const places = new Map(group.parts.map((part, index) => [part, index]));
  for (const op of group.ops) {
    const to = partIn(group, op);
    for (const from of op.before) {
      const part = partIn(group, from);
      if (part && part !== to) edges.set(places.get(part) * group.parts.length + places.get(to), [part, to]);
    }
  }
  if (typeof dagre === "undefined") {
    let y = TITLE + PAD, w = 0;
    for (const part of group.parts) {
      part.x = PAD;
      part.y = y;
      y += part.h + 18;
      w = Math.max(w, part.w);
    }
    group.w = w + 2 * PAD;
    group.h = y - 18 + PAD;
    return;
  }
  const graph = new dagre.graphlib.Graph();
  graph.setGraph({rankdir: "TB", nodesep: 14, ranksep: 26, marginx: PAD, marginy: PAD});
  group.parts.forEach((part, index) => graph.setNode(index, {width: part.w, height: part.h}));
  for (const [from, to] of edges.values()) graph.setEdge(places.get(from), places.get(to), {});
  dagre.layout(graph);
  group.parts.forEach((part, index) => {
    const node = graph.node(index);
    part.x = node.x - part.w / 2;
    part.y = node.y - part.h / 2 + TITLE;
  });
  group.w = Math.max(graph.graph().width, 7.2 * group.label.length + 3 * PAD);
  group.h = graph.graph().height + TITLE;
}

// What is on the canvas: boxes from the outside in, and the edges between the innermost ones.
function flatten(model) {
  layOut(model.root);
  const boxes = [], shown = new Map();
  const walk = (part, x, y, depth) => {
    const box = {part, x, y, w: part.w, h: part.h, depth, open: part instanceof Group && part.open};
    boxes.push(box);
    if (box.open) for (const inner of part.parts) walk(inner, x + inner.x, y + inner.y, depth + 1);
    else for (const op of part instanceof Group ? part.ops : [part]) shown.set(op, box);
  };
  for (const part of model.root.parts) walk(part, part.x, part.y, 0);
  const edges = new Map(), number = new Map(boxes.map((box, index) => [box, index]));
  for (const op of model.ops) {
    const to = shown.get(op);
    for (const before of op.before) {
      const from = shown.get(before);
      if (from !== to) edges.set(number.get(from) * boxes.length + number.get(to), [from, to]);
    }
  }
  return {boxes, edges: [...edges.values()], shown, w: model.root.w, h: model.root.h};
}

return {Group, ROW, TITLE, readModel, openSome, flatten};
})();
