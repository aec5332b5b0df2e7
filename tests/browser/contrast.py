"""Contrasts of what a page shows, as WCAG 2.2 counts them: texts (1.4.3) want 4.5:1, borders and lines (1.4.11) 3:1."""

from browser.lab import Notebook

_MEASURE = """() => {
  const paint = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    paint.clearRect(0, 0, 1, 1);
    paint.fillStyle = colour;
    paint.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = paint.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (a, b) => [0, 1, 2].map((i) => a[i] * a[3] + b[i] * (1 - a[3])).concat(1);
  const light = (colour) => colour.slice(0, 3).map((v) => v / 255)
    .map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ratio = (a, b) => {
    const [x, y] = [light(a), light(b)];
    return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05);
  };
  const behind = (element) => {
    const parts = [];
    for (let each = element; each; each = each.parentElement) parts.push(rgba(getComputedStyle(each).backgroundColor));
    return parts.reverse().reduce((below, part) => over(part, below), [255, 255, 255, 1]);
  };
  const found = new Map();
  const note = (what, wanted, front, back) => {
    const value = Math.round(ratio(over(front, back), back) * 100) / 100;
    if (value < wanted) found.set(what, Math.min(value, found.get(what) ?? 99));
  };
  for (const root of document.querySelectorAll(".glacier")) {
    const texts = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
      const element = texts.currentNode.parentElement;
      const style = getComputedStyle(element);
      const unseen = !element.checkVisibility() || element.closest(".gl-heard, caption, title, .gl-bars, :disabled");
      if (unseen || !texts.currentNode.textContent.trim()) continue;
      const box = element.closest(".box");
      const back = behind(element.closest(".gl-canvas") ?? element);
      const place = box ? over(rgba(getComputedStyle(box.querySelector("rect, path")).fill), back) : back;
      const kind = box ? `a ${box.dataset.state || "plain"} box` : element.className || element.localName;
      note(`text of ${kind}`, 4.5, rgba(element.ownerSVGElement ? style.fill : style.color), place);
    }
    for (const box of root.querySelectorAll(".box")) {
      const style = getComputedStyle(box.querySelector("rect, path"));
      const [paper, name] = [behind(box.closest(".gl-canvas")), box.dataset.state || box.classList[1]];
      note(`border of a ${name} box`, 3, rgba(style.stroke), paper);
      note(`border of a ${name} box on its fill`, 3, rgba(style.stroke), over(rgba(style.fill), paper));
    }
    for (const line of root.querySelectorAll(".arrow path")) {
      note("arrow", 3, rgba(getComputedStyle(line).stroke), behind(line.closest(".gl-canvas")));
    }
    for (const part of root.querySelectorAll(".gl-meter span, input, .gl-badge")) {
      const style = getComputedStyle(part);
      const colour = part.localName === "span" && !part.className ? style.backgroundColor : style.borderTopColor;
      note(`edge of ${part.className || part.dataset.state}`, 3, rgba(colour), behind(part.parentElement));
    }
  }
  return Object.fromEntries(found);
}"""


def poor_contrasts(notebook: Notebook) -> dict[str, float]:
    """Return what can be read or seen badly in the theme that is on, with its contrast; nothing is expected."""
    return notebook.page.evaluate(_MEASURE)
