"""The key of a task call: everything that its result depends on, as far as it can be seen, by value.

The function and all that it reaches are walked as a graph: each function, class and global is one part, and refers to
the others by name. Two calls have one key when all their parts are equal; when they are not, the parts say why.

| part                         | what it is                                                                          |
|------------------------------|-------------------------------------------------------------------------------------|
| `code`                       | the task's instructions, constants and the names that it uses                       |
| `helper NAME`                | the same for a function, method or class that it reaches, through any number of calls |
| `global NAME`                | the value of a global variable that one of them reads                               |
| `default NAME`               | the default of a parameter                                                          |
| `closure NAME`               | the value of a variable of an enclosing function                                    |
| `file PATH`                  | a file whose name stands in the code                                                |
| `module NAME`                | a library, by its version                                                           |
| `argument NAME`              | an argument, by value; a `Stored` by its digest; a path by the file that it names   |
| `resource NAME`              | a bucket, by its address and version marks; a function, by its name and handler     |
| `environment NAME`           | an environment that the code refers to: its provider's config                       |
| `config`                     | the settings that a result can depend on                                            |
| `polars`, `python`           | their versions                                                                      |

Not seen: what a task fetches from the network, the clock or environment variables, and names made while it runs.
"""

# pyright: reportPrivateUsage=false
# The tables below name the methods of the walk above them.

from __future__ import annotations

import copyreg
import dataclasses
import importlib.util
import sys
import threading
import types
import warnings
import weakref
from collections import deque
from enum import Enum
from hashlib import blake2b
from importlib import import_module
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, cast

from glacier import context
from glacier.cache.code import facts
from glacier.cache.identity import (
    bucket_identity,
    folder_identity,
    frame_identity,
    is_folder,
    named_file,
    scanned_identity,
)
from glacier.cache.modules import is_own, library_version
from glacier.cache.store import Stored
from glacier.errors import GlacierError, GlacierWarning, Unfingerprintable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from glacier.cache.code import CodeFacts, Import
    from glacier.cache.plans import Source

__all__ = ["NO_MATTER", "Fingerprint", "fingerprint", "fingerprint_or_warn"]

NO_MATTER = frozenset({"timeout", "retries", "retry_delay", "retry_on", "cache", "tags", "memory"})
"""Settings of a task on which its result does not depend."""
_GENERATED = frozenset(
    {
        "__module__", "__qualname__", "__doc__", "__dict__", "__weakref__", "__firstlineno__", "__static_attributes__",
        "__annotations__", "__annotate__", "__annotate_func__", "__annotations_cache__", "_abc_impl",
        "__class_getitem__", "__signature__",
    }
)  # fmt: skip
"""Attributes of classes that Python or a decorator makes of the others."""
_LOCKS = (type(threading.Lock()), type(threading.RLock()), threading.local)
"""Whether a lock is held, and what is kept for one thread, is no part of a value."""
_MOST_OBJECTS = 100_000


@dataclasses.dataclass(frozen=True, slots=True)
class Fingerprint:
    """The key of a task call, and the parts that it is made of: what each is of, and a digest of it."""

    key: str
    parts: Mapping[str, str]

    def assuming(self, parts: Mapping[str, str], names: Iterable[str]) -> Fingerprint:
        """Return the fingerprint of a call some of whose arguments are not known, taking them to be as in `parts`."""
        kinds = [f"{kind} {name}" for name in names for kind in ("argument", "resource")]
        merged = {**self.parts, **{kind: parts[kind] for kind in kinds if kind in parts}}
        return Fingerprint(_key(merged), merged)


def fingerprint(
    fn: Callable[..., Any], arguments: Mapping[str, Any], config: Mapping[str, Any], *, polars: str | None = None
) -> Fingerprint:
    """Return the fingerprint of calling `fn` with `arguments` under the effective settings `config`.

    `polars` is the version that counts, the installed one by default.

    Raises:
        Unfingerprintable: of a part it cannot be told whether it changed; the error names it.
    """
    walk = _Walk()
    walk.function(fn, "code")
    for name, value in arguments.items():
        walk.argument(name, value)
    walk.settings("config", sorted((name, value) for name, value in config.items() if name not in NO_MATTER))
    walk.finish()
    walk.parts["python"] = f"{sys.version_info[0]}.{sys.version_info[1]}"
    walk.parts["polars"] = polars or _polars_version()
    return Fingerprint(_key(walk.parts), walk.parts)


def fingerprint_or_warn(
    task: str, fn: Callable[..., Any], arguments: Mapping[str, Any], config: Mapping[str, Any]
) -> Fingerprint | None:
    """Return the fingerprint, or None, after one warning for each task and part, where there can be none."""
    try:
        return fingerprint(fn, arguments, config)
    except Unfingerprintable as error:
        if (task, error.part) not in _said:
            _said.add((task, error.part))
            line = f"task {task!r} is not cached: {error.part}: {error.message}"
            warnings.warn(line if error.hint is None else f"{line} ({error.hint})", GlacierWarning, stacklevel=3)
        return None


_said: set[tuple[str, str]] = set()


def _polars_version() -> str:
    import polars as pl

    return pl.__version__


def _key(parts: Mapping[str, str]) -> str:
    digest = blake2b(digest_size=16)
    for name in sorted(parts):
        digest.update(_framed(name.encode("utf-8", "surrogatepass"), parts[name].encode()))
    return digest.hexdigest()


def _framed(*pieces: bytes) -> bytes:
    """Join pieces so that no two different lists of them give the same bytes."""
    return b"".join(len(piece).to_bytes(8, "little") + piece for piece in pieces)


def _digest(*pieces: bytes) -> bytes:
    return blake2b(_framed(*pieces), digest_size=16).digest()


class _Walk:
    """One walk over everything that a call depends on.

    Functions and classes are met in an order that the code alone decides; each gets a label when it is first met, and
    waits until its turn comes. What refers to it does so by its label, so that circles end.
    """

    def __init__(self) -> None:
        self.parts: dict[str, str] = {}
        self._labels: dict[int, str] = {}
        self._kept: list[Any] = []
        self._owners: dict[str, int] = {}
        self._waiting: deque[tuple[str, Any]] = deque()
        self._within: dict[int, int] = {}
        self._at = ""
        self._environments: dict[int, Any] = {}
        self._texts: set[str] = set()
        self._names: set[str] = set()
        self._objects = 0
        self._files_count = True
        self._folders: dict[str, None] = {}
        self._in_argument = False

    # --- parts --------------------------------------------------------------------------------------------------

    def function(self, fn: Any, label: str) -> None:
        """Take the task's own function; what is not a plain function counts by value."""
        if isinstance(fn, types.FunctionType):
            self._label(fn, label)
            return
        self.part(label, fn)

    def argument(self, name: str, value: Any) -> None:
        """Take one argument."""
        kind = "resource" if _is_resource(value) else "argument"
        self._in_argument = True
        self.part(f"{kind} {name}", value)
        self._in_argument = False

    def part(self, name: str, value: Any) -> None:
        """Take a value as a part of its own.

        Raises:
            Unfingerprintable: it cannot be told from another; the error names the part.
        """
        self._at = name
        self.parts[name] = self._told(value)

    def settings(self, name: str, value: Any) -> None:
        """Take settings as a part: a path in them is a place, and what lies there does not count."""
        self._files_count = False
        self.part(name, value)
        self._files_count = True

    def finish(self) -> None:
        """Walk what waits, then the environments that were met, whose resources the code names, and the folders."""
        self._walk_waiting()
        for folder in self._folders:
            for text in sorted(self._texts):
                self._file_in_code(text, folder)
        for env in self._environments.values():
            self._environment(env)
        self._walk_waiting()

    def _walk_waiting(self) -> None:
        while self._waiting:
            label, found = self._waiting.popleft()
            self._at = label
            self.parts[label] = self._told(found, self._reached)

    def _reached(self, found: Any) -> bytes:
        return self._function(found, self._at) if isinstance(found, types.FunctionType) else self._class(found)

    def _told(self, value: Any, taken: Callable[[Any], bytes] | None = None) -> str:
        """Return what stands for a value in the parts, which are kept beside the result: never the value itself."""
        return _digest(self._guarded(value, taken)).hex()

    def _guarded(self, value: Any, taken: Callable[[Any], bytes] | None = None) -> bytes:
        at = self._at
        try:
            return (taken or self.value)(value)
        except Unfingerprintable as error:
            raise Unfingerprintable(error.message, hint=error.hint, part=error.part or at) from error
        except RecursionError:
            raise Unfingerprintable("it is nested too deeply", part=at) from None
        except GlacierError as error:
            raise Unfingerprintable(error.message, hint=error.hint, part=at) from error

    def _named(self, kind: str, name: str, owner: str, value: Any) -> bytes:
        """Take a value as a part, under its bare name where that is free; return what refers to it."""
        for label in (f"{kind} {name}", f"{kind} {owner}.{name}"):
            if self._owners.setdefault(label, id(value)) == id(value):
                break
        else:
            label = self._numbered(f"{kind} {owner}.{name}", value)
        self._kept.append(value)
        if label not in self.parts:
            before, self._at = self._at, label
            self.parts[label] = self._told(value)
            self._at = before
        return label.encode()

    def _numbered(self, label: str, value: Any) -> str:
        number = 2
        while self._owners.setdefault(f"{label}#{number}", id(value)) != id(value):
            number += 1
        return f"{label}#{number}"

    def _label(self, found: Any, label: str | None = None) -> bytes:
        """Return the label of a function or class, and let it wait for its turn when it is new."""
        known = self._labels.get(id(found))
        if known is None:
            known = label or self._free(found)
            self._owners[known] = id(found)
            self._labels[id(found)] = known
            self._kept.append(found)
            self._waiting.append((known, found))
        return known.encode()

    def _free(self, found: Any) -> str:
        name, module = found.__qualname__, found.__module__
        for label in (f"helper {name}", f"helper {module}.{name}"):
            if self._owners.setdefault(label, id(found)) == id(found):
                return label
        return self._numbered(f"helper {module}.{name}", found)

    # --- code ---------------------------------------------------------------------------------------------------

    def _function(self, fn: types.FunctionType, label: str) -> bytes:
        said = facts(fn.__code__)
        self._texts.update(said.texts)
        self._names.update(said.names)
        owner = "" if label == "code" else f"{label.removeprefix('helper ')}."
        pieces = [said.digest, *self._defaults(fn, owner), *self._closure(fn, owner), *self._attributes(fn)]
        pieces += [_framed(name.encode(), self.value(each)) for name, each in _own_namespaces(said.names)]
        for name in said.globals:
            if name in fn.__globals__:
                pieces.append(_framed(name.encode(), self._global(name, fn.__globals__[name], fn, said)))
        for each in said.imports:
            pieces.extend(self._import(each, fn, said))
        for text in said.texts:
            self._file_in_code(text)
        return _digest(*pieces)

    def _defaults(self, fn: types.FunctionType, owner: str) -> Iterator[bytes]:
        code = fn.__code__
        names = code.co_varnames[: code.co_argcount]
        given = dict(zip(reversed(names), reversed(fn.__defaults__ or ()), strict=False))
        for name, value in sorted({**given, **(fn.__kwdefaults__ or {})}.items()):
            yield _framed(b"default", name.encode(), self._named("default", f"{owner}{name}", "", value))

    def _attributes(self, fn: types.FunctionType) -> Iterator[bytes]:
        for name, value in sorted(fn.__dict__.items()):
            if name != "__wrapped__":
                yield _framed(b"attribute", name.encode(), self.value(value))

    def _closure(self, fn: types.FunctionType, owner: str) -> Iterator[bytes]:
        for name, cell in zip(fn.__code__.co_freevars, fn.__closure__ or (), strict=True):
            try:
                value = cell.cell_contents
            except ValueError:
                yield _framed(b"closure", name.encode(), b"empty")
                continue
            found = self._code(value)
            yield _framed(b"closure", name.encode(), found or self._named("closure", f"{owner}{name}", "", value))

    def _global(self, name: str, value: Any, fn: types.FunctionType, said: CodeFacts) -> bytes:
        if isinstance(value, types.ModuleType):
            return self._module(value, said.names, fn, said)
        return self._code(value) or self._named("global", name, str(fn.__globals__.get("__name__")), value)

    def _module(
        self,
        module: types.ModuleType,
        names: Iterable[str],
        fn: types.FunctionType,
        said: CodeFacts,
        above: tuple[int, ...] = (),
    ) -> bytes:
        """Take a module: a library by its version, the user's own by whichever of `names` it has."""
        if not is_own(module.__name__):
            return self._library(module.__name__)
        if id(module) in above:
            return b"circle"
        pieces = [b"module"]
        for name in sorted(set(names)):
            if name in module.__dict__ and not name.startswith("__"):
                pieces += [name.encode(), self._attribute(module, name, fn, said, above)]
        return _digest(*pieces)

    def _attribute(
        self, module: types.ModuleType, name: str, fn: types.FunctionType, said: CodeFacts, above: tuple[int, ...]
    ) -> bytes:
        value = module.__dict__[name]
        if isinstance(value, types.ModuleType):
            return self._module(value, said.names, fn, said, (*above, id(module)))
        return self._code(value) or self._named("global", name, module.__name__, value)

    def _import(self, found: Import, fn: types.FunctionType, said: CodeFacts) -> Iterator[bytes]:
        """Take what a function imports while it runs: it may never have been imported before."""
        name = _absolute(found, fn)
        if not _is_to_be_had(name):
            yield _framed(b"import", name.encode(), b"missing")
            return
        if not is_own(name):
            yield _framed(b"import", name.encode(), self._library(name))
            return
        module = _imported(name)
        yield _framed(b"import", name.encode(), self._module(module, (*said.names, *found.names), fn, said))

    def _library(self, name: str) -> bytes:
        distribution, version = library_version(name)
        if distribution not in ("python", "polars"):
            self.parts[f"module {distribution}"] = version
        return f"library {name}".encode()

    def _code(self, value: Any) -> bytes | None:
        """Return what refers to a function or class; None for other values."""
        if isinstance(value, types.FunctionType):
            return self._label(value) if is_own(_module_of(value)) else self._library_function(value)
        if isinstance(value, type):
            return self._label(value) if is_own(str(value.__module__)) else self._library_class(value)
        task_function = getattr(value, "fn", None) if type(value).__module__ == "glacier.tasks" else None
        return None if task_function is None else _framed(b"task", self.value(task_function))

    def _library_class(self, value: type) -> bytes:
        """Take a library's class by its name; one that is not found there was made while the program ran."""
        module, name = str(value.__module__), value.__qualname__
        if "<locals>" in name or (module == "types" and not hasattr(types, name)):
            return self._label(value)
        return _framed(self._library(module), name.encode())

    def _library_function(self, fn: types.FunctionType) -> bytes:
        """Take a library's function; a wrapper made of the user's function holds it in its closure."""
        pieces = [self._library(_module_of(fn)), fn.__qualname__.encode()]
        for cell in fn.__closure__ or ():
            try:
                held = cell.cell_contents
            except ValueError:
                continue
            if not isinstance(held, weakref.ref | weakref.WeakKeyDictionary | weakref.WeakValueDictionary):
                pieces.append(self.value(held))
        return _digest(*pieces)

    def _class(self, found: type) -> bytes:
        pieces = [b"class", *(self.value(base) for base in found.__bases__), self.value(type(found))]
        members: Mapping[str, Enum] = getattr(found, "__members__", {}) if _is_enum(found) else {}
        pieces += [_framed(name.encode(), self.value(each.value)) for name, each in members.items()]
        skipped = {*_GENERATED, *members}
        for name, value in sorted(found.__dict__.items()):
            if name not in skipped and not name.startswith(("__pydantic", "_member", "_value2")):
                pieces += [name.encode(), self._member(value)]
        pieces += self._fields(found)
        return _digest(*pieces)

    def _member(self, value: Any) -> bytes:
        kind = cast("type[Any]", type(value))
        if kind in (staticmethod, classmethod):
            return _framed(kind.__name__.encode(), self.value(value.__func__))
        if isinstance(value, property):
            return _framed(b"property", *(self.value(each) for each in (value.fget, value.fset, value.fdel)))
        if isinstance(value, types.MemberDescriptorType | types.GetSetDescriptorType):
            return value.__name__.encode()
        return self.value(value)

    def _fields(self, found: type) -> Iterator[bytes]:
        """Yield the fields of a pydantic model, which keeps them apart from its attributes."""
        fields = found.__dict__.get("__pydantic_fields__")
        if isinstance(fields, dict):
            for name, field in sorted(cast("dict[str, Any]", fields).items()):
                pieces = (str(field.annotation).encode(), self.value(field.default), self.value(field.default_factory))
                yield _framed(name.encode(), *pieces)

    def _file_in_code(self, text: str, folder: str | None = None) -> None:
        """Take a file that the code names, alone or below a folder that it knows too."""
        if "/" in text or "." in text:
            path = text if folder is None else f"{folder}/{text.lstrip('/')}"
            found = named_file(path)
            if found is not None:
                self.parts[f"file {path}"] = _digest(found.encode("utf-8", "surrogateescape")).hex()

    # --- values -------------------------------------------------------------------------------------------------

    def value(self, value: Any) -> bytes:
        """Return what tells a value from others; equal values give equal bytes, in every process.

        Raises:
            Unfingerprintable: the value is a connection, a lock, a generator or the like.
        """
        kind = cast("type[Any]", type(value))
        plain = _PLAIN.get(kind)
        if plain is not None:
            return plain(self, value)
        if id(value) in self._within:
            return f"circle {self._within[id(value)]}".encode()
        self._within[id(value)] = len(self._within)
        try:
            return self._other(value)
        finally:
            del self._within[id(value)]

    def _other(self, value: Any) -> bytes:
        kind = cast("type[Any]", type(value))
        containing = _CONTAINERS.get(kind)
        if containing is not None:
            return containing(self, value)
        found = self._code(value)
        if found is not None:
            return found
        for known, taken in _KINDS:
            if known(value):
                return taken(self, value)
        return self._by_state(value)

    def _text(self, value: str) -> bytes:
        named = None
        if self._files_count and ("/" in value or "." in value or not self._within):
            named = named_file(value) or (self._folder(value) if "/" in value else None)
        if named is None and self._files_count and _is_remote(value):
            message = f"{value[:80]!r} names data elsewhere"
            raise Unfingerprintable(message, hint="pass a bucket resource instead: it knows its version marks")
        return _framed(b"str", value.encode("utf-8", "surrogatepass"), (named or "").encode("utf-8", "surrogateescape"))

    def _folder(self, text: str) -> str | None:
        """Take a folder: as an argument by all that is in it, elsewhere by the files in it that the code names."""
        if not is_folder(text):
            return None
        if self._in_argument:
            return folder_identity(text)
        self._folders[text] = None
        return None

    def _sequence(self, value: Iterable[Any]) -> bytes:
        return _digest(type(value).__name__.encode(), *(self.value(each) for each in value))

    def _unordered(self, value: Iterable[Any]) -> bytes:
        return _digest(type(value).__name__.encode(), *sorted(self.value(each) for each in value))

    def _mapping(self, value: Mapping[Any, Any]) -> bytes:
        pieces = (_framed(self.value(key), self.value(each)) for key, each in value.items())
        return _digest(b"mapping", *pieces)

    def _path(self, value: PurePath) -> bytes:
        text = str(value)
        named = (named_file(text) or named_file(f"./{text}") or self._folder(text)) if self._files_count else None
        return _framed(b"path", text.encode("utf-8", "surrogateescape"), (named or "").encode("utf-8", "replace"))

    def _module_value(self, value: types.ModuleType) -> bytes:
        if is_own(value.__name__):
            raise Unfingerprintable(f"the module {value.__name__!r} as a value", hint="pass what is needed of it")
        return self._library(value.__name__)

    def _method(self, value: types.MethodType) -> bytes:
        return _framed(b"method", self.value(value.__func__), self.value(value.__self__))

    def _builtin(self, value: Any) -> bytes:
        bound: Any = getattr(value, "__self__", None)
        of = b"" if bound is None or isinstance(bound, types.ModuleType) else self.value(bound)
        return _framed(b"builtin", str(value.__module__).encode(), value.__qualname__.encode(), of)

    def _wrapper(self, value: Any) -> bytes:
        return _framed(b"wrapper", self.value(type(value)), self.value(value.__wrapped__))

    def _enum(self, value: Enum) -> bytes:
        return _framed(b"enum", self.value(type(value)), value.name.encode(), self.value(value.value))

    def _stored(self, value: Stored) -> bytes:
        return _framed(b"stored", value.kind.encode(), value.digest.encode())

    def _frame(self, value: Any) -> bytes:
        return _framed(b"frame", frame_identity(value).encode())

    def _series(self, value: Any) -> bytes:
        return _framed(b"series", frame_identity(value.to_frame()).encode())

    def _expression(self, value: Any) -> bytes:
        import polars as pl

        return _framed(b"expression", self._plan(pl.LazyFrame().select(value)))

    def _plan(self, value: Any) -> bytes:
        from glacier.cache.plans import read_plan

        plan = read_plan(value)
        sources = [self._source(each).encode("utf-8", "surrogateescape") for each in plan.sources]
        functions = [self.value(each) for each in plan.functions]
        return _digest(b"plan", plan.digest, *sources, *functions)

    def _source(self, source: Source) -> str:
        storage = getattr(source.credentials, "storage", None)
        if storage is not None:
            return scanned_identity(source.address, storage)
        address = source.address.removeprefix("file://")
        named = named_file(address) or "nothing"
        if "://" in address:
            message = f"a query that reads {source.address[:80]!r}, of which it cannot be told whether it changed"
            raise Unfingerprintable(message, hint="let the task take the bucket, and scan it there")
        return named

    def _bucket(self, value: Any) -> bytes:
        """Take the object that a read would get, which may be that of the environment that a run reads from."""
        meant = context.reading.get()
        bucket = value if meant is None else meant.of(value, "read")
        return _framed(b"bucket", bucket_identity(bucket).encode("utf-8", "surrogateescape"))

    def _serverless(self, value: Any) -> bytes:
        provider = value.provider
        said = [value.function_name, value.handler, value.runtime, value.config, getattr(provider, "config", None)]
        return _framed(b"serverless", self.value(provider.__class__), *(self.value(each) for each in said))

    def _met_environment(self, value: Any) -> bytes:
        from glacier.context import stand_in

        env = stand_in(value)
        self._environments[id(env)] = env
        return _framed(b"environment", env.name.encode())

    def _environment(self, env: Any) -> None:
        """Take an environment that the code refers to, and those of its resources whose names stand in the code."""
        self._at = f"environment {env.name}"
        if self._names & {"bucket", "serverless"}:
            message = "the code makes buckets or functions while it runs"
            raise Unfingerprintable(message, hint="register them, and let the task take them", part=self._at)
        self.settings(f"environment {env.name}", [type(env.provider).__name__, getattr(env.provider, "config", None)])
        named = [name for name in env.resources if name in self._texts]
        if not named and self._names & {"get", "resources"}:
            named = [name for name, each in env.resources.items() if not _is_function(each)]
        for name in named:
            self.part(f"resource {name}", env.resources[name])

    def _provider(self, value: Any) -> bytes:
        message = f"a {type(value).__name__}: which of its objects are used cannot be told"
        raise Unfingerprintable(message, hint="pass the bucket instead")

    def _mock(self, value: Any) -> bytes:
        raise Unfingerprintable("a mock, which stands for anything")

    def _said_by_itself(self, value: Any) -> bytes:
        return _framed(b"own", self.value(type(value)), self.value(value.__fingerprint__()))

    def _by_state(self, value: Any) -> bytes:
        """Take an object by its class and what it would be pickled as; nothing is pickled."""
        kind = cast("type[Any]", type(value))
        if any(callable(getattr(kind, name, None)) for name in ("scan", "sink")):
            message = f"a {kind.__name__}, which stands for data elsewhere"
            raise Unfingerprintable(message, hint="give its class a method __fingerprint__() that says which version")
        self._objects += 1
        if self._objects > _MOST_OBJECTS:
            raise Unfingerprintable(f"it is made of more than {_MOST_OBJECTS:,} objects")
        try:
            registered = copyreg.dispatch_table.get(kind)
            reduced: Any = registered(value) if registered else value.__reduce_ex__(4)
        except Exception as error:
            raise Unfingerprintable(f"a {kind.__name__}, which cannot be told from another: {error}") from error
        if isinstance(reduced, str):
            return _framed(b"named", self.value(kind), reduced.encode())
        made, args, *rest = reduced
        state, items, pairs = (*rest, None, None, None)[:3]
        pieces = [self.value(kind), self.value(made), self.value(args), self.value(state)]
        pieces += [self.value(None if each is None else list(each)) for each in (items, pairs)]
        return _digest(b"object", *pieces)


# --- tables ----------------------------------------------------------------------------------------------------------


def _repr(walk: _Walk, value: Any) -> bytes:
    return _framed(type(value).__name__.encode(), repr(value).encode("utf-8", "surrogatepass"))


def _bytes(walk: _Walk, value: bytes) -> bytes:
    kind = cast("type[Any]", type(value))
    return _digest(kind.__name__.encode(), bytes(value))


_PLAIN: dict[type, Callable[[_Walk, Any], bytes]] = {
    **dict.fromkeys((type(None), bool, float, complex, type(...), type(NotImplemented), range), _repr),
    int: lambda walk, value: f"int {value:x}".encode(),
    str: _Walk._text,
    bytes: _bytes,
    bytearray: _bytes,
}
"""Values that hold no others."""

_CONTAINERS: dict[type, Callable[[_Walk, Any], bytes]] = {
    list: _Walk._sequence,
    tuple: _Walk._sequence,
    set: _Walk._unordered,
    frozenset: _Walk._unordered,
    dict: _Walk._mapping,
    types.MappingProxyType: _Walk._mapping,
}


def _of_module(*names: str) -> Callable[[Any], bool]:
    return lambda value: any(base.__module__.startswith(names) for base in type(value).__mro__)


def _of_class(module: str, name: str) -> Callable[[Any], bool]:
    """Say whether a value is of a class, without importing it: who has not imported it has no such value."""

    def is_one(value: Any) -> bool:
        return any(base.__name__ == name and base.__module__.startswith(module) for base in type(value).__mro__)

    return is_one


def _is_wrapper(value: Any) -> bool:
    """Whether a callable object, such as one of `functools.lru_cache`, was made of a function."""
    return callable(getattr(value, "__wrapped__", None)) and not isinstance(value, types.FunctionType)


def _is_enum(found: type) -> bool:
    return issubclass(found, Enum)


def _is_function(value: Any) -> bool:
    return _of_class("glacier.resources", "Serverless")(value)


def _is_resource(value: Any) -> bool:
    return _of_class("glacier.resources", "Bucket")(value) or _is_function(value)


def _speaks_for_itself(value: Any) -> bool:
    kind = cast("type[Any]", type(value))
    return callable(getattr(kind, "__fingerprint__", None))


_KINDS: tuple[tuple[Callable[[Any], bool], Callable[[_Walk, Any], bytes]], ...] = (
    (_of_module("unittest.mock"), _Walk._mock),
    (_speaks_for_itself, _Walk._said_by_itself),
    (lambda value: isinstance(value, Stored), _Walk._stored),
    (_of_class("polars", "DataFrame"), _Walk._frame),
    (_of_class("polars", "LazyFrame"), lambda walk, value: _framed(b"lazy", walk._plan(value))),
    (_of_class("polars", "Series"), _Walk._series),
    (_of_class("polars", "Expr"), _Walk._expression),
    (_of_class("glacier.resources", "Bucket"), _Walk._bucket),
    (_of_class("glacier.resources", "Serverless"), _Walk._serverless),
    (_of_class("glacier.environment", "GlacierEnv"), _Walk._met_environment),
    (_of_class("glacier.providers", "Provider"), _Walk._provider),
    (lambda value: isinstance(value, _LOCKS), lambda walk, value: type(value).__name__.encode()),
    (lambda value: isinstance(value, PurePath), _Walk._path),
    (lambda value: isinstance(value, Enum), _Walk._enum),
    (lambda value: isinstance(value, types.ModuleType), _Walk._module_value),
    (lambda value: isinstance(value, types.MethodType), _Walk._method),
    (lambda value: isinstance(value, types.BuiltinFunctionType), _Walk._builtin),
    (_is_wrapper, _Walk._wrapper),
)
"""Values that are known by more than their state, first match first."""


# --- modules and texts -----------------------------------------------------------------------------------------------


def _module_of(fn: types.FunctionType) -> str:
    return str(fn.__globals__.get("__name__", fn.__module__))


def _own_namespaces(names: frozenset[str]) -> Iterator[tuple[str, Any]]:
    """Yield the user's classes that are registered with Polars under one of these names, as `pl.col("a").NAME` is."""
    polars: Any = sys.modules.get("polars")
    for name in ("Expr", "DataFrame", "LazyFrame", "Series"):
        kind: Any = getattr(polars, name, None)
        known = cast("Iterable[str]", getattr(kind, "_accessors", ()))
        for accessor in sorted(each for each in known if each in names):
            descriptor: Any = getattr(kind, "__dict__", {}).get(accessor)
            registered: Any = getattr(descriptor, "_ns", None)
            if registered is not None and is_own(str(registered.__module__)):
                yield f"{name}.{accessor}", registered


def _absolute(found: Import, fn: types.FunctionType) -> str:
    if not found.level:
        return found.module
    package = str(fn.__globals__.get("__package__") or _module_of(fn))
    return importlib.util.resolve_name("." * found.level + found.module, package)


def _is_to_be_had(name: str) -> bool:
    if name in sys.modules:
        return True
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def _imported(name: str) -> types.ModuleType:
    """Import a module of the user that the task would import itself."""
    try:
        return import_module(name)
    except Exception as error:
        raise Unfingerprintable(f"its module {name!r} cannot be imported: {error}") from error


_REMOTE = ("s3://", "s3a://", "gs://", "gcs://", "az://", "azure://", "abfs://", "abfss://", "adl://", "hf://")


def _is_remote(text: str) -> bool:
    return text.startswith(_REMOTE)
