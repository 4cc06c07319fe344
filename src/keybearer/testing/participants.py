"""The participants of a test: people and bots, each with a key, a zuliprc and a client."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from keybearer.client.models.messages import Message
from keybearer.client.sync import Client
from keybearer.testing.programs import Program
from keybearer.wording import counted

LOOK_EVERY = 0.02


class NoAnswer(AssertionError):
    """The message that a test waited for did not arrive in time. The error lists those that did."""


class Host(Protocol):
    """The part of the server that participants use."""

    def count_queues(self, participant: Participant) -> int:
        """How many event queues its program has open."""

    def program_of(self, participant: Participant) -> Program | None:
        """The program that runs with its zuliprc; None if the server did not start one."""

    def explain_silence(self, participant: Participant, message: Message) -> str:
        """Why a participant's program got no event for a message; empty if it did, or if the reason is unknown."""

    def regenerate_api_key(self, participant: Participant) -> None:
        """Replace its key, and write the new one into its zuliprc."""

    def deactivate(self, participant: Participant) -> None:
        """Deactivate its account."""


@dataclass(eq=False)
class Participant:
    """A person or a bot of the server's organization. `zuliprc` is the path of its file, mode 0600."""

    server: Host
    id: int
    email: str
    full_name: str
    zuliprc: Path
    client: Client

    @property
    def mention(self) -> str:
        """The text that mentions it in a message."""
        return f"@**{self.full_name}**"

    def send(self, content: str, *, to: str | Participant | Sequence[Participant], topic: str | None = None) -> int:
        """Send a message to a channel (its name, with a topic) or to other participants. Returns its ID."""
        if isinstance(to, str):
            return self.client.send_message(type="stream", to=to, topic=topic or "test", content=content).id
        people = [to] if isinstance(to, Participant) else to
        return self.client.send_message(type="private", to=[each.id for each in people], content=content).id

    def messages(self, *, sender: Participant | None = None, after: int = 0) -> list[Message]:
        """The messages (of this sender) that it received after the one with the ID `after`, in Markdown."""
        narrow = [] if sender is None else [["sender", sender.id]]
        found = self.client.get_messages(
            anchor=after,
            num_before=0,
            num_after=1000,
            include_anchor=False,
            narrow=narrow,
            apply_markdown=False,
        )
        return list(found.messages)

    def wait_for_message(
        self, *, sender: Participant | None = None, containing: str = "", after: int = 0, timeout: float = 10.0
    ) -> Message:
        """Wait for the first message (of this sender, with this text in it) after the one with the ID `after`.

        Raises NoAnswer after `timeout` seconds, or as soon as the sender's program ends without sending it.
        """
        ends = time.monotonic() + timeout
        while True:
            ended = None if sender is None else sender.ended_program()
            found = self.messages(sender=sender, after=after)
            for message in found:
                if containing in message.content:
                    return message
            if ended is not None or time.monotonic() > ends:
                who = "anybody" if sender is None else sender.full_name
                what = f" with {containing!r} in it" if containing else ""
                others = "".join(f"\n  {message.content!r}" for message in found) or " none"
                why = "" if sender is None else self._why_silent(sender, after)
                waited = "" if ended is not None else f" within {counted(timeout, 'second')}"
                raise NoAnswer(f"no message from {who}{what} arrived{waited}; others:{others}\n{why}".rstrip())
            time.sleep(LOOK_EVERY)

    def _why_silent(self, sender: Participant, after: int) -> str:
        """Why a sender's program may have sent nothing since that message; empty if the reason is unknown."""
        ended = sender.ended_program()
        if ended is not None:
            return f"Its program has ended with {ended.end()}"
        sent = self.messages(sender=self, after=max(0, after - 1))
        return self.server.explain_silence(sender, sent[-1]) if sent else ""

    def ended_program(self) -> Program | None:
        """Its program, if it has ended; None while it runs, or if the test has not started it."""
        program = self.server.program_of(self)
        return None if program is None or program.is_running else program

    def ask(
        self,
        other: Participant,
        content: str,
        *,
        to: str | None = None,
        topic: str | None = None,
        timeout: float = 10.0,
    ) -> Message:
        """Send `content` to another participant and wait for the answer.

        The message is direct, or with `to` in that channel with a mention.

        Raises NoAnswer after `timeout` seconds.
        """
        text = content if to is None else f"{other.mention} {content}"
        sent = self.send(text, to=other if to is None else to, topic=topic)
        return self.wait_for_message(sender=other, after=sent, timeout=timeout)

    def wait_until_listening(self, *, queues: int = 1, timeout: float = 10.0) -> None:
        """Wait until its program has opened this many event queues. Messages sent after that reach it.

        Raises NoAnswer after `timeout` seconds, or as soon as its program has ended.
        """
        ends = time.monotonic() + timeout
        while self.server.count_queues(self) < queues:
            if (ended := self.ended_program()) is not None:
                raise NoAnswer(f"{self.full_name} is not listening: its program has ended with {ended.end()}")
            if time.monotonic() > ends:
                raise NoAnswer(
                    f"{self.full_name} is not listening: it opened no event queue within {counted(timeout, 'second')}"
                )
            time.sleep(LOOK_EVERY)

    def regenerate_api_key(self) -> None:
        """Replace its key. The old one is refused at once. `zuliprc` has the new one."""
        self.server.regenerate_api_key(self)

    def deactivate(self) -> None:
        """Deactivate the account: its key is refused from then on."""
        self.server.deactivate(self)
