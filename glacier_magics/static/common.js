// Shared by every widget; Python puts this file before the widget's own. Foreign text reaches the page by textContent
// and by attributes that run nothing, never as markup.

/** Make an element: `on…` properties are listeners, the others attributes; strings among the children become text. */
function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Set an attribute or take it away, and touch nothing when it is so already. */
function put(element, name, value) {
  if (value === null || value === undefined || value === false) element.removeAttribute(name);
  else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
}

/** Set the text of an element, and touch nothing when it is so already. */
function say(element, text) {
  if (element && element.textContent !== text) element.textContent = text;
}

// --- coming alive ----------------------------------------------------------------------------------------------------
// A saved output is static and carries a token: HTML and SVG as the attribute data-glacier, an SVG that the page shows
// as an image inside its address. Where a token of a living model turns up, its widget takes the place.

const outputs = (globalThis[Symbol.for("glacier.outputs")] ??= watchOutputs());

function watchOutputs() {
  const living = new Map();
  const find = (root) => {
    if (!(root instanceof Element)) return;
    const marked = [...root.querySelectorAll("[data-glacier]")];
    if (root.matches("[data-glacier]")) marked.push(root);
    for (const element of marked) claim(element.dataset.glacier, element);
    const images = root.matches("img") ? [root] : root.querySelectorAll('img[src^="data:image/svg"]');
    for (const image of images) {
      const found = /data-glacier%3D%22([0-9a-f]{32})%22/.exec(image.src.slice(0, 600));
      if (found) claim(found[1], image);
    }
  };
  const claim = (token, element) => living.get(token)?.(element);
  new MutationObserver((changes) => {
    if (!living.size) return;
    for (const change of changes) for (const added of change.addedNodes) find(added);
  }).observe(document.documentElement, { childList: true, subtree: true });
  return {
    add(token, hydrate) {
      living.set(token, hydrate);
      find(document.documentElement);
    },
    remove: (token) => living.delete(token),
  };
}

/** Draw a model in the place of each of its static outputs, as long as the model lives. */
function enliven(model, draw, signal) {
  const drawn = new Set();
  const hydrate = (still) => {
    if (still.dataset.glacierAlive || still.closest(".glacier")) return;
    still.dataset.glacierAlive = "true";
    const host = h("div", { class: "glacier-host" });
    still.hidden = true;
    still.style.setProperty("display", "none");
    still.after(host);
    const end = draw(model, host);
    drawn.add({ still, host, end });
  };
  const token = model.get("token");
  outputs.add(token, hydrate);
  signal?.addEventListener("abort", () => {
    outputs.remove(token);
    for (const { still, host, end } of drawn) {
      end();
      host.remove();
      still.hidden = false;
      still.style.removeProperty("display");
      delete still.dataset.glacierAlive;
    }
  });
}

/** Return what anywidget wants of a module: `draw(model, element)` draws once and returns how to end. */
function widget(draw) {
  return {
    initialize: ({ model, signal }) => enliven(model, draw, signal),
    render: ({ model, el }) => draw(model, el),
  };
}

/** Ask the kernel; while the answer is out, `root` is busy, and says so when it takes long. */
function asking(model, root, note) {
  let waiting = null;
  // A letter typed at a widget is none of the notebook's shortcuts: D, D would delete the cell.
  root.addEventListener("keydown", (event) => {
    if (event.key.length === 1 && !event.ctrlKey && !event.metaKey && !event.altKey) event.stopPropagation();
  });
  return {
    ask(message) {
      put(root, "data-busy", "true");
      clearTimeout(waiting);
      waiting = setTimeout(() => say(note, "the kernel is busy; the answer follows"), 700);
      try {
        model.send(message);
      } catch {
        put(root, "data-busy", null);
        clearTimeout(waiting);
        say(note, "its kernel is gone: run the cell again");
      }
    },
    answered() {
      put(root, "data-busy", null);
      clearTimeout(waiting);
      say(note, model.get("trouble") || "");
    },
  };
}

/** Listen to several traits; return how to stop. */
function listening(model, listeners) {
  for (const [name, listener] of Object.entries(listeners)) model.on(`change:${name}`, listener);
  return () => {
    for (const [name, listener] of Object.entries(listeners)) model.off(`change:${name}`, listener);
  };
}

const number = (value) => Number(value).toLocaleString("en");

/** Draw a page of rows as a table: `page` has columns, types, nulls, sketches, rows; `sort` is asked for by clicks on a head. */
function rowsTable(page, caption, sort) {
  const heads = page.columns.map((name, index) => {
    const sorted = page.sort === index;
    const way = sorted ? (page.descending ? "descending" : "ascending") : "none";
    const sign = sorted ? (page.descending ? " ▾" : " ▴") : "";
    const again = { sort: index, descending: sorted && !page.descending };
    const title = sort && page.sortable[index] ? h("button", { type: "button", class: "gl-sort", onclick: () => sort(again) }, `${name}${sign}`) : name;
    const nulls = page.nulls[index] ? h("span", { class: "gl-nulls" }, page.nulls[index]) : null;
    const [bars, words] = page.sketches[index];
    return h("th", { scope: "col", "aria-sort": sort ? way : null, class: page.numeric[index] ? "gl-num" : null },
      h("div", { class: "gl-name" }, title), h("div", { class: "gl-type" }, page.types[index], nulls),
      words ? h("div", { class: "gl-sketch", title: `${words} (${page.sketched})` }, bars ? h("span", { class: "gl-bars", "aria-hidden": "true" }, bars) : null, h("span", { class: "gl-range" }, words)) : null);
  });
  const rows = page.rows.map((row) => h("tr", {}, row.map((value, index) =>
    value === null ? h("td", { class: page.numeric[index] ? "gl-null gl-num" : "gl-null" }, "null") : h("td", { class: page.numeric[index] ? "gl-num" : null, title: value.length > 40 ? value : null }, value))));
  return h("table", { class: "gl-rows" }, h("caption", {}, caption), h("thead", {}, h("tr", {}, heads)), h("tbody", {}, rows));
}
