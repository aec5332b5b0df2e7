"""Named environments out of a project's file: `glacier.toml`, or `[tool.glacier]` in `pyproject.toml`.

```toml
default = "dev"               # the environment that a notebook opens with; else the first unprotected one

[env.dev]
provider = "local"            # the other keys are the provider config's own fields
base_path = "./data"          # relative paths count from the file's folder

[env.dev.resources.sales_raw] # kind = "bucket" unless `handler` (or kind) says serverless
bucket = "sales"
path = "raw/transactions.parquet"

[env.production]
extends = "dev"               # everything is inherited and refined; with another provider its fields start anew
provider = "aws"
region = "us-east-1"
profile = "${AWS_PROD}"       # from the process environment, when the environment is made
protected = true
cache = "results"             # the registered bucket that keeps results, or a limit of the local folder: "5 GB"
task = { retries = 3 }        # defaults of its tasks; `bucket` and `serverless` are those of its resources

[env.production.resources.sales_raw]
config = { versioning = true, encryption = "aws:kms" }

[env.quick]
template = "ProductionAWSEnvironment"   # of `glacier.templates`; the other keys are its arguments
region = "us-east-1"
```
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from glacier import registry
from glacier.environment import Defaults, GlacierEnv
from glacier.errors import ConfigError, did_you_mean
from glacier.home import project_root
from glacier.names import ENVIRONMENT
from glacier.settings import Settings, TaskConfig
from glacier.toml_places import Places
from glacier.variables import expanded, mentions

if TYPE_CHECKING:
    import os
    from collections.abc import Generator, Iterator

__all__ = ["EnvEntry", "Project"]

_FILE = {"default", "env"}
_MAKERS = {"extends", "provider", "template"}
_OPTIONS = {"cache", "debug", "max_workers", "protected"}
_DEFAULTS = {"bucket": "bucket_class", "serverless": "function_class", "task": ""}
_OWN = {*_MAKERS, *_OPTIONS, *_DEFAULTS, "resources"}
_BUCKET = ("bucket", "path", "format")
_FUNCTION = ("function", "handler", "runtime")

Keys = tuple[str, ...]
"""The keys on the way to a place in the file."""


@dataclass(frozen=True)
class EnvEntry:
    """One environment of a project as its file describes it: nothing is made, no variable is read."""

    name: str
    provider: str
    extends: str | None
    protected: bool


@dataclass(frozen=True)
class _Level:
    """What one environment's own table, or the overrides of a call, says; `kind` is the provider in force there."""

    name: str
    path: Keys
    table: Mapping[str, Any]
    maker: tuple[str, str]

    @property
    def provider(self) -> Any:
        """The provider class."""
        what, name = self.maker
        return registry.load("providers", name if what == "provider" else registry.load("templates", name).kind)


@dataclass
class _Part:
    """A setting on its way: its value, and where it stands."""

    value: Any
    path: Keys


@dataclass
class _Resource:
    """A resource of several levels: its merged keys, and the configs of each with the provider they were meant for."""

    path: Keys
    keys: dict[str, _Part] = field(default_factory=dict[str, _Part])
    configs: list[tuple[Any, _Part]] = field(default_factory=list[tuple[Any, _Part]])


class Project:
    """The environments that a project's file names.

    Reading the file makes no environment: each is made, and its variables are read, when `env` asks for it.

    Attributes:
        file: the file.
        root: its folder, from which relative paths count.
    """

    def __init__(self, file: str | os.PathLike[str]) -> None:
        self.file = Path(file)
        self.root = self.file.parent.resolve()
        above = ("tool", "glacier") if self.file.name == "pyproject.toml" else ()
        text = _text(self.file)
        self._places = Places(self.file.name, text, above)
        table = _below(_parsed(self.file, text), above)
        self._only(table, _FILE, ())
        self._default = table.get("default")
        self._tables = {name: self._table(each, ("env", name)) for name, each in self._environments(table).items()}

    @classmethod
    def find(cls, start: str | os.PathLike[str] | None = None) -> Project:
        """Return the project of the nearest folder upward from `start`, by default from the working directory.

        Raises:
            ConfigError: there is none, or its file cannot be read; the error names line and key.
        """
        root = project_root(None if start is None else Path(start))
        if root is None:
            raise ConfigError(
                f"no project above {str(start or Path.cwd())!r}",
                hint="write a glacier.toml with a table such as [env.dev], or [tool.glacier] in pyproject.toml",
            )
        own = root / "glacier.toml"
        return cls(own if own.is_file() else root / "pyproject.toml")

    @property
    def names(self) -> list[str]:
        """The names of the environments, in the order of the file."""
        return list(self._tables)

    @property
    def default(self) -> str | None:
        """The environment to begin with: `default` of the file, else the first that is not protected, else None.

        Raises:
            ConfigError: `default` names no environment.
        """
        if self._default is not None:
            with self._at(("default",)):
                return self.resolve(str(self._default))
        return next((each.name for each in self.entries if not each.protected), None)

    @property
    def entries(self) -> list[EnvEntry]:
        """What the file says of each environment."""
        return [self._entry(name) for name in self._tables]

    def resolve(self, name: str) -> str:
        """Return the full name of an environment, of which a unique beginning will do: `prod` for `production`.

        Raises:
            ConfigError: there is none, or several begin so.
        """
        if name in self._tables:
            return name
        found = [each for each in self._tables if name and each.startswith(name)]
        if len(found) == 1:
            return found[0]
        hint = f"say which: {', '.join(found)}" if found else did_you_mean(name, self._tables)
        raise ConfigError(f"{self.file.name} has {len(found) or 'no'} environments {_short(name)}", hint=hint)

    def env(self, name: str, **overrides: Any) -> GlacierEnv:
        """Make the environment of that name; `overrides` refine it like one more table that extends it.

        Raises:
            ConfigError: a key is unknown or out of its bounds, a variable is not set, or `extends` runs in a circle;
                the error names file, line and key, and never a value.
        """
        name = self.resolve(name)
        return self._made(name, list(self._levels(name, overrides)))

    def __repr__(self) -> str:
        return f"<Project {str(self.file)!r}: {', '.join(self.names) or 'no environments'}>"

    # --- reading ------------------------------------------------------------------------------------------------

    def _environments(self, table: Mapping[str, Any]) -> dict[str, Any]:
        found = self._table(table.get("env", {}), ("env",))
        for name in found:
            with self._at(("env", name)):
                ENVIRONMENT.check(name)
        return dict(found)

    def _entry(self, name: str) -> EnvEntry:
        tables = [self._tables[each] for each in self._chain(name)]
        protected = [each["protected"] for each in tables if "protected" in each]
        provider = [each.get("provider") or each.get("template") for each in tables]
        named = [str(each) for each in provider if each]
        return EnvEntry(name, named[-1] if named else "", tables[-1].get("extends"), bool(protected and protected[-1]))

    def _chain(self, name: str) -> list[str]:
        """Return an environment and those it extends, the outermost first."""
        chain = [name]
        while (parent := self._tables[chain[-1]].get("extends")) is not None:
            path = ("env", chain[-1], "extends")
            if parent not in self._tables:
                raise self._error(
                    path, f"there is no environment {_short(parent)}", did_you_mean(str(parent), self.names)
                )
            if parent in chain:
                raise self._error(path, f"{' extends '.join([*chain, parent])}, which is a circle")
            chain.append(parent)
        return chain[::-1]

    def _levels(self, name: str, overrides: Mapping[str, Any]) -> Iterator[_Level]:
        maker: tuple[str, str] | None = None
        tables = [(each, ("env", each), self._tables[each]) for each in self._chain(name)]
        for each, path, table in [*tables, *([(name, (), overrides)] if overrides else [])]:
            maker = self._maker(path, table) or maker
            if maker is None:
                raise self._error(path, "it names no provider", 'write provider = "local" (or aws, gcp, azure)')
            yield _Level(each, path, table, maker)

    def _maker(self, path: Keys, table: Mapping[str, Any]) -> tuple[str, str] | None:
        found = [(what, table[what]) for what in ("provider", "template") if what in table]
        if len(found) > 1:
            raise self._error((*path, "template"), "a template brings its provider", "leave out one of the two")
        for what, name in found:
            with self._at((*path, what)):
                registry.check("providers" if what == "provider" else "templates", str(name))
        return found[0] if found else None

    # --- making -------------------------------------------------------------------------------------------------

    def _made(self, name: str, levels: list[_Level]) -> GlacierEnv:
        fields, options = self._fields(levels), self._options(levels)
        what, maker = levels[-1].maker
        defaults = [self._defaults(level) for level in levels]
        options = {**options, "defaults": [each for each in defaults if each is not None]}
        make = self._of_provider if what == "provider" else self._of_template
        env = make(name, maker, fields, options, levels[-1].path)
        for each, resource in self._resources(levels).items():
            with self._at(resource.path):
                env.register(each, self._resource(env, each, resource))
        return env

    def _fields(self, levels: list[_Level]) -> dict[str, _Part]:
        """Merge the keys that are the provider's or template's; another provider or template starts them anew."""
        fields: dict[str, _Part] = {}
        for before, level in zip([None, *levels], levels, strict=False):
            if before is not None and before.maker != level.maker:
                fields = {}
            own = {key: self._part(value, (*level.path, key)) for key, value in level.table.items() if key not in _OWN}
            fields = {**fields, **own}
        return fields

    def _options(self, levels: list[_Level]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        kinds: dict[str, type] = {"cache": str, "debug": bool, "max_workers": int, "protected": bool}
        for level in levels:
            for key in _OPTIONS & level.table.keys():
                if type(level.table[key]) is not kinds[key]:
                    raise self._error((*level.path, key), f"must be a {kinds[key].__name__}")
                found[key] = level.table[key]
        return found

    def _defaults(self, level: _Level) -> Defaults | None:
        given = {key: level.table[key] for key in _DEFAULTS if key in level.table}
        made = {key: self._default_of(level, key, (*level.path, key)) for key in given}
        return Defaults(level=f"environment {level.name}", **made) if made else None

    def _default_of(self, level: _Level, key: str, path: Keys) -> Any:
        kind = TaskConfig if key == "task" else getattr(level.provider, _DEFAULTS[key])
        made = self._settings(kind, self._part(level.table[key], path), level.provider)
        if isinstance(made, TaskConfig):
            with self._at((*path, "executor")):
                registry.check("executors", made.executor)
        return made

    def _of_provider(
        self, name: str, maker: str, fields: dict[str, _Part], options: dict[str, Any], path: Keys
    ) -> GlacierEnv:
        provider = registry.load("providers", maker)
        for key, about in provider.config_class.model_fields.items():
            if key not in fields and isinstance(about.default, Path):
                fields[key] = _Part(str(self.root / about.default), path)
        self._known(fields, provider.config_class.model_fields, provider.config_class.__name__)
        config = self._checked(provider.config_class, fields, path)
        with self._at(path):
            return GlacierEnv(provider(config=config), name, **options)

    def _of_template(
        self, name: str, maker: str, fields: dict[str, _Part], options: dict[str, Any], path: Keys
    ) -> GlacierEnv:
        import inspect

        template = registry.load("templates", maker)
        wanted = inspect.signature(template).parameters
        self._known(fields, [each for each in wanted if each not in {"name", "options"}], maker)
        with self._at(path):
            try:
                return template(name=name, **{key: part.value for key, part in fields.items()}, **options)
            except (TypeError, ValueError) as error:
                raise ConfigError(f"{maker}: {_said(error)}") from None

    # --- resources ----------------------------------------------------------------------------------------------

    def _resources(self, levels: list[_Level]) -> dict[str, _Resource]:
        found: dict[str, _Resource] = {}
        for level in levels:
            path = (*level.path, "resources")
            for name, each in self._table(level.table.get("resources", {}), path).items():
                resource = found.setdefault(name, _Resource((*path, name)))
                resource.path = (*path, name)
                self._lay(resource, self._table(each, resource.path), level)
        return found

    def _lay(self, resource: _Resource, table: Mapping[str, Any], level: _Level) -> None:
        self._only(table, {"kind", "config", *_BUCKET, *_FUNCTION}, resource.path)
        for key, value in table.items():
            part = self._part(value, (*resource.path, key))
            if key == "config":
                resource.configs.append((level.provider, part))
            else:
                resource.keys[key] = part

    def _resource(self, env: GlacierEnv, name: str, resource: _Resource) -> Any:
        keys = {key: part.value for key, part in resource.keys.items()}
        kind = keys.pop("kind", "serverless" if "handler" in keys else "bucket")
        if kind not in {"bucket", "serverless"}:
            raise ConfigError(
                f"there is no kind {_short(kind)}", hint=did_you_mean(str(kind), ["bucket", "serverless"])
            )
        own, needs = (_BUCKET, _BUCKET[:2]) if kind == "bucket" else (_FUNCTION, ("handler",))
        self._only(keys, set(own), resource.path)
        missing = [key for key in needs if key not in keys]
        if missing:
            raise ConfigError(f"a {kind} needs {' and '.join(missing)}", hint=f'write {missing[0]} = "..."')
        config = self._config(kind, resource.configs)
        if kind == "bucket":
            return env.storage.bucket(keys["bucket"], keys["path"], keys.get("format"), config)
        return env.compute.serverless(keys.get("function", name), keys["handler"], keys.get("runtime"), config)

    def _config(self, kind: str, given: list[tuple[Any, _Part]]) -> Settings | None:
        """Refine the configs of several levels, each in its own cloud's words; the provider translates the last."""
        config: Settings | None = None
        for provider, part in given:
            wanted = getattr(provider, _DEFAULTS[kind])
            if config is not None and wanted is not None and not isinstance(config, wanted):
                config, _ = wanted.from_meaning(cast("Any", config).meaning())
            config = self._settings(wanted, part, provider, {} if config is None else config.set_fields())
        return config

    def _settings(self, kind: Any, part: _Part, provider: Any, inherited: Mapping[str, Any] | None = None) -> Any:
        table = self._table(part.value, part.path)
        if kind is None:
            raise self._error(
                part.path, f"{provider.__name__} has no such settings", "give them where a cloud is named"
            )
        fields = {key: _Part(value, (*part.path, key)) for key, value in table.items()}
        self._known(fields, kind.model_fields, kind.__name__)
        return self._checked(kind, fields, part.path, inherited or {})

    # --- checking -----------------------------------------------------------------------------------------------

    def _checked(
        self, kind: Any, fields: dict[str, _Part], path: Keys, inherited: Mapping[str, Any] | None = None
    ) -> Any:
        from pydantic import ValidationError

        values = {key: self._value(kind, key, part) for key, part in fields.items()}
        try:
            return kind(**{**(inherited or {}), **values})
        except ValidationError as error:
            raise ConfigError("; ".join(self._line(line, fields, path) for line in error.errors())) from None

    def _line(self, line: Any, fields: Mapping[str, _Part], path: Keys) -> str:
        where = tuple(str(each) for each in line["loc"])
        place = (*fields[where[0]].path, *where[1:]) if where and where[0] in fields else (*path, *where)
        return f"{self._places.of(place)}: {line['msg']}"

    def _value(self, kind: Any, key: str, part: _Part) -> Any:
        """Return a value as its field takes it; the text of a variable may be a number or a truth."""
        from pydantic import TypeAdapter, ValidationError

        wanted, raw = kind.model_fields[key].annotation, self._raw(part.path)
        if not isinstance(part.value, str) or wanted is str:
            return part.value
        if "SecretStr" in str(wanted) and not mentions(raw):
            hint = f'write {key} = "${{NAME}}" and set the environment variable NAME'
            raise self._error(part.path, "a secret does not belong into a file", hint)
        try:
            return TypeAdapter(wanted).validate_strings(part.value) if mentions(raw) else part.value
        except ValidationError:
            return part.value  # the class says in its own words what is wrong with it

    def _raw(self, path: Keys) -> Any:
        found: Any = self._tables if path[:1] == ("env",) else {}
        for key in path[1:]:
            found = found.get(key) if isinstance(found, Mapping) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        return cast("Any", found)

    def _part(self, value: Any, path: Keys) -> _Part:
        with self._at(path):
            value = expanded(value)
        anchored = path[-1].endswith("_path") and path[:1] == ("env",) and isinstance(value, str) and value != "..."
        return _Part(str(self.root / Path(value).expanduser()) if anchored else value, path)

    def _known(self, fields: Mapping[str, _Part], known: Any, owner: str) -> None:
        for key, part in fields.items():
            if key not in known:
                hint = did_you_mean(key, {*known, *(_OWN if len(part.path) <= 3 else ())})
                raise self._error(part.path, f"{owner} has no field {_short(key)}", hint)

    def _only(self, table: Mapping[str, Any], known: set[str], path: Keys) -> None:
        for key in table:
            if key not in known:
                raise self._error((*path, key), "there is no such key", did_you_mean(key, known))

    def _table(self, value: Any, path: Keys) -> Mapping[str, Any]:
        if not isinstance(value, Mapping):
            raise self._error(path, f"must be a table, not a {type(value).__name__}")
        return cast("Mapping[str, Any]", value)

    def _error(self, path: Keys, said: str, hint: str | None = None) -> ConfigError:
        return ConfigError(f"{self._places.of(path)}: {said}", hint=hint)

    @contextmanager
    def _at(self, path: Keys) -> Generator[None]:
        """Let errors of a block begin with the place in the file, unless they name one."""
        try:
            yield
        except ConfigError as error:
            if error.message.startswith(self.file.name):
                raise
            raise self._error(path, error.message, error.hint) from None


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} cannot be read: {type(error).__name__}", hint="it must be UTF-8 text") from None


def _parsed(file: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file.name} is no TOML: {error}", hint="see https://toml.io") from None


def _below(table: Any, path: Keys) -> Any:
    for key in path:
        table = table.get(key, {})
    return table


def _short(text: object) -> str:
    shown = repr(str(text))
    return shown if len(shown) <= 60 else f"{shown[:56]}...'"


def _said(error: Exception) -> str:
    lines = getattr(error, "errors", None)
    if lines is None:
        return str(error).removeprefix("__init__() ")
    return "; ".join(f"{'.'.join(str(each) for each in line['loc'])}: {line['msg']}" for line in lines())
