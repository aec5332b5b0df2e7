"""The README of a generated module."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from glacier.infrastructure.blueprint import Backend, Statement
    from glacier.infrastructure.unify import Switch

__all__ = ["Facts", "Permission", "Row", "text"]


@dataclass(frozen=True)
class Row:
    """An address in Terraform, the Glacier resource that it is for, and the environments that have it."""

    address: str
    about: str
    having: tuple[str, ...]


@dataclass(frozen=True)
class Permission:
    """A statement, and the environments that have it."""

    statement: Statement
    having: tuple[str, ...]


@dataclass(frozen=True)
class Facts:
    """What the README tells of."""

    pipelines: tuple[str, ...]
    environments: tuple[str, ...]
    backend: Backend | None
    resources: Sequence[Row]
    permissions: Sequence[Permission]
    switches: Sequence[Switch]
    warnings: tuple[str, ...]


def text(facts: Facts) -> str:
    """Return the README in Markdown."""
    parts = [
        f"# Infrastructure of {_words(facts.pipelines) or 'registered resources'}",
        (
            "Glacier generated this Terraform module. It replaces its own files when the pipeline changes, leaves all\n"
            "others alone, and refuses to overwrite what was edited by hand."
        ),
        *_use(facts),
        *_list("## To do", facts.warnings),
        *_differences(facts),
        "## Resources",
        _resources(facts),
        *_permissions(facts),
    ]
    return "\n\n".join(parts) + "\n"


def _use(facts: Facts) -> list[str]:
    backend = facts.backend
    flag = "" if backend is None else f" -backend-config=backends/ENV.{backend.kind}.tfbackend"
    parts = [
        "## Use",
        f"`ENV` is {_words(facts.environments, 'or')}.",
        (
            f"```console\n$ terraform init{flag}\n$ terraform plan -var-file=environments/ENV.tfvars -out=ENV.tfplan\n"
            "$ terraform apply ENV.tfplan\n```"
        ),
        (
            "`terraform init` writes `.terraform.lock.hcl`: commit it (`terraform providers lock -platform=...` adds\n"
            "the platforms of others). `glacier deploy` does these steps for you, and `glacier drift` compares."
        ),
    ]
    if backend is not None:
        parts.append(f"The state is kept where `backends/ENV.{backend.kind}.tfbackend` says: complete that file first.")
    return parts


def _differences(facts: Facts) -> list[str]:
    """Return what only some environments have, and the variables that say so."""
    if not facts.switches:
        return []
    rows = [(_code(each.name), _having(facts, sorted(each.presence)), _codes(each.where)) for each in facts.switches]
    return [
        "## What only some environments have",
        "Each of these variables has its value in `environments/ENV.tfvars`, beside the values that differ.",
        _table(("variable", "true in", "what it is about"), rows),
    ]


def _resources(facts: Facts) -> str:
    head, rows = ("in Terraform", "in Glacier"), [(_code(each.address), each.about) for each in facts.resources]
    return _table(*_with_where(facts, head, rows, [each.having for each in facts.resources]))


def _permissions(facts: Facts) -> list[str]:
    head, statements = ("who", "may", "on", "because of"), [each.statement for each in facts.permissions]
    rows = [(each.principal, _codes(each.actions, ", "), _codes(each.resources), _who(each)) for each in statements]
    where = [each.having for each in facts.permissions]
    return ["## Permissions", _table(*_with_where(facts, head, rows, where))] if rows else []


def _with_where(
    facts: Facts, head: tuple[str, ...], rows: Sequence[tuple[str, ...]], where: Sequence[Sequence[str]]
) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Add a column of the environments that have each row, where not all have all of them."""
    if all(len(having) == len(facts.environments) for having in where):
        return head, list(rows)
    return (*head, "in"), [(*row, _having(facts, having)) for row, having in zip(rows, where, strict=True)]


def _having(facts: Facts, names: Sequence[str]) -> str:
    return "all" if len(names) == len(facts.environments) else ", ".join(map(_code, names))


def _who(statement: Statement) -> str:
    return ", ".join(dict.fromkeys(f"{use.pipeline}.{use.task}" for use in statement.uses))


def _list(title: str, lines: tuple[str, ...]) -> list[str]:
    return [title, "\n".join(f"- {_plain(line)}" for line in lines)] if lines else []


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def _words(names: tuple[str, ...], last: str = "and") -> str:
    codes = [_code(name) for name in names]
    return codes[0] if len(codes) == 1 else f" {last} ".join(filter(None, (", ".join(codes[:-1]), *codes[-1:])))


def _codes(names: Iterable[str], between: str = "<br>") -> str:
    return between.join(map(_code, names))


def _code(name: str) -> str:
    return f"`{_plain(name).replace('`', chr(39))}`"


def _cell(cell: str) -> str:
    return _plain(cell).replace("|", "\\|")


def _plain(line: str) -> str:
    return "".join(each if each.isprintable() else " " for each in line)
