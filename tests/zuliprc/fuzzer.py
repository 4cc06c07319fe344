"""A mutation fuzzer for reading and resolving. To run it for longer: `python -m tests.zuliprc.fuzzer SECONDS`."""

from __future__ import annotations

import random
import sys
import time

from keybearer.errors import KeybearerError
from keybearer.zuliprc.document import Document
from tests.zuliprc.exposure import assert_no_key, exposed, shown
from tests.zuliprc.resolving import resolve_text
from tests.zuliprc.strategies import CANARY


class Mutants:
    """Makes broken files from parts of valid ones."""

    seeds = (
        f"[api]\nemail=a@x.org\nkey={CANARY}\nsite=https://z.x\n",
        f"\ufeff[api]\r\nKEY : {CANARY}\r\nemail = a@x.org\r\nclient_cert=~/c\r\n[zterm]\r\na=1\r\n  b\r\n",
        f"[api]\nkey={CANARY}\nemail=a@x.org\ninsecure=TRUE\ncert_bundle=/b\nclient_bundle=/b\nclient_cert_key=k\n",
        f"# x\n[api]\npasswd={CANARY}\npasscmd=echo {CANARY}\nemail=%%a%(key)s@b\n",
    )
    tokens = (
        "[api]", "key=", "site=", "email=", "insecure=", "[zterm]", "=", ":", "%", "%(key)s", '"', "'", " #", "\n",
        "\r", "\0", "\x85", "\u2028", "\ufeff", "  ", "\t", "://", "@", "?", "[", "]", "\\", "\ud800", "é", CANARY,
    )  # fmt: skip

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance

    def mutant(self) -> str:
        text = self.chance.choice(self.seeds)
        for _ in range(self.chance.randint(1, 6)):
            start = self.chance.randint(0, len(text))
            end = self.chance.randint(start, min(len(text), start + 20))
            other = self.chance.choice(self.seeds)
            text = self.chance.choice(
                (
                    text[:start] + text[end:],
                    text[:start] + self.chance.choice(self.tokens) + text[start:],
                    text[:end] + text[start:],
                    text[:start] + chr(self.chance.randint(0, 0x2100)) + text[start + 1 :],
                    text[:start] + other[self.chance.randint(0, len(other)) :],
                )
            )
        return text

    def try_one(self) -> None:
        data = self.mutant().encode("utf-8", self.chance.choice(("ignore", "surrogatepass")))
        environ = {"ZULIP_EMAIL": "a@x.org"} if self.chance.random() < 0.3 else {}
        if self.chance.random() < 0.2:
            environ["ZULIP_SITE"] = self.mutant()[:40]
        try:
            document = Document.parse(data)
            assert document.to_bytes() == data
            resolution = resolve_text(document.text(), environ=environ, fetch_key=lambda command: command.text)
        except KeybearerError as error:
            assert_no_key(exposed(error))
        else:
            assert_no_key(shown(resolution))


if __name__ == "__main__":
    fuzzer, until, count = Mutants(random.Random()), time.monotonic() + float(sys.argv[1]), 0
    while time.monotonic() < until:
        fuzzer.try_one()
        count += 1
    print(f"{count} mutants")
