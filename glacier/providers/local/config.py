"""This machine: a folder that holds the buckets. There are no bucket or function settings: nothing is rented here."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from glacier.settings import Settings

__all__ = ["LocalConfig"]

# Provider config -----------------------------------------------------------------------------------------------------


def _path(value: Any) -> Any:
    if value == "" or "\0" in str(value):
        raise ValueError("must be the path of a folder")
    return value


class LocalConfig(Settings):
    """Where data lie on this machine.

    Attributes:
        base_path: the folder that holds the buckets; relative paths begin at the working directory.
        create_dirs: create that folder and the parents of what is written.
        layout: `bucket` for `base_path/bucket/path`, `flat` for `base_path/path`; `auto` is `bucket`, but finds a file
            that only the flat layout has.
    """

    base_path: Annotated[Path, Field(strict=False), BeforeValidator(_path)] = Path("data")
    create_dirs: bool = True
    layout: Literal["auto", "bucket", "flat"] = "auto"

    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            base_path: str | Path = ...,
            create_dirs: bool = ...,
            layout: Literal["auto", "bucket", "flat"] = ...,
        ) -> None: ...
