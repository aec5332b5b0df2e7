"""What stands for a value while a body is traced: it answers every question by recording it."""

# pyright: reportPrivateUsage=false
# Stand-ins keep what is their own behind an underscore: every other name is the user's.

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, get_args, get_origin

from glacier.recording import sites
from glacier.recording.steps import operands
from glacier.redaction import redacted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from glacier.recording.steps import Step
    from glacier.recording.trace import Tracer

__all__ = ["Symbol", "result_type"]

_SCALARS = (type(None), bool, int, float, complex, str, bytes)
_SIGNS = {
    "lt": "<", "le": "<=", "eq": "==", "ne": "!=", "gt": ">", "ge": ">=",
    "add": "+", "sub": "-", "mul": "*", "truediv": "/", "floordiv": "//", "mod": "%", "pow": "**", "matmul": "@",
    "and": "&", "or": "|", "xor": "^",
}  # fmt: skip


class Symbol:
    """The unknown value of a step, typed by what is known of it (`declared`, None when nothing is).

    Operators, items and methods become steps. Truth asks the tracer, which follows both answers. Polars gets real,
    empty stand-ins that carry the symbol's mark. A number that somebody insists on is 1, and the trace is marked
    approximate there.
    """

    def __init__(self, tracer: Tracer, step: Step | None, declared: Any, text: str) -> None:
        self._tracer = tracer
        self._recorded: Step | None = step
        self._declared = declared
        self._text = text

    def _step(self) -> Step:
        assert self._recorded is not None
        return self._recorded

    @property
    def __class__(self) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The declared type, so that `isinstance` holds; scalars and the unknown pass as Polars expressions."""
        kind = get_origin(self._declared) or self._declared
        if isinstance(kind, type) and kind not in _SCALARS:
            return kind
        polars = sys.modules.get("polars")
        return Symbol if polars is None else polars.Expr

    def __getattr__(self, name: str) -> Any:
        if name in _STAND_INS:
            return _STAND_INS[name](self._tracer.mark(self))
        if name.startswith("_"):
            raise AttributeError(name)
        return Attribute(self, name)

    def __getitem__(self, item: Any) -> Symbol:
        return self._tracer.operation(
            "getitem", f"{self._text}[{_brief(item)}]", operands(self, (item,)), _item_type(self)
        )

    def __setitem__(self, item: Any, value: Any) -> None:
        self._tracer.operation("setitem", f"{self._text}[{_brief(item)}] = ...", operands(self, (item, value)), None)

    def __call__(self, *args: Any, **kwargs: Any) -> Symbol:
        """Record the call of an unknown value."""
        return self._tracer.operation("call", f"{self._text}(...)", operands(self, args, kwargs), None)

    def __bool__(self) -> bool:
        return self._tracer.decide(self)

    def __contains__(self, item: Any) -> bool:
        return bool(self._tracer.operation("in", f"{_brief(item)} in {self._text}", operands(self, (item,)), bool))

    def __iter__(self) -> Iterator[Symbol]:
        count = self._known_length()
        if count is None:
            count = sites.unpack_count(sites.caller())
        if count is None:
            self._tracer.approximate(f"a loop over {self._text} of unknown length is followed once", self._step())
            count = 1
        return iter([self._element(index) for index in range(count)])

    def _known_length(self) -> int | None:
        parts = get_args(self._declared)
        return len(parts) if get_origin(self._declared) is tuple and Ellipsis not in parts else None

    def _element(self, index: int) -> Symbol:
        parts = get_args(self._declared)
        declared = parts[index] if get_origin(self._declared) is tuple and index < len(parts) else None
        given = operands(self, (index,))
        return self._tracer.operation("item", f"{self._text}[{index}]", given, declared)

    def __len__(self) -> int:
        return self._insisted("its length")

    def __int__(self) -> int:
        return self._insisted("an int")

    def __index__(self) -> int:
        return self._insisted("an index")

    def __float__(self) -> float:
        return float(self._insisted("a float"))

    def __str__(self) -> str:
        self._tracer.approximate(f"the text of {self._text} is not known yet", self._recorded)
        return f"{{{self._text}}}"

    def __repr__(self) -> str:
        return f"<traced {self._text}>"

    def __format__(self, spec: str) -> str:
        return str(self)

    def __hash__(self) -> int:
        return id(self)

    def __copy__(self) -> Symbol:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Symbol:
        return self

    def _insisted(self, what: str) -> int:
        self._tracer.approximate(f"{what} was needed of {self._text}, 1 stands for it", self._step())
        return 1


class Attribute(Symbol):
    """An attribute of a symbol: a method when it is called, else a step of the place where the body asked for it."""

    def __init__(self, owner: Symbol, name: str) -> None:
        super().__init__(owner._tracer, None, result_type(owner._declared, name), f"{owner._text}.{name}")
        self._owner = owner
        self._name = name
        self._waiting = owner._tracer.asked(self, name)

    def _step(self) -> Step:
        if self._recorded is None:
            self._recorded = self._waiting
            self._tracer.add(self._waiting, self._text, operands(self._owner))
        return self._recorded

    def __call__(self, *args: Any, **kwargs: Any) -> Symbol:
        self._tracer.called(self)
        shown = ", ".join(_brief(each) for each in args)
        given = operands(self._owner, args, kwargs)
        return self._tracer.operation(self._name, f"{self._text}({shown})", given, self._declared)


def _operator(name: str, *, reflected: bool = False) -> Callable[..., Symbol]:
    kind = bool if name in {"lt", "le", "eq", "ne", "gt", "ge"} else None

    def apply(self: Symbol, *others: Any) -> Symbol:
        values = (*others, self) if reflected else (self, *others)
        sign = _SIGNS.get(name, name)
        text = f" {sign} ".join(_brief(each) for each in values) if others else f"{sign} {self._text}"
        declared = kind if self._declared in _SCALARS else None
        return self._tracer.operation(name, text, operands(values[0], values[1:]), declared)

    return apply


for _name in ("neg", "pos", "invert", "abs", *_SIGNS):
    setattr(Symbol, f"__{_name}__", _operator(_name))
    if hasattr(int, f"__r{_name}__") or _name == "matmul":
        setattr(Symbol, f"__r{_name}__", _operator(_name, reflected=True))


def result_type(owner: Any, name: str) -> Any:
    """Return the type that a method or attribute of `owner` is annotated to give, None when that is not plain."""
    annotations = getattr(getattr(owner, name, None), "__annotations__", {})
    first = str(annotations.get("return", "")).split("|", 1)[0].strip().rsplit(".", 1)[-1]
    if first in {"LazyFrame", "DataFrame", "Series", "Expr"}:
        return getattr(sys.modules.get("polars"), first, None)
    return {"bool": bool, "int": int, "float": float, "str": str}.get(first)


def _item_type(symbol: Symbol) -> Any:
    parts = get_args(symbol._declared)
    return parts[-1] if get_origin(symbol._declared) in (dict, list) and parts else None


def _brief(value: Any) -> str:
    text = value._text if issubclass(type(value), Symbol) else _plain_text(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _plain_text(value: Any) -> str:
    return redacted(repr(value)) if type(value) in _SCALARS else f"<{type(value).__name__}>"


def _lazy_frame(mark: str) -> Any:
    import polars as pl

    return pl.LazyFrame(schema={mark: pl.Null})._ldf


def _data_frame(mark: str) -> Any:
    import polars as pl

    return pl.DataFrame(schema={mark: pl.Null})._df


def _series(mark: str) -> Any:
    import polars as pl

    return pl.Series(mark, [], pl.Null)._s


def _expression(mark: str) -> Any:
    import polars as pl

    return pl.col(mark)._pyexpr


_STAND_INS: dict[str, Callable[[str], Any]] = {
    "_ldf": _lazy_frame,
    "_df": _data_frame,
    "_s": _series,
    "_pyexpr": _expression,
}
