"""What the application hosts were asked and what they answered, and which promises that broke."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

OK, UNAUTHORIZED = 200, 401


@dataclass(frozen=True)
class Call:
    """One call with a key. `status` is 0 if there was no answer. `ends` means that a success ends the key."""

    what: str
    host: str
    key: str
    began: float
    ended: float
    status: int
    ends: bool = False


@dataclass
class History:
    """All calls, the keys and since when each was known to be valid, and the acknowledged messages."""

    calls: list[Call] = field(default_factory=list)
    good_since: dict[str, float] = field(default_factory=dict)
    messages: set[str] = field(default_factory=set)

    def acknowledged_ends(self) -> dict[str, float]:
        """The keys whose end was acknowledged, and when."""
        return {call.key: call.ended for call in self.calls if call.ends and call.status == OK}

    def violations(self, kept_messages: Collection[str]) -> list[str]:
        """Every broken promise, given the messages that exist in the end."""
        return [*self.uses_of_ended_keys(), *self.refusals_of_good_keys(), *self.lost_messages(kept_messages)]

    def uses_of_ended_keys(self) -> Iterable[str]:
        """No call with a key succeeds that began after the key's end was acknowledged."""
        ended = self.acknowledged_ends()
        for call in self.calls:
            if call.status == OK and call.began > ended.get(call.key, float("inf")):
                late = call.began - ended[call.key]
                yield f"{call.what} at {call.host} succeeded with a key that had ended {late:.3f} s before"

    def refusals_of_good_keys(self) -> Iterable[str]:
        """No key is refused that was valid before the call, and that nobody tried to end until its answer."""
        tried: dict[str, float] = {}
        for call in self.calls:
            if call.ends:
                tried[call.key] = min(call.began, tried.get(call.key, float("inf")))
        for call in self.calls:
            is_good = self.good_since.get(call.key, float("inf")) <= call.began
            if call.status == UNAUTHORIZED and is_good and tried.get(call.key, float("inf")) > call.ended:
                yield f"{call.what} at {call.host} was refused with a good key"

    def lost_messages(self, kept: Collection[str]) -> Iterable[str]:
        """Every acknowledged message exists."""
        for content in sorted(self.messages - set(kept)):
            yield f"the message {content} was acknowledged and is lost"

    def first_success(self, host: str, after: float) -> float | None:
        """When a host first succeeded with a call that began after that moment."""
        ended = [call.ended for call in self.calls if call.host == host and call.status == OK and call.began > after]
        return min(ended, default=None)

    def counts(self) -> Counter[str]:
        """How many calls of each kind there were, and how many of them got which answer."""
        found: Counter[str] = Counter()
        for call in self.calls:
            found[call.what] += 1
            found[f"{call.what}: {'no answer' if not call.status else call.status}"] += 1
        return found
