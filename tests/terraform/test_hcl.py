"""Documents become HCL that Terraform formats in no other way, and in which every string is what it was."""

import json
import re
import unicodedata
from pathlib import Path
from typing import Any

import hcl2
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from glacier.errors import InfrastructureError
from glacier.terraform import (
    Block,
    Call,
    Choice,
    Document,
    Labels,
    Ref,
    Text,
    data,
    hcl,
    identifier,
    json_form,
    nested,
    output,
    resource,
    variable,
)
from terraform.terraform_cli import MISSING, Terraform, fmt

NASTY = [
    *("${x}", "$${x}", "%{if}", "%%{x}", "$", "%", "${", "a$", '"', "\\", "\\n", "\n", "\r\n", "\t", "\x00", "\x7f"),
    *("EOF", '"}\nresource "null_resource" "y" {', "<<EOF\nx\nEOF\n", "*/ x /*", "# x", "// x", "{{x}}", "é", "日本"),
    *("😀", "\u2028", "\ufeff", "\u0085", "e\u0301", "${aws_s3_bucket.x.arn}", "a\\${b}", '\\"${x}', "$$", "$${"),
    *("%%{", ""),
]
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
STRINGS = TEXTS | st.sampled_from(NASTY) | st.lists(st.sampled_from(NASTY), max_size=4).map("".join)
# python-hcl2 8.1 cannot read `%%{`, nor `$${` without its `}`; Terraform can, below.
FOR_PYTHON = STRINGS.filter(lambda text: "%{" not in text and not re.search(r"\$\{(?![\w.]*\})|\$\$", text))
NAMES = st.from_regex(r"\A[A-Za-z_][A-Za-z0-9_-]{0,12}\Z")
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | STRINGS
REFS = st.lists(NAMES, min_size=2, max_size=4).map(lambda names: Ref(*names))
PLAIN = st.recursive(
    SCALARS | REFS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(STRINGS, inner, max_size=4),
    max_leaves=10,
)
SMALL = st.sampled_from([{}, {"a": 1}, {"a": "x", "long_name": Ref("a", "b")}, [], [1], ["y" * 90, "z"], "text", None])
CODE = st.one_of(
    st.builds(lambda one, other: Choice(Ref("var", "x"), one, other), SMALL, SMALL),
    st.lists(SMALL, max_size=3).map(lambda arguments: Call("merge", *arguments)),
    st.builds(
        lambda one, two: Choice(Ref("x"), Call("jsonencode", one), Choice(Ref("y"), {"k": two}, one)), SMALL, SMALL
    ),
    st.builds(lambda one, two: Call("merge", one, Choice(Ref("a", "b")[...].c, [two], {"k": two})), SMALL, SMALL),
)
VALUES = PLAIN | CODE


@st.composite
def blocks(draw: Any, depth: int = 2) -> Block:
    arguments = draw(st.dictionaries(NAMES, VALUES, max_size=5))
    inner = draw(st.lists(blocks(depth - 1), max_size=2)) if depth else []
    labels = tuple(draw(st.lists(NAMES, max_size=2)))
    notes = tuple(draw(st.lists(STRINGS, max_size=1)))
    skips = tuple(draw(st.lists(st.tuples(NAMES, STRINGS), max_size=1)))
    return Block(draw(NAMES), labels, arguments, tuple(inner), notes, skips)


def read_back(quoted: str) -> str:
    """Return the string that a quoted literal stands for, by the rules of HCL's specification."""
    assert quoted[0] == quoted[-1] == '"'
    escapes = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}

    def unescaped(found: re.Match[str]) -> str:
        text = found[0]
        if text[0] != "\\":
            return text[1:]
        return escapes[text[1]] if text[1] in escapes else chr(int(text[2:], 16))

    return re.sub(r"\\u[0-9a-f]{4}|\\U[0-9a-f]{8}|\\.|\$\$\{|%%\{", unescaped, quoted[1:-1], flags=re.DOTALL)


@given(FOR_PYTHON, FOR_PYTHON)
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_no_string_breaks_out_and_each_comes_back(first: str, second: str) -> None:
    made = resource("a_b", "c", nested("inner", deep=second), one=first, list=[first, second], map={first: second})
    found = hcl2.loads(hcl([Block(made.kind, made.labels, made.arguments, made.blocks, (first,), (("X", second),))]))
    body = found["resource"][0]['"a_b"']['"c"']
    assert {key for key in found if not key.startswith("__")} == {"resource"}
    assert {key for key in body if not key.startswith("__")} == {"one", "list", "map", "inner"}
    assert read_back(body["one"]) == first
    assert [read_back(each) for each in body["list"]] == [first, second]
    assert [read_back(each) for key, each in body["map"].items() if not key.startswith("__")] == [second]
    assert read_back(body["inner"][0]["deep"]) == second


@pytest.mark.slow
@pytest.mark.skipif(MISSING is not None, reason=str(MISSING))
@given(st.lists(blocks(), min_size=10, max_size=20))
@settings(max_examples=3, suppress_health_check=list(HealthCheck), deadline=None, phases=[Phase.generate])
def test_terraform_formats_it_in_no_other_way(tmp_path_factory: pytest.TempPathFactory, several: list[Block]) -> None:
    folder = tmp_path_factory.mktemp("fmt")
    for place, made in enumerate(several):
        (folder / f"f{place}.tf").write_text(hcl([made, made], ["a header"]), "utf-8")
    assert fmt(folder) == ""


@pytest.mark.skipif(MISSING is not None, reason=str(MISSING))
@pytest.mark.parametrize("form", ["tf", "tf.json"])
@given(st.lists(STRINGS, min_size=20, max_size=100))
@settings(max_examples=2, suppress_health_check=list(HealthCheck), deadline=None, phases=[Phase.generate])
def test_terraform_gives_back_what_went_in(
    tmp_path_factory: pytest.TempPathFactory, form: str, strings: list[str]
) -> None:
    strings = [text for text in (*NASTY, *strings) if form == "tf" or text != "\ufeff"]
    folder = tmp_path_factory.mktemp("values")
    terraform = Terraform(folder, folder)
    joined = [Text(text, Ref("local", "x"), text) for text in strings]
    keys = {unicodedata.normalize("NFC", text): place for place, text in enumerate(strings)}
    made = [
        Block("locals", (), {"x": "x"}),
        output("values", "All.", strings),
        output("joined", "Between references.", joined),
        output("encoded", "Through a function.", Call("jsonencode", strings)),
        output("keys", "As keys.", keys),
    ]
    (folder / f"main.{form}").write_text(hcl(made) if form == "tf" else json_form(made), "utf-8")
    terraform.init()
    terraform.apply()
    found = {name: each["value"] for name, each in json.loads(terraform.run("output", "-json").stdout).items()}
    normal = [unicodedata.normalize("NFC", text) for text in strings]
    assert found["values"] == normal
    assert found["joined"] == [unicodedata.normalize("NFC", f"{text}x{text}") for text in strings]
    assert json.loads(found["encoded"]) == normal
    assert found["keys"].keys() == set(normal)


def test_half_a_surrogate_is_refused_before_anything_is_written() -> None:
    made = [output("x", "A value.", "a\ud800")]
    for write in (hcl, json_form):
        with pytest.raises(InfrastructureError, match="surrogate"):
            write(made)


@pytest.mark.parametrize("name", ["a b", "1a", "", "a.b", 'a"', "é", "${x}", "a\n"])
def test_only_identifiers_are_labels_and_names(name: str) -> None:
    for make in (
        lambda: resource("a_b", name),
        lambda: Block("locals", (), {name: 1}),
        lambda: nested(name),
        lambda: Ref("a", name),
        lambda: Call(name),
        lambda: data(name, "x"),
    ):
        with pytest.raises(InfrastructureError):
            make()


def test_references_are_attribute_access() -> None:
    made = resource("aws_s3_bucket", "sales", bucket="sales")
    other = output("arn", "The ARN.", made.ref.arn)
    shown = hcl([variable("region", "string", "Where.", default="eu-west-1"), other])
    assert shown == (
        'variable "region" {\n  type        = string\n  description = "Where."\n  default     = "eu-west-1"\n}\n\n'
        'output "arn" {\n  description = "The ARN."\n  value       = aws_s3_bucket.sales.arn\n}\n'
    )
    assert (made.address, data("aws_s3_bucket", "x").address) == ("aws_s3_bucket.sales", "data.aws_s3_bucket.x")
    assert (
        hcl([Block("locals", (), {"a": made.ref.rule[0]["k"]})])
        == 'locals {\n  a = aws_s3_bucket.sales.rule[0]["k"]\n}\n'
    )


@given(st.lists(st.text(), unique=True))
def test_labels_are_identifiers_and_differ(names: list[str]) -> None:
    labels = Labels()
    made = [labels.of(name) for name in names]
    assert len(set(made)) == len(names)
    assert made == [labels.of(name) for name in names]
    assert all(Block("x", (label,)) for label in made)
    assert all(identifier(name) == identifier(name) for name in names)


def test_two_blocks_of_one_address_are_refused() -> None:
    made = resource("a_b", "c")
    with pytest.raises(InfrastructureError, match=re.escape("a_b.c")):
        Document({"x.tf": (made,), "y.tf": (made,)})


def test_the_json_form_is_json(tmp_path: Path) -> None:
    made = resource("a_b", "c", nested("d", e=1), f=Ref("var", "g"), depends_on=[Ref("a_b", "h")])
    assert json.loads(json_form([made, Block("locals", (), {"i": "${j}"})])) == {
        "resource": {"a_b": {"c": {"f": "${var.g}", "depends_on": ["a_b.h"], "d": [{"e": 1}]}}},
        "locals": {"i": "$${j}"},
    }
