// A preview: one line that says what is shown of what, and the rows; sorting and paging are the kernel's.

function drawTable(model, host) {
  const note = h("span", { class: "gl-note", role: "status" });
  const where = h("span", { class: "gl-where" });
  const back = h("button", { type: "button", class: "gl-button", "aria-label": "previous rows", onclick: () => turn(-1) }, "‹");
  const on = h("button", { type: "button", class: "gl-button", "aria-label": "next rows", onclick: () => turn(1) }, "›");
  const facts = h("ul", { class: "gl-facts" });
  const title = h("span", { class: "gl-title" });
  const scroll = h("div", { class: "gl-scroll", tabindex: "0", role: "region" });
  const more = h("p", { class: "gl-more" });
  const bar = h("header", { class: "gl-bar" }, title, facts, h("span", { class: "gl-gap" }), note, where, back, on);
  const root = h("section", { class: "glacier gl-table tex2jax_ignore mathjax_ignore" }, bar, scroll, more);
  const { ask, answered } = asking(model, root, note);
  const turn = (step) => {
    const page = model.get("page");
    ask({ kind: "page", offset: Math.max(0, page.offset + step * page.size), sort: page.sort, descending: page.descending });
  };
  const draw = () => {
    const page = model.get("page");
    const about = model.get("about");
    const focused = document.activeElement?.closest?.("th")?.cellIndex;
    answered();
    say(title, about.title);
    facts.replaceChildren(...about.facts.map((fact) => h("li", {}, fact)));
    scroll.setAttribute("aria-label", `rows of ${about.title}`);
    const left = scroll.scrollLeft;
    scroll.replaceChildren(page.columns.length
      ? rowsTable(page, about.title, (wish) => ask({ kind: "page", offset: 0, ...wish }))
      : h("p", { class: "gl-empty" }, "no columns"));
    scroll.scrollLeft = left;
    if (focused !== undefined && root.isConnected) scroll.querySelectorAll("th")[focused]?.querySelector("button")?.focus();
    say(where, page.height > page.size ? `${number(page.offset + 1)}–${number(page.offset + page.rows.length)} of ${number(page.height)}` : "");
    back.hidden = on.hidden = page.height <= page.size;
    back.disabled = page.offset === 0;
    on.disabled = page.offset + page.rows.length >= page.height;
    say(more, page.note);
    more.hidden = !page.note;
    put(root, "data-offset", page.offset);
    put(root, "data-sort", page.sort === null ? "" : `${page.sort}${page.descending ? " descending" : ""}`);
  };
  const end = listening(model, { page: draw, about: draw, trouble: answered });
  draw();
  host.append(root);
  return end;
}

export default widget(drawTable);
