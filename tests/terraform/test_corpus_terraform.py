"""Every case of the corpus that concerns Terraform has its verdict, by Terraform's own judgement where it is there."""

import json
import unicodedata
from pathlib import Path
from typing import Any

import corpus
import pytest

from glacier.errors import InfrastructureError
from glacier.terraform import Block, Labels, hcl, identifier, json_form, output, resource, write_files
from terraform.schema_checker import check
from terraform.terraform_cli import MISSING, Terraform, fmt

CASES = corpus.load("terraform")
STRINGS = [case for case in CASES if case["family"] == "terraform.string"]
ACCEPTED = [case for case in STRINGS if case["expected"] == "accept"]
REJECTED = [case for case in STRINGS if case["expected"] == "reject"]
LABELS = [case for case in CASES if case["family"] == "terraform.label"]


def document(strings: list[str]) -> list[Block]:
    """Return a file that has strings wherever a user's strings can come: values, keys, notes, skips, descriptions."""
    kept = [resource("terraform_data", f"r{place}", input={"value": text}) for place, text in enumerate(strings)]
    noted = Block("locals", (), {"keys": dict.fromkeys(map(_normal, strings), "")}, (), tuple(strings))
    described = [output(f"o{place}", text or "empty", text) for place, text in enumerate(strings)]
    return [noted, *kept, *described]


def _normal(text: str) -> str:
    return unicodedata.normalize("NFC", text)


@pytest.mark.skipif(MISSING is not None, reason=str(MISSING))
@pytest.mark.parametrize("form", ["tf", "tf.json"])
def test_terraform_plans_every_accepted_string_as_it_is(form: str, tmp_path: Path) -> None:
    strings = [corpus.value(case) for case in ACCEPTED]
    made = document(strings)
    (tmp_path / f"main.{form}").write_text(hcl(made) if form == "tf" else json_form(made), "utf-8")
    assert fmt(tmp_path) == ""
    terraform = Terraform(tmp_path, tmp_path)
    terraform.init()
    assert terraform.validate() == []
    terraform.run("plan", "-out=it.tfplan")
    planned = json.loads(terraform.run("show", "-json", "it.tfplan").stdout)["planned_values"]["root_module"][
        "resources"
    ]
    values: dict[str, Any] = {each["name"]: each["values"]["input"]["value"] for each in planned}
    assert values == {f"r{place}": _normal(text) for place, text in enumerate(strings)}


@pytest.mark.parametrize("case", ACCEPTED, ids=[case["id"] for case in ACCEPTED])
def test_an_accepted_string_stays_inside_its_quotes(case: dict[str, Any], tmp_path: Path) -> None:
    made = document([corpus.value(case)])
    assert json.loads(json_form(made)).keys() == {"locals", "resource", "output"}
    assert sum(line.startswith("resource ") for line in hcl(made).splitlines()) == 1


@pytest.mark.parametrize(
    "case", [case for case in STRINGS if case["expected"] == "reject"], ids=lambda case: case["id"]
)
@pytest.mark.parametrize("write", [hcl, json_form])
def test_a_rejected_string_leaves_no_half_file(case: dict[str, Any], write: Any, tmp_path: Path) -> None:
    with pytest.raises(InfrastructureError):
        write_files(tmp_path, {"main.tf": write(document([corpus.value(case)])).encode()})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("case", LABELS, ids=[case["id"] for case in LABELS])
def test_a_name_becomes_a_label(case: dict[str, Any], tmp_path: Path) -> None:
    name = corpus.value(case)
    label = Labels().of(name)
    assert label == identifier(name)
    assert label[0].isalpha() or label[0] == "_"
    made = [
        resource("terraform_data", label, input=name),
        output(label, "It.", resource("terraform_data", label).ref.id),
    ]
    (tmp_path / "main.tf").write_text(hcl(made), "utf-8")
    assert [finding for finding in check(tmp_path, []) if "unknown resource type" not in finding.message] == []


@pytest.mark.skipif(MISSING is not None, reason=str(MISSING))
def test_terraform_takes_every_label(tmp_path: Path) -> None:
    labels = [identifier(corpus.value(case)) for case in LABELS]
    made = [resource("terraform_data", label, input=label) for label in labels]
    (tmp_path / "main.tf").write_text(
        hcl([*made, Block("locals", (), {"all": [each.ref.id for each in made]})]), "utf-8"
    )
    terraform = Terraform(tmp_path, tmp_path)
    terraform.init()
    assert terraform.validate() == []


def test_the_cases_are_there() -> None:
    assert (len(STRINGS), len(LABELS)) == (19, 5)
