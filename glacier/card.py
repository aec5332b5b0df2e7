"""An environment on one card: its provider, account and region, whether it is protected, and what is registered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from glacier import tables
from glacier.safe import printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from glacier.state import State

__all__ = ["Card", "card_of", "listed"]

_PLACES = ("region", "location", "account_id", "project_id", "subscription_id", "resource_group", "profile", "role_arn")
_WHERE = (*_PLACES, "storage_account", "endpoint_url", "base_path")
_MOST = 12
"""Names of one kind on the card."""


@dataclass(frozen=True)
class Card:
    """Where an environment is and what it has; `places` are what tells its account, region and address."""

    environment: str
    provider: str
    places: Mapping[str, str]
    protected: bool
    resources: tuple[str, ...]
    tasks: tuple[str, ...]
    pipelines: tuple[str, ...]

    @property
    def rows(self) -> list[tuple[str, str]]:
        """What it says: names and texts."""
        return [
            ("provider", self.provider),
            *self.places.items(),
            ("protected", "yes: a run that writes here asks first" if self.protected else "no"),
            ("resources", listed(self.resources)),
            ("tasks", listed(self.tasks)),
            ("pipelines", listed(self.pipelines)),
        ]

    def plain(self) -> dict[str, Any]:
        """Return the same in JSON's own types."""
        lists = {name: list(getattr(self, name)) for name in ("resources", "tasks", "pipelines")}
        known = {"environment": self.environment, "provider": self.provider, **self.places}
        return {**known, "protected": self.protected, **lists}

    def text(self, *more: tuple[str, str]) -> str:
        """Return it as lines of text, with further rows at its end."""
        title = printable(f"environment {self.environment}")
        return f"{title}\n{tables.text((), [*self.rows, *more])}"

    def __str__(self) -> str:
        return self.text()

    def html(self) -> str:
        """Return a table in which nothing of the texts is markup."""
        title = tables.line(f"Glacier environment {self.environment}", "b")
        return tables.block(title, tables.html((), self.rows))

    def _repr_html_(self) -> str:
        return self.html()


def card_of(state: State) -> Card:
    """Return the card of a described environment."""
    lists = (tuple(each.name for each in kind) for kind in (state.resources, state.tasks, state.pipelines))
    return Card(state.environment, *_provided(state.provider), state.protected, *lists)


def _provided(provider: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    """Return the provider's name and places; of a composed one both names, and the places of its functions too."""
    name, places, compute = str(provider["type"]), _places(provider["config"]), provider.get("compute")
    if compute is None:
        return name, places
    others = {f"compute {key}": text for key, text in _places(compute["config"]).items()}
    return f"{name} for storage, {compute['type']} for compute", {**places, **others}


def _places(config: Mapping[str, Any]) -> dict[str, str]:
    return {key: str(config[key]) for key in _WHERE if config.get(key) is not None}


def listed(names: Sequence[str]) -> str:
    """Return names on one line, the first dozen of many."""
    more = f" and {len(names) - _MOST:,} more" if len(names) > _MOST else ""
    return ", ".join(names[:_MOST]) + more or "none"
