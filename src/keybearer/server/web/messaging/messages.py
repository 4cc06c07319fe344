"""Messages: the readable ones, and a form to send one's own."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.responses import Response

from keybearer.server.domain.errors import Refused
from keybearer.server.domain.messaging.channels import Channel, check_may_post
from keybearer.server.domain.messaging.messages import Found
from keybearer.server.services.messaging import emoji, message_changes, messages, places, reactions, sending
from keybearer.server.services.messaging.message_changes import MessageChange
from keybearer.server.services.messaging.messages import Query
from keybearer.server.services.messaging.places import Places
from keybearer.server.services.messaging.sending import Draft
from keybearer.server.web.choices import choose_which
from keybearer.server.web.messaging.content import emoji_text
from keybearer.server.web.messaging.items import items_of, names_of
from keybearer.server.web.messaging.places import (
    NO_PLACE,
    PAGE,
    Place,
    conversation_place,
    read_place,
    read_recipient,
    topic_words,
    with_people,
)
from keybearer.server.web.messaging.recipients import find_recipients, recipient_named
from keybearer.server.web.visit import Visit, safe_path

PER_PAGE = 50
OFTEN = ("+1", "check", "eyes", "tada", "heart", "smile", "question", "-1")
"""Emoji that a message offers. Others are entered by name."""


@dataclass(frozen=True, slots=True)
class PagePart:
    """The shown part of a place's messages: the newest, or those before or after a message."""

    before: int | None = None
    after: int | None = None

    @property
    def query(self) -> dict[str, object]:
        """The part's query in the URL."""
        if self.before is not None:
            return {"before": self.before}
        return {} if self.after is None else {"after": self.after}


async def show(visit: Visit) -> Response:
    """The messages of a place."""
    return await _page(visit, await with_people(visit, read_place(visit.query)), _read_part(visit))


def _read_part(visit: Visit) -> PagePart:
    numbers = {name: visit.query.get(name, "") for name in ("before", "after")}
    return PagePart(
        **{name: int(text) for name, text in numbers.items() if text.isascii() and text.isdigit() and len(text) <= 9}
    )


async def _page(visit: Visit, place: Place, part: PagePart, refusal: Refused | None = None) -> Response:
    found = await _find(visit, place, part)
    known = await places.find(visit.context, visit.caller, channel_id=place.channel_id, people_ids=place.people)
    items = await items_of(found.copies, found.directory, visit.caller.account, visit.context.clock())
    first, last = (items[0].message.id, items[-1].message.id) if items else (None, None)
    return visit.render_form(
        "messages/show.html",
        refusal,
        place=place,
        title=_title(place, known),
        items=items,
        is_read_only=False,
        places=known,
        cannot_post=_reason_not_to_write(visit, known.channel),
        older=None if found.found_oldest or first is None else _path(place, PagePart(before=first)),
        newer=None if found.found_newest or last is None else _path(place, PagePart(after=last)),
        here=_path(place, part),
        often=[(name, emoji_text(emoji.code_of(name) or "", name)) for name in OFTEN],
        values=visit.form,
        Place=Place,
        conversation_place=conversation_place,
        topic_words=topic_words,
        people_words=lambda ids: names_of(ids, known.people),
    )


async def _find(visit: Visit, place: Place, part: PagePart) -> Found:
    """The messages of a part. Raises Refused for a place that the visitor does not see."""
    is_after = part.before is None and part.after is not None
    anchor = part.after if is_after else part.before
    query = Query(
        anchor="newest" if anchor is None else anchor,
        num_before=0 if is_after else PER_PAGE,
        num_after=PER_PAGE if is_after else 0,
        include_anchor=False,
        narrow=place.terms,
        with_sent=place.is_sent,
    )
    try:
        async with visit.leaving_slot():
            return await messages.find(visit.context, visit.caller, query)
    except Refused as refusal:
        if refusal.code == "BAD_NARROW":
            raise Refused(NO_PLACE) from None
        raise


def _title(place: Place, known: Places) -> str:
    if known.channel is not None:
        name = f"#{known.channel.name}"
        return name if place.topic is None else f"{name} › {topic_words(place.topic)}"
    if place.people:
        return names_of(place.people, known.people)
    return "Sent by you" if place.is_sent else "Messages"


def _reason_not_to_write(visit: Visit, channel: Channel | None) -> str | None:
    """Why the visitor cannot write to a channel. None if they can."""
    if channel is None:
        return None
    try:
        check_may_post(visit.caller.account, channel)
    except Refused as refusal:
        return refusal.message
    return None


def _path(place: Place, part: PagePart) -> str:
    query = urlencode(part.query)
    return f"{place.path}{'&' if '?' in place.path else '?'}{query}" if query else place.path


async def send(visit: Visit) -> Response:
    """Send a message from the form below those of a place."""
    place = await with_people(visit, read_place(visit.query))
    try:
        place = await with_people(visit, read_recipient(visit.text("to"), visit.text("topic")))
        return await _send(visit, place)
    except Refused as refusal:
        return await _page(visit, place, PagePart(), refusal)


async def _send(visit: Visit, place: Place) -> Response:
    draft = Draft(place.recipient, visit.form.get("content", ""), read_by_sender=True)
    message_id = await sending.send(visit.context, visit.caller, draft)
    copy, _ = await messages.find_one(visit.context, visit.caller, message_id)
    if place.channel_id is not None:
        place = Place(place.channel_id, copy.message.topic)
    return visit.redirect(place.path)


NAMED = "to_named"
"""The field for a text that names a channel, a person or a bot. It precedes what is chosen."""


async def show_form(visit: Visit) -> Response:
    """The form for a message to somebody or somewhere."""
    return await _form(visit)


async def _form(visit: Visit, refusal: Refused | None = None, *, is_unclear: bool = False) -> Response:
    """The form. `is_unclear` says that the text in it does not name exactly one recipient."""
    wanted, named = visit.form.get("to") or visit.query.get("to", ""), visit.text(NAMED)
    recipients = await find_recipients(visit, named if is_unclear else "", wanted)
    if is_unclear:
        refusal = choose_which(named, some_match=bool(recipients.channels or recipients.accounts))
    return visit.render_form("messages/new.html", refusal, recipients=recipients, wanted=wanted, values=visit.form)


async def send_new(visit: Visit) -> Response:
    """Send a message from that form."""
    try:
        named = visit.text(NAMED)
        to = await recipient_named(visit, named) if named else visit.text("to")
        if to is None:
            return await _form(visit, is_unclear=True)
        return await _send(visit, await with_people(visit, read_recipient(to, visit.text("topic"))))
    except Refused as refusal:
        return await _form(visit, refusal)


async def show_edit(visit: Visit) -> Response:
    """The form to edit one's own message."""
    return await _edit(visit)


async def _edit(visit: Visit, refusal: Refused | None = None) -> Response:
    copy, directory = await messages.find_one(visit.context, visit.caller, visit.id("message_id"))
    (item,) = await items_of([copy], directory, visit.caller.account, visit.context.clock())
    back = safe_path(visit.form.get("back") or visit.query.get("back", ""), item.place.path)
    content = visit.form.get("content", copy.message.content)
    return visit.render_form("messages/edit.html", refusal, item=item, content=content, back=back)


async def edit(visit: Visit) -> Response:
    """Change the text of one's own message."""
    try:
        wanted = MessageChange(content=visit.form.get("content", ""))
        await message_changes.change(visit.context, visit.caller, visit.id("message_id"), wanted)
    except Refused as refusal:
        return await _edit(visit, refusal)
    return _redirect_back(visit)


async def react(visit: Visit) -> Response:
    """Add an emoji to a message, or remove one's own."""
    message_id, name = visit.id("message_id"), (visit.text("other") or visit.text("emoji")).strip(":")
    copy, _ = await messages.find_one(visit.context, visit.caller, message_id)
    code = emoji.code_of(name)
    is_there = any(each.account_id == visit.caller.id and each.emoji_code == code for each in copy.reactions)
    if is_there:
        kind = "zulip_extra_emoji" if code == "zulip" else "unicode_emoji"
        await reactions.remove(visit.context, visit.caller, message_id, name=name, code=code, kind=kind)
    else:
        await reactions.add(visit.context, visit.caller, message_id, name=name, code=None, kind=None)
    return _redirect_back(visit)


def _redirect_back(visit: Visit) -> Response:
    """Redirect to the messages on which the form was."""
    back = safe_path(visit.form.get("back", ""), PAGE)
    return visit.redirect(f"{back}#message-{visit.id('message_id')}")
