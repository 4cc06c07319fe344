"""Every input raises only our errors, and no output shows a key."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybearer.errors import KeybearerError
from keybearer.secret import Secret
from keybearer.store.resolution import resolve
from keybearer.zuliprc.credentials import Credentials
from keybearer.zuliprc.document import render_zuliprc
from keybearer.zuliprc.fields import FIELDS
from tests.zuliprc.exposure import assert_no_key, exposed, exposed_with_locals, shown
from tests.zuliprc.fuzzer import Mutants
from tests.zuliprc.resolving import no_command, resolve_text
from tests.zuliprc.strategies import CANARY, documents, odd_texts

VARIABLES = [field.variable for field in FIELDS.values() if field.variable]
MUTANTS = 2000


@given(
    documents,
    st.dictionaries(st.sampled_from(VARIABLES), odd_texts | st.just(CANARY)),
    st.dictionaries(st.sampled_from(["email", "api_key", "site", "insecure"]), odd_texts | st.just(CANARY)),
)
def test_resolving_any_input_succeeds_or_raises_our_error_and_shows_no_key(
    text: str, environ: Mapping[str, str], arguments: dict[str, Any]
) -> None:
    try:
        resolution = resolve_text(text, environ=environ, fetch_key=lambda command: command.text, **arguments)
    except KeybearerError as error:
        assert_no_key(exposed(error))
    else:
        assert_no_key(shown(resolution))


@pytest.mark.parametrize(
    "line",
    [f"{CANARY}", f"{CANARY}=1\n{CANARY}=2", f"insecure={CANARY}", f"site={CANARY}?x", f"site=ftp://{CANARY}",
     f"client_cert={CANARY}", f"cert_bundle={CANARY}", f"client_cert_key={CANARY}", f'key="{CANARY}"',
     f"key={CANARY} # c", f"key={CANARY}\n  {CANARY}", f"key={CANARY}\nKEY={CANARY}", f"key=%({CANARY})s",
     f"passcmd={CANARY}\nkey={CANARY}", f"key={CANARY}\x00", f"[api]\nkey={CANARY}", f"kee={CANARY}"],
)  # fmt: skip
def test_a_key_in_the_wrong_place_is_not_shown_even_with_the_frames(line: str, tmp_path: Path) -> None:
    zuliprc = tmp_path / "rc"
    zuliprc.write_text(f"[api]\nemail=a@x.org\n{line}\n")
    zuliprc.chmod(0o600)

    with pytest.raises(KeybearerError) as raised:
        resolve(zuliprc, environ={}).credentials  # noqa: B018 - asking runs a command

    assert_no_key(exposed(raised.value))
    assert_no_key(exposed_with_locals(raised.value))


def test_a_file_that_is_not_text_is_not_shown(tmp_path: Path) -> None:
    zuliprc = tmp_path / "rc"
    zuliprc.write_bytes(f"[api]\nkey={CANARY}".encode() + b"\xff")

    with pytest.raises(KeybearerError) as raised:
        resolve(zuliprc, environ={})

    assert_no_key(exposed(raised.value) + exposed_with_locals(raised.value))


def test_a_key_in_the_environment_is_not_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("ZULIP_API_KEY", f"'{CANARY}'")

    with pytest.raises(KeybearerError) as raised:
        resolve(email="a@x.org")

    assert_no_key(exposed(raised.value) + exposed_with_locals(raised.value))


@pytest.mark.parametrize("seed", range(4))
def test_mutants_of_valid_files_resolve_or_raise_our_error_and_show_no_key(seed: int) -> None:
    mutants = Mutants(random.Random(seed))
    for _ in range(MUTANTS):
        mutants.try_one()


def test_a_key_given_as_plain_text_becomes_a_secret() -> None:
    plain: dict[str, Any] = {"api_key": CANARY, "token": f"{CANARY}token"}
    credentials = Credentials("a@x.org", **plain)

    assert CANARY not in f"{credentials} {credentials!r}"
    assert credentials == Credentials("a@x.org", Secret(CANARY), token=Secret(f"{CANARY}token"))
    assert f"key={CANARY}\n" in render_zuliprc(credentials)


def test_resolving_runs_no_command() -> None:
    resolve_text("[api]\nemail=a@x.org\npasscmd=p\n", fetch_key=no_command)
