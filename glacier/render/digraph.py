"""Picture -> DOT, graphviz's language (https://graphviz.org/doc/info/lang.html).

Nodes are called n0, n1, ..., whatever the boxes are called, and every text goes through graphviz's escaping. No URL is
ever written: graphviz would pass one on to the SVG.
"""

# The package graphviz is typed but has no marker that says so.
# pyright: reportMissingTypeStubs=false

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from glacier.render.look import (
    FONT,
    KINDS,
    LINE,
    STATES,
    box_size,
    caption,
    label_of,
    note,
    state_look,
    story,
    text_width,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from graphviz import Digraph

    from glacier.render.picture import Arrow, Box, Picture

__all__ = ["dot"]

_GRAPH = {
    "rankdir": "LR",
    "bgcolor": "transparent",
    "fontname": FONT,
    "fontcolor": LINE,
    "fontsize": "11",
    "nodesep": "0.3",
    "ranksep": "0.6",
    "pad": "0.15",
}
_NODE = {"fontname": FONT, "margin": "0.12,0.06"}
_EDGE = {"fontname": FONT, "fontsize": "10.5", "color": LINE, "fontcolor": LINE, "arrowsize": "0.6", "penwidth": "1.3"}
_FRAME = {"style": "rounded", "color": LINE, "labeljust": "l", "margin": "14"}


def dot(picture: Picture, *, signs: bool = True, background: str = "") -> str:
    """Return the picture in DOT.

    Nodes, edges and clusters carry the ids `box-0`, `arrow-0` and `frame-0`, counted as in `picture.boxes`,
    `picture.links` and from the outside inwards; and the kind, state or style as their `class`. With `signs=False` a
    state stands as a word on the second line, for fonts that lack the signs. `background` is a colour; without one the
    canvas is transparent.
    """
    import graphviz

    graph = graphviz.Digraph(
        graph_attr=_GRAPH | ({"bgcolor": background} if background else {}), node_attr=_NODE, edge_attr=_EDGE
    )
    _fill(graph, picture, (), signs=signs)
    for number, link in enumerate(picture.links):
        _edge(graph, picture, number, link)
    return graph.source


def _fill(graph: Digraph, picture: Picture, path: tuple[str, ...], *, signs: bool) -> None:
    """Add the boxes that stand directly in a group, then the groups in it."""
    import graphviz

    for number, box in enumerate(picture.boxes):
        if box.group == path:
            graph.node(f"n{number}", **_node(box, number, signs=signs))
    for number, group in enumerate(picture.groups):
        if group[:-1] == path:
            title = {"label": _escaped(caption(group[-1])), "id": f"frame-{number}"}
            cluster = graphviz.Digraph(name=f"cluster_{number}", graph_attr=title | _FRAME)
            _fill(cluster, picture, group, signs=signs)
            graph.subgraph(cluster)


def _node(box: Box, number: int, *, signs: bool) -> dict[str, Any]:
    words = (label_of(box), caption(box.sub)) if signs else (caption(box.label), note(box))
    kind, look = KINDS[box.kind], state_look(box)
    width, height = box_size(box)
    if not signs:
        width = max(width, *(text_width(line, kind.font) + 2 * kind.padding for line in words))
    dashed = ",dashed" if box.dashed or look.dashed else ""
    return {
        "label": _lines(words),
        "id": f"box-{number}",
        "class": " ".join(["box", box.kind, *([box.state] if box.state in STATES else [])]),
        "tooltip": _lines(story(box).split("\n")),
        "shape": kind.shape,
        "style": f"{kind.style}{dashed}",
        "fontsize": str(kind.font),
        "fillcolor": look.fill,
        "color": look.stroke,
        "fontcolor": look.ink,
        "penwidth": str(look.width),
        "width": f"{width / 72:.2f}",
        "height": f"{height / 72:.2f}",
    }


def _edge(graph: Digraph, picture: Picture, number: int, link: Arrow) -> None:
    look = {"style": "dashed"} if link.dashed else {}
    label = {"label": _lines([f"   {caption(link.label)}   "])} if link.label else {}
    ends = (f"n{picture.index[link.source]}", f"n{picture.index[link.target]}")
    graph.edge(*ends, id=f"arrow-{number}", **{"class": f"arrow {link.style}"}, **look, **label)


def _escaped(text: str) -> str:
    import graphviz

    # graphviz reads &amp; and its like in labels as HTML does, escaped or not.
    return graphviz.escape(text.replace("&", "&amp;"))


def _lines(lines: Iterable[str]) -> str:
    """Return lines as one label: each escaped, and graphviz's own line break between them."""
    import graphviz

    return graphviz.nohtml("\\n".join(_escaped(line) for line in lines if line))
