"""Files that several environments bring to one module, such as the zips of functions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from glacier.terraform import Document, Ref, Text
from glacier.terraform.walk import remade

if TYPE_CHECKING:
    from collections.abc import Mapping

    from glacier.terraform import Block, Value

__all__ = ["apart", "clashing"]


def clashing(several: Mapping[str, Mapping[str, bytes]]) -> list[str]:
    """Return the names under which environments bring different contents."""
    names = sorted({name for assets in several.values() for name in assets})
    return [name for name in names if len({assets[name] for assets in several.values() if name in assets}) > 1]


def apart(
    environment: str, document: Document, assets: Mapping[str, bytes], names: list[str]
) -> tuple[Document, dict[str, bytes]]:
    """Give an environment's own files of these names a folder of its own: `packages/production/cleaner.zip`."""
    moved = {name: str(PurePosixPath(name).parent / environment / PurePosixPath(name).name) for name in names}
    found = {moved.get(name, name): data for name, data in assets.items()}
    paths = {f"/{name}": f"/{new}" for name, new in moved.items()}
    files = {file: tuple(_moved(block, paths) for block in blocks) for file, blocks in document.files.items()}
    return Document(files), found


def _moved(block: Block, paths: Mapping[str, str]) -> Block:
    arguments = {name: _path(value, paths) for name, value in block.arguments.items()}
    return replace(block, arguments=arguments, blocks=tuple(_moved(inner, paths) for inner in block.blocks))


def _path(value: Value, paths: Mapping[str, str]) -> Value:
    match value:
        case Text(parts=(Ref(parts=("path", "module")) as module, str(path))) if path in paths:
            return Text(module, paths[path])
        case _:
            return remade(value, lambda part: _path(part, paths))
