"""Narrows: filters on messages, such as `[["channel", "general"], ["is", "unread"]]`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from keybearer.server.domain.errors import Refused
from keybearer.server.domain.limits import MOST_ENTRIES, Cap
from keybearer.server.domain.messaging.channels import name_key
from keybearer.server.domain.messaging.messages import NO_TOPIC

Operand = str | int | tuple[int, ...] | tuple[str, ...]

_SYNONYMS = {
    "stream": "channel",
    "streams": "channels",
    "subject": "topic",
    "from": "sender",
    "pm-with": "dm",
    "pm_with": "dm",
    "group-pm-with": "dm-including",
    "group_pm_with": "dm-including",
    "dm_including": "dm-including",
}
OPERATORS = {
    "channel", "channels", "topic", "sender", "dm", "dm-including", "is", "has", "in", "id", "near", "with", "search",
}  # fmt: skip
IS_OPERANDS = {"dm", "starred", "unread", "mentioned", "alerted", "resolved", "followed", "muted"}
HAS_OPERANDS = {"link", "image", "attachment", "reaction"}
MOST_TERMS = Cap.TERMS.most
"""Terms of one narrow. Each costs a look-up and makes the query longer."""
MOST_WORDS = Cap.SEARCH_WORDS.most
"""Words that one narrow searches for. Each makes the query longer."""
SEARCH_MAX_LENGTH = 1000
RESOLVED_PREFIX = "✔ "


@dataclass(frozen=True, slots=True)
class Term:
    """One condition, with the current name of its operator. `negated` inverts it."""

    operator: str
    operand: Operand
    negated: bool = False

    @property
    def is_search(self) -> bool:
        """Whether every message may have to be read to find those that match. The others are found by an index."""
        return self.negated or self.operator not in ("channel", "topic", "dm", "id", "near", "with")

    @property
    def words(self) -> Sequence[str]:
        """The words that a message must contain, if the term searches for words."""
        return str(self.operand).replace('"', " ").split() if self.operator == "search" else ()


def bad_narrow(description: str) -> Refused:
    """Zulip's refusal for a narrow."""
    return Refused(f"Invalid narrow operator: {description}", code="BAD_NARROW", extra={"desc": description})


def parse_narrow(value: object) -> tuple[Term, ...]:
    """The terms of a narrow as JSON gives it: pairs, or objects with `operator`, `operand` and `negated`.

    Raises Refused with Zulip's words.
    """
    if value is None:
        return ()
    if not isinstance(value, list):
        raise Refused("narrow is not a list")
    if len(value) > MOST_TERMS:
        raise Refused(f"Invalid narrow: List should have at most {MOST_TERMS} items after validation, not {len(value)}")
    terms = tuple(_term(position, each) for position, each in enumerate(value))
    if sum(len(term.words) for term in terms) > MOST_WORDS:
        raise bad_narrow(Cap.SEARCH_WORDS.refusal())
    return terms


def _term(position: int, value: object) -> Term:
    if isinstance(value, list) and len(value) == 2:
        operator, operand, negated = value[0], value[1], False
    elif isinstance(value, Mapping) and "operator" in value and "operand" in value:
        operator, operand, negated = value["operator"], value["operand"], value.get("negated", False)
    else:
        raise Refused(f"narrow[{position}] is not a pair or an object with operator and operand")
    if not isinstance(operator, str) or not isinstance(negated, bool):
        raise Refused(f"narrow[{position}] has a wrong type")
    if operator.startswith("-"):
        operator, negated = operator[1:], True
    operator = _SYNONYMS.get(operator, operator)
    if operator not in OPERATORS:
        raise bad_narrow(f"unknown operator {operator}")
    return Term(operator, _operand(operator, operand), negated)


def _operand(operator: str, operand: object) -> Operand:
    if operator in ("dm", "dm-including"):
        if isinstance(operand, list) and (
            all(_is_id(each) for each in operand) or all(isinstance(each, str) for each in operand)
        ):
            return tuple(operand)
        if isinstance(operand, str):
            people = tuple(part.strip() for part in operand.split(",") if part.strip())
            if len(people) > MOST_ENTRIES:
                raise bad_narrow(f"more than {MOST_ENTRIES} people for {operator}")
            return people
        if _is_id(operand):
            return (int(str(operand)),)
    elif operator in ("id", "near", "with"):
        text = str(operand)
        if text.isascii() and text.isdigit() and int(text) < 2**31:
            return int(text)
    elif operator in ("channel", "sender"):
        if isinstance(operand, str) or _is_id(operand):
            return operand if isinstance(operand, str) else int(str(operand))
    elif isinstance(operand, str):
        return _checked_word(operator, operand)
    raise bad_narrow(f"invalid operand for {operator}")


def _is_id(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31


def _checked_word(operator: str, operand: str) -> str:
    if operator == "is":
        operand = "dm" if operand == "private" else operand
        if operand not in IS_OPERANDS:
            raise bad_narrow(f"unknown 'is' operand {operand}")
    if operator == "has":
        operand = operand.removesuffix("s")
        if operand not in HAS_OPERANDS:
            raise bad_narrow(f"unknown 'has' operand {operand}")
    if operator == "in" and operand not in ("home", "all"):
        raise bad_narrow(f"unknown 'in' operand {operand}")
    if operator == "channels" and operand not in ("public", "web-public"):
        raise bad_narrow(f"unknown channels operand {operand}")
    if operator == "search" and len(operand) > SEARCH_MAX_LENGTH:
        raise bad_narrow(f"more than {SEARCH_MAX_LENGTH} characters to search for")
    if operator == "topic" and operand == NO_TOPIC:
        return ""
    return operand


_QUEUE_OPERATORS = {"channel", "topic", "sender", "is"}
_QUEUE_STATES = {"dm", "starred", "unread", "mentioned", "alerted", "resolved"}


def check_for_queue(terms: Sequence[Term]) -> None:
    """Raise Refused, with Zulip's words, for a narrow that an event queue cannot have."""
    for term in terms:
        if term.operator not in _QUEUE_OPERATORS:
            raise Refused(f"Operator {term.operator} not supported.")
        if term.operator == "is" and term.operand not in _QUEUE_STATES:
            raise Refused(f"Operator is:{term.operand} not supported.")


def folded(terms: Sequence[Term]) -> tuple[Term, ...]:
    """The terms for `matches`: the names in them are in the form in which names are compared."""
    return tuple(_folded(term) for term in terms)


def _folded(term: Term) -> Term:
    if not isinstance(term.operand, str) or term.operator == "is":
        return term
    fold = _address_key if term.operator == "sender" else name_key
    return Term(term.operator, fold(term.operand), term.negated)


def _address_key(address: str) -> str:
    return address.strip().casefold()


def matches(terms: Sequence[Term], fields: Mapping[str, object], flags: Sequence[str]) -> bool:
    """Whether a queue with this folded narrow receives a message with these wire fields and these flags."""
    names: dict[str, str] = {}
    return all(_holds(term, fields, flags, names) is not term.negated for term in terms)


def _holds(term: Term, fields: Mapping[str, object], flags: Sequence[str], names: dict[str, str]) -> bool:
    """Whether a term holds, apart from its negation. `names` keeps the names of the message that were folded."""
    if term.operator == "is":
        return _STATES[str(term.operand)](fields, flags)
    if term.operator != "sender" and fields["type"] != "stream":
        return False
    if isinstance(term.operand, int):
        return fields["sender_id" if term.operator == "sender" else "stream_id"] == term.operand
    if term.operator not in names:
        field, fold = _NAMES[term.operator]
        names[term.operator] = fold(str(fields[field]))
    return names[term.operator] == term.operand


_NAMES: dict[str, tuple[str, Callable[[str], str]]] = {
    "channel": ("display_recipient", name_key),
    "topic": ("subject", name_key),
    "sender": ("sender_email", _address_key),
}
"""The field of a message with which a term is compared, and how its name is folded."""

_STATES: dict[str, Callable[[Mapping[str, object], Sequence[str]], bool]] = {
    "dm": lambda fields, _flags: fields["type"] != "stream",
    "starred": lambda _fields, flags: "starred" in flags,
    "unread": lambda _fields, flags: "read" not in flags,
    "mentioned": lambda _fields, flags: bool({"mentioned", "wildcard_mentioned"} & set(flags)),
    "alerted": lambda _fields, flags: "has_alert_word" in flags,
    "resolved": lambda fields, _flags: str(fields["subject"]).startswith(RESOLVED_PREFIX),
}
