"""Those who take part in a test: people and bots, each with a key, a zuliprc and a client."""

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
    """What a test waited for did not come in time. The message says what came instead."""


class Host(Protocol):
    """The server that a participant takes part in, as far as a participant needs it."""

    def count_queues(self, participant: Participant) -> int:
        """How many event queues its program has open."""

    def program_of(self, participant: Participant) -> Program | None:
        """The program that runs with its zuliprc, as far as the server knows."""

    def explain_silence(self, participant: Participant, message: Message) -> str:
        """Why a participant's program got no event for a message; empty if it did, or that is not known."""

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
        """What to write in a message to mention it."""
        return f"@**{self.full_name}**"

    def send(self, content: str, *, to: str | Participant | Sequence[Participant], topic: str | None = None) -> int:
        """Send a message: to a channel by its name, with a topic, or to others; returns its id."""
        if isinstance(to, str):
            return self.client.send_message(type="stream", to=to, topic=topic or "test", content=content).id
        people = [to] if isinstance(to, Participant) else to
        return self.client.send_message(type="private", to=[each.id for each in people], content=content).id

    def messages(self, *, sender: Participant | None = None, after: int = 0) -> list[Message]:
        """The messages that it was sent (by somebody) after the one of that id, as they were written."""
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
        """The first message (by somebody) with a text in it after the one of that id, as soon as it is there.

        Raises NoAnswer after `timeout` seconds, or as soon as the sender's program has ended without it.
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
                raise NoAnswer(f"no message from {who}{what} came{waited}; others:{others}\n{why}".rstrip())
            time.sleep(LOOK_EVERY)

    def _why_silent(self, sender: Participant, after: int) -> str:
        """Why a sender's program may have sent nothing since that message, as far as that can be told."""
        ended = sender.ended_program()
        if ended is not None:
            return f"Its program has ended with {ended.end()}"
        sent = self.messages(sender=self, after=max(0, after - 1))
        return self.server.explain_silence(sender, sent[-1]) if sent else ""

    def ended_program(self) -> Program | None:
        """Its program, if that has ended; None while it runs, or if the test has not started it."""
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
        """Send `content` to somebody, by themselves or (mentioned) in the channel `to`, and wait for their answer.

        Raises NoAnswer after `timeout` seconds.
        """
        text = content if to is None else f"{other.mention} {content}"
        sent = self.send(text, to=other if to is None else to, topic=topic)
        return self.wait_for_message(sender=other, after=sent, timeout=timeout)

    def wait_until_listening(self, *, queues: int = 1, timeout: float = 10.0) -> None:
        """Wait until its program has opened so many event queues: what is sent from then on reaches it.

        Raises NoAnswer after `timeout` seconds, or as soon as its program has ended.
        """
        ends = time.monotonic() + timeout
        while self.server.count_queues(self) < queues:
            if (ended := self.ended_program()) is not None:
                raise NoAnswer(f"{self.full_name} does not listen: its program has ended with {ended.end()}")
            if time.monotonic() > ends:
                raise NoAnswer(
                    f"{self.full_name} does not listen: it opened no event queue in {counted(timeout, 'second')}"
                )
            time.sleep(LOOK_EVERY)

    def regenerate_api_key(self) -> None:
        """Replace its key: the old one, and whoever uses it, is out at once. `zuliprc` has the new one."""
        self.server.regenerate_api_key(self)

    def deactivate(self) -> None:
        """Deactivate the account: its key is refused from then on."""
        self.server.deactivate(self)
