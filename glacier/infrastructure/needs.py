"""What pipelines need of a cloud, free of any cloud's terms: the input of each provider's `terraform`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from glacier.graph import Site
    from glacier.infrastructure.packages import Package
    from glacier.schedules import Cron, Rate
    from glacier.settings import Effective
    from glacier.terraform import Labels
    from glacier.usage import Deed

__all__ = ["BucketNeed", "FunctionNeed", "Grant", "Needs", "Runner", "Schedule", "Use"]


@dataclass(frozen=True)
class Use:
    """A task (or, as `name()`, an operation in a pipeline's body) that needs something, and the line that says so."""

    pipeline: str
    task: str
    site: Site | None

    def __str__(self) -> str:
        return f"{self.pipeline}.{self.task}" + (f" ({self.site})" if self.site else "")


@dataclass(frozen=True)
class BucketNeed:
    """One bucket (on Azure: one container), however many resources lie in it.

    Attributes:
        name: the cloud's name of it.
        label: a Terraform label, unique among the buckets.
        config: the effective settings as the provider's own class; tags or labels of all levels included.
        effective: the same with the level that each value came from.
        paths: the paths in it that resources name, sorted.
        registered: the names under which the environment knows it, sorted.
    """

    name: str
    label: str
    config: Any
    effective: Effective = field(repr=False)
    paths: tuple[str, ...] = ()
    registered: tuple[str, ...] = ()

    @property
    def existing(self) -> bool:
        """Whether it is there already: a data source instead of a resource."""
        return bool(self.config.existing)

    def origin(self, setting: str) -> str:
        """Name the level that a setting came from, "default" where no level gives it."""
        return {row.setting: row.level for row in self.effective.rows}.get(setting, "default")


@dataclass(frozen=True)
class FunctionNeed:
    """One function: a Serverless resource, a task that runs as one, or the runner of a scheduled pipeline.

    Attributes:
        name: the cloud's name of it.
        label: a Terraform label, unique among the functions; as a `Grant.principal` it stands for its role.
        handler: `module.function`.
        runtime: a Python version such as `"3.12"`; None leaves it to the provider.
        timeout: seconds: the function's own, else that of the tasks that call it or run as it; None for the cloud's.
        config: the effective settings as the provider's own class; tags or labels of all levels included.
        effective: the same with the level that each value came from.
        package: its source code; None where it was not found, so that a variable names the artifact.
        variables: environment variables that Glacier needs, besides those of the config.
        monitored: whether the template asks for alarms.
        origin: what it is, such as `task etl.clean` or `resource cleaner`: for descriptions and comments.
    """

    name: str
    label: str
    handler: str
    runtime: str | None
    timeout: int | None
    config: Any
    effective: Effective = field(repr=False)
    package: Package | None = None
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    monitored: bool = False
    origin: str = ""


@dataclass(frozen=True)
class Runner:
    """Whoever starts a pipeline, and runs all of it that does not run as a function of its own.

    `label` is a Terraform label, unique among functions and runners. A pipeline with a schedule has none: the function
    of its `Schedule` is its runner.
    """

    pipeline: str
    label: str


@dataclass(frozen=True)
class Grant:
    """A principal needs access to a part of a bucket, or must call a function.

    Attributes:
        principal: the label of the runner or of the function whose role needs it.
        uses: what is done, at least one deed, and who does it. With a bucket: `look` (whether and what is there),
            `read`, `write`, `delete`; who reads, writes or deletes also looks whether there is an object or a folder.
            With a function: `look`, `call`, `log` (read what it logged).
        bucket: the bucket, None for a function.
        function: the function, None for a bucket.
        path: the path in the bucket as the resource has it: an object, a folder or a pattern; "" for a function.
    """

    principal: str
    uses: Mapping[Deed, tuple[Use, ...]]
    bucket: BucketNeed | None = None
    function: FunctionNeed | None = None
    path: str = ""

    def does(self, *deeds: Deed) -> bool:
        """Whether any of these is done."""
        return not self.uses.keys().isdisjoint(deeds)

    def by(self, *deeds: Deed) -> tuple[Use, ...]:
        """Return who does any of these, or anything at all where none is named, without doubles."""
        found = (use for deed, uses in sorted(self.uses.items()) if deed in deeds or not deeds for use in uses)
        return tuple(dict.fromkeys(found))


@dataclass(frozen=True)
class Schedule:
    """A pipeline runs by itself, in UTC: `function` runs it whenever `when` says, and `site` is where that stands."""

    pipeline: str
    when: Rate | Cron
    function: FunctionNeed
    site: Site | None = None

    @property
    def use(self) -> Use:
        """What the schedule needs it needs because of this."""
        return Use(self.pipeline, "schedule", self.site)


@dataclass(frozen=True)
class Needs:
    """Everything that one provider has to build for one environment.

    Attributes:
        environment: its name.
        only: the pipeline whose module this is, "" where it is the whole environment's.
        pipelines: the names of the pipelines, sorted.
        buckets, functions: sorted by label.
        schedules: sorted by the pipeline's name.
        runners: one for each pipeline without a schedule that needs something, sorted.
        grants: sorted by principal, label of the resource and path; each principal is one of `runners` or `functions`.
        tags: tags or labels that everything has, from the provider and the environment's defaults.
        monitored: whether the template asks for alarms.
        labels: hands out further labels.
    """

    environment: str
    pipelines: tuple[str, ...]
    labels: Labels
    buckets: tuple[BucketNeed, ...] = ()
    functions: tuple[FunctionNeed, ...] = ()
    runners: tuple[Runner, ...] = ()
    grants: tuple[Grant, ...] = ()
    schedules: tuple[Schedule, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    monitored: bool = False
    only: str = ""

    @property
    def module(self) -> str:
        """What tells the modules of one account apart: the environment, or `ENVIRONMENT/PIPELINE`."""
        return f"{self.environment}/{self.only}" if self.only else self.environment

    def of(self, principal: str) -> tuple[Grant, ...]:
        """Return what a principal needs."""
        return tuple(grant for grant in self.grants if grant.principal == principal)

    def because(self, need: BucketNeed | FunctionNeed) -> tuple[Use, ...]:
        """Return why there is a bucket or a function: who uses it, and the schedule that a function runs by."""
        used = (use for grant in self.grants if grant.bucket is need or grant.function is need for use in grant.by())
        scheduled = (each.use for each in self.schedules if each.function is need)
        return tuple(dict.fromkeys((*used, *scheduled)))

    def principals(self) -> Iterator[str]:
        """Yield the labels of all runners, then those of all functions."""
        yield from (runner.label for runner in self.runners)
        yield from (function.label for function in self.functions)
