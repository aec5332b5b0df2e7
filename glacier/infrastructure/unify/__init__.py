"""One module for several environments: what differs between their documents becomes a variable or a condition.

| what differs                                    | what the module has                                        |
|-------------------------------------------------|------------------------------------------------------------|
| an argument's plain value                       | a variable, with each environment's value in its `.tfvars` |
| an argument's code                              | `var.SWITCH ? ... : ...`                                   |
| a nested block is only in some                  | a `dynamic` block                                          |
| a resource or data source is only in some       | `count = var.SWITCH ? 1 : 0`, and references that know it  |
| a resource in some, in others a data source     | both with a count, and a local for whichever is there      |
| an output is only in some                       | null in the others                                         |
| a provider or a variable is only in some        | it is there for all, and its value is null or another's    |

Nothing here knows a cloud, a file or Terraform itself: documents go in, and a document comes out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from glacier.infrastructure.unify.conditions import conditional
from glacier.infrastructure.unify.laying import laid
from glacier.infrastructure.unify.providers import shared_providers
from glacier.infrastructure.unify.several import Several, differs
from glacier.infrastructure.unify.switches import Switch, switches
from glacier.terraform import Block, Call, Choice, Document, Ref, nested
from glacier.terraform.walk import head, references

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from glacier.terraform import Value

__all__ = ["Module", "Switch", "unified"]


@dataclass(frozen=True)
class Module:
    """A document, the values of its variables by environment, and the switches among these."""

    document: Document
    values: Mapping[str, Mapping[str, Value]]
    switches: tuple[Switch, ...] = ()


def unified(
    documents: Mapping[str, Document],
    values: Mapping[str, Mapping[str, Value]],
    about: Mapping[str, str] | None = None,
) -> Module:
    """Lay the documents of several environments over each other; `about` says what a block's address is for.

    Raises:
        InfrastructureError: they cannot be one module: something is in different clouds, the state is kept in different
            kinds of places, or what differs is nothing that Terraform can make conditional.
    """
    if len(documents) == 1:
        (document,) = documents.values()
        return Module(document, values)
    _check_clouds(documents)
    several = Several(shared_providers(documents), values, about or {})
    borrowed = several.share_providers()
    files = {file: laid(several, file, list(columns.values())) for file, columns in several.files.items()}
    found = switches(several)
    files = _with_conditions(several, files, found)
    several.lifted.lend(borrowed)
    several.lifted.switch(found)
    files["variables.tf"] = _variables(several, files["variables.tf"], found)
    return Module(Document({file: tuple(blocks) for file, blocks in files.items()}), several.lifted.values, found)


def _with_conditions(
    several: Several, files: Mapping[str, Sequence[Block]], found: Sequence[Switch]
) -> dict[str, Sequence[Block]]:
    """Return files that ask switches, with the locals of what is made here and found there."""
    names = {number: each.name for each in found for number in each.parts}
    counted = {part.owner: names[part.number] for part in several.parts if part.file}
    made = {file: [conditional(block, names, counted) for block in blocks] for file, blocks in files.items()}
    return several.twins.declared(made)


def _variables(several: Several, declared: Sequence[Block], found: Sequence[Switch]) -> list[Block]:
    """Return all variables, sorted; those that have a value from outside have to have one where it is used."""
    open_ = several.open_variables()
    checks: dict[str, list[Block]] = {}
    for name, names in open_.items():
        wanting = {part.number for part in several.parts if part.needs(name, names)}
        checks[name] = [_check(Ref("var", name), each.name) for each in found if wanting & set(each.parts)]
    guarded = [replace(each, blocks=(*each.blocks, *checks.get(each.labels[0], ()))) for each in declared]
    return sorted((*guarded, *several.lifted.variables.values()), key=lambda block: block.labels)


def _check(variable: Ref, switch: str) -> Block:
    """Return the check that a variable has a value where a switch is on."""
    condition = Choice(Ref("var", switch), Call("can", Call("coalesce", variable)), True)
    return nested(
        "validation", condition=condition, error_message=f"{variable.parts[1]} needs a value where {switch} is true."
    )


def _check_clouds(documents: Mapping[str, Document]) -> None:
    """Refuse what is in one cloud here and in another there.

    Raises:
        InfrastructureError: something is.
    """
    found: dict[str, dict[str, str]] = {}
    for name, document in documents.items():
        for block in document:
            for start in map(head, references(block)) if block.kind == "output" else ():
                if start:
                    found.setdefault(block.labels[0], {})[name] = start[-2].partition("_")[0]
    for output, clouds in found.items():
        if len(set(clouds.values())) > 1:
            said = " and ".join(f"{cloud} in {name}" for name, cloud in clouds.items())
            raise differs(documents, f"{output} is of {said}")
