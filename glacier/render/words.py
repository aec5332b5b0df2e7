"""Picture -> words: mermaid's language for Markdown pages, and lines of text for terminals."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from glacier.render.look import STATES, caption, label_of, note, path_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from glacier.render.picture import Arrow, Box, Picture

__all__ = ["mermaid", "text"]

# --- mermaid (https://mermaid.js.org/syntax/flowchart.html) -----------------------------------------------------------

_SHAPES = {"task": "({})", "inline": "([{}])", "resource": "[({})]"}
# Every ASCII sign that mermaid or Markdown may read as markup; an underscore within a word is none.
_MARKUP = re.compile(r"[!-/:-@\[-^`{-~]|(?<![^\W_])_|_(?![^\W_])")


def mermaid(picture: Picture) -> str:
    """Return the picture as a mermaid flowchart, as GitHub and many Markdown viewers draw it."""
    lines = ["flowchart LR", *_subgraph(picture, ()), *_links(picture), *_classes(picture)]
    return "\n".join(lines) + "\n"


def _subgraph(picture: Picture, path: tuple[str, ...]) -> Iterator[str]:
    """Yield the boxes that stand directly in a group, then the groups in it."""
    pad = "  " * (len(path) + 1)
    for number, box in enumerate(picture.boxes):
        if box.group == path:
            words = "<br/>".join(_escaped(line) for line in (label_of(box), caption(box.sub)) if line)
            yield f"{pad}n{number}{_SHAPES[box.kind].format(_quoted(words))}"
    for number, group in enumerate(picture.groups):
        if group[:-1] == path:
            yield f"{pad}subgraph g{number}[{_quoted(_escaped(caption(group[-1])))}]"
            yield from _subgraph(picture, group)
            yield f"{pad}end"


def _links(picture: Picture) -> Iterator[str]:
    for link in picture.links:
        line = "-.->" if link.dashed else "-->"
        label = f"|{_quoted(_escaped(caption(link.label)))}|" if link.label else ""
        yield f"  n{picture.index[link.source]} {line}{label} n{picture.index[link.target]}"


def _classes(picture: Picture) -> Iterator[str]:
    for state, look in STATES.items():
        members = [f"n{number}" for number, box in enumerate(picture.boxes) if box.state == state]
        if members:
            yield f"  classDef {state} fill:{look.fill},stroke:{look.stroke},color:{look.ink}"
            yield f"  class {','.join(members)} {state}"


def _quoted(text: str) -> str:
    return f'"{text or " "}"'


def _escaped(text: str) -> str:
    """Write markup as mermaid's entity codes, such as #quot; for a quote."""
    return _MARKUP.sub(lambda found: "#quot;" if found[0] == '"' else f"#{ord(found[0])};", text)


# --- lines of text ----------------------------------------------------------------------------------------------------

_MOST_NEEDS = 8


def text(picture: Picture) -> str:
    """Return the picture as lines: each step after all it needs, with the names of what it needs.

    A resource stands in brackets; a condition follows its source as "if ..."; the end of the line has the state and
    the second line of the box.
    """
    names = _names(picture)
    needs: dict[str, list[Arrow]] = {box.key: [] for box in picture.boxes}
    for link in picture.links:
        needs[link.target].append(link)
    lines = [_line(picture.boxes[picture.index[key]], needs[key], names) for key in picture.order]
    head = caption(picture.name)
    corners = ["├─"] * (len(lines) - 1) + ["└─"]
    return "\n".join([head, *(f"{corner} {line}" for corner, line in zip(corners, lines, strict=False))])


def _names(picture: Picture) -> Mapping[str, str]:
    """Return a name for each key; steps with one label are told apart as "load", "load #2", resources are the same."""
    seen: Counter[str] = Counter()
    names: dict[str, str] = {}
    for box in picture.boxes:
        label = f"[{caption(box.label)}]" if box.kind == "resource" else caption(box.label)
        seen[label] += 1
        twin = seen[label] > 1 and box.kind != "resource"
        names[box.key] = f"{label} #{seen[label]}" if twin else label
    return names


def _line(box: Box, needs: list[Arrow], names: Mapping[str, str]) -> str:
    sign = f"{STATES[box.state].sign} " if box.state in STATES else ""
    path = f"{path_of(box.group)} / " if box.group else ""
    tail = f"  ({note(box)})" if note(box) else ""
    return f"{sign}{path}{names[box.key]}{_needs(needs, names)}{tail}"


def _needs(needs: list[Arrow], names: Mapping[str, str]) -> str:
    if not needs:
        return ""
    shown = [_need(link, names) for link in needs[:_MOST_NEEDS]]
    more = [f"{len(needs) - _MOST_NEEDS} more"] if len(needs) > _MOST_NEEDS else []
    return f" ← {', '.join([*shown, *more])}"


def _need(link: Arrow, names: Mapping[str, str]) -> str:
    return f"{names[link.source]} if {caption(link.label)}" if link.label else names[link.source]
