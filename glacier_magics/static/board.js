// A graph and its run. The kernel lays the graph out once; from then on only `states` changes, one line a box, and only
// boxes whose line differs from what is shown are touched.

const FINISHED = new Set(["done", "cached", "planned", "skipped"]);
const OVER = new Set([...FINISHED, "failed", "cancelled"]);
const MOVING = new Set(["running", "retried"]);
const FAR = 0.42;
const READABLE = 0.75;
const FEW = 8;

function drawBoard(model, host) {
  const sheet = model.get("sheet");
  const looks = sheet.looks;
  const boxes = new Map(sheet.boxes.map((box) => [box.id, { ...box, state: "", note: "" }]));
  const readers = new Map(sheet.boxes.map((box) => [box.id, []]));
  for (const box of sheet.boxes) for (const need of box.needs) readers.get(need)?.push(box.id);

  // --- frame ---
  const note = h("span", { class: "gl-note", role: "status" });
  const heard = h("div", { class: "gl-heard", role: "status", "aria-live": "polite" });
  const line = h("span", { class: "gl-line" });
  const meter = h("div", { class: "gl-meter", role: "progressbar", "aria-label": "finished steps", "aria-valuemin": "0" });
  const legend = h("ul", { class: "gl-legend", "aria-label": "states" });
  const canvas = h("div", { class: "gl-canvas", role: "group", "aria-label": `graph of ${sheet.name}` });
  const tableBody = h("tbody");
  const table = h("div", { class: "gl-scroll gl-tasks", tabindex: "0", role: "region", "aria-label": `tasks of ${sheet.name}` },
    h("table", { class: "gl-rows" }, h("caption", {}, `tasks of ${sheet.name}`),
      h("thead", {}, h("tr", {}, ["task", "state", "rows", "time", "tries", "last line"].map((text, index) => h("th", { scope: "col", class: index >= 2 && index <= 4 ? "gl-num" : null }, text)))), tableBody));
  const panel = h("aside", { class: "gl-panel", hidden: true, tabindex: "-1" });
  const tabs = ["graph", "table"].map((view) => h("button", { type: "button", class: "gl-tab", "data-view": view, onclick: () => turnTo(view) }, view));
  const tool = (label, text, action) => h("button", { type: "button", class: "gl-button", "aria-label": label, title: label, onclick: action }, text);
  const wanted = h("input", { type: "search", class: "gl-filter gl-find", placeholder: "find", "aria-label": `find a step of ${sheet.name}`, oninput: () => find(), onkeydown: (event) => jump(event) });
  wanted.hidden = sheet.boxes.length < FEW;
  const count = h("span", { class: "gl-note gl-count", role: "status" });
  const tools = h("span", { class: "gl-tools" }, count, wanted, tool("zoom out", "−", () => zoom(1 / 1.25)), tool("zoom in", "+", () => zoom(1.25)), tool("fit the whole graph", "fit", () => fit()));
  const root = h("section", { class: "glacier gl-board tex2jax_ignore mathjax_ignore" },
    h("header", { class: "gl-bar" }, h("span", { class: "gl-title" }, sheet.name), line, h("span", { class: "gl-gap" }), note, tools, h("span", { class: "gl-tabs", role: "group", "aria-label": "view" }, tabs)),
    meter, h("div", { class: "gl-body" }, canvas, table, panel), legend, heard);
  put(root, "data-large", sheet.boxes.length > 120 ? "true" : null);
  put(root, "data-empty", sheet.boxes.length ? null : "true");
  if (!sheet.boxes.length) canvas.append(h("p", { class: "gl-empty" }, "no steps: its body calls no task"));
  const { ask, answered } = asking(model, root, note);

  // --- picture ---
  const svg = picture(model.get("svg"));
  const stage = document.createElementNS("http://www.w3.org/2000/svg", "g");
  stage.setAttribute("class", "gl-stage");
  stage.append(...[...svg.childNodes].filter((node) => node.nodeName !== "title"));
  svg.replaceChildren(stage);
  canvas.append(svg);
  const [left, top, width, height] = (svg.getAttribute("viewBox") || "0 0 100 100").split(" ").map(Number);
  for (const name of ["viewBox", "width", "height", "style", "class", "data-glacier"]) svg.removeAttribute(name);
  for (const box of boxes.values()) prepare(box, stage.querySelector(`[id="${box.id}"]`));
  const arrows = sheet.arrows.map(([source, target], index) => ({ source, target, element: stage.querySelector(`[id="arrow-${index}"]`) }));
  for (const element of stage.querySelectorAll("[id]")) element.removeAttribute("id");

  function prepare(box, element) {
    box.element = element;
    const [label, sub] = element.querySelectorAll("text");
    Object.assign(box, { labelText: label, subText: sub, titleText: element.querySelector("title") });
    put(element, "data-box", box.id);
    put(element, "data-name", box.label);
    put(element, "tabindex", "-1");
    put(element, "role", "button");
    for (const shape of element.querySelectorAll("rect, path")) for (const name of ["fill", "stroke", "stroke-width", "stroke-dasharray"]) shape.removeAttribute(name);
    for (const text of element.querySelectorAll("text")) text.removeAttribute("fill");
    put(element, "data-maybe", box.when ? "true" : null);
    if (box.kind !== "task" && box.kind !== "fold") show(box);
  }

  // --- pan and zoom ---
  const eye = { x: 0, y: 0, k: 1 };
  let framed = 0;
  let moved = false;
  const look = () => {
    framed ||= requestAnimationFrame(() => {
      framed = 0;
      stage.setAttribute("transform", `translate(${eye.x} ${eye.y}) scale(${eye.k})`);
      put(canvas, "data-far", eye.k < FAR ? "true" : null);
      put(canvas, "data-zoom", eye.k.toFixed(2));
    });
  };
  function fit() {
    const room = canvas.clientWidth;
    if (!room) return;
    const scale = Math.min(1.15, room / width);
    canvas.style.minHeight = `${Math.round(Math.min(Math.max(height * scale, 96), 440))}px`;
    const high = canvas.clientHeight;
    moved = false;
    eye.k = Math.min(scale, high / height);
    eye.x = (room - width * eye.k) / 2 - left * eye.k;
    eye.y = (high - height * eye.k) / 2 - top * eye.k;
    look();
  }
  function zoom(factor, x = canvas.clientWidth / 2, y = canvas.clientHeight / 2) {
    const k = Math.min(4, Math.max(0.05, eye.k * factor));
    eye.x = x - ((x - eye.x) * k) / eye.k;
    eye.y = y - ((y - eye.y) * k) / eye.k;
    eye.k = k;
    moved = true;
    look();
  }
  canvas.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    const area = canvas.getBoundingClientRect();
    zoom(Math.exp(-event.deltaY / 300), event.clientX - area.left, event.clientY - area.top);
  }, { passive: false });
  function centre({ element }) {
    const { x, y, width: wide, height: high } = element.getBBox();
    eye.k = Math.max(eye.k, 0.8);
    eye.x = canvas.clientWidth / 2 - (x + wide / 2) * eye.k;
    eye.y = canvas.clientHeight / 2 - (y + high / 2) * eye.k;
    moved = true;
    look();
  }
  /** Show all of the graph or, where that is too small to read, what was chosen; leave it where the user has put it. */
  function settle() {
    if (moved) return;
    fit();
    if (chosen && eye.k < READABLE) {
      centre(chosen);
      moved = false;
    }
  }
  let drag = null;
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button === 0) drag = { x: event.clientX - eye.x, y: event.clientY - eye.y, from: [event.clientX, event.clientY], moved: false };
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!drag) return;
    if (!drag.moved && Math.hypot(event.clientX - drag.from[0], event.clientY - drag.from[1]) < 4) return;
    if (!drag.moved) canvas.setPointerCapture(event.pointerId);
    drag.moved = moved = true;
    eye.x = event.clientX - drag.x;
    eye.y = event.clientY - drag.y;
    look();
  });
  for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => { setTimeout(() => { drag = null; }); });

  // --- states ---
  function show(box) {
    const { element, state } = box;
    const known = looks[state] ?? {};
    put(element, "data-state", state);
    element.style.setProperty("--gl-state", known.hue ?? looks[box.kind]?.hue ?? looks.task.hue);
    say(box.labelText, `${known.sign ? `${known.sign} ` : ""}${box.label}`);
    const words = box.note || (state in looks ? state : "") || box.sub;
    say(box.subText, words);
    if (box.subText) put(box.labelText, "dy", words ? null : "7");
    const besides = box.note?.startsWith(state) ? box.note.slice(state.length).replace(/^ · /, "") : box.note;
    const story = [box.label, state, besides, box.when ? `if ${box.when}` : ""].filter(Boolean).join(", ");
    put(element, "aria-label", story);
    say(box.titleText, [story, box.doc].filter(Boolean).join("\n"));
    if (box.row) fillRow(box);
  }
  function fillRow(box) {
    const { cells, row } = box.row;
    const details = model.get("details")[box.id] ?? {};
    put(row, "data-state", box.state);
    row.style.setProperty("--gl-state", looks[box.state]?.hue ?? looks.task.hue);
    say(cells[1].firstChild, box.state ? `${looks[box.state]?.sign ?? ""} ${box.state}`.trim() : "");
    say(cells[2], box.rows ?? "");
    say(cells[3], box.time ?? "");
    say(cells[4], box.tries > 1 ? String(box.tries) : "");
    say(cells[5], (details.error || details.log || "").trim().split("\n").pop().slice(0, 200));
  }
  const ready = (box) => box.state === "waiting" && !box.when && box.kind !== "resource" &&
    box.needs.every((need) => boxes.get(need).kind === "resource" || FINISHED.has(boxes.get(need).state));
  function apply() {
    const touched = new Set();
    for (const entry of model.get("states").split("\n")) {
      const [id, state, note, rows, time, tries] = entry.split("\t");
      const box = boxes.get(id);
      if (!box || box.entry === entry) continue;
      Object.assign(box, { entry, state, note, rows, time, tries: Number(tries), since: MOVING.has(state) ? performance.now() : null });
      touched.add(box);
      for (const reader of readers.get(id)) touched.add(boxes.get(reader));
    }
    for (const box of touched) {
      if (model.get("run").state === "running" && ready(box)) box.state = "ready";
      show(box);
    }
    for (const { source, target, element } of arrows) put(element, "data-flow", MOVING.has(boxes.get(target).state) ? "true" : null);
    if (chosen && touched.has(chosen)) drawPanel();
    tally();
  }
  function tally() {
    const run = model.get("run");
    const counts = new Map();
    const steps = [...boxes.values()].filter((box) => box.kind === "task" || box.kind === "fold");
    for (const box of steps) if (box.state) counts.set(box.state, (counts.get(box.state) ?? 0) + 1);
    const over = steps.filter((box) => OVER.has(box.state)).length;
    put(root, "data-run", run.state);
    put(meter, "aria-valuemax", steps.length);
    put(meter, "aria-valuenow", over);
    meter.hidden = !run.state;
    meter.replaceChildren(...[...counts].filter(([state]) => OVER.has(state) || MOVING.has(state)).map(([state, count]) =>
      h("span", { style: `width:${(100 * count) / steps.length}%;--gl-state:${looks[state].hue}`, "data-state": state })));
    const moving = steps.filter((box) => MOVING.has(box.state)).map((box) => box.label);
    const busy = moving.length ? ` · ${moving.slice(0, 3).join(", ")}${moving.length > 3 ? ` and ${moving.length - 3} more` : ""}` : "";
    const took = run.seconds !== null && run.seconds !== undefined ? ` · ${lasting(run.seconds)}` : started && run.state === "running" ? ` · ${lasting((performance.now() - started) / 1000)}` : "";
    const many = steps.length === 1 ? "1 step" : `${steps.length} steps`;
    say(line, !run.state ? many : steps.length ? `${run.state} · ${over} of ${many}${took}${busy}` : `${run.state}${took}`);
    const used = Object.keys(looks).filter((state) => counts.has(state));
    legend.hidden = !used.length;
    const words = used.map((state) => `${state} ${counts.get(state)}`).join(", ");
    if (legend.dataset.words !== words) {
      legend.dataset.words = words;
      legend.replaceChildren(...used.map((state) => h("li", { "data-state": state, style: `--gl-state:${looks[state].hue}` }, h("span", { class: "gl-sign", "aria-hidden": "true" }, looks[state].sign), ` ${state} `, h("b", {}, String(counts.get(state))))));
    }
    if (run.state === "running") tell(words);
    else if (heard.dataset.last !== run.state) say(heard, run.state ? `run ${run.state}: ${words}` : "");
    heard.dataset.last = run.state;
  }
  let spoken = 0;
  const tell = (words) => {
    if (performance.now() - spoken < 4000) return;
    spoken = performance.now();
    say(heard, words);
  };
  let started = null;
  let clock = null;
  function tick() {
    const running = model.get("run").state === "running";
    if (running) started ??= performance.now();
    if (running && !clock) clock = setInterval(() => {
      for (const box of boxes.values()) {
        const seconds = box.since ? (performance.now() - box.since) / 1000 : 0;
        if (seconds >= 1 && (!box.note || box.note === box.state)) say(box.subText, `${box.state} ${lasting(seconds)}`);
      }
      tally();
    }, 500);
    if (!running && clock) clock = void clearInterval(clock);
  }
  // As glacier.tables.lasting says it.
  const lasting = (seconds) => {
    if (seconds < 0.9995) return seconds < 0.0005 ? "< 1 ms" : `${Math.round(seconds * 1000)} ms`;
    if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
    const whole = Math.round(seconds);
    const minutes = Math.floor(whole / 60);
    if (minutes >= 60) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
    return minutes ? `${minutes} min ${whole % 60} s` : `${whole} s`;
  };

  // --- choosing a box ---
  let chosen = null;
  function choose(box, { focus = true } = {}) {
    if (chosen) for (const element of [chosen.element, chosen.row?.row]) if (element) put(element, "data-chosen", null);
    chosen = box;
    for (const { source, target, element } of arrows) put(element, "data-near", box && (source === box.id || target === box.id) ? "true" : null);
    dim(box ? onItsWay(box) : null);
    put(root, "data-chosen", box?.id);
    panel.hidden = !box;
    if (!canvas.hidden) settle();
    if (!box) return;
    for (const element of [box.element, box.row?.row]) if (element) put(element, "data-chosen", "true");
    drawPanel();
    if (focus) stand(box);
    if (box.looks && model.get("shown").box !== box.id) askTwice({ kind: "look", box: box.id, wish: Math.floor(1e9 * Math.random()) });
  }
  /** Ask once more where no answer comes: what is sent in a widget's first moments waits until the running cell ends. */
  function askTwice(message) {
    ask(message);
    setTimeout(() => { if (root.dataset.busy && chosen?.id === message.box) ask(message); }, 2000);
  }
  /** Return the boxes that a box needs, directly or not, itself, and those that need it. */
  function onItsWay(box) {
    const found = new Set([box.id]);
    for (const next of [(id) => boxes.get(id).needs, (id) => readers.get(id)]) {
      const open = [box.id];
      const seen = new Set(open);
      while (open.length) for (const id of next(open.pop())) if (boxes.has(id) && !seen.has(id)) { seen.add(id); found.add(id); open.push(id); }
    }
    return found;
  }
  /** Let everything step back but what is in `kept`; null brings all of it forward again. */
  function dim(kept) {
    for (const box of boxes.values()) put(box.element, "data-aside", kept && !kept.has(box.id) ? "true" : null);
    for (const { source, target, element } of arrows) put(element, "data-aside", kept && !(kept.has(source) && kept.has(target)) ? "true" : null);
  }

  // --- finding a box ---
  const matches = () => {
    const words = wanted.value.trim().toLowerCase();
    return words ? order.filter((box) => box.label.toLowerCase().includes(words)) : null;
  };
  function find() {
    const found = matches();
    dim(found ? new Set(found.map((box) => box.id)) : chosen ? onItsWay(chosen) : null);
    say(count, found ? `${found.length} of ${order.length}` : "");
    if (found?.length === 1) centre(found[0]);
  }
  function jump(event) {
    const leave = event.key === "Escape" && wanted.value;
    if (event.key !== "Enter" && !leave) return;
    event.stopPropagation();
    const found = matches() ?? [];
    const next = found[(found.indexOf(chosen) + 1) % found.length];
    if (leave) wanted.value = "";
    if (leave || !next) return find();
    choose(next, { focus: false });
    centre(next);
  }
  function stand(box) {
    for (const other of boxes.values()) put(other.element, "tabindex", other === box ? "0" : "-1");
    if (!canvas.hidden) box.element.focus({ preventScroll: true });
  }
  /** Bring a box into sight that was reached by keys. */
  function reveal({ element }) {
    const [seen, room] = [element.getBoundingClientRect(), canvas.getBoundingClientRect()];
    if (seen.left < room.left || seen.right > room.right || seen.top < room.top || seen.bottom > room.bottom) centre({ element });
    canvas.scrollIntoView({ block: "nearest" });
  }
  function drawPanel() {
    const box = chosen;
    const details = model.get("details")[box.id] ?? {};
    const shown = model.get("shown");
    const rows = [["rows", box.rows], ["time", box.time], ["tries", box.tries > 1 ? String(box.tries) : ""], ["if", box.when], ["at", box.site], ["in", box.group], ...box.settings].filter(([, value]) => value);
    const part = (name, text, kind) => text ? h("section", { class: `gl-part gl-${kind}` }, h("h4", {}, name), h("pre", {}, text)) : null;
    const known = looks[box.state] ?? {};
    panel.style.setProperty("--gl-state", known.hue ?? looks[box.kind]?.hue ?? looks.task.hue);
    put(panel, "data-panel", box.id);
    put(panel, "data-shown", shown.box === box.id ? (shown.page ? "rows" : "text") : null);
    put(panel, "aria-label", `${box.label}, ${box.state || box.kind}`);
    const kept = panel.scrollTop;
    panel.replaceChildren(
      h("header", { class: "gl-bar" }, h("span", { class: "gl-title" }, box.label), h("span", { class: "gl-badge" }, box.state ? `${known.sign ?? ""} ${box.state}` : box.kind === "fold" ? "group" : box.kind), h("span", { class: "gl-gap" }), h("button", { type: "button", class: "gl-button", "aria-label": "close", onclick: () => { choose(null); stand(box); } }, "×")),
      box.doc ? h("p", { class: "gl-doc" }, box.doc) : "",
      rows.length ? h("dl", {}, rows.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])) : "",
      part("error", details.error, "error") ?? "", part("log", details.log, "log") ?? "",
      shown.box === box.id && shown.page ? h("section", { class: "gl-part" }, h("h4", {}, shown.title), h("div", { class: "gl-scroll", tabindex: "0", role: "region", "aria-label": shown.title }, rowsTable(shown.page, shown.title, null))) : "",
      shown.box === box.id && shown.text ? part("value", shown.text, "value") : "",
      box.steps.length ? h("section", { class: "gl-part" }, h("h4", {}, "steps"), h("p", { class: "gl-doc" }, box.steps.join(", "))) : "",
      part("code", box.code, "code") ?? "");
    panel.scrollTop = kept;
  }
  const boxAt = (target) => boxes.get(target.closest?.("[data-box]")?.dataset.box);
  canvas.addEventListener("click", (event) => {
    if (drag?.moved) return;
    const box = boxAt(event.target);
    if (box) choose(box);
  });
  canvas.addEventListener("keydown", (event) => {
    const box = boxAt(event.target);
    const go = { ArrowRight: () => readers.get(box.id)[0], ArrowLeft: () => box.needs[0], ArrowDown: () => beside(box, 1), ArrowUp: () => beside(box, -1) }[event.key];
    if (event.key === "/" && !wanted.hidden) wanted.focus();
    else if (event.key === "+" || event.key === "=") zoom(1.25);
    else if (event.key === "-") zoom(1 / 1.25);
    else if (event.key === "0") fit();
    else if (box && go) { const next = boxes.get(go()); if (next) { stand(next); reveal(next); } }
    else if (box && (event.key === "Enter" || event.key === " ")) choose(box);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  const order = [...boxes.values()];
  const beside = (box, step) => order[(order.indexOf(box) + step + order.length) % order.length].id;
  root.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !chosen) return;
    const box = chosen;
    choose(null);
    stand(box);
    event.stopPropagation();
  });

  // --- table ---
  for (const box of boxes.values()) {
    if (box.kind !== "task" && box.kind !== "fold") continue;
    const button = h("button", { type: "button", class: "gl-sort", onclick: () => choose(box, { focus: false }) }, box.label);
    const cells = [h("td", { class: "gl-name" }, button), h("td", {}, h("span", { class: "gl-badge" })), h("td", { class: "gl-num" }), h("td", { class: "gl-num" }), h("td", { class: "gl-num" }), h("td", { class: "gl-last" })];
    box.row = { row: h("tr", { "data-row": box.id, onclick: (event) => event.target === button || choose(box, { focus: false }) }, cells), cells };
    tableBody.append(box.row.row);
  }
  function turnTo(view) {
    put(root, "data-view", view);
    for (const tab of tabs) put(tab, "aria-pressed", String(tab.dataset.view === view));
    canvas.hidden = tools.hidden = view !== "graph";
    table.hidden = view !== "table";
    if (view === "graph") fit();
  }

  const details = () => { for (const box of boxes.values()) if (box.row) fillRow(box); if (chosen) drawPanel(); };
  const shown = () => { answered(); if (chosen) drawPanel(); };
  const running = () => { tick(); apply(); };
  const stop = listening(model, { states: apply, details, run: running, shown, trouble: answered });
  host.append(root);
  turnTo(model.get("view"));
  put(order[0]?.element ?? canvas, "tabindex", "0");
  tick();
  apply();
  for (const box of boxes.values()) if (box.row) show(box);
  let wide = 0;
  const resized = new ResizeObserver(() => {
    if (canvas.hidden || canvas.clientWidth === wide) return;
    wide = canvas.clientWidth;
    settle();
  });
  resized.observe(canvas);
  return () => {
    stop();
    resized.disconnect();
    if (clock) clearInterval(clock);
  };
}

/** Parse a picture of ours as data: nothing in it can run, and what could lead elsewhere is taken out all the same. */
function picture(source) {
  const svg = document.importNode(new DOMParser().parseFromString(source, "image/svg+xml").documentElement, true);
  for (const element of svg.querySelectorAll("script, foreignObject, style, a, image, use, animate, set")) element.remove();
  for (const element of svg.querySelectorAll("*")) for (const { name } of [...element.attributes]) if (name.startsWith("on") || name.endsWith("href")) element.removeAttribute(name);
  svg.setAttribute("role", "group");
  return svg;
}

export default widget(drawBoard);
