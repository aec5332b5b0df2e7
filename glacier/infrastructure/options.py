"""How infrastructure is generated: the options of `Pipeline.run(mode="generate")`."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping

__all__ = ["ExportOptions"]


@dataclass(frozen=True, kw_only=True)
class ExportOptions:
    """What is written, and where.

    Attributes:
        output_dir: the folder of the module.
        format: `"hcl"`, or `"json"` for Terraform's JSON form.
        force: replace files that were edited by hand.
        check: write nothing, only say what would change.
        environments: the environments that share the module; none for the pipeline's own.
    """

    output_dir: str | os.PathLike[str] = "terraform"
    format: str = "hcl"
    force: bool = False
    check: bool = False
    environments: tuple[Any, ...] = ()

    @classmethod
    def split(cls, given: Mapping[str, Any], parameters: Iterable[str]) -> tuple[ExportOptions, dict[str, Any]]:
        """Part the keywords of a call into options and the rest; a name among `parameters` is no option."""
        own = set(parameters)
        names = {field.name for field in fields(cls)} - own
        options = {name: value for name, value in given.items() if name in names}
        if "environments" in options:
            options["environments"] = tuple(options["environments"])
        return cls(**options), {name: value for name, value in given.items() if name not in options}
