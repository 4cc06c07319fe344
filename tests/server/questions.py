"""What a server can be asked: every endpoint, page and file, with the parameters that each reads."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import parse_qsl, urlsplit

from keybearer.server.api import routes
from keybearer.server.api.door import BY_KEY, BY_SESSION
from keybearer.server.api.endpoints import Endpoint
from keybearer.server.api.messaging import files
from keybearer.server.domain.accounts import Role
from keybearer.server.domain.actors import Caller
from keybearer.server.domain.bots import BotType
from keybearer.server.domain.rules import Way
from keybearer.server.services.messaging import subscriptions
from keybearer.server.services.messaging.sending import Draft, ToChannel, send
from keybearer.server.services.messaging.subscriptions import NewChannel
from keybearer.server.web.routes import ROUTES as PAGES
from tests.asgi import ask, by_session
from tests.in_process import PASSWORD, InProcessServer, Known

KINDS: Mapping[str, tuple[Role, BotType | None]] = {
    "guest": (Role.GUEST, None),
    "member": (Role.MEMBER, None),
    "owner": (Role.OWNER, None),
    "bot": (Role.MEMBER, BotType.GENERIC),
    "incoming webhook bot": (Role.MEMBER, BotType.INCOMING_WEBHOOK),
    "outgoing webhook bot": (Role.MEMBER, BotType.OUTGOING_WEBHOOK),
}

GOOD = {
    "anchor": "newest", "num_before": "1", "num_after": "1", "type": "stream", "to": "general", "topic": "t",
    "content": "c", "op": "add", "flag": "starred", "queue_id": "x", "last_event_id": "-1", "dont_block": "true",
    "emoji_name": "tada", "status": "active", "stream_id": "1", "topic_name": "t", "stream": "general",
    "messages": "[1]", "message_ids": "[1]", "msg_ids": "[1]", "subscriptions": '[{"name": "general"}]', "to_me": "1",
    "full_name": "A Name", "name": "A Name", "short_name": "short", "bot_type": "1", "role": "400",
    "payload_url": '"http://127.0.0.1:1/"', "service_payload_url": '"http://127.0.0.1:1/"', "password": PASSWORD,
    "old_password": PASSWORD, "new_password": PASSWORD + "!", "username": "nobody@example.com",
    "email": "nobody@example.com", "invitee_emails": "somebody@example.com", "emails": "somebody@example.com",
    "token": '"abc"', "storage": '{"a": "b"}', "keys": '["a"]', "new_name": "renamed", "description": "words",
    "subscription_data": '[{"stream_id": 1, "property": "pin_to_top", "value": true}]', "user_ids": "[1]",
    "event_types": '["message"]', "fetch_event_types": '["message"]', "narrow": '[["is", "unread"]]',
    "appid": "org.zulip.Zulip", "status_text": "away", "propagate_mode": "change_one", "new_password1": PASSWORD + "!",
    "new_password2": PASSWORD + "!", "invite_as": "400", "invite_expires_in_minutes": "60",
}  # fmt: skip
"""For each parameter a value with which a call gets far."""


@dataclass(frozen=True)
class Question:
    """A route behind a door, the parameters that it reads, and the parameters that it needs."""

    method: str
    path: str
    names: tuple[str, ...] = ()
    needed: tuple[str, ...] = ()
    by_key: bool = False
    scalars: frozenset[str] = frozenset()
    """The parameters that contain one number, or yes or no. The same few lines read all of them."""

    def filled(self, value: str = "1") -> str:
        """The path with a value instead of each name."""
        return re.sub(r"\{\w+\}", value.replace("\\", r"\\"), self.path)

    def good(self) -> dict[str, str]:
        """The parameters with which the call gets far."""
        return {
            name: GOOD[name] for name in self.names if name in GOOD and (name in self.needed or len(self.names) < 9)
        }


def wire_questions() -> list[Question]:
    """Every endpoint behind the doors of the wire."""
    return [
        _question(endpoint, prefix.text, by_key=prefix is BY_KEY)
        for endpoint in routes.endpoints(for_development=True)
        for prefix in (BY_KEY, BY_SESSION)
        if endpoint.rule.ways & prefix.ways
    ]


def _question(endpoint: Endpoint, prefix: str, *, by_key: bool) -> Question:
    names = tuple(each.name for each in endpoint.takes)
    needed = tuple(each.name for each in endpoint.takes if each.required)
    scalars = frozenset(each.name for each in endpoint.takes if each.schema["type"] in ("integer", "boolean"))
    return Question(endpoint.method, prefix + endpoint.path, names, needed, by_key, scalars)


async def fill(server: InProcessServer, owner: Known) -> None:
    """Create a channel with a message, so that their ids can be used in questions."""
    await subscriptions.follow(server.context, Caller(owner.account), [NewChannel("general")])
    await send(server.context, Caller(owner.account), Draft(ToChannel("general", "t"), "hello"))


FILES = [Question(route.method, f"/user_uploads/{route.path}", by_key=True) for route in files.ROUTES]


class _Fields(HTMLParser):
    """Collects the forms of a page and the queries in its links."""

    def __init__(self) -> None:
        super().__init__()
        self.names: dict[str, set[str]] = {}
        self._action = ""

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "form":
            self._action = urlsplit(values.get("action") or "").path
        if tag in ("input", "select", "textarea", "button") and values.get("name"):
            self.names.setdefault(self._action, set()).add(str(values["name"]))
        if tag == "a" and values.get("href"):
            link = urlsplit(str(values["href"]))
            self.names.setdefault(link.path, set()).update(name for name, _ in parse_qsl(link.query))


async def page_questions(server: InProcessServer, owner: Known, numbers: Mapping[str, int]) -> list[Question]:
    """Every page with the fields of its forms and of the links to it, as an owner sees them.

    `numbers` are ids that exist, by their names in the paths.
    """
    browser, fields = by_session(await server.signed_in(owner)), _Fields()
    paths = {each: re.sub(r"\{(\w+)\}", lambda name: str(numbers.get(name[1], 1)), each.path) for each in PAGES}
    for page, path in paths.items():
        if page.method == "GET":
            shown = await ask(server.app, "GET", path, {} if page.rule.ways & Way.NOBODY else browser)
            fields._action = path
            fields.feed(shown.text)
    found = []
    for page, path in paths.items():
        names = tuple(sorted(fields.names.get(path, set()) - {"csrfmiddlewaretoken"}))
        found.append(Question(page.method, page.path, names, names))
    return found
