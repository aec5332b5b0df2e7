"""The README of a generated module."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from glacier.infrastructure.blueprint import Backend, Statement

__all__ = ["Facts", "text"]


@dataclass(frozen=True)
class Facts:
    """What the README tells of."""

    pipelines: tuple[str, ...]
    environments: tuple[str, ...]
    backend: Backend | None
    resources: Mapping[str, str]
    statements: tuple[Statement, ...]
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
        "## Resources",
        _table(("in Terraform", "in Glacier"), ((_code(address), about) for address, about in facts.resources.items())),
        *_permissions(facts.statements),
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


def _permissions(statements: Iterable[Statement]) -> list[str]:
    rows = [(each.principal, _codes(each.actions, ", "), _codes(each.resources), _who(each)) for each in statements]
    return ["## Permissions", _table(("who", "may", "on", "because of"), rows)] if rows else []


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
