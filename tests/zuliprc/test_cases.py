"""Every case of `cases.json`, through `resolve()` and through the command line's own options."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from keybearer.cli.options import GivenCredentials, credential_options
from keybearer.errors import KeybearerError, ResolutionError, UnsafeValueError
from keybearer.secret import Secret
from keybearer.store.resolution import resolve
from keybearer.zuliprc.credentials import Credentials, TLSOptions
from keybearer.zuliprc.document import Document, render_zuliprc
from keybearer.zuliprc.resolver import Resolution
from tests.zuliprc.cases import RENDERING, RESOLVING, RULES, Case, Scene


@pytest.mark.parametrize("case", RESOLVING, ids=lambda case: case.id)
def test_a_case_has_the_expected_outcome(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(tmp_path)
    scene.prepare(case)
    monkeypatch.chdir(scene.working_directory)

    outcome = _resolve(case, scene)

    expected = scene.filled(case.expect)
    if "error" in expected:
        assert outcome == expected
    else:
        assert "ok" in outcome, outcome
        warnings = expected["ok"].pop("warnings", [])
        assert {name: outcome["ok"][name] for name in expected["ok"]} == expected["ok"]
        assert set(warnings) <= set(outcome["warnings"])


def test_each_difference_from_the_bindings_has_a_rule_with_a_reason() -> None:
    assert {case.rule for case in RESOLVING if case.rule} == set(RULES)
    assert all((case.bindings is not None) == bool(case.rule) for case in RESOLVING)


@pytest.mark.parametrize("case", RENDERING, ids=lambda case: str(case["id"]))
def test_a_rendered_file_has_the_expected_bytes(case: Mapping[str, Any]) -> None:
    given = case["credentials"]
    credentials = Credentials(
        email=given["email"],
        api_key=Secret(given["key"]),
        site=given["site"],
        token=Secret(given["token"]) if "token" in given else None,
        tls=TLSOptions(given.get("client_cert"), given.get("client_cert_key"), given.get("cert_bundle")),
    )
    if "error" in case["expect"]:
        with pytest.raises(UnsafeValueError) as raised:
            render_zuliprc(credentials)
        assert raised.value.kind == case["expect"]["error"]
    else:
        text = render_zuliprc(credentials)
        assert text == case["expect"]["text"]
        assert Document.parse(text).faults == []


def _resolve(case: Case, scene: Scene) -> dict[str, Any]:
    environ = scene.environ(case)
    try:
        if case.options is None:
            resolution = resolve(environ=environ, **scene.filled(case.arguments))
        else:
            resolution = _resolve_options(scene.filled(case.options), environ)
    except ResolutionError as error:
        return {"error": error.kind}
    except click.UsageError:
        return {"error": "usage"}
    return {"ok": _reached(resolution.credentials), "warnings": [warning.kind for warning in resolution.warnings]}


def _resolve_options(options: list[str], environ: Mapping[str, str]) -> Resolution:
    found: list[Resolution] = []

    @click.command()
    @credential_options
    def command(given: GivenCredentials) -> None:
        found.append(resolve(**given.arguments, environ=environ))

    result = CliRunner().invoke(command, options, standalone_mode=False)
    if result.exception is not None:
        assert isinstance(result.exception, KeybearerError | click.UsageError)
        raise result.exception
    return found[0]


def _reached(credentials: Credentials) -> dict[str, Any]:
    """The input of the HTTP layer, in the terms of the cases."""
    tls = credentials.tls
    cert: object = tls.client_cert
    if tls.client_cert_key is not None:
        cert = [tls.client_cert, tls.client_cert_key]
    return {
        "email": credentials.email,
        "api_key": credentials.api_key.reveal(),
        "base_url": None if credentials.site is None else f"{credentials.site}/api/",
        "verify": False if tls.insecure else tls.cert_bundle or True,
        "cert": cert,
    }
