"""What all providers share: making, checking and translating resources; a cloud adds rules and addresses."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NoReturn, Self

from pydantic import ValidationError

from glacier import context
from glacier.errors import ConfigError, GlacierWarning, InfrastructureError
from glacier.resources import Bucket, Serverless
from glacier.settings import FunctionMeaning, Level, Settings, StorageMeaning, defaults

if TYPE_CHECKING:
    from collections.abc import Mapping
    from concurrent.futures import Future

    from glacier.environment import GlacierEnv
    from glacier.infrastructure import Blueprint, Needs
    from glacier.names import NameRule
    from glacier.resources import Functions, Storage

__all__ = ["Provider", "RemoteFunctions"]

Kind = Literal["bucket", "serverless"]


class Provider(ABC):
    """A provider of buckets and functions.

    Making one, or a resource of it, imports no cloud's package and reaches no network.

    Args:
        config: the provider's own config class; the only way to configure it.
        strict: raise where a config of another cloud loses something in translation, instead of warning.

    Raises:
        ConfigError: the config is missing, of another class, or given as keywords.
    """

    kind: ClassVar[str]
    config_class: ClassVar[type[Settings]]
    bucket_class: ClassVar[type[Settings] | None] = None
    function_class: ClassVar[type[Settings] | None] = None
    VARIABLES: ClassVar[Mapping[str, tuple[str, ...]]]
    """For fields of the config, the environment variables that `from_variables` takes them from, the first one wins."""

    def __init__(self, config: Any = None, *, strict: bool = False, **fields: Any) -> None:
        self.config = self._checked(config, fields)
        self.strict = strict

    def _checked(self, config: Any, fields: Mapping[str, Any]) -> Any:
        name, wanted = type(self).__name__, self.config_class.__name__
        hint = f"pass config={wanted}({', '.join(f'{field}=...' for field in fields)})"
        if fields:
            raise ConfigError(f"{name} takes its settings as one config, not as {', '.join(fields)}", hint=hint)
        if config is None and not _required(self.config_class):
            return self.config_class()
        if not isinstance(config, self.config_class):
            needs = ", ".join(f"{field}=..." for field in _required(self.config_class))
            given = "none" if config is None else f"a {type(config).__name__}"
            raise ConfigError(f"{name} needs a {wanted}, not {given}", hint=f"pass config={wanted}({needs})")
        return config

    @classmethod
    def from_variables(cls, variables: Mapping[str, str], **fields: Any) -> Self:
        """Make a provider of environment variables (see `VARIABLES`); a keyword beats a variable.

        Raises:
            ConfigError: a variable is empty, missing or breaks a rule; the error names it.
        """
        given = {**_given(cls.VARIABLES, variables), **fields}
        for field in _required(cls.config_class):
            if field not in given:
                names = " or ".join(cls.VARIABLES.get(field, ())) or f"{field}="
                raise ConfigError(f"{cls.__name__} needs {field}: {names} is not set", hint=f"set {names}")
        try:
            return cls(config=cls.config_class(**given))
        except ValidationError as error:
            raise ConfigError(f"{cls.__name__} from the environment: {_lines(error, cls.VARIABLES)}") from error

    @property
    @abstractmethod
    def storage(self) -> Storage:
        """The object storage."""

    @property
    @abstractmethod
    def functions(self) -> Functions:
        """The functions."""

    def get_provider_type(self) -> str:
        """Name the kind of provider: `"local"`, `"aws"`, `"gcp"` or `"azure"`."""
        return self.kind

    def bucket(self, name: str, path: str, format: str | None = None, config: Any = None) -> Bucket:
        """Make a bucket resource: an object, a folder of objects or a pattern; see `Bucket`.

        Raises:
            ConfigError: name, path, format or config is not allowed here.
        """
        self.storage.key(name, path)
        return self._made(Bucket(self, name, path, format, self.translated("bucket", config)))

    def serverless(self, name: str, handler: str, runtime: str | None = None, config: Any = None) -> Serverless:
        """Make a function resource; see `Serverless`.

        Raises:
            ConfigError: name, handler or config is not allowed here.
        """
        self.functions.check(name, handler)
        return self._made(Serverless(self, name, handler, runtime, self.translated("serverless", config)))

    def env(self, name: str = "default", **options: Any) -> GlacierEnv:
        """Make an environment of this provider; `options` as for `GlacierEnv`."""
        from glacier.environment import GlacierEnv

        return GlacierEnv(self, name, **options)

    def translated(self, kind: Kind, config: Any) -> Any:
        """Return a resource's config as this provider's own class: another cloud's is translated by its meaning.

        Raises:
            ConfigError: it is no config of that kind, or something has no meaning here and the provider is strict.
        """
        wanted: Any = self.bucket_class if kind == "bucket" else self.function_class
        if config is None or wanted is None or isinstance(config, wanted):
            return config
        meant = StorageMeaning if kind == "bucket" else FunctionMeaning
        meaning = getattr(config, "meaning", lambda: None)()
        if not isinstance(meaning, meant):
            message = f"a {kind} of {type(self).__name__} takes a {wanted.__name__}, not a {type(config).__name__}"
            raise ConfigError(message, hint=f"pass config={wanted.__name__}(...)")
        made, dropped = wanted.from_meaning(meaning)
        if dropped:
            self._say_dropped(type(config).__name__, wanted.__name__, dropped)
        return made

    @property
    def home(self) -> Provider:
        """The provider whose infrastructure this one's is part of: itself, unless another one made it."""
        return self

    def terraform(self, needs: Needs) -> Blueprint:
        """Return what an environment needs of this provider as Terraform.

        Raises:
            InfrastructureError: this provider has no infrastructure to generate.
        """
        raise InfrastructureError(
            f"{type(self).__name__} has no infrastructure to generate: environment {needs.environment!r}",
            hint="bind the pipeline to an environment of a cloud, such as AWSProvider",
        )

    def defaults(self, kind: Kind) -> tuple[Level, ...]:
        """Return the defaults of a kind of resource as a level of the cascade; none where it has no settings."""
        settings = self.bucket_class if kind == "bucket" else self.function_class
        return () if settings is None else (defaults(settings),)

    def tagged(self, tags: Mapping[str, str]) -> dict[str, Any]:
        """Return tags as the field that this provider calls them by (`labels` on Google Cloud); nothing for no tags."""
        field = "labels" if "labels" in self.config_class.model_fields else "tags"
        return {field: dict(tags)} if tags else {}

    def _say_dropped(self, given: str, wanted: str, dropped: tuple[str, ...]) -> None:
        line = f"{given} on {type(self).__name__}: {', '.join(dropped)} cannot be translated"
        if self.strict:
            raise ConfigError(line, hint=f"pass config={wanted}(...)")
        warnings.warn(f"{line} and is left out", GlacierWarning, stacklevel=4)

    def _made(self, resource: Any) -> Any:
        recording = context.recorder.get()
        if recording is not None:
            recording.resource(resource)
        return resource

    def __repr__(self) -> str:
        return f"{type(self).__name__}(config={self.config!r})"


def _required(config_class: type[Settings]) -> list[str]:
    return [name for name, field in config_class.model_fields.items() if field.is_required()]


def _given(table: Mapping[str, tuple[str, ...]], variables: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for field, names in table.items():
        name = next((name for name in names if name in variables), None)
        if name is not None and not variables[name].strip():
            raise ConfigError(f"the environment variable {name} is empty", hint=f"give it a value, or unset {name}")
        if name is not None:
            found[field] = variables[name]
    return found


def _lines(error: ValidationError, table: Mapping[str, tuple[str, ...]]) -> str:
    said = [(str(line["loc"][0]) if line["loc"] else "", line["msg"]) for line in error.errors(include_url=False)]
    return "; ".join(f"{field} ({' or '.join(table.get(field, ('keyword',)))}): {text}" for field, text in said)


def _out_of_reach(kind: str, what: str) -> NoReturn:
    """Say that calling the functions of this cloud is not part of this version."""
    raise InfrastructureError(
        f"cannot {what} on {kind}: this version of Glacier calls functions of AWS and on this machine only",
        hint='run it in an environment of a LocalProvider or AWSProvider; mode="analyze" works on every cloud',
    )


class RemoteFunctions:
    """The rules of a cloud's functions. Calling one says that it is out of reach, where the cloud does not say how."""

    kind: ClassVar[str]
    name_rule: ClassVar[NameRule]
    handler_rule: ClassVar[NameRule]

    def check(self, name: str, handler: str) -> None:
        """Check name and handler."""
        self.name_rule.check(name, where=f"{self.kind} function")
        self.handler_rule.check(handler, where=f"{self.kind} function {name!r}")

    def invoke(self, name: str, handler: str, payload: Any, config: Any) -> Any:
        """Raise InfrastructureError."""
        _out_of_reach(self.kind, f"call function {name!r}")

    def invoke_async(self, name: str, handler: str, payload: Any, config: Any) -> Future[Any]:
        """Raise InfrastructureError."""
        _out_of_reach(self.kind, f"call function {name!r}")

    def logs(self, name: str) -> list[str]:
        """Raise InfrastructureError."""
        _out_of_reach(self.kind, f"read the logs of function {name!r}")

    def exists(self, name: str, handler: str) -> bool:
        """Raise InfrastructureError."""
        _out_of_reach(self.kind, f"look for function {name!r}")
