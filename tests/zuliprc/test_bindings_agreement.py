"""The official `zulip` package with the same files and cases: our statements about it are true."""

from __future__ import annotations

import argparse
import configparser
import os
from pathlib import Path
from typing import Any

import pytest
import zulip
from hypothesis import given, settings

from keybearer.zuliprc.credentials import Credentials
from keybearer.zuliprc.document import render_zuliprc
from tests.zuliprc.cases import RESOLVING, Case, Scene
from tests.zuliprc.strategies import credentials

ERRORS: dict[str, type[BaseException] | tuple[type[BaseException], ...]] = {
    "bad_boolean": zulip.ZulipError,
    "bundle_not_found": zulip.ConfigNotFoundError,
    "cert_not_found": zulip.ConfigNotFoundError,
    "config_not_found": zulip.ConfigNotFoundError,
    "duplicate_key": configparser.DuplicateOptionError,
    "duplicate_section": configparser.DuplicateSectionError,
    "encoding": UnicodeDecodeError,
    "interpolation": configparser.InterpolationError,
    "is_directory": IsADirectoryError,
    "key_without_cert": zulip.ConfigNotFoundError,
    "legacy_file": zulip.ZulipError,
    "malformed_line": configparser.ParsingError,
    "missing_email": configparser.NoOptionError,
    "missing_key": configparser.NoOptionError,
    "missing_section": configparser.NoSectionError,
    "missing_site": zulip.MissingURLError,
    "no_section_header": configparser.MissingSectionHeaderError,
    "usage": SystemExit,
}
"""The exception of the bindings for each of our kinds."""

ONLY_WHEN_SENDING = {
    "prec-empty-env-site",
    "site-scheme-relative",
    "tls-curl-ca-bundle",
    "tls-requests-ca-bundle-beats-insecure",
}
"""Sites and variables that the bindings read only when they send the first request."""


class Bindings(zulip.Client):
    """The official client without the request that its constructor makes."""

    def get_server_settings(self) -> dict[str, Any]:
        return {"zulip_version": "12.0", "zulip_feature_level": 372}


@pytest.mark.parametrize(
    "case",
    [one for one in RESOLVING if one.source in {"both", "bindings"} and one.id not in ONLY_WHEN_SENDING],
    ids=lambda case: case.id,
)
def test_the_bindings_do_what_the_case_expects(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(tmp_path)
    scene.prepare(case)
    monkeypatch.chdir(scene.working_directory)
    for name in [name for name in os.environ if name.startswith("ZULIP")]:
        monkeypatch.delenv(name)
    for name, value in scene.environ(case).items():
        monkeypatch.setenv(name, value)

    expected = scene.filled(case.bindings if case.bindings is not None else case.expect)
    if "error" in expected:
        with pytest.raises(ERRORS[expected["error"]]):
            _construct(case, scene)
    else:
        client = _construct(case, scene)
        wanted = {name: value for name, value in expected["ok"].items() if name != "warnings"}
        cert = [client.client_cert, client.client_cert_key] if client.client_cert_key else client.client_cert
        reached = {
            "email": client.email,
            "api_key": client.api_key,
            "base_url": client.base_url,
            "verify": client.tls_verification,
            "cert": cert,
        }
        assert {name: reached[name] for name in wanted} == wanted


@settings(max_examples=200)
@given(credentials())
def test_pythons_parser_reads_every_rendered_file(given_credentials: Credentials) -> None:
    parser = configparser.ConfigParser()
    parser.read_string(render_zuliprc(given_credentials))

    section = parser["api"]
    assert section["email"] == given_credentials.email
    assert section["key"] == given_credentials.api_key.reveal()
    assert section.get("site") == given_credentials.site
    assert section.get("cert_bundle") == section.get("client_bundle") == given_credentials.tls.cert_bundle
    assert section.get("client_cert") == given_credentials.tls.client_cert
    assert section.get("client_cert_key") == given_credentials.tls.client_cert_key
    assert section.getboolean("insecure", fallback=False) == given_credentials.tls.insecure


def _construct(case: Case, scene: Scene) -> Bindings:
    if case.options is None:
        return Bindings(**scene.filled(case.arguments))
    parser = zulip.add_default_arguments(argparse.ArgumentParser(prog="bindings"))
    options = parser.parse_args(scene.filled(case.options))
    return Bindings(
        email=options.zulip_email,
        api_key=options.zulip_api_key,
        config_file=options.zulip_config_file,
        site=options.zulip_site,
        cert_bundle=options.cert_bundle,
        insecure=options.insecure,
        client_cert=options.client_cert,
        client_cert_key=options.client_cert_key,
    )
