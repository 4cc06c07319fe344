"""Channel settings that several endpoints share: who may post, and settings that have a fixed value here."""

from __future__ import annotations

from typing import NamedTuple

from keybearer.server.api.description import Schema, boolean, encoded, fixed, integer, text
from keybearer.server.api.parameters import Parameters
from keybearer.server.api.realms import group_of
from keybearer.server.domain.errors import Refused
from keybearer.server.domain.messaging.channel_events import POSTERS
from keybearer.server.domain.messaging.channels import PostPolicy, checked_post_policy
from keybearer.server.domain.realms import SystemGroup

_KEPT = ("realm_default", "unlimited")
_GROUP = "can_send_message_group"
_POLICIES = {
    **{group: policy for policy, group in POSTERS.items()},
    # No member is too new here, so members are full members.
    SystemGroup.MEMBERS: PostPolicy.FULL_MEMBERS,
}


class WantedPosting(NamedTuple):
    """Who should be allowed to post, and who the client believes may post now. None: not sent."""

    policy: PostPolicy | None
    before: PostPolicy | None = None


def read_posting(parameters: Parameters) -> WantedPosting:
    """Who may post: as a group, as since feature level 333, or as the number used before.

    A group is its id, or `{"new": id}` with `old` to compare. Raises Refused for groups that channels here cannot have.
    """
    value = parameters.optional_json(_GROUP)
    number = parameters.optional_integer("stream_post_policy")
    if isinstance(value, dict) and "new" in value:
        return WantedPosting(_policy(value["new"]), _policy(value["old"]) if "old" in value else None)
    if value is not None:
        return WantedPosting(_policy(value))
    return WantedPosting(None if number is None else checked_post_policy(number))


def _policy(value: object) -> PostPolicy:
    policy = _POLICIES.get(group_of(_GROUP, value))
    if policy is None:
        raise Refused(f"{_GROUP}: here it is everyone, members, moderators or administrators.")
    return policy


def check_fixed(parameters: Parameters) -> None:
    """Raise Refused for a channel with other readers than channels here can have, or one that deletes messages
    by age.
    """
    if parameters.optional_boolean("is_web_public"):
        raise Refused("Web-public channels are not enabled.")
    if parameters.optional_boolean("history_public_to_subscribers") is False:
        raise Refused("Protected history is not available: subscribers of a channel see all of its messages.")
    if (parameters.optional_text("message_retention_days") or _KEPT[0]).strip('"') not in _KEPT:
        raise Refused(f"Messages are never deleted by age here: message_retention_days is {' or '.join(_KEPT)}.")


def read_notices(parameters: Parameters) -> None:
    """Whether to send notices. Here none are sent."""
    for each in NOTICES:
        parameters.only(each.name, so=False)


NOTICES = (
    fixed("announce", "Whether to send a notice about a new channel.", so=False),
    fixed("send_new_subscription_messages", "Whether to message the accounts that this subscribes.", so=False),
)
_GROUP_VALUE: Schema = {"type": ["integer", "object"]}
TAKES = (
    encoded(_GROUP, 'Who may post: a group as its id, or `{"new": id}` with `old` to compare.', _GROUP_VALUE),
    integer("stream_post_policy", "The same in its old form: 1 all, 2 administrators, 3 members, 4 moderators."),
    boolean("is_web_public", "Refused if it is true."),
    boolean("history_public_to_subscribers", "Refused if it is false."),
    text("message_retention_days", "Refused, except for `realm_default` and `unlimited`."),
)
