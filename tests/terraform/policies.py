"""What IAM would say: statements that allow, and whether they allow a call.

The rules are those of the IAM user guide's "Policy evaluation logic" for one account and identity policies only: what
no statement allows is denied. Of conditions StringLikeIfExists and StringEquals are known, of wildcards `*`, `?` and
the escapes `${*}`.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

__all__ = ["Call", "Statement", "allowed", "needless", "refused"]


@dataclass(frozen=True)
class Call:
    """One call of an API: what IAM is asked for it."""

    action: str
    resource: str
    context: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Statement:
    """One statement that allows."""

    sid: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    conditions: tuple[tuple[str, str, tuple[str, ...]], ...] = field(default=())

    def allows(self, call: Call) -> bool:
        """Whether this statement alone allows a call."""
        context = dict(call.context)
        return (
            call.action in self.actions
            and any(_like(pattern, call.resource) for pattern in self.resources)
            and all(_holds(*condition, context) for condition in self.conditions)
        )


def allowed(call: Call, statements: Iterable[Statement]) -> bool:
    """Whether any statement allows a call."""
    return any(statement.allows(call) for statement in statements)


def refused(calls: Iterable[Call], statements: Sequence[Statement]) -> list[Call]:
    """Return the calls that no statement allows."""
    return [call for call in calls if not allowed(call, statements)]


def needless(calls: Sequence[Call], statements: Sequence[Statement], *, actions: bool = False) -> list[str]:
    """Return the statements without which every call still passes; with `actions`, also single actions of them."""
    found: list[str] = []
    for place, statement in enumerate(statements):
        others = [*statements[:place], *statements[place + 1 :]]
        if not refused(calls, others):
            found.append(statement.sid)
        for action in statement.actions if actions else ():
            less = replace(statement, actions=tuple(each for each in statement.actions if each != action))
            if not refused(calls, [*others, less]):
                found.append(f"{statement.sid}: {action}")
    return found


def _holds(test: str, name: str, values: tuple[str, ...], context: Mapping[str, str]) -> bool:
    if test == "StringEquals":
        return context.get(name) in values
    assert test == "StringLikeIfExists", test
    return name not in context or any(_like(value, context[name]) for value in values)


def _like(pattern: str, text: str) -> bool:
    parts = re.split(r"(\$\{[*?$]\}|\*|\?)", pattern)
    meaning = {"*": ".*", "?": "."}
    made = "".join(meaning.get(part) or re.escape(part[2:-1] if part.startswith("${") else part) for part in parts)
    return re.fullmatch(made, text, re.DOTALL) is not None
