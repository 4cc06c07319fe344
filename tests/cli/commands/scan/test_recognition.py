"""Texts that contain a key, and texts that only look like it."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybearer import api_key
from keybearer.cli.commands.scan import streams
from keybearer.cli.commands.scan.recognition import search
from keybearer.cli.commands.scan.streams import search_stream

FOREIGN = "q8Zr3vT1xLw0Yb6Nc9Ks2Jd5Hf7Gp4Me"
"""A key from another Zulip server, which has no mark of its own."""

LEAKS = {
    "a zuliprc": f"[api]\nemail=a@x.org\nkey={FOREIGN}\nsite=https://x.org\n",
    "a zuliprc written by hand": f'[api]\r\n  key: "{FOREIGN}"\r\n',
    "a zuliprc with capitals": f"[api]\nEmail = a@x.org\nKEY: {FOREIGN}\nSite = https://x.org\n",
    "a commented-out key": f"[api]\nkey=other\n# key={FOREIGN}\n",
    "a zuliprc in a document": f"> Put this there:\n>\n> [api]\n> email=a@x.org\n> key={FOREIGN}\n",
    "a zuliprc in one quoted line": rf'"zuliprc": "[api]\nemail=a@x.org\nkey={FOREIGN}\nsite=https://x.org\n"',
    "a botserverrc": f"[helper]\nemail=a@x.org\nkey={FOREIGN}\nsite=https://x.org\ntoken=none\n",
    "the token of a webhook bot": f"[api]\nemail=a@x.org\nsite=https://x.org\ntoken={FOREIGN}\n",
    "a shell's variable": f"export ZULIP_API_KEY='{FOREIGN}'",
    "a dotenv": f"ZULIP_API_KEY={FOREIGN}\n",
    "a Dockerfile": f"ENV ZULIP_API_KEY {FOREIGN}",
    "YAML": f"  zulip_api_key: {FOREIGN}\n",
    "a container's environment": f"- name: ZULIP_API_KEY\n  value: {FOREIGN}\n",
    "JSON": f'{{"ZULIP_API_KEY": "{FOREIGN}"}}',
    "a list of variables in JSON": f'{{"name": "ZULIP_API_KEY", "value": "{FOREIGN}"}}',
    "Python's environment": f'os.environ["ZULIP_API_KEY"] = "{FOREIGN}"',
    "a typed constant": f'ZULIP_BOT_KEY: str = "{FOREIGN}"',
    "a camel's name": f'const zulipApiKey = "{FOREIGN}";',
    "Hubot's variable": f"HUBOT_ZULIP_API_KEY={FOREIGN}",
    "a call of the bindings": f'zulip.Client(email="a@x.org",\n    api_key="{FOREIGN}")',
    "a command's arguments": f"zulip-send --user a@x.org --api-key {FOREIGN} --site https://x.org",
    "curl": f"curl https://x.org/api/v1/users/me -u a@x.org:{FOREIGN}",
    "a webhook's address": f"https://x.org/api/v1/external/github?stream=a&api_key={FOREIGN}",
}

HARMLESS = {
    "a hash": "sha: 0f343b0931126a20f133d67c2b018a3b\n",
    "another product's key": f"AWS_API_KEY={FOREIGN}\n",
    "a key without its section": f"key={FOREIGN}\n",
    "another section": f"[client]\nkey={FOREIGN}\n",
    "a placeholder": "[api]\nkey=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n",
    "words in the place of the key": "[api]\nkey=<your key>\nZULIP_API_KEY=$KEY\n",
    "a longer word": f"ZULIP_API_KEY={FOREIGN}0\n",
    "a file's name": f"[api]\nclient_cert_key={FOREIGN}\n",
    "Zulip and a hash": f"zulip-server 12.0\n{FOREIGN}  zulip.tar.gz\n",
    "a line that allows it": f"ZULIP_API_KEY={FOREIGN}  # keybearer:allow\n",
    "a mistyped Keybearer key": "kb" + "0" * 30 + "\n",
}


@pytest.mark.parametrize("text", LEAKS.values(), ids=LEAKS)
def test_a_key_of_another_server_is_recognised_by_its_context(text: str) -> None:
    assert [leak.key.reveal() for leak in search(text)] == [FOREIGN]


@pytest.mark.parametrize("text", HARMLESS.values(), ids=HARMLESS)
def test_text_that_only_looks_like_a_key_is_not_reported(text: str) -> None:
    assert search(text) == []


def test_the_account_of_a_key_is_read_from_the_zuliprc() -> None:
    (leak,) = search(
        f"x\n[api]\nemail=a@x.org\nkey={FOREIGN}\nsite=https://x.org\n[zterm]\nsite=other\n", first_line=10
    )

    assert (leak.kind, leak.line, leak.email, leak.site) == ("zuliprc", 13, "a@x.org", "https://x.org")


def test_each_key_in_a_file_with_several_accounts_has_its_own_account() -> None:
    text = "".join(
        f"[bot{n}]\nemail=bot{n}@x.org\nkey={n}{FOREIGN[1:]}\nsite=https://x.org\ntoken={n}{FOREIGN[:0:-1]}\n"
        for n in (1, 2)
    )

    assert [(leak.kind, leak.line, leak.email) for leak in search(text)] == [
        ("zuliprc", 3, "bot1@x.org"),
        ("token", 5, "bot1@x.org"),
        ("zuliprc", 8, "bot2@x.org"),
        ("token", 10, "bot2@x.org"),
    ]


WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\ufeff\ufffe"), max_size=30)
"""Text without the characters that reveal the encoding of a file."""


@given(
    before=WORDS,
    after=WORDS,
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]),
)
def test_a_keybearer_key_is_found_between_any_words_in_any_encoding(before: str, after: str, encoding: str) -> None:
    key = api_key.generate()
    text = f"{before}\n.{key.reveal()}.{after}"
    data = text.encode(encoding, "replace")

    (leak,) = search_stream(io.BytesIO(data))

    assert leak.key == key
    assert leak.line == before.count("\n") + 2


@pytest.mark.parametrize("break_", ["\n", " ", "\n" * 50], ids=["lines", "one long line", "short lines"])
@pytest.mark.parametrize("offset", [-40, -32, -31, -16, -1, 0, 1, 33])
def test_a_key_at_the_end_of_a_block_is_found_once(offset: int, break_: str) -> None:
    block = 1 << 15
    key = api_key.generate().reveal()
    filler = (f"word{break_}" * block)[: block + offset - 1]
    text = f"{filler} {key} {filler} {FOREIGN}"

    (leak,) = search_stream(io.BytesIO(text.encode()), block)

    assert leak.key.reveal() == key
    assert leak.line == filler.count("\n") + 1


@pytest.mark.parametrize(
    ("name", "is_found"),
    [
        ("cache_key=", False),
        ("cache_key%3D%22", False),
        ("cache_key=1 zulip_api_key%3D%22", True),
        ("cache_key=1 \\u007aulip_api_key\\u003a ", True),
        ("cache_key=1 \n[api]\nkey=", True),
        ("cache_key=a@x.org:", True),
    ],
)
def test_the_name_right_before_a_key_decides_in_a_long_text(name: str, is_found: bool) -> None:
    text = f"{'a word ' * 300}{name}{FOREIGN} of a@x.org at https://x.org"

    assert bool(search(text)) == is_found


def test_a_zuliprc_across_two_blocks_is_found_complete() -> None:
    filler = "a line of a log\n" * ((streams.BLOCK // 16) - 2)
    data = f"{filler}[api]\nemail=a@x.org\nkey={FOREIGN}\nsite=https://x.org\n{filler}".encode()

    (leak,) = search_stream(io.BytesIO(data))

    assert (leak.email, leak.site) == ("a@x.org", "https://x.org")
    assert leak.line == filler.count("\n") + 3


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le"])
@pytest.mark.parametrize("lines", [600, 6_000])
def test_wide_characters_after_a_text_are_read(lines: int, encoding: str) -> None:
    key = api_key.generate()
    appended = f"[api]\r\nemail=a@x.org\r\nkey={FOREIGN}\r\nsite=https://x.org\r\n\r\ntoken {key.reveal()}\r\n"
    data = b"a line of a log\n" * lines + (appended * 2).encode(encoding) + b"a line of a log\n" * lines

    found = list(search_stream(io.BytesIO(data), 1 << 15))

    assert [leak.key.reveal() for leak in found] == [FOREIGN, key.reveal()] * 2
    assert [leak.line - lines for leak in found] == [3, 6, 9, 12]
    assert (found[0].email, found[0].site) == ("a@x.org", "https://x.org")


def test_a_wide_key_at_the_end_of_a_block_is_found_once() -> None:
    key = api_key.generate()
    wide = f" {key.reveal()} ".encode("utf-16-le")
    for offset in range(-80, 20, 3):
        data = b"a" * ((1 << 15) + offset) + wide + b"word " * 9_000

        assert [leak.key for leak in search_stream(io.BytesIO(data), 1 << 15)] == [key]


def test_a_binary_file_is_searched_for_every_kind_of_key() -> None:
    key = api_key.generate()
    data = b"\0\1\2" * 9 + key.reveal().encode() + b"\0[api]\nkey=" + FOREIGN.encode()

    assert {(leak.key.reveal(), leak.line) for leak in search_stream(io.BytesIO(data))} == {
        (key.reveal(), 0),
        (FOREIGN, 0),
    }


def test_a_large_stream_takes_no_more_memory_than_a_few_blocks() -> None:
    import tracemalloc  # noqa: PLC0415 - slows all down from its import on

    class Endless:
        left = 24 << 20

        def read(self, size: int, /) -> bytes:
            size = min(size, self.left)
            self.left -= size
            return b"a" * size

    tracemalloc.start()
    try:
        assert list(search_stream(Endless())) == []
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 12 * streams.BLOCK


def test_no_leak_shows_its_key_when_printed(tmp_path: Path) -> None:
    (leak,) = search(LEAKS["a dotenv"])

    assert FOREIGN not in repr(leak)
