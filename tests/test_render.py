"""Pictures: hostile text, every link of the chain of engines, our own layout, and the forms that come out."""

from __future__ import annotations

import itertools
import re
import shutil
import subprocess
import sys
import sysconfig
from base64 import b64decode
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glacier.errors import GlacierWarning, RenderError
from glacier.render import Arrow, Box, Picture, dot, engine, engines, mermaid, mimebundle, png, svg, text
from glacier.render.grid import columns
from glacier.render.heights import rising
from glacier.render.layered import layered
from glacier.render.layout import Layout, Spot
from glacier.render.look import KINDS, LINE, STATES
from glacier.render.paint import paint
from glacier.render.plotted import plotted
from glacier.safe import html_text, unlinked, visible

PURE = shutil.which("graphviz-pure", path=sysconfig.get_path("scripts")) or ""
ENGINES = ("", "none")
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(autouse=True)
def _no_graphviz_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Leave only the graphviz-pure beside this Python, which every installation has."""
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))


@pytest.fixture
def flights() -> Picture:
    boxes = (
        Box("raw", "flights_raw", "resource", "bucket"),
        Box("load", "load", sub="336,776 rows · 1.2 s", state="done", tooltip="Load the flights."),
        Box("check", "quick_validation", state="cached"),
        Box("clean", "drop_cancelled", group=("cleaning",), state="running"),
        Box("upper", ".with_columns()", "inline", group=("cleaning", "columns")),
        Box("join", "join", state="failed"),
        Box("report", "report", state="skipped", dashed=True),
        Box("out", "delays", "resource"),
    )
    arrows = (
        Arrow("raw", "load", style="resource"),
        Arrow("load", "check"),
        Arrow("load", "clean"),
        Arrow("check", "clean", "check is true", True, "control"),
        Arrow("check", "report", "check is false", True, "control"),
        Arrow("clean", "upper"),
        Arrow("upper", "join"),
        Arrow("load", "join"),
        Arrow("join", "out", style="resource"),
    )
    return Picture("flights", boxes, arrows)


def parsed(drawn: str) -> ElementTree.Element:
    assert drawn.startswith("<svg")
    return ElementTree.fromstring(drawn)


def shown(drawn: str) -> list[str]:
    return [element.text or "" for element in parsed(drawn).iter(f"{SVG}text")]


def drawn_by_graphviz(source: str) -> str:
    ended = subprocess.run([PURE, "-Tsvg"], input=source, capture_output=True, text=True, check=True)
    return ended.stdout[ended.stdout.index("<svg") :]


def program(tmp_path: Path, name: str, body: str) -> Path:
    """Write a program that runs a line of Python instead of drawing."""
    path = tmp_path / name
    path.write_text(f"#!{sys.executable}\n{body}\n")
    path.chmod(0o755)
    return path


def of_one(label: str = "load", sub: str = "", tooltip: str = "", state: str = "") -> Picture:
    return Picture("p", (Box("a", label, sub=sub, tooltip=tooltip, state=state),))


# --- the picture ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("boxes", "arrows", "message"),
    [
        ((Box("a", "x"), Box("a", "y")), (), "two boxes 'a'"),
        ((Box("load", "x"),), (Arrow("load", "laod"),), "unknown box 'laod' (did you mean 'load'?)"),
        ((Box("a", "x"), Box("b", "y")), (Arrow("a", "b"), Arrow("b", "a")), "in a circle through a, b"),
        ((Box("a", "x"),), (Arrow("a", "a"),), "in a circle through a"),
    ],
)
def test_a_picture_that_cannot_be_drawn(boxes: tuple[Box, ...], arrows: tuple[Arrow, ...], message: str) -> None:
    with pytest.raises(RenderError, match=re.escape(message)):
        Picture("p", boxes, arrows)


def test_arrows_between_the_same_boxes_become_one() -> None:
    boxes = (Box("a", "a"), Box("b", "b"))
    picture = Picture("p", boxes, (Arrow("a", "b"), Arrow("a", "b", "if x", True), Arrow("a", "b", "if x")))
    assert picture.links == (Arrow("a", "b", "if x", dashed=True),)


@pytest.mark.parametrize("wanted", ENGINES)
def test_a_picture_without_boxes(monkeypatch: pytest.MonkeyPatch, wanted: str) -> None:
    monkeypatch.setenv("GLACIER_DOT", wanted)
    assert float(parsed(svg(Picture("empty"))).get("width", "0")) > 0
    assert text(Picture("empty")) == "empty"
    assert mermaid(Picture("empty")) == "flowchart LR\n"


# --- the chain of engines ---------------------------------------------------------------------------------------------


def test_without_settings_graphviz_pure_draws() -> None:
    assert engine() == "graphviz-pure"
    assert parsed(svg(of_one())).get("data-engine") == "graphviz-pure"


@pytest.mark.parametrize("word", ["none", "builtin", "None"])
def test_a_word_chooses_our_own_layout(monkeypatch: pytest.MonkeyPatch, word: str) -> None:
    monkeypatch.setenv("GLACIER_DOT", word)
    assert engine() == "builtin"
    assert parsed(svg(of_one())).get("data-engine") == "builtin"


def test_the_variable_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    named = tmp_path / "my-dot"
    named.symlink_to(PURE)
    monkeypatch.setenv("GLACIER_DOT", str(named))
    assert engine() == "my-dot"


def test_dot_on_the_path_comes_before_graphviz_pure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "dot").symlink_to(PURE)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert engine() == "dot"


@pytest.mark.parametrize(
    "body",
    [
        "raise SystemExit('There is no layout engine support for dot')",
        "print('no JSON')",
        "print('[]')",
        "print('{}')",
    ],
)
def test_a_broken_dot_is_passed_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, body: str) -> None:
    program(tmp_path, "dot", body)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert engine() == "graphviz-pure"


def test_a_dot_that_hangs_is_passed_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program(tmp_path, "dot", "import time; time.sleep(60)")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(engines, "SECONDS", 0.3)
    assert "dot" not in [engines.engine_name(each) for each in engines.trusted()]


@pytest.mark.parametrize("wanted", ["/nowhere/dot", "raises"])
def test_a_chosen_program_that_fails_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, wanted: str) -> None:
    chosen = program(tmp_path, "raises", "raise SystemExit(1)") if wanted == "raises" else wanted
    monkeypatch.setenv("GLACIER_DOT", str(chosen))
    with pytest.warns(GlacierWarning, match="cannot draw and is passed over"):
        assert engine() == "graphviz-pure"


def test_without_any_program_our_own_layout_draws(monkeypatch: pytest.MonkeyPatch, flights: Picture) -> None:
    monkeypatch.setattr("sysconfig.get_path", "/nowhere".format)
    assert engine() == "builtin"
    assert parsed(svg(flights)).get("data-engine") == "builtin"
    with pytest.raises(RenderError, match=r"no graphviz program was found .*save it as \.svg"):
        png(flights)
    assert mimebundle(flights).keys() == {"image/svg+xml", "text/plain"}


def test_a_program_that_fails_on_one_picture_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    trial = "import sys; print('{\"objects\": [1, 2]}' if 'a -> b' in sys.stdin.read() else '{}')"
    monkeypatch.setenv("GLACIER_DOT", str(program(tmp_path, "moody", trial)))
    assert engine() == "moody"
    assert parsed(svg(of_one())).get("data-engine") == "builtin"
    assert png(of_one()).startswith(b"\x89PNG")


def test_a_large_picture_goes_to_our_own_layout_at_once() -> None:
    large = Picture("large", tuple(Box(str(number), "x") for number in range(501)))
    assert parsed(svg(large)).get("data-engine") == "builtin"
    with pytest.raises(RenderError, match="501 boxes, too many for a PNG"):
        png(large)


# --- hostile text -----------------------------------------------------------------------------------------------------

HOSTILE = [
    "<script>alert(1)</script>",
    '<<TABLE HREF="javascript:alert(1)"><TR><TD>x</TD></TR></TABLE>>',
    "javascript:alert(document.domain)",
    "ends with backslash\\",
    "a\\nb\\N\\G",
    'quote " and \\" and {a|b} and a:b:n',
    "line\nline\r\x00\x1b[2J\u202egnp.exe\ud800\ufffe",
    "</title></svg><svg onload=alert(1)>",
    "a &lt; b && c",
    "<!--<script>",
    "",
]


@pytest.mark.parametrize("wanted", ENGINES)
@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("slot", ["label", "sub", "tooltip", "state"])
def test_hostile_text_is_shown_and_does_nothing(
    monkeypatch: pytest.MonkeyPatch, wanted: str, hostile: str, slot: str
) -> None:
    monkeypatch.setenv("GLACIER_DOT", wanted)
    drawn = svg(of_one(**{slot: hostile}))
    root = parsed(drawn)
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {"svg", "g", "title", "text", "rect", "path"}
    names = {name for element in root.iter() for name in element.attrib}
    assert not [name for name in names if name.startswith("on") or name.endswith("href")]
    if slot == "label":
        assert unlinked(visible(hostile, 48)) in shown(drawn)
    assert "javascript:" not in drawn
    assert unlinked(visible(hostile)) in "".join(root.itertext()).replace("\n", "\\n")


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_text_leaves_the_dot_source_whole(hostile: str) -> None:
    box = Box("a", hostile, tooltip=hostile, sub=hostile, group=(hostile,), state=hostile)
    source = dot(Picture(hostile, (box, Box("b", hostile, "inline")), (Arrow("a", "b", hostile),)))
    graph = engines.plot(PURE, source)
    assert sorted(part["name"] for part in graph["objects"]) == ["cluster_0", "n0", "n1"]
    assert len(graph["edges"]) == 1
    root = parsed(drawn_by_graphviz(source))
    assert not [name for element in root.iter() for name in element.attrib if name.endswith("href")]
    assert not [element for element in root.iter() if element.tag.endswith("script")]


def test_escapes_of_graphviz_are_shown_as_written() -> None:
    assert "a\\nb\\N\\G &lt;" in shown(drawn_by_graphviz(dot(of_one("a\\nb\\N\\G &lt;"))))


@pytest.mark.parametrize("wanted", ENGINES)
def test_ten_megabytes_are_cut(monkeypatch: pytest.MonkeyPatch, wanted: str) -> None:
    monkeypatch.setenv("GLACIER_DOT", wanted)
    huge = "x" * 10_000_000
    picture = Picture(
        huge, (Box("a", huge, sub=huge, tooltip=huge, group=(huge,)), Box("b", huge)), (Arrow("a", "b", huge),)
    )
    for drawn in (svg(picture), dot(picture), mermaid(picture), text(picture)):
        assert "…" in drawn
        assert len(drawn) < 16_000


MESSAGES = [
    ("<img src=x onerror=alert(1)>", "<img"),
    ("</script><script>alert(1)//", "</script><script>"),
    ("<!--<script>", "<!--<script>"),
    ("\x1b]8;;http://evil\x07click\x1b]8;;\x07", "\x1b"),
    ('" onmouseover="alert(1)', '"'),
]


@pytest.mark.parametrize(("message", "forbidden"), MESSAGES)
def test_text_for_a_page(message: str, forbidden: str) -> None:
    assert forbidden not in html_text(message)
    assert not any(ord(each) < 32 or 127 <= ord(each) < 160 for each in html_text(message))


def test_text_is_cut_and_keeps_what_it_should() -> None:
    assert len(html_text("<" * 10_000_000)) < 65_536
    assert visible("abc", 3) == "abc"
    assert visible("abcd", 3) == "ab…"
    assert visible("\x1b[2J\u202e\ud800\n") == "\\x1b[2J\\u202e\\ud800\\n"
    assert visible("a\nb", keep="\n") == "a\nb"
    assert visible("né 中文 👩\u200d💻 a\u3000b") == "né 中文 👩\u200d💻 a\u3000b"


ANYTHING = st.text(st.characters(), max_size=60)


@settings(max_examples=25)
@given(labels=st.lists(ANYTHING, min_size=3, max_size=3), group=st.lists(ANYTHING, max_size=2))
def test_any_text_makes_a_well_formed_picture(labels: list[str], group: list[str]) -> None:
    name, label, other = labels
    boxes = (Box("a", label, sub=other, tooltip=name, group=tuple(group)), Box("b", other, "resource", state=name))
    picture = Picture(name, boxes, (Arrow("a", "b", label),))
    for layout in (plotted(picture, PURE), layered(picture)):
        assert len(parsed(paint(picture, layout)).findall(f"{SVG}g")) >= 3
    assert text(picture).count("\n") == 2
    assert visible(text(picture), 10_000, keep="\n") == text(picture)
    assert mermaid(picture).count("-->") == 1


# --- what is drawn ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wanted", ENGINES)
def test_what_the_svg_holds(monkeypatch: pytest.MonkeyPatch, flights: Picture, wanted: str) -> None:
    monkeypatch.setenv("GLACIER_DOT", wanted)
    root = parsed(svg(flights))
    assert root.get("role") == "img"
    assert root.get("aria-label") == "pipeline flights, 8 boxes, 9 arrows"
    groups = {group.get("id", ""): group for group in root.iter(f"{SVG}g")}
    assert groups["box-1"].get("class") == "box task done"
    assert groups["box-1"].findtext(f"{SVG}title") == "load: done\n336,776 rows · 1.2 s\nLoad the flights."
    assert groups["arrow-3"].findtext(f"{SVG}title") == "quick_validation → drop_cancelled: check is true"
    assert groups["frame-1"].findtext(f"{SVG}title") == "cleaning / columns"
    assert {"✓ load", "▶ drop_cancelled", "✗ join", "⤼ report", "check is false"} <= set(shown(svg(flights)))


@pytest.mark.parametrize("wanted", ENGINES)
def test_a_condition_and_a_failure_are_dashed(monkeypatch: pytest.MonkeyPatch, flights: Picture, wanted: str) -> None:
    monkeypatch.setenv("GLACIER_DOT", wanted)
    groups = {group.get("id", ""): group for group in parsed(svg(flights)).iter(f"{SVG}g")}
    dashed = {name for name, group in groups.items() if any(part.get("stroke-dasharray") for part in group)}
    assert dashed == {"arrow-3", "arrow-4", "box-5", "box-6"}


def inside(layout: Layout, picture: Picture) -> bool:
    """Whether every box stands in the frames of its groups and in no other."""
    return all(
        frame.spot.meets(layout.spots[box.key]) == (box.group[: len(frame.group)] == frame.group)
        for frame in layout.frames
        for box in picture.boxes
    )


@pytest.mark.parametrize("kind", ["graphviz", "builtin"])
def test_both_layouts_put_everything_in_its_place(flights: Picture, kind: str) -> None:
    layout = plotted(flights, PURE) if kind == "graphviz" else layered(flights)
    assert not [pair for pair in itertools.combinations(layout.spots.values(), 2) if pair[0].meets(pair[1])]
    assert [frame.group for frame in layout.frames] == [("cleaning",), ("cleaning", "columns")]
    assert inside(layout, flights)
    for link, route in zip(flights.links, layout.routes, strict=True):
        source, target = layout.spots[link.source], layout.spots[link.target]
        assert source.right <= target.left
        assert source.around(margin=2).meets(Spot(*route.curve[0], 2, 2))
        assert target.around(margin=2).meets(Spot(*route.tip, 2, 2))
        assert len(route.curve) % 3 == 1
        assert (route.label is None) == (link.label == "")


GROUPS: list[tuple[str, ...]] = [(), ("a",), ("a", "b"), ("c",)]


def drawn_of(pairs: set[tuple[int, int]], paths: list[tuple[str, ...]]) -> Picture:
    """Return a picture with arrows from earlier to later boxes."""
    boxes = (Box(str(number), f"task {number}", group=path) for number, path in enumerate(paths))
    return Picture("p", tuple(boxes), tuple(Arrow(str(one), str(other)) for one, other in sorted(pairs)))


def pictures() -> st.SearchStrategy[Picture]:
    ends = st.tuples(st.integers(0, 11), st.integers(0, 11)).filter(lambda pair: pair[0] < pair[1])
    groups = st.lists(st.sampled_from(GROUPS), min_size=12, max_size=12)
    return st.builds(drawn_of, st.sets(ends, max_size=20), groups)


@settings(max_examples=60)
@given(picture=pictures())
def test_our_own_layout_never_overlaps(picture: Picture) -> None:
    layout = layered(picture)
    assert not [pair for pair in itertools.combinations(layout.spots.values(), 2) if pair[0].meets(pair[1])]
    assert inside(layout, picture)
    assert all(layout.spots[link.source].right <= layout.spots[link.target].left for link in picture.links)


def test_a_group_without_a_frame_is_named_at_its_boxes() -> None:
    crossed = Picture("p", tuple(Box(key, key, group=("g",) if key in "ac" else ()) for key in "abc"))
    layout = Layout("builtin", layered(crossed).spots, ())
    assert shown(paint(crossed, layout)).count("g") == 2


def test_columns_of_a_thousand_boxes() -> None:
    keys = [str(number) for number in range(1000)]
    chain = [Arrow(one, other) for one, other in itertools.pairwise(keys[1:])]
    picture = Picture("p", tuple(Box(key, key) for key in keys), (*chain, *(Arrow("0", key) for key in keys[500:])))
    found = columns(picture)
    assert [found[key] for key in keys[1:]] == list(range(999))
    assert found["0"] == found["500"] - 1
    drawn = parsed(paint(picture, layered(picture)))
    assert len(drawn.findall(f"{SVG}g")) == 1000 + len(picture.links)
    assert float(drawn.get("width", "0")) == 16_000


def test_rising_pools_what_falls() -> None:
    assert rising([1, 2, 3], [1, 1, 1]) == [1, 2, 3]
    assert rising([3, 1, 5], [1, 1, 1]) == [2, 2, 5]
    assert rising([4, 1], [2, 1]) == [3, 3]


def luminance(colour: str) -> float:
    """Return the relative luminance of WCAG 2.2."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_everything_reads_on_light_and_dark_pages() -> None:
    assert min(contrast(LINE, "#ffffff"), contrast(LINE, "#111111")) >= 4
    for look in (*STATES.values(), *(kind.colours for kind in KINDS.values())):
        assert contrast(look.ink, look.fill) >= 6
        assert contrast(look.fill, "#111111") >= 12


def test_no_state_shows_by_colour_alone() -> None:
    assert len({look.sign for look in STATES.values()} - {""}) == len(STATES)


# --- the other forms --------------------------------------------------------------------------------------------------


def test_lines_of_text(flights: Picture) -> None:
    assert text(flights).splitlines() == [
        "flights",
        "├─ [flights_raw]  (bucket)",
        "├─ ✓ load ← [flights_raw]  (done · 336,776 rows · 1.2 s)",
        "├─ ≡ quick_validation ← load  (cached)",
        "├─ ▶ cleaning / drop_cancelled ← load, quick_validation if check is true  (running)",
        "├─ ⤼ report ← quick_validation if check is false  (skipped)",
        "├─ cleaning / columns / .with_columns() ← drop_cancelled",
        "├─ ✗ join ← .with_columns(), load  (failed)",
        "└─ [delays] ← join",
    ]


def test_a_resource_that_is_read_and_written_keeps_its_name() -> None:
    picture = Picture("p", (Box("in", "sales", "resource"), Box("out", "sales", "resource")))
    assert text(picture).count("[sales]") == 2


def test_text_tells_twins_apart_and_counts_many_needs() -> None:
    twins = tuple(Box(str(number), "load") for number in range(10))
    picture = Picture("p", (*twins, Box("all", "all")), tuple(Arrow(box.key, "all") for box in twins))
    last = text(picture).splitlines()[-1]
    assert last.startswith("└─ all ← load, load #2, load #3")
    assert last.endswith("load #8, 2 more")


def test_mermaid(flights: Picture) -> None:
    lines = [line.strip() for line in mermaid(flights).splitlines()]
    assert lines[0] == "flowchart LR"
    assert 'n0[("flights_raw<br/>bucket")]' in lines
    assert 'n4(["#46;with_columns#40;#41;"])' in lines
    assert 'n2 -.->|"check is true"| n3' in lines
    assert lines.count("end") == 2
    assert [line for line in lines if line.startswith("class n5")] == ["class n5 failed"]


@pytest.mark.parametrize(
    ("label", "written"),
    [
        ('a"b', "a#quot;b"),
        ("__init__", "#95;#95;init#95;#95;"),
        ("load_sales", "load_sales"),
        ("1. `x`", "1#46; #96;x#96;"),
    ],
)
def test_mermaid_escapes_markup(label: str, written: str) -> None:
    assert f'n0("{written}")' in mermaid(of_one(label))


def test_the_bundle_holds_three_forms(flights: Picture) -> None:
    bundle = mimebundle(flights)
    assert bundle["image/svg+xml"] == svg(flights)
    assert bundle["text/plain"] == text(flights)
    assert b64decode(bundle["image/png"]).startswith(b"\x89PNG")


def test_the_png_says_states_in_words(flights: Picture) -> None:
    assert "done · 336,776 rows" in dot(flights, signs=False)
    assert ("✓" in dot(flights), "✓" in dot(flights, signs=False)) == (True, False)
    assert png(flights).startswith(b"\x89PNG")


def test_importing_draws_on_nothing_heavy() -> None:
    code = "import sys, glacier.render; print(sorted({'graphviz', 'polars', 'IPython', 'pydantic'} & set(sys.modules)))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"
