"""A Terraform module as files: one module, and one set of values for each environment."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import glacier
from glacier import context
from glacier.errors import ConfigError, InfrastructureError, did_you_mean
from glacier.infrastructure import readme
from glacier.infrastructure.assets import apart, clashing
from glacier.infrastructure.collect import Collected, Recorded, collect
from glacier.infrastructure.unify import unified
from glacier.safe import printable
from glacier.terraform import Block, Document, hcl, json_form, nested, variable, write_files
from glacier.terraform.hcl import arguments, comment

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping, Sequence

    from glacier.infrastructure.blueprint import Backend, Blueprint, Statement
    from glacier.infrastructure.unify import Module
    from glacier.terraform import Value, Written

__all__ = ["Generated", "Target", "export"]

Format = Literal["hcl", "json"]

_SORTED = ("variables.tf", "outputs.tf")
_ORDER = ("terraform.tf", "providers.tf", "variables.tf", "locals.tf", "storage.tf", "functions.tf", "iam.tf")

_GITIGNORE = """\
# Terraform's own files that belong to one working copy; .terraform.lock.hcl is to be committed.
.terraform/
*.tfstate
*.tfstate.*
*.tfplan
crash.log
crash.*.log

# Values and overrides of one person, and secrets.
*.auto.tfvars
*.auto.tfvars.json
*_override.tf
*_override.tf.json
override.tf
override.tf.json
"""


@dataclass(frozen=True)
class Target:
    """An environment, and the traced pipelines that run in it; `whole` adds everything that is registered there."""

    env: Any
    recorded: Sequence[Recorded]
    whole: bool = False

    @property
    def origins(self) -> list[Any]:
        """The environments that the pipelines were written for, for which this one answers."""
        return [origin for each in self.recorded for origin in each.pipeline.origins]


class Generated(dict[str, Any]):
    """What was generated, as a mapping.

    Keys:
        files: the paths of all files of the module, sorted.
        output_dir: the folder.
        resources: for each address in Terraform, the Glacier resource that it is for.
        switches: for each switch of a module that several environments share, the names of those where it is on.
        warnings: what the user should know.
        permissions: for each IAM statement a mapping of `address`, `principal`, `actions`, `resources`, and `uses`: the
            tasks that need it, each with the line of the pipeline's body that says so.
        changes: a mapping of `new`, `changed` and `removed`: names of files that this call wrote, or with `check`
            would have written.
        checks: only where `glacier.checking.checked` added them: for each command of Terraform a mapping of `name`,
            `outcome` (`passed`, `failed` or `not run`) and what it `said`.
    """

    def __str__(self) -> str:
        changes = cast("Mapping[str, Sequence[str]]", self["changes"])
        lines = [f"{self['output_dir']}: {len(self['resources'])} resources in {len(self['files'])} files"]
        lines += [f"  {kind} {name}" for kind, names in changes.items() for name in names]
        lines += [f"{each['name']}: {each['outcome']}{each['said'] and ': '}{each['said']}" for each in self._checks]
        return printable("\n".join([*lines, *(f"warning: {line}" for line in self["warnings"])]), "\n")

    @property
    def _checks(self) -> Sequence[Mapping[str, str]]:
        return self.get("checks", ())


def export(
    targets: Sequence[Target],
    output_dir: str | os.PathLike[str],
    *,
    format: str = "hcl",
    force: bool = False,
    check: bool = False,
) -> Generated:
    """Write the module of one or several environments into a folder; `check` only says what would change.

    Raises:
        ConfigError: there is no such format, or configs do not fit together.
        InfrastructureError: there is nothing to generate, the environments differ too much for one module, or files
            were edited by hand or are not Glacier's.
    """
    if format not in ("hcl", "json"):
        raise ConfigError(f"Terraform is not written as {format!r}", hint=did_you_mean(str(format), ("hcl", "json")))
    _check_names([target.env.name for target in targets])
    drawn = _apart([_drawn(target) for target in targets])
    module = unified(
        {each.name: each.document for each in drawn}, {each.name: each.values for each in drawn}, _about(drawn)
    )
    files = {**_texts(module, drawn, format), **_environments(module, drawn)}
    contents = {name: _encoded(text) for name, text in files.items()}
    contents = _together(contents, *(each.assets for each in drawn))
    seeds = {name: text.encode() for each in drawn for name, text in _backend_files(each).items()}
    written = write_files(
        output_dir,
        contents,
        seeds=seeds,
        resources=_about(drawn),
        pipeline="" if targets[0].whole else "-".join(drawn[0].pipelines),
        force=force,
        check=check,
    )
    return _generated(drawn, module, written)


def _check_names(names: Sequence[str]) -> None:
    twice = next((name for name in names if [each.casefold() for each in names].count(name.casefold()) > 1), None)
    if twice is not None:
        raise ConfigError(
            f"two of the environments are called {twice!r}",
            hint="name them apart: GlacierEnv(provider, name=...) - each has files of its own in the module",
        )


@dataclass(frozen=True)
class _Drawn:
    """One environment's module, before it is laid over those of the others."""

    name: str
    pipelines: tuple[str, ...]
    blueprints: tuple[Blueprint, ...]
    document: Document
    values: Mapping[str, Value]
    assets: Mapping[str, bytes]
    warnings: tuple[str, ...]

    @property
    def backend(self) -> Backend | None:
        return next((each.backend for each in self.blueprints if each.backend), None)

    @property
    def statements(self) -> list[Statement]:
        return [statement for each in self.blueprints for statement in each.statements]

    @property
    def resources(self) -> dict[str, str]:
        return {address: about for each in self.blueprints for address, about in each.resources.items()}


def _together(*parts: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return files of several origins.

    Raises:
        InfrastructureError: two of them are different files of one name.
    """
    found: dict[str, bytes] = {}
    for name, data in (item for part in parts for item in part.items()):
        if found.setdefault(name, data) != data:
            raise InfrastructureError(
                f"{name} would be two different files",
                hint="give functions of different clouds names of their own",
            )
    return found


def _apart(drawn: Sequence[_Drawn]) -> list[_Drawn]:
    """Give each environment its own copy of files that are not the same for all."""
    names = clashing({each.name: each.assets for each in drawn})
    found = [(each, apart(each.name, each.document, each.assets, names)) for each in drawn]
    return [replace(each, document=document, assets=assets) for each, (document, assets) in found]


def _about(drawn: Sequence[_Drawn]) -> dict[str, str]:
    """Return the Glacier resource that each address is for."""
    return {address: about for each in drawn for address, about in each.resources.items()}


def _drawn(target: Target) -> _Drawn:
    with context.themselves(), context.standing_in(target.origins, target.env):
        collected = collect(target.env, target.recorded, whole=target.whole)
        blueprints = tuple(provider.terraform(needs) for provider, needs in collected.parts)
    if not blueprints:
        raise InfrastructureError(
            f"environment {target.env.name!r} needs no infrastructure: nothing of it is in a cloud",
            hint="bind the pipeline to an environment of a cloud, such as AWSProvider",
        )
    values: dict[str, Value] = {"environment": target.env.name}
    values.update({name: value for each in blueprints for name, value in each.values.items()})
    return _Drawn(
        name=target.env.name,
        pipelines=tuple(dict.fromkeys(each.pipeline.name for each in target.recorded)),
        blueprints=blueprints,
        document=_document(blueprints),
        values=values,
        assets=_together({}, *(each.assets for each in blueprints)),
        warnings=_warnings(collected, blueprints),
    )


def _warnings(collected: Collected, blueprints: Iterable[Blueprint]) -> tuple[str, ...]:
    said = [*collected.warnings, *(line for each in blueprints for line in each.warnings)]
    return tuple(dict.fromkeys(sorted(said)))


def _document(blueprints: Sequence[Blueprint]) -> Document:
    """Return everything of one environment: terraform.tf first, variables and outputs sorted by name."""
    environment = variable("environment", "string", "Name of the environment; part of the names of roles and others.")
    found = Document({"terraform.tf": (_terraform(blueprints),), "variables.tf": (environment,)})
    for each in blueprints:
        found += each.document
    files = {name: _arranged(name, blocks) for name, blocks in found.files.items() if blocks}
    return Document({name: files[name] for name in sorted(files, key=_place)})


def _place(name: str) -> tuple[int, str]:
    return (_ORDER.index(name) if name in _ORDER else len(_ORDER), name)


def _arranged(name: str, blocks: tuple[Block, ...]) -> tuple[Block, ...]:
    return tuple(sorted(blocks, key=lambda block: block.labels)) if name in _SORTED else blocks


def _terraform(blueprints: Sequence[Blueprint]) -> Block:
    requirements = {name: dict(about) for each in blueprints for name, about in each.requirements.items()}
    required = nested("required_providers", **{name: requirements[name] for name in sorted(requirements)})
    backend = next((each.backend for each in blueprints if each.backend), None)
    kept = () if backend is None else (Block("backend", (backend.kind,)),)
    return Block("terraform", (), {"required_version": ">= 1.10"}, (*kept, required))


# Texts ---------------------------------------------------------------------------------------------------------------


def _texts(module: Module, drawn: Sequence[_Drawn], format: str) -> dict[str, str]:
    header, files = _header(drawn), module.document.files
    if format == "json":
        texts = {f"{name}.json": json_form(blocks) for name, blocks in files.items()}
    else:
        texts = {name: hcl(blocks, header) for name, blocks in files.items()}
    about = readme.Facts(
        pipelines=_pipelines(drawn),
        environments=tuple(each.name for each in drawn),
        backend=drawn[0].backend,
        resources=[_resource(drawn, address, about) for address, about in _about(drawn).items()],
        permissions=_permissions(drawn),
        switches=module.switches,
        warnings=tuple(dict.fromkeys(line for each in drawn for line in each.warnings)),
    )
    return {**texts, ".gitignore": _GITIGNORE, "README.md": readme.text(about)}


def _resource(drawn: Sequence[_Drawn], address: str, about: str) -> readme.Row:
    having = tuple(each.name for each in drawn if address in each.resources)
    return readme.Row(address, about, having)


def _permissions(drawn: Sequence[_Drawn]) -> list[readme.Permission]:
    """Return the permissions of all environments, each once, as the first that has it has it."""
    found: dict[tuple[object, ...], readme.Permission] = {}
    for each in drawn:
        for statement in each.statements:
            key = (statement.address, statement.principal, statement.actions)
            known = found.get(key, readme.Permission(statement, ()))
            found[key] = replace(known, having=(*known.having, each.name))
    return list(found.values())


def _header(drawn: Sequence[_Drawn]) -> tuple[str, ...]:
    return (
        f"Generated by Glacier {glacier.__version__} from {', '.join(_pipelines(drawn)) or 'registered resources'}.",
        "Glacier replaces this file: put what you add into files of your own beside it.",
    )


def _pipelines(drawn: Sequence[_Drawn]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for each in drawn for name in each.pipelines))


def _environments(module: Module, drawn: Sequence[_Drawn]) -> dict[str, str]:
    header = _header(drawn)
    return {f"environments/{name}.tfvars": _values(module, name, header) for name in sorted(module.values)}


def _values(module: Module, name: str, header: Sequence[str]) -> str:
    """Return the values of an environment's variables, and below them what it has of what not all have."""
    switches = {each.name: name in each.presence for each in module.switches}
    given = {key: value for key, value in module.values[name].items() if key not in switches}
    more = f"\n{comment('What only some environments have.')}\n{arguments(switches)}" if switches else ""
    return arguments(given, header) + more


def _backend_files(drawn: _Drawn) -> dict[str, str]:
    backend = drawn.backend
    if backend is None:
        return {}
    said = f"Where Terraform keeps the state of {drawn.name}. This file is yours: Glacier wrote it once."
    open_ones = [f"{name} = ..." for name, value in backend.settings.items() if value is None]
    given = {name: value for name, value in backend.settings.items() if value is not None}
    return {f"backends/{drawn.name}.{backend.kind}.tfbackend": arguments(given, [said, *backend.advice, *open_ones])}


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise InfrastructureError("a string has half a surrogate pair, which no file can hold") from error


def _generated(drawn: Sequence[_Drawn], module: Module, written: Written) -> Generated:
    return Generated(
        files=[str(path) for path in written.files],
        output_dir=str(written.folder),
        resources=_about(drawn),
        switches={each.name: sorted(each.presence) for each in module.switches},
        warnings=list(dict.fromkeys(line for each in drawn for line in each.warnings)),
        permissions=[_permission(each.name, statement) for each in drawn for statement in each.statements],
        changes={"new": list(written.new), "changed": list(written.changed), "removed": list(written.removed)},
    )


def _permission(environment: str, statement: Statement) -> dict[str, Any]:
    return {
        "environment": environment,
        "address": statement.address,
        "principal": statement.principal,
        "actions": list(statement.actions),
        "resources": list(statement.resources),
        "uses": [
            {"pipeline": use.pipeline, "task": use.task, "line": None if use.site is None else _line(use.site)}
            for use in statement.uses
        ],
    }


def _line(site: Any) -> str:
    """Name a line by its file as it is seen from here, so that a report reads the same on every machine."""
    path = Path(site.file)
    near = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else Path(path.name)
    return f"{near.as_posix()}:{site.line}"
