"""What a browser may say to the kernel: nothing but numbers of things that the kernel has shown, and a filter text."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

__all__ = ["BOARD", "SHELVES", "TABLE", "Close", "Filter", "Look", "More", "Open", "Peek", "Turn"]

Number = Annotated[int, Field(ge=0, le=10**9)]
FilterText = Annotated[str, Field(max_length=200)]


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Look(_Message):
    """Show what is behind a box of the graph. A page that hears nothing asks once more, by the same `wish`."""

    kind: Literal["look"]
    wish: Number
    box: Annotated[str, Field(pattern=r"^box-[0-9]{1,6}$")]


class Turn(_Message):
    """Show the rows from `offset` on, sorted by a column."""

    kind: Literal["page"]
    offset: Number
    sort: Number | None = None
    descending: bool = False


class Open(_Message):
    """List the objects of a resource whose path holds the text."""

    kind: Literal["open"]
    shelf: Number
    text: FilterText = ""


class Close(_Message):
    """Forget the listed objects of a resource."""

    kind: Literal["close"]
    shelf: Number
    text: FilterText = ""


class More(_Message):
    """List further objects of a resource."""

    kind: Literal["more"]
    shelf: Number


class Filter(_Message):
    """List the objects of some resources anew, those whose path holds the text."""

    kind: Literal["filter"]
    text: FilterText
    shelves: Annotated[list[Number], Field(max_length=1000)]


class Peek(_Message):
    """Preview a listed object."""

    kind: Literal["preview"]
    shelf: Number
    entry: Number


BOARD: TypeAdapter[Look] = TypeAdapter(Look)
TABLE: TypeAdapter[Turn] = TypeAdapter(Turn)
SHELVES: TypeAdapter[Open | Close | More | Filter | Peek] = TypeAdapter(
    Annotated[Open | Close | More | Filter | Peek, Field(discriminator="kind")]
)
