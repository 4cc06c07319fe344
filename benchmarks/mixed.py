"""The memory of a worker after an hour of mixed use: reading, sending, events, reactions, keys, passwords, pages."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from benchmarks.load import Connection, Credential, request
from benchmarks.population import CHANNEL, PASSWORD, Population
from benchmarks.rounds import Plan
from benchmarks.rows import Row, at_most, simple_row
from benchmarks.servers import SQLITE, installation

PEOPLE = Population(accounts=1000, followers=20)
HOUR = 3600
CALLERS = 4
EACH = 0.04
"""Seconds from one call of a caller to its next: all callers together make 100 calls per second."""
SETTLED = 5
"""Seconds after the last request until uses are written."""
NEVER_ISSUED = "A" * 32

_WORDS = ("**bold**", "`code`", "- one\n- two", "@**Member 3**", "https://example.com/a", "plain words", "🎉")


def measure(plan: Plan) -> list[Row]:
    """Use a server for an hour, and compare its memory with that after one call of each kind."""
    seconds = plan.some(HOUR)
    with installation(PEOPLE) as found, ThreadPoolExecutor(CALLERS) as threads:
        shares = [found.credentials[number::CALLERS] for number in range(CALLERS)]
        callers = [
            _Caller(Connection(found.server, share[0]), share, random.Random(number))
            for number, share in enumerate(shares)
        ]
        callers[0].call_everything()
        found.server.wait_until_idle()
        before, begun = found.server.memory(), time.monotonic()
        running = [threads.submit(each.call_until, begun + seconds) for each in callers]
        while not all(each.done() for each in running):
            time.sleep(min(60, max(0.1, begun + seconds - time.monotonic())))
            minutes, growth = (time.monotonic() - begun) / 60, found.server.memory() - before
            print(f"mixed: {growth:.1f} MB after {minutes:.1f} minutes", file=sys.stderr, flush=True)
        calls = sum(each.result() for each in running)
        time.sleep(SETTLED)
        growth = found.server.memory() - before
    name = f"growth of a worker after {calls:,} mixed calls within {seconds / 60:.0f} minutes"
    return [simple_row(name, SQLITE, "MB", [growth], target=at_most(40))]


@dataclass
class _Caller:
    """Makes calls one after another, each as one of its people."""

    connection: Connection
    people: list[Credential]
    chance: random.Random
    messages: list[int] = field(default_factory=list)

    def call_everything(self) -> None:
        """Make one call of each kind, as its first person, who is subscribed to the channel."""
        for kind, _ in _KINDS:
            kind(self)

    def call_until(self, end: float) -> int:
        """Call at a steady pace. Returns the number of calls."""
        kinds, weights = zip(*_KINDS, strict=True)
        made, due = 0, time.monotonic()
        while time.monotonic() < end:
            time.sleep(max(0.0, due - time.monotonic()))
            self.connection.credential = self.chance.choice(self.people)
            self.chance.choices(kinds, weights)[0](self)
            made, due = made + 1, due + EACH
        return made

    def look_up(self) -> None:
        self.connection.call("GET", "users/me")

    def send(self) -> None:
        self.connection.credential = self._follower()
        text = " ".join(self.chance.choices(_WORDS, k=12))
        topic = f"topic {self.chance.randrange(200)}"
        sent = self.connection.call("POST", "messages", type="stream", to=CHANNEL, topic=topic, content=text)
        self.messages = [*self.messages[-99:], sent["id"]]

    def write_to_one(self) -> None:
        to = [self.chance.choice(self.people).email]
        self.connection.call("POST", "messages", type="direct", to=to, content="A word to you.")

    def read(self) -> None:
        self.connection.credential = self._follower()
        terms = [{"operator": "channel", "operand": CHANNEL}]
        if self.chance.random() < 0.5:
            terms.append({"operator": "topic", "operand": f"topic {self.chance.randrange(200)}"})
        if self.chance.random() < 0.2:
            terms.append({"operator": "search", "operand": self.chance.choice(("bold", "plain", "one"))})
        self.connection.call("GET", "messages", anchor="newest", num_before=50, num_after=0, narrow=terms)

    def listen(self) -> None:
        """Register for events, ask once, and end the queue or leave it to time out."""
        everything = self.chance.random() < 0.2
        kinds = {} if everything else {"event_types": ["message", "reaction"]}
        queue = self.connection.call("POST", "register", **kinds)["queue_id"]
        asked = {"queue_id": queue, "last_event_id": -1, "dont_block": True}
        self.connection.call("GET", "events", **asked)
        if self.chance.random() < 0.8:
            self.connection.call("DELETE", "events", queue_id=queue)

    def react(self) -> None:
        if not self.messages:
            self.send()
        self.connection.credential = self._follower()
        message = self.chance.choice(self.messages)
        kind = self.chance.choice(("tada", "heart", "+1"))
        asked = request("POST", f"messages/{message}/reactions", self.connection.credential, emoji_name=kind)
        self.connection.send(asked)
        self.connection.answer(b"HTTP/1.1 ")  # a repeated reaction is refused

    def mark(self) -> None:
        self.connection.credential = self._follower()
        self.connection.call("POST", "messages/flags", messages=self.messages[-20:], op="add", flag="read")

    def list_people(self) -> None:
        self.connection.call("GET", "users")

    def say_presence(self) -> None:
        self.connection.call("POST", "users/me/presence", status="active", ping_only=True)

    def list_channels(self) -> None:
        self.connection.call("GET", "users/me/subscriptions")

    def use_wrong_key(self) -> None:
        wrong = Credential(self.connection.credential.email, NEVER_ISSUED)
        self.connection.send(request("GET", "users/me", wrong))
        self.connection.answer(b"HTTP/1.1 401")

    def sign_in(self) -> None:
        email = self.connection.credential.email
        self.connection.send(request("POST", "fetch_api_key", username=email, password=PASSWORD))
        self.connection.answer()

    def make_a_named_key(self) -> None:
        """Make a key, use it once and revoke it."""
        made = self.connection.call("POST", "users/me/api_keys", name=f"Key {self.chance.random()}")
        self.connection.send(request("GET", "users/me", Credential(self.connection.credential.email, made["api_key"])))
        self.connection.answer()
        self.connection.call("DELETE", f"users/me/api_keys/{made['id']}")

    def look_at_a_page(self) -> None:
        page = self.chance.choice(("login/", "help/", "metrics/"))
        self.connection.send(request("GET", page).replace(b"/api/v1/", b"/", 1))
        self.connection.answer(b"HTTP/1.1 ")

    def _follower(self) -> Credential:
        """One of the first people of the share: they are subscribed to the channel."""
        return self.chance.choice(self.people[: PEOPLE.followers // CALLERS])


_KINDS: tuple[tuple[Callable[[_Caller], None], float], ...] = (
    (_Caller.look_up, 45),
    (_Caller.send, 12),
    (_Caller.write_to_one, 3),
    (_Caller.read, 15),
    (_Caller.listen, 8),
    (_Caller.react, 4),
    (_Caller.mark, 3),
    (_Caller.list_people, 1),
    (_Caller.say_presence, 3),
    (_Caller.list_channels, 2),
    (_Caller.use_wrong_key, 2),
    (_Caller.make_a_named_key, 1),
    (_Caller.look_at_a_page, 1),
    (_Caller.sign_in, 0.2),
)
"""What callers do, and how often of 100 calls."""
