"""What every example has: a server of ours, Zulip's own client of an administrator, and other people."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import zulip

from keybearer.testing import Participant, Role, Server

Answer = dict[str, Any]


@dataclass
class Stage:
    """The people of Zulip's examples. `client` is the administrator's, `nonadmin` that of a member, Hamlet."""

    server: Server
    client: zulip.Client
    nonadmin: zulip.Client
    owner: zulip.Client
    iago: Participant
    hamlet: Participant
    cordelia: Participant

    @classmethod
    def on(cls, server: Server) -> Stage:
        """The people on a server that has nobody but its owner, and the channels that the examples speak in."""
        iago = server.add_person("Iago Administrator", role=Role.ADMINISTRATOR)
        hamlet, cordelia = server.add_person("Hamlet"), server.add_person("Cordelia")
        for name in ("Denmark", "Verona"):
            server.add_channel(name, subscribers=[iago, hamlet])
        return cls(server, _client(iago), _client(hamlet), _client(server.owner), iago, hamlet, cordelia)

    def call(self, method: str, url: str, **request: Any) -> Answer:
        """A call of the administrator's that the client has no method for."""
        answer: Answer = self.client.call_endpoint(url=url, method=method, request=request)
        return answer

    def channel_id(self, name: str = "Denmark") -> int:
        """The id of a channel, which is made if there is none."""
        if self.client.get_stream_id(name)["result"] != "success":
            self.client.add_subscriptions([{"name": name}])
        channel_id: int = self.client.get_stream_id(name)["stream_id"]
        return channel_id

    def sent(self, content: str = "I come not to steal away your hearts.", topic: str = "Castle") -> int:
        """A new message of the administrator's in Denmark; returns its id."""
        request = {"type": "stream", "to": "Denmark", "topic": topic, "content": content}
        message_id: int = ok(self.client.send_message(request))["id"]
        return message_id

    def message(self, message_id: int) -> Answer:
        """A message as it is shown."""
        found: Answer = ok(self.call("GET", f"messages/{message_id}"))["message"]
        return found

    def raw(self, message_id: int) -> str:
        """A message as it was written."""
        content: str = ok(self.call("GET", f"messages/{message_id}"))["raw_content"]
        return content

    def uploaded(self) -> str:
        """The address of a file that was uploaded and is in a message."""
        url: str = ok(self.client.upload_file(file("castle.txt")))["url"]
        self.sent(f"Look at [this]({url})")
        return url

    def invitations(self, *, is_multiuse: bool) -> list[Answer]:
        """The open invitations, the newest first."""
        return [each for each in ok(self.call("GET", "invites"))["invites"] if each["is_multiuse"] is is_multiuse]


def _client(participant: Participant) -> zulip.Client:
    return zulip.Client(config_file=str(participant.zuliprc))


def file(name: str) -> io.BytesIO:
    """A file as the client takes it."""
    content = io.BytesIO(b"content")
    content.name = name
    return content


def ok(answer: Answer) -> Answer:
    """The answer, which must be a success that names nothing as ignored."""
    assert answer["result"] == "success", answer
    assert not set(answer.get("ignored_parameters_unsupported", ())) - IN_THE_PATH, answer
    return answer


IN_THE_PATH = {"message_id", "stream_id", "stream"}
"""What some methods of the client send a second time, beside the path that names it."""


def refused(answer: Answer, code: str = "BAD_REQUEST") -> None:
    """Hold an answer to be the error that the example expects."""
    assert (answer["result"], answer.get("code")) == ("error", code), answer


Example = Callable[[Stage], object]
