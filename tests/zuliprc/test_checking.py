"""Checking settings one by one, so that every fault is found."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from keybearer.errors import ResolutionError
from keybearer.secret import Secret
from keybearer.zuliprc.checking import CheckedSettings, check_sources
from keybearer.zuliprc.document import Document
from keybearer.zuliprc.resolver import resolve_sources
from keybearer.zuliprc.sources import Arguments, Environment, Sources, ZuliprcFile
from keybearer.zuliprc.values import Surroundings

HERE = Surroundings("/home/ann", "/here")
PATH = "/home/ann/.zuliprc"


def sources(text: str, environ: Mapping[str, str] | None = None) -> Sources:
    return Sources(Arguments({}), Environment(environ or {}), ZuliprcFile(PATH, Document.parse(text, PATH)))


def faults(checked: CheckedSettings) -> dict[str, str]:
    return {error.place: error.kind for error in checked.faults}


def test_every_fault_is_reported_and_not_only_the_first() -> None:
    checked = check_sources(
        sources('[api]\nemail="ann@x.org"\nkey=k # mine\nsite=ftp://z.x\ninsecure=yes\nclient_cert_key=c.key\n'), HERE
    )

    assert faults(checked) == {
        f"{PATH}:2": "suspicious_value",
        f"{PATH}:3": "suspicious_value",
        f"{PATH}:4": "bad_url",
        f"{PATH}:5": "bad_boolean",
        f"{PATH}:6": "key_without_cert",
    }


def test_valid_settings_have_values_despite_faults() -> None:
    checked = check_sources(sources("[api]\nkey=abc\nsite=z.x\ninsecure=maybe\n"), HERE)

    assert checked.values == {"key": Secret("abc"), "site": "https://z.x"}
    assert str(checked.origins["site"]) == f"{PATH}:3"
    assert faults(checked) == {f"{PATH}:4": "bad_boolean", PATH: "missing_email"}


@pytest.mark.parametrize(
    "text",
    [
        "[api]\nemail=ann@x.org\nkey=abc\n",
        "[api]\nemail=ann@x.org\n",
        "[api]\nkey=abc\n",
        "[API]\nkey=abc\n",
        "[api]\n",
        "[api]\nemail=ann@x.org\nkey=abc\npasscmd=pass x\n",
        "[api]\nemail=ann@x.org\npasscmd=pass x\n",
        "[api]\nemail=ann@x.org\nkey=abc\nclient_bundle=a\ncert_bundle=b\n",
        "[api]\nemail=%(key)s\nkey=abc\n",
        "[api]\nemail=ann@x.org\nkey=abc\nclient_cert_key=x\n",
    ],
)
def test_the_faults_include_the_error_that_resolving_raises(text: str) -> None:
    told = [(error.kind, error.place) for error in check_sources(sources(text), HERE).faults]
    raised: list[tuple[str, str]] = []
    try:
        resolve_sources(sources(text), HERE, fetch_key=lambda command: Secret("fetched"))
    except ResolutionError as error:
        raised.append((error.kind, error.place))
    assert bool(told) == bool(raised)
    assert set(raised) <= set(told)


def test_a_bundle_variable_of_another_program_is_used() -> None:
    text = "[api]\nemail=ann@x.org\n"
    variables = {"REQUESTS_CA_BUNDLE": "/etc/ca.pem"}

    assert check_sources(sources(text, variables), HERE).values["client_bundle"] == "/etc/ca.pem"
    assert "client_bundle" not in check_sources(sources(f"{text}insecure=true\n", variables), HERE).values
