"""Calls about messages. Those that take a dict in Zulip's bindings take one here too, or its items as arguments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import IO, Any

from keybearer.client import models
from keybearer.client.operations.narrows import Narrow, as_terms
from keybearer.client.operations.operation import Operation
from keybearer.client.operations.parameters import merged, required_id
from keybearer.client.operations.uploads import file_part

Request = Mapping[str, Any]


def send_message(
    request: Request | None = None,
    *,
    to: str | int | Sequence[str] | Sequence[int] | None = None,
    content: str | None = None,
    topic: str | None = None,
    type: str | None = None,  # noqa: A002 - Zulip's name
    **options: Any,  # noqa: ANN401 - whatever else the server takes
) -> Operation[models.SentMessage]:
    """Send a message to a channel (`to` is its name or ID, with a `topic`) or to people (`to` is their emails or IDs).

    The default of `type` is `stream` if there is a topic, else `private`: all servers know these words.
    """
    parameters = merged(request, type=type, to=to, topic=topic, content=content, **options)
    if "type" not in parameters:
        parameters["type"] = "stream" if {"topic", "subject"} & parameters.keys() else "private"
    if parameters["type"] in {"private", "direct"} and isinstance(parameters.get("to"), str | int):
        parameters["to"] = _recipients(parameters["to"])
    return Operation("POST", "messages", models.SentMessage.parse, parameters)


def _recipients(to: object) -> object:
    """People as the list that servers expect. A text may name several, with commas, or be a JSON list already."""
    if isinstance(to, str):
        return to if to.lstrip().startswith("[") else [one.strip() for one in to.split(",")]
    return [to]


def get_messages(
    request: Request | None = None,
    *,
    anchor: int | str | None = None,
    num_before: int | None = None,
    num_after: int | None = None,
    narrow: Narrow | None = None,
    **options: Any,  # noqa: ANN401 - whatever else the server takes
) -> Operation[models.Messages]:
    """Messages around `anchor`: an ID, `newest`, `oldest` or `first_unread`."""
    parameters = merged(request, anchor=anchor, num_before=num_before, num_after=num_after, narrow=narrow, **options)
    if "narrow" in parameters:
        parameters["narrow"] = as_terms(parameters["narrow"])
    return Operation("GET", "messages", models.Messages.parse, parameters)


def get_raw_message(message_id: int, **options: Any) -> Operation[models.FoundMessage]:  # noqa: ANN401
    """One message, with its Markdown text."""
    return Operation("GET", f"messages/{int(message_id)}", models.FoundMessage.parse, options)


def update_message(request: Request | None = None, **changes: Any) -> Operation[models.Answer]:  # noqa: ANN401
    """Edit the message `message_id`: its `content`, its `topic`, its `stream_id`."""
    parameters = merged(request, **changes)
    return Operation("PATCH", f"messages/{required_id(parameters, 'message_id')}", models.Answer.parse, parameters)


def delete_message(message_id: int) -> Operation[models.Answer]:
    """Delete a message."""
    return Operation("DELETE", f"messages/{int(message_id)}", models.Answer.parse)


def _reaction(method: str, request: Request | None, options: Mapping[str, Any]) -> Operation[models.Answer]:
    parameters = merged(request, **options)
    path = f"messages/{required_id(parameters, 'message_id')}/reactions"
    return Operation(method, path, models.Answer.parse, parameters)


def add_reaction(request: Request | None = None, **options: Any) -> Operation[models.Answer]:  # noqa: ANN401
    """Add the reaction `emoji_name` to the message `message_id`."""
    return _reaction("POST", request, options)


def remove_reaction(request: Request | None = None, **options: Any) -> Operation[models.Answer]:  # noqa: ANN401
    """Remove the reaction `emoji_name` from the message `message_id`."""
    return _reaction("DELETE", request, options)


def update_message_flags(request: Request | None = None, **options: Any) -> Operation[models.Answer]:  # noqa: ANN401
    """Add or remove (`op`) the `flag` (`read`, `starred`, …) of the `messages`, a list of IDs."""
    return Operation("POST", "messages/flags", models.Answer.parse, merged(request, **options))


def render_message(request: Request | None = None, *, content: str | None = None) -> Operation[models.RenderedMessage]:
    """Markdown as the server renders it."""
    return Operation("POST", "messages/render", models.RenderedMessage.parse, merged(request, content=content))


def upload_file(file: IO[bytes]) -> Operation[models.UploadedFile]:
    """Upload a file that is open in binary mode. It is read completely into memory."""
    return Operation("POST", "user_uploads", models.UploadedFile.parse, files=(file_part(file),))


def set_typing_status(request: Request | None = None, **options: Any) -> Operation[models.Answer]:  # noqa: ANN401
    """Report that the caller starts or stops typing: `op`, `to`, and Zulip's other parameters."""
    return Operation("POST", "typing", models.Answer.parse, merged(request, **options))
