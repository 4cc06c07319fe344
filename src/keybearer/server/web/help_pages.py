"""Help: what keys and zuliprc files are, and how to use them."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.responses import Response

from keybearer.server.web.errors import not_found
from keybearer.server.web.visit import Visit
from keybearer.zuliprc.fields import FIELDS, LOCATORS


@dataclass(frozen=True, slots=True)
class Topic:
    """A help page."""

    name: str
    title: str
    summary: str


TOPICS = (
    Topic("api-keys", "What an API key is", "What it opens, and why to be careful with it."),
    Topic("get-a-key", "Get an API key", "Your own, or a bot’s."),
    Topic("zuliprc", "zuliprc files", "Download one, put it where programs look, and every setting it can have."),
    Topic("invalidate-a-key", "Invalidate an API key", "Generate a new one; what stops working then."),
    Topic("named-keys", "Named keys", "One key for each program, with scopes, an end and networks."),
    Topic("bots", "Bots", "Their types, their keys, and who manages them."),
    Topic("after-a-leak", "After a leak: the first ten minutes", "What to do, in which order."),
)
_BY_NAME = {topic.name: topic for topic in TOPICS}


async def show_index(visit: Visit) -> Response:
    """All topics."""
    return visit.render("help/index.html", topics=TOPICS)


async def show_topic(visit: Visit) -> Response:
    """One topic."""
    topic = _BY_NAME.get(visit.ids["topic"])
    if topic is None:
        return not_found(visit)
    site = visit.realm_or_none.site if visit.realm_or_none else f"{visit.request.scheme}://{visit.request.host}"
    return visit.render(
        f"help/{topic.name}.html",
        topic=topic,
        topics=TOPICS,
        fields=list(FIELDS.values()),
        locators=LOCATORS,
        site=site,
    )
