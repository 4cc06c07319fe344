"""The reader notices every difference from the page."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.blocks import read
from tests.docs.reader import Reader, replaced

GOOD = [
    "```console\n$ echo one   two\none two\n```",
    "```console\n$ seq 9\n1\n...\n9\n```",
    "```console\n$ echo key kb123 end\nkey ... end\n```",
    "```console\n$ cd /\n$ export A=b\n```\n\n```console\n$ echo $PWD $A\n/ b\n```",
    "```console\n$ false\n$ echo $?\n1\n```",
    "```console\n$ read -p 'Sure? [y/N]: ' answer; echo $answer\nSure? [y/N]: y\ny\n```",
    "```python\nprint(6 * 7)\n```\n\n```text output\n42\n```",
    "Save `a.txt`:\n\n```text file=a.txt\nhere\n```\n\n```console\n$ cat a.txt\nhere\n```",
    "```console terminal=2\n$ echo begun; sleep 60\nbegun\n```\n\n```console terminal=2\n^C\n$ echo over\nover\n```",
    "```console\n$ false\n```\n\n*Not run here: it fails.*",
]
BAD = [
    "```console\n$ echo one\ntwo\n```",
    "```console\n$ seq 3\n1\n2\n```",
    "```console\n$ false\n```",
    "```console\n$ true\n$ echo $?\n1\n```",
    "```python\nraise SystemExit(1)\n```",
    "```python\nprint(6 * 7)\n```\n\n```text output\n43\n```",
    "```console terminal=2\n$ echo begun\nready\n```",
    "<!-- In the browser: do what nobody can -->",
]


def follow(text: str, directory: Path) -> None:
    page = directory / "page.md"
    page.write_text(text, encoding="utf-8")
    home = directory / "home"
    home.mkdir()
    Reader(home).follow(read(page))


@pytest.mark.parametrize("text", GOOD)
def test_a_correct_page_is_followed_to_its_end(text: str, tmp_path: Path) -> None:
    follow(text, tmp_path)


@pytest.mark.parametrize("text", BAD)
def test_a_wrong_page_fails(text: str, tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        follow(text, tmp_path)


def test_what_replaced_a_part_of_a_page_is_not_replaced_again() -> None:
    stand_ins = {"https://chat.example.com": "http://127.0.0.1:39991", "9991": "40000"}
    assert replaced("https://chat.example.com, not :9991", stand_ins) == "http://127.0.0.1:39991, not :40000"
