// An environment's resources and the objects in them: the kernel lists, a page at a time.

function drawShelves(model, host) {
  const note = h("span", { class: "gl-note", role: "status" });
  const filter = h("input", { type: "search", class: "gl-filter", placeholder: "filter", "aria-label": "filter resources and objects", spellcheck: "false" });
  const tree = h("div", { class: "gl-tree", role: "tree" });
  const pane = h("div", { class: "gl-pane", hidden: true });
  const title = h("span", { class: "gl-title" });
  const facts = h("ul", { class: "gl-facts" });
  const root = h("section", { class: "glacier gl-shelves tex2jax_ignore mathjax_ignore" },
    h("header", { class: "gl-bar" }, title, facts, h("span", { class: "gl-gap" }), note, filter),
    h("div", { class: "gl-body" }, tree, pane));
  const { ask, answered } = asking(model, root, note);
  let typing = null;
  const wanted = () => filter.value.trim().toLowerCase();
  filter.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(() => {
      draw();
      const open = Object.entries(model.get("shelves")).filter(([, shelf]) => shelf.open).map(([name]) => Number(name));
      if (open.length) ask({ kind: "filter", text: filter.value.trim(), shelves: open });
    }, 150);
  });

  const row = (properties, cells, level) => h("div", { role: "treeitem", tabindex: "-1", "aria-level": level, ...properties },
    h("span", { class: "gl-cell gl-path" }, cells[0]), h("span", { class: "gl-cell gl-kind" }, cells[1]),
    h("span", { class: "gl-cell gl-size" }, cells[2]), h("span", { class: "gl-cell gl-when" }, cells[3]));

  const shelfRows = (resource, index) => {
    const shelf = model.get("shelves")[index] ?? {};
    const shows = [resource.name, resource.uri, resource.kind].some((text) => text.toLowerCase().includes(wanted()));
    if (!shows && !(shelf.open && shelf.entries.length)) return [];
    const sign = resource.lists ? (shelf.open ? "▾ " : "▸ ") : "· ";
    const summary = shelf.summary ?? resource.summary;
    const head = row({ class: "gl-item gl-resource", "aria-expanded": resource.lists ? String(!!shelf.open) : null,
      "data-resource": resource.name, "data-open": String(!!shelf.open), title: resource.uri, onclick: () => resource.lists && ask({ kind: shelf.open ? "close" : "open", shelf: index, text: filter.value.trim() }) },
      [[h("span", { class: "gl-sign", "aria-hidden": "true" }, sign), h("b", {}, resource.name), h("span", { class: "gl-uri" }, ` ${resource.uri}`)], resource.kind, summary[0], summary[1]], 2);
    if (!shelf.open) return [head];
    const rows = [head, ...shelf.entries.map((entry, place) => row({ class: "gl-item gl-object", "data-object": entry[0],
      "data-chosen": String(shelf.chosen === place), onclick: () => ask({ kind: "preview", shelf: index, entry: place }) }, [entry[0], "", entry[1], entry[2]], 3))];
    if (shelf.more) rows.push(row({ class: "gl-item gl-next", "data-more": resource.name, onclick: () => ask({ kind: "more", shelf: index }) }, [h("span", { class: "gl-link" }, shelf.more), "", "", ""], 3));
    else if (!shelf.entries.length) rows.push(row({ class: "gl-item gl-void" }, [shelf.trouble || "nothing here", "", "", ""], 3));
    return rows;
  };

  const draw = () => {
    const about = model.get("about");
    const before = tree.contains(document.activeElement) ? [...tree.children].indexOf(document.activeElement) : -1;
    answered();
    say(title, about.title);
    facts.replaceChildren(...about.facts.map((fact) => h("li", {}, fact)));
    tree.setAttribute("aria-label", `resources of ${about.title}`);
    const rows = about.resources.flatMap(shelfRows);
    tree.replaceChildren(...(rows.length ? rows : [h("p", { class: "gl-empty" }, about.resources.length ? "no resource has such a name" : about.empty)]));
    const stop = tree.children[Math.min(Math.max(before, 0), tree.children.length - 1)];
    put(stop, "tabindex", "0");
    if (before >= 0) stop.focus();
  };
  const drawPane = () => {
    const found = model.get("found");
    answered();
    pane.hidden = !found.title;
    if (!found.title) return;
    const close = h("button", { type: "button", class: "gl-button", "aria-label": "close the preview", onclick: () => { pane.hidden = true; } }, "×");
    pane.replaceChildren(
      h("header", { class: "gl-bar" }, h("span", { class: "gl-title" }, found.title), h("ul", { class: "gl-facts" }, found.facts.map((fact) => h("li", {}, fact))), h("span", { class: "gl-gap" }), close),
      found.page ? h("div", { class: "gl-scroll", tabindex: "0", role: "region", "aria-label": `rows of ${found.title}` }, rowsTable(found.page, found.title, null)) : h("p", { class: "gl-error" }, found.trouble));
    put(pane, "data-previewed", found.title);
  };
  tree.addEventListener("keydown", (event) => {
    const items = [...tree.children];
    const here = document.activeElement;
    const place = items.indexOf(here);
    const open = here.getAttribute("aria-expanded");
    const above = () => items.slice(0, place).findLastIndex((each) => each.getAttribute("aria-level") === "2");
    const go = { ArrowDown: () => place + 1, ArrowUp: () => place - 1, Home: () => 0, End: () => items.length - 1,
      ArrowRight: () => open === "true" ? place + 1 : -1, ArrowLeft: () => open === null ? above() : -1 }[event.key];
    const clicks = event.key === "Enter" || event.key === " " || (event.key === "ArrowRight" && open === "false") || (event.key === "ArrowLeft" && open === "true");
    if (clicks) here.click();
    else if (go) items[go()]?.focus();
    else if (event.key === "Escape" && !pane.hidden) pane.hidden = true;
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  const end = listening(model, { about: draw, shelves: draw, found: drawPane, trouble: answered });
  draw();
  drawPane();
  host.append(root);
  return end;
}

export default widget(drawShelves);
