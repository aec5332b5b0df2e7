"""The finished forms: SVG, PNG, and the bundle of forms a notebook picks from."""

from __future__ import annotations

from base64 import b64encode
from contextlib import suppress
from typing import TYPE_CHECKING

from glacier.errors import RenderError
from glacier.render.digraph import dot
from glacier.render.engines import raster, trusted
from glacier.render.layered import layered
from glacier.render.paint import paint
from glacier.render.plotted import plotted
from glacier.render.words import text

if TYPE_CHECKING:
    from glacier.render.layout import Layout
    from glacier.render.picture import Picture

__all__ = ["lay_out", "mimebundle", "png", "svg"]

# Above this, graphviz may take longer than its time limit (600 boxes with 4 arrows each took dot 7 s).
MOST_BOXES = 500


def svg(picture: Picture, background: str = "", layout: Layout | None = None) -> str:
    """Return the picture as an SVG, laid out by graphviz where it can be, else by our own code.

    The picture reads on light and on dark pages: the canvas is transparent, unless `background` is a colour. Every box,
    arrow and frame is a group with an id (`box-0`, `arrow-0`, `frame-0`), a class (kind and state) and a title, which
    browsers show as tooltip. `layout` is one that `lay_out` gave for the same boxes and arrows: states and notes may
    differ.
    """
    return paint(picture, layout or lay_out(picture), background)


def lay_out(picture: Picture) -> Layout:
    """Return where everything of the picture stands, by graphviz where it can be, else by our own code."""
    program = next(trusted(), None)
    if program and len(picture.boxes) <= MOST_BOXES:
        with suppress(RenderError):
            return plotted(picture, program)
    return layered(picture)


def png(picture: Picture, background: str = "") -> bytes:
    """Return the picture as a PNG of 96 dots an inch; `background` as in `svg`.

    Raises:
        RenderError: no graphviz program is here that can draw one, or the picture has more than 500 boxes.
    """
    if len(picture.boxes) > MOST_BOXES:
        message = f"picture {picture.name!r} has {len(picture.boxes)} boxes, too many for a PNG"
        raise RenderError(message, hint="save it as .svg")
    failed = "no graphviz program was found"
    for program in trusted():
        try:
            return raster(program, dot(picture, signs=False, background=background))
        except RenderError as error:
            failed = error.message
    hint = "pip install graphviz-pure, unset GLACIER_DOT, or save it as .svg"
    raise RenderError(f"picture {picture.name!r} cannot be drawn as a PNG: {failed}", hint=hint)


def mimebundle(picture: Picture, background: str = "") -> dict[str, str]:
    """Return every form a notebook can show, by MIME type: SVG, text, and PNG (base64) where it can be drawn.

    JupyterLab shows the SVG in a trusted notebook, the PNG in an untrusted one, and terminals the text.
    `background` as in `svg`.
    """
    bundle = {"image/svg+xml": svg(picture, background), "text/plain": text(picture)}
    with suppress(RenderError):
        bundle["image/png"] = b64encode(png(picture, background)).decode()
    return bundle
