"use strict";
(() => {
const data = JSON.parse(document.getElementById("view-data").textContent);
const $ = (id) => document.getElementById(id);
const {Group, ROW, TITLE, readModel, openSome, flatten} = viewGraph;

// --- What an operator looks like.

const state = {color: "unit", chip: 0, selected: null};
const number = (value, digits = 3) => value === null || value === undefined ? "not known" : Number(value).toPrecision(digits) * 1 + "";
const chipOf = (model) => model.json.chips[Math.min(state.chip, model.json.chips.length - 1)];
const placed = (model, op) => chipOf(model).operators[op.name];
const half = (model, op) => model.json.float16.operators ? model.json.float16.operators[op.name] : undefined;
const unitNames = {ane: "Neural Engine", gpu: "GPU", cpu: "CPU"};

function measure(model) {
  const times = model.ops.map((op) => (placed(model, op) || {}).estimated_us || 0);
  model.total = times.reduce((a, b) => a + b, 0);
  model.largest = Math.max(1e-12, ...times);
}

let theme = {};
function readTheme() {
  const style = getComputedStyle(document.documentElement);
  for (const name of ["ground", "panel", "ink", "soft", "line", "edge", "group", "ane", "gpu", "cpu", "none", "hot", "mark"])
    theme[name] = style.getPropertyValue("--" + name).trim();
}

function mix(a, b, share) {
  const parts = [a, b].map((color) => [1, 3, 5].map((i) => parseInt(color.slice(i, i + 2), 16)));
  return "rgb(" + parts[0].map((value, i) => Math.round(value + (parts[1][i] - value) * share)).join(",") + ")";
}
function hueOf(type) {
  let hash = 7;
  for (const c of type) hash = (hash * 31 + c.charCodeAt(0)) % 360;
  return hash;
}
const dark = () => matchMedia("(prefers-color-scheme: dark)").matches;

// The colors of a box from left to right, each with its share of the width.
function colorsOf(model, part) {
  const ops = part instanceof Group ? part.ops : [part];
  if (state.color === "time") {
    const sum = ops.reduce((total, op) => total + ((placed(model, op) || {}).estimated_us || 0), 0);
    return [[mix(theme.none, theme.hot, Math.sqrt(Math.min(1, sum / model.largest))), 1]];
  }
  if (state.color === "half") {
    if (!model.json.float16.operators) return [[theme.none, 1]];
    const worst = Math.max(0, ...ops.map((op) => { const row = half(model, op); return row ? row.added ?? 1 : 0; }));
    return [[mix(theme.none, theme.hot, Math.min(1, Math.max(0, (Math.log10(worst + 1e-9) + 5) / 4))), 1]];
  }
  const counts = new Map();
  for (const op of ops) {
    const color = state.color === "type" ? `hsl(${hueOf(op.type)} 45% ${dark() ? 32 : 78}%)`
      : theme[(placed(model, op) || {}).preferred] || theme.none;
    counts.set(color, (counts.get(color) || 0) + 1);
  }
  return [...counts].map(([color, many]) => [color, many / ops.length]);
}

function legend() {
  const line = $("legend");
  line.textContent = "";
  const key = (color, text) => {
    const box = document.createElement("span");
    box.className = "key";
    box.style.background = color;
    line.append(box, text);
  };
  if (state.color === "unit") {
    line.append(`Estimated for ${chipOf(models[0]).title}:`);
    for (const unit of ["ane", "gpu", "cpu"]) key(theme[unit], unitNames[unit]);
    key(theme.none, "not known");
  } else if (state.color === "time") {
    line.append(`Estimated for ${chipOf(models[0]).title}:`);
    key(theme.none, "no time");
    key(theme.hot, "the slowest operator, or more");
  } else if (state.color === "half") {
    const float16 = models[0].json.float16;
    line.append(float16.operators ? `Error that half precision adds, measured on ${float16.samples}:` : `Not measured: ${float16.skipped}`);
    if (float16.operators) { key(theme.none, "below 1e-5"); key(theme.hot, "above 1e-1"); }
  } else {
    line.append("One color for each type of operator.");
  }
}

// --- One canvas.

class Pane {
  constructor(model, other) {
    this.model = model;
    this.other = other;
    this.x = 0; this.y = 0; this.zoom = 1;
    this.node = document.createElement("section");
    this.node.className = "pane";
    const title = document.createElement("h2");
    title.textContent = `${model.json.model}: ${model.ops.length} operators`;
    this.canvas = document.createElement("canvas");
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "application");
    this.canvas.setAttribute("aria-label", `Graph of ${model.json.model}. Arrows move along the edges, Enter unfolds, Backspace folds, plus and minus zoom, 0 fits.`);
    this.node.append(title, this.canvas);
    $("panes").append(this.node);
    this.drawn = false;
    this.pointers = new Map();
    this.listen();
    new ResizeObserver(() => { this.resize(); }).observe(this.canvas);
  }
  resize() {
    const ratio = devicePixelRatio || 1;
    this.width = this.canvas.clientWidth;
    this.height = this.canvas.clientHeight;
    this.canvas.width = Math.round(this.width * ratio);
    this.canvas.height = Math.round(this.height * ratio);
    if (!this.drawn && this.width && this.height) { this.drawn = true; this.fit(); }
    this.dirty();
  }
  arrange() {
    this.scene = flatten(this.model);
    this.dirty();
  }
  fit() {
    const margin = 20;
    this.zoom = Math.min(1.2, (this.width - margin) / this.scene.w, (this.height - margin) / this.scene.h);
    // Not smaller than can be read: a long network is read from its beginning.
    this.zoom = Math.max(this.zoom, Math.min(0.45, (this.width - margin) / this.scene.w), 0.02);
    this.x = (this.width - this.scene.w * this.zoom) / 2;
    this.y = Math.max(margin / 2, (this.height - this.scene.h * this.zoom) / 2);
    this.dirty();
  }
  dirty() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => { this.waiting = false; this.draw(); });
  }
  visible(box) {
    const left = box.x * this.zoom + this.x, top = box.y * this.zoom + this.y;
    return left < this.width && top < this.height && left + box.w * this.zoom > 0 && top + box.h * this.zoom > 0;
  }
  draw() {
    const c = this.canvas.getContext("2d"), ratio = devicePixelRatio || 1;
    if (!this.scene || !this.width) return;
    c.setTransform(ratio, 0, 0, ratio, 0, 0);
    c.fillStyle = theme.ground;
    c.fillRect(0, 0, this.width, this.height);
    c.translate(this.x, this.y);
    c.scale(this.zoom, this.zoom);
    const readable = this.zoom > 0.35;
    for (const box of this.scene.boxes) if (box.open && this.visible(box)) this.drawOpen(c, box, readable);
    this.drawEdges(c);
    c.font = "13px system-ui, sans-serif";
    c.textBaseline = "middle";
    for (const box of this.scene.boxes) if (!box.open && this.visible(box)) this.drawBox(c, box, readable);
  }
  drawOpen(c, box, readable) {
    c.fillStyle = box.depth % 2 ? theme.panel : theme.group;
    c.strokeStyle = box.part === state.selected ? theme.mark : theme.line;
    c.lineWidth = 1;
    c.fillRect(box.x, box.y, box.w, box.h);
    c.strokeRect(box.x, box.y, box.w, box.h);
    if (!readable) return;
    c.fillStyle = theme.soft;
    c.font = "600 13px system-ui, sans-serif";
    c.textBaseline = "middle";
    c.fillText(box.part.label, box.x + 8, box.y + TITLE / 2 + 3, box.w - 16);
  }
  drawEdges(c) {
    const sides = {left: -this.x / this.zoom, top: -this.y / this.zoom};
    sides.right = sides.left + this.width / this.zoom;
    sides.bottom = sides.top + this.height / this.zoom;
    const path = new Path2D(), marked = new Path2D();
    for (const [from, to] of this.scene.edges) {
      const x1 = from.x + from.w / 2, y1 = from.y + from.h, x2 = to.x + to.w / 2, y2 = to.y;
      if (Math.max(y1, y2) < sides.top || Math.min(y1, y2) > sides.bottom) continue;
      if (Math.max(x1, x2) < sides.left - 200 || Math.min(x1, x2) > sides.right + 200) continue;
      const bend = Math.max(12, Math.abs(y2 - y1) / 2);
      const into = state.selected && (from.part === state.selected || to.part === state.selected) ? marked : path;
      into.moveTo(x1, y1);
      into.bezierCurveTo(x1, y1 + bend, x2, y2 - bend, x2, y2);
    }
    c.lineWidth = 1.2 / Math.max(this.zoom, 0.5);
    c.strokeStyle = theme.edge;
    c.stroke(path);
    c.strokeStyle = theme.mark;
    c.stroke(marked);
  }
  drawBox(c, box, readable) {
    let x = box.x;
    for (const [color, share] of colorsOf(this.model, box.part)) {
      c.fillStyle = color;
      c.fillRect(x, box.y, box.w * share, box.h);
      x += box.w * share;
    }
    const selected = box.part === state.selected;
    c.strokeStyle = selected ? theme.mark : differs(this, box.part) ? theme.hot : theme.line;
    c.lineWidth = selected ? 3 : differs(this, box.part) ? 2 : 1;
    c.setLineDash(!selected && differs(this, box.part) ? [5, 3] : []);
    c.strokeRect(box.x, box.y, box.w, box.h);
    c.setLineDash([]);
    if (box.part instanceof Group) c.strokeRect(box.x + 3, box.y + 3, box.w - 6, box.h - 6);
    if (!readable) return;
    const group = box.part instanceof Group;
    c.fillStyle = theme.ink;
    c.fillText(group ? box.part.label : box.part.type, box.x + 8, box.y + 12, box.w - 16);
    c.fillStyle = theme.ink;
    c.globalAlpha = 0.75;
    c.fillText(group ? `${box.part.ops.length} operators` : box.part.label, box.x + 8, box.y + 26, box.w - 16);
    c.globalAlpha = 1;
  }
  at(x, y) {
    const gx = (x - this.x) / this.zoom, gy = (y - this.y) / this.zoom;
    let found = null;
    for (const box of this.scene.boxes)
      if (gx >= box.x && gx <= box.x + box.w && gy >= box.y && gy <= box.y + box.h) found = box;
    return found;
  }
  zoomAt(x, y, factor) {
    const zoom = Math.min(4, Math.max(0.02, this.zoom * factor));
    this.x = x - (x - this.x) * zoom / this.zoom;
    this.y = y - (y - this.y) * zoom / this.zoom;
    this.zoom = zoom;
    this.dirty();
  }
  // Folds or unfolds, and the box stays where it was.
  toggle(group) {
    const box = this.scene.boxes.find((one) => one.part === group);
    const before = box ? [box.x * this.zoom + this.x, box.y * this.zoom + this.y] : null;
    group.open = !group.open;
    this.arrange();
    const now = this.scene.boxes.find((one) => one.part === group);
    if (before && now) {
      this.x = before[0] - now.x * this.zoom;
      this.y = before[1] - now.y * this.zoom;
    }
    say(`${group.label} ${group.open ? "unfolded" : "folded"}`);
  }
  reveal(part) {
    let changed = false;
    for (let group = part.parent; group; group = group.parent) {
      changed = changed || !group.open;
      group.open = true;
    }
    if (changed) this.arrange();
    const box = this.scene.boxes.find((one) => one.part === part);
    if (!box) return;
    if (this.zoom < 0.6) this.zoom = 0.8;
    this.x = this.width / 2 - (box.x + box.w / 2) * this.zoom;
    this.y = this.height / 2 - (box.y + box.h / 2) * this.zoom;
    this.dirty();
  }
  // The next box along the edges, or beside in the same direction.
  step(key) {
    const box = this.scene.boxes.find((one) => one.part === state.selected);
    if (!box) return this.scene.boxes.find((one) => !one.open);
    if (key === "ArrowDown") return (this.scene.edges.find(([from]) => from === box) || [])[1];
    if (key === "ArrowUp") return (this.scene.edges.find(([, to]) => to === box) || [])[0];
    const sign = key === "ArrowRight" ? 1 : -1;
    const beside = this.scene.boxes.filter((one) => !one.open && one !== box && sign * (one.x - box.x) > 0 &&
      Math.abs(one.y - box.y) < ROW * 2);
    return beside.sort((a, b) => sign * (a.x - b.x))[0];
  }
  listen() {
    const canvas = this.canvas;
    const place = (event) => { const box = canvas.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      if (event.ctrlKey || event.metaKey || !event.shiftKey && Math.abs(event.deltaY) >= Math.abs(event.deltaX) && !event.altKey) {
        this.zoomAt(...place(event), Math.exp(-event.deltaY * 0.0015));
      } else {
        this.x -= event.deltaX || event.deltaY;
        this.dirty();
      }
    }, {passive: false});
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.pointers.set(event.pointerId, place(event));
      this.moved = 0;
    });
    canvas.addEventListener("pointermove", (event) => {
      const before = this.pointers.get(event.pointerId);
      if (!before) return;
      const now = place(event);
      this.moved += Math.abs(now[0] - before[0]) + Math.abs(now[1] - before[1]);
      const others = [...this.pointers].filter(([id]) => id !== event.pointerId);
      if (others.length) {
        const [x, y] = others[0][1];
        const from = Math.hypot(before[0] - x, before[1] - y), to = Math.hypot(now[0] - x, now[1] - y);
        if (from > 0) this.zoomAt((x + now[0]) / 2, (y + now[1]) / 2, to / from);
      } else {
        this.x += now[0] - before[0];
        this.y += now[1] - before[1];
      }
      this.pointers.set(event.pointerId, now);
      this.dirty();
    });
    const end = (event) => {
      if (this.pointers.delete(event.pointerId) && event.type === "pointerup" && this.moved < 6) {
        const box = this.at(...place(event));
        if (box) select(this, box.part);
      }
    };
    canvas.addEventListener("pointerup", end);
    canvas.addEventListener("pointercancel", end);
    canvas.addEventListener("dblclick", (event) => {
      const box = this.at(...place(event));
      if (box && box.part instanceof Group) this.toggle(box.part);
    });
    canvas.addEventListener("keydown", (event) => this.onKey(event));
  }
  onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const selected = state.selected;
    if (event.key.startsWith("Arrow")) {
      const box = this.step(event.key);
      if (box) { select(this, box.part); reveal(this, box.part); }
    } else if (event.key === "Enter" && selected instanceof Group) {
      this.toggle(selected);
    } else if (event.key === "Backspace" && selected) {
      const group = selected instanceof Group && selected.open ? selected : selected.parent;
      if (group && group.parent) { select(this, group); if (group.open) this.toggle(group); }
    } else if (event.key === "+" || event.key === "=" || event.key === "-") {
      this.zoomAt(this.width / 2, this.height / 2, event.key === "-" ? 0.8 : 1.25);
    } else if (event.key === "0") {
      this.fit();
    } else {
      return;
    }
    event.preventDefault();
  }
}

// Whether the other variant lacks the operator, or has it otherwise.
function differs(pane, part) {
  if (!pane.other) return false;
  if (part instanceof Group) {
    if (part.differs === undefined) part.differs = part.ops.some((op) => differs(pane, op));
    return part.differs;
  }
  if (part.differs === undefined) {
    const twin = pane.other.byName.get(part.name);
    part.differs = !twin || twin.type !== part.type || twin.output !== part.output ||
      JSON.stringify(twin.weights.map((weight) => weight.type)) !== JSON.stringify(part.weights.map((weight) => weight.type));
  }
  return part.differs;
}

// --- Details.

function say(text) { $("status").textContent = text; }

function table(rows) {
  const node = document.createElement("table");
  for (const [head, value] of rows) {
    const row = node.insertRow();
    const name = document.createElement("th");
    name.scope = "row";
    name.textContent = head;
    row.append(name);
    const cell = row.insertCell();
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one instanceof Node) { cell.append(one); cell.append(document.createElement("br")); } else cell.append(String(one));
    }
  }
  return node;
}
function heading(text) { const node = document.createElement("h2"); node.textContent = text; return node; }
function link(pane, op) {
  const node = document.createElement("button");
  node.type = "button";
  node.className = "link";
  node.textContent = `${op.type} ${op.name}`;
  node.addEventListener("click", () => { select(pane, op); reveal(pane, op); });
  return node;
}
function bars(histogram) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  const most = Math.max(1, ...histogram.bins), many = histogram.bins.length;
  svg.setAttribute("viewBox", `0 0 ${many} 32`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", `Histogram of ${histogram.elements} elements from ${number(histogram.low)} to ${number(histogram.high)}, mean ${number(histogram.mean)}`);
  histogram.bins.forEach((bin, index) => {
    const bar = document.createElementNS(space, "rect");
    const height = 32 * bin / most;
    bar.setAttribute("x", index);
    bar.setAttribute("width", 0.9);
    bar.setAttribute("y", 32 - height);
    bar.setAttribute("height", height);
    svg.append(bar);
  });
  return svg;
}

function placementRows(model, op) {
  const chip = chipOf(model), row = placed(model, op);
  if (!row) return [["placement", "not placed"]];
  const rows = [["preferred", row.preferred ? unitNames[row.preferred] : "not published"],
    ["time", row.estimated_us === null ? "not known" : `${number(row.estimated_us)} µs, ${number(100 * row.estimated_us / (model.total || 1), 2)} % (estimated)`]];
  for (const unit of ["ane", "gpu", "cpu"]) {
    const verdict = chip.verdicts[row[unit]];
    const text = [verdict.support + (verdict.reason ? ": " + verdict.reason : "")];
    if (verdict.rewrite) text.push("; try: " + verdict.rewrite);
    text.push(` [${verdict.source || "no source"}, ${verdict.confidence}]`);
    rows.push([unitNames[unit], text.join("")]);
  }
  if (row.note) rows.push(["note", row.note]);
  return rows;
}

function showOp(pane, op) {
  const model = pane.model, panel = $("details");
  const rows = [["type", op.type], ["output", op.output], ["arithmetic", op.flops < 0 ? "not known" : `${op.flops.toLocaleString("en")} flop`]];
  for (const [name, value] of Object.entries(op.parameters)) rows.push([name, value.length > 80 ? value.slice(0, 80) + " ..." : value]);
  if (op.before.length) rows.push(["takes", op.before.map((one) => link(pane, one))]);
  const fed = op.inputs.filter((value) => model.json.inputs.includes(value));
  if (fed.length) rows.push(["model inputs", fed.join(", ")]);
  if (op.after.length) rows.push(["feeds", op.after.map((one) => link(pane, one))]);
  panel.append(heading(op.name), table(rows), heading(`On ${chipOf(model).title} (estimated)`), table(placementRows(model, op)));
  const risk = half(model, op);
  if (risk) {
    panel.append(heading("In half precision (measured)"), table([["adds", number(risk.added)], ["error", number(risk.error)],
      ["largest", number(risk.largest)], ["beyond 65504", risk.overflowing], ["not a number", risk.not_a_number]]));
  }
  for (const weight of op.weights) {
    panel.append(heading(weight.name), table([["type", weight.type], ["bytes", weight.bytes.toLocaleString("en")]]));
    const histogram = model.json.histograms[weight.name];
    if (histogram) {
      panel.append(table([["range", `${number(histogram.low)} to ${number(histogram.high)}`], ["mean", number(histogram.mean)],
        ["rms", number(histogram.rms)]]), bars(histogram));
    }
  }
}

function showGroup(pane, group) {
  const counts = new Map();
  let time = 0, flops = 0, bytes = 0;
  for (const op of group.ops) {
    counts.set(op.type, (counts.get(op.type) || 0) + 1);
    time += (placed(pane.model, op) || {}).estimated_us || 0;
    flops += Math.max(0, op.flops);
    for (const weight of op.weights) bytes += weight.bytes;
  }
  const types = [...counts].sort((a, b) => b[1] - a[1]).map(([type, many]) => `${many} x ${type}`).join(", ");
  const fold = document.createElement("button");
  fold.type = "button";
  fold.textContent = group.open ? "Fold" : "Unfold";
  fold.addEventListener("click", () => { pane.toggle(group); select(pane, group); });
  $("details").append(heading(group.label || pane.model.json.model), table([["operators", `${group.ops.length}: ${types}`],
    ["arithmetic", `${flops.toLocaleString("en")} flop`], ["weights", `${bytes.toLocaleString("en")} bytes`],
    ["time", `${number(100 * time / (pane.model.total || 1), 2)} % (estimated)`]]));
  if (group.parent) $("details").append(fold);
}

function select(pane, part) {
  state.selected = part;
  state.pane = pane;
  const panel = $("details");
  panel.textContent = "";
  if (part instanceof Group) showGroup(pane, part); else showOp(pane, part);
  // The other variant's operator of that name, below.
  for (const other of panes) {
    if (other === pane || part instanceof Group) continue;
    const twin = other.model.byName.get(part.name);
    panel.append(heading(`In ${other.model.json.model}`));
    if (twin) showOp(other, twin); else panel.append("No operator of this name.");
  }
  panel.scrollTop = 0;
  for (const one of panes) one.dirty();
  say(part instanceof Group ? `Group ${part.label}, ${part.ops.length} operators` : `${part.type} ${part.name}`);
}

// Brings an operator into view, and that of its name in the other variant.
function reveal(pane, part) {
  for (const one of panes) {
    const twin = one === pane ? part : one.model.byName.get(part.name);
    if (twin) one.reveal(twin);
  }
}

// --- Search.

let hits = [], hit = -1;
function search() {
  const wanted = $("find").value.trim().toLowerCase(), list = $("found");
  list.textContent = "";
  hits = [];
  hit = -1;
  if (wanted) {
    for (const pane of panes) {
      for (const op of pane.model.ops) {
        if (hits.length === 50) break;
        if (op.name.toLowerCase().includes(wanted) || op.type.includes(wanted)) hits.push([pane, op]);
      }
    }
  }
  hits.forEach(([pane, op], index) => {
    const line = document.createElement("li");
    line.setAttribute("role", "option");
    line.textContent = `${op.type} ${op.name}` + (panes.length > 1 ? ` (${pane.model.json.model})` : "");
    line.addEventListener("click", () => go(index));
    list.append(line);
  });
  list.hidden = !hits.length;
  $("find").setAttribute("aria-expanded", String(!list.hidden));
  if (wanted) say(`${hits.length === 50 ? "50 or more" : hits.length} found`);
}
function go(index) {
  const [pane, op] = hits[index];
  $("found").hidden = true;
  $("find").setAttribute("aria-expanded", "false");
  select(pane, op);
  reveal(pane, op);
  pane.canvas.focus();
}
function onFindKey(event) {
  if (event.key === "Enter" && hits.length) go(Math.max(0, hit));
  else if (event.key === "Escape") $("found").hidden = true;
  else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    hit = Math.max(0, Math.min(hits.length - 1, hit + (event.key === "ArrowDown" ? 1 : -1)));
    [...$("found").children].forEach((line, index) => line.setAttribute("aria-selected", String(index === hit)));
    if (hits.length) $("found").children[hit].scrollIntoView({block: "nearest"});
    event.preventDefault();
  }
}

// --- The page.

readTheme();
const models = data.models.map(readModel);
for (const model of models) { measure(model); openSome(model.root); }
const panes = models.map((model, index) => new Pane(model, models.length > 1 ? models[1 - index] : null));
for (const pane of panes) pane.arrange();
document.title = `${models.map((model) => model.json.model).join(" and ")}: Anemone view`;
$("title").textContent = models.map((model) => model.json.model).join(" beside ");
models[0].json.chips.forEach((chip, index) => $("chip").append(new Option(chip.title, index)));

function recolor() {
  state.color = $("color").value;
  state.chip = Number($("chip").value);
  for (const model of models) measure(model);
  legend();
  if (state.selected) select(state.pane, state.selected);
  for (const pane of panes) pane.dirty();
}
$("color").addEventListener("change", recolor);
$("chip").addEventListener("change", recolor);
$("find").addEventListener("input", search);
$("find").addEventListener("keydown", onFindKey);
function setAll(open) {
  for (const pane of panes) {
    const each = (group) => { for (const part of group.parts) if (part instanceof Group) { part.open = open; each(part); } };
    each(pane.model.root);
    pane.arrange();
    pane.fit();
  }
  say(open ? "All unfolded" : "All folded");
}
$("unfold").addEventListener("click", () => setAll(true));
$("fold").addEventListener("click", () => setAll(false));
$("fit").addEventListener("click", () => { for (const pane of panes) pane.fit(); });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { readTheme(); recolor(); });
legend();
showGroup(panes[0], models[0].root);
document.documentElement.dataset.ready = "true";
})();
