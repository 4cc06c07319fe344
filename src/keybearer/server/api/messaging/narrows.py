"""Parameters that several endpoints about messages share."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from keybearer.server.api.description import INTEGER, STRING, array, encoded
from keybearer.server.api.parameters import LARGEST, Parameters
from keybearer.server.domain.errors import Refused
from keybearer.server.domain.limits import MOST_ENTRIES
from keybearer.server.domain.messaging.messages import invalid_messages
from keybearer.server.domain.messaging.narrows import MOST_TERMS, Term, parse_narrow

NARROW = encoded(
    "narrow", 'A filter, such as `[["channel", "general"], ["is", "unread"]]`.', array({}), most=MOST_TERMS
)
PRINCIPALS = encoded("principals", "The accounts: email addresses or ids. Without it, the caller.", array({}))
MESSAGE_IDS = array(INTEGER)
STRINGS = array(STRING)


def read_narrow(parameters: Parameters) -> tuple[Term, ...]:
    """The parameter `narrow`."""
    return parse_narrow(parameters.optional_json("narrow"))


def read_message_ids(parameters: Parameters, name: str) -> list[int] | None:
    """Ids of messages, None if they were not sent. Raises Refused for numbers that are never ids of messages.

    The service limits their number, with Zulip's words for messages.
    """
    found = parameters.optional_integers(name, most=sys.maxsize)
    if found is not None and not all(0 <= each <= LARGEST for each in found):
        raise invalid_messages()
    return found


def read_strings(parameters: Parameters, name: str, *, most: int = MOST_ENTRIES) -> list[str] | None:
    """A JSON list of texts, with a limit on their number. None if it was not sent."""
    value = parameters.optional_json(name, most=most)
    if value is None:
        return None
    if not isinstance(value, list):
        raise Refused(f"{name} is not a list")
    for index, each in enumerate(value):
        if not isinstance(each, str):
            raise Refused(f"{name}[{index}] is not a string")
    return value


def read_people(parameters: Parameters, name: str) -> Sequence[str | int]:
    """A JSON list of email addresses, or of ids. Empty if it was not sent."""
    value = parameters.optional_json(name)
    return () if value is None else checked_people(name, value)


def checked_people(name: str, value: object) -> Sequence[str | int]:
    """A decoded list of email addresses, or of ids. Raises Refused with Zulip's words for anything else."""
    if not isinstance(value, list):
        raise Refused(f"{name} is not a list")
    if all(isinstance(each, str) for each in value):
        return [each.strip() for each in value if each.strip()]
    if all(isinstance(each, int) and not isinstance(each, bool) for each in value):
        for each in value:
            if not 0 <= each <= LARGEST:
                raise Refused(f"Invalid user ID {each}")
        return list(value)
    if any(isinstance(each, str) for each in value) and any(isinstance(each, int) for each in value):
        raise Refused("Recipient lists may contain emails or user IDs, but not both.")
    raise Refused("Invalid data type for recipients")
