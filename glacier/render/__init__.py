"""Pictures of pipelines: a Picture of boxes and arrows becomes SVG, PNG, DOT, mermaid or lines of text.

| module       | what it holds                                                        |
|--------------|----------------------------------------------------------------------|
| picture      | the nouns: Box, Arrow, Picture                                       |
| folding      | a large Picture with whole groups as one box each                    |
| look         | colours, signs and sizes                                             |
| layout       | where everything stands: what both layouts give and the painter takes |
| digraph      | Picture -> DOT                                                       |
| engines      | the graphviz program of this machine, found, tried and run           |
| plotted      | Picture -> Layout, by that program                                   |
| layered      | Picture -> Layout, by our own code; its steps in grid and heights    |
| paint        | Layout -> SVG                                                        |
| words        | Picture -> mermaid, Picture -> lines of text                         |
| forms        | svg, png and mimebundle                                              |
"""

from __future__ import annotations

from glacier.render.digraph import dot
from glacier.render.engines import engine
from glacier.render.folding import Folded, fold
from glacier.render.forms import lay_out, mimebundle, png, svg
from glacier.render.layout import Layout
from glacier.render.look import STATES, StateLook
from glacier.render.picture import Arrow, ArrowStyle, Box, BoxKind, Picture
from glacier.render.words import mermaid, text

__all__ = [
    "STATES",
    "Arrow",
    "ArrowStyle",
    "Box",
    "BoxKind",
    "Folded",
    "Layout",
    "Picture",
    "StateLook",
    "dot",
    "engine",
    "fold",
    "lay_out",
    "mermaid",
    "mimebundle",
    "png",
    "svg",
    "text",
]
