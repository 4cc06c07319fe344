"""Settings: from flags and the environment, complete, checked, and without showing passwords."""

from __future__ import annotations

import ipaddress
from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import pytest

from keybearer.errors import KeybearerError, SettingError
from keybearer.server.settings import VARIABLES, Settings, unknown_variables, without_password


def test_a_data_directory_is_enough() -> None:
    settings = Settings(data_dir=Path("/var/lib/keybearer"))
    assert settings.database_url == "sqlite:////var/lib/keybearer/keybearer.db"
    assert settings.secrets_file == Path("/var/lib/keybearer/secrets.json")
    assert (settings.host, settings.port, settings.workers) == ("127.0.0.1", 9991, 1)
    assert (settings.api_limit, settings.failure_limit) == ("200/minute", "60/minute")
    assert not settings.development


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"XDG_DATA_HOME": "/data"}, "/data/keybearer"),
        ({"XDG_DATA_HOME": "relative", "HOME": "/home/me"}, "/home/me/.local/share/keybearer"),
        ({"HOME": "/home/me"}, "/home/me/.local/share/keybearer"),
        ({"XDG_DATA_HOME": "", "HOME": "/home/me"}, "/home/me/.local/share/keybearer"),
        ({"KEYBEARER_DATA_DIR": "/srv/kb", "XDG_DATA_HOME": "/data"}, "/srv/kb"),
    ],
)
def test_the_default_data_directory_follows_the_xdg_rules(environ: dict[str, str], expected: str) -> None:
    assert Settings.from_environ(environ).data_dir == Path(expected)


def test_every_variable_is_read() -> None:
    environ = {
        "KEYBEARER_DATA_DIR": "/srv/kb",
        "KEYBEARER_DATABASE_URL": "postgresql://kb@localhost/kb",
        "KEYBEARER_SECRETS": "/etc/kb/secrets.json",
        "KEYBEARER_SMTP_URL": "smtp://mail.example.com:25",
        "KEYBEARER_TRUSTED_PROXIES": "10.0.0.0/8, ::1",
        "KEYBEARER_WORKERS": "4",
        "KEYBEARER_API_LIMIT": "10 per 2 seconds",
        "KEYBEARER_FAILURE_LIMIT": "5/hour",
    }
    settings = Settings.from_environ(environ)
    assert settings == Settings(
        data_dir=Path("/srv/kb"),
        database_url="postgresql://kb@localhost/kb",
        secrets_file=Path("/etc/kb/secrets.json"),
        smtp_url="smtp://mail.example.com:25",
        trusted_proxies=(ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("::1")),
        workers=4,
        api_limit="10 per 2 seconds",
        failure_limit="5/hour",
    )


def test_a_flag_overrides_a_variable_and_an_absent_flag_does_not() -> None:
    environ = {"KEYBEARER_DATA_DIR": "/one", "KEYBEARER_WORKERS": "2"}
    settings = Settings.from_environ(environ, data_dir=Path("/two"), workers=None)
    assert (settings.data_dir, settings.workers) == (Path("/two"), 2)


def test_an_empty_variable_counts_as_unset() -> None:
    settings = Settings.from_environ({"KEYBEARER_DATA_DIR": "/one", "KEYBEARER_WORKERS": "", "KEYBEARER_SMTP_URL": ""})
    assert (settings.workers, settings.smtp_url) == (1, None)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("KEYBEARER_WORKERS", "many"),
        ("KEYBEARER_WORKERS", "0"),
        ("KEYBEARER_WORKERS", "-1"),
        ("KEYBEARER_PORT", "70000"),
        ("KEYBEARER_PORT", "-1"),
        ("KEYBEARER_DEVELOPMENT", "perhaps"),
        ("KEYBEARER_DATABASE_URL", "mysql://localhost/kb"),
        ("KEYBEARER_DATABASE_URL", "keybearer.db"),
        ("KEYBEARER_SMTP_URL", "mail.example.com"),
        ("KEYBEARER_TRUSTED_PROXIES", "10.0.0.0/99"),
        ("KEYBEARER_TRUSTED_PROXIES", "10.0.0.1/8"),
        ("KEYBEARER_TRUSTED_PROXIES", "proxy"),
        ("KEYBEARER_API_LIMIT", "200"),
        ("KEYBEARER_API_LIMIT", "0/minute"),
        ("KEYBEARER_API_LIMIT", "200/0 minutes"),
        ("KEYBEARER_API_LIMIT", "200/fortnight"),
        ("KEYBEARER_FAILURE_LIMIT", "often"),
        ("KEYBEARER_LOG_FORMAT", "xml"),
        ("KEYBEARER_LOG_LEVEL", "loud"),
        ("KEYBEARER_METRICS", "9992"),
        ("KEYBEARER_TLS_CERT", "/cert.pem"),
        ("KEYBEARER_TLS_CLIENT_CA", "/ca.pem"),
    ],
)
def test_a_bad_value_is_refused_naming_the_variable(variable: str, value: str) -> None:
    with pytest.raises(SettingError) as caught:
        Settings.from_environ({"KEYBEARER_DATA_DIR": "/one", variable: value})
    assert isinstance(caught.value, KeybearerError)
    assert str(caught.value).startswith("KEYBEARER_TLS_KEY" if variable == "KEYBEARER_TLS_CERT" else variable)


def test_settings_reach_a_worker_unchanged() -> None:
    settings = Settings(
        data_dir=Path("/srv/k b"),
        database_url="postgresql://kb:pw@localhost/kb",
        secrets_file=Path("/etc/kb/secrets.json"),
        host="::1",
        port=0,
        workers=3,
        development=True,
        smtp_url="smtps://u:p@mail.example.com",
        trusted_proxies=(ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8")),
        api_limit="1/second",
        failure_limit="2/day",
        log_format="json",
        log_level="debug",
        log_requests=True,
        metrics="[::1]:9992",
        tls_cert=Path("/c.pem"),
        tls_key=Path("/k.pem"),
        tls_client_ca=Path("/ca.pem"),
    )
    assert Settings.from_environ(settings.to_environ()) == settings
    plain = Settings(data_dir=Path("/srv/kb"))
    assert Settings.from_environ(plain.to_environ()) == plain


def test_every_setting_has_a_variable() -> None:
    assert {field.name for field in fields(Settings)} == VARIABLES.keys()


def test_no_password_is_shown() -> None:
    settings = Settings(
        data_dir=Path("/srv/kb"),
        database_url="postgresql://kb:hunter2@localhost/kb",
        smtp_url="smtp://kb:hunter2@mail.example.com",
    )
    assert "hunter2" not in repr(settings) + str(settings)


def test_the_secrets_are_systemds_credential_if_no_file_is_set(tmp_path: Path) -> None:
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path), "KEYBEARER_DATA_DIR": "/srv/kb"}
    assert Settings.from_environ(environ).secrets_file == Path("/srv/kb/secrets.json")
    (tmp_path / "secrets.json").touch()
    assert Settings.from_environ(environ).secrets_file == tmp_path / "secrets.json"
    named = {**environ, "KEYBEARER_SECRETS": "/etc/kb.json"}
    assert Settings.from_environ(named).secrets_file == Path("/etc/kb.json")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://kb:hunter2@db/kb", "postgresql://kb:PASSWORD@db/kb"),
        ("postgresql://kb:a@b@one,two:5433/kb", "postgresql://kb:PASSWORD@one,two:5433/kb"),
        (
            "postgresql://kb@db/kb?user=kb&password=hunter2&ssl=require",
            "postgresql://kb@db/kb?user=kb&password=PASSWORD&ssl=require",
        ),
        ("smtp+starttls://kb:hunter2@mail:587", "smtp+starttls://kb:PASSWORD@mail:587"),
        ("postgresql://kb@db:5432/kb", "postgresql://kb@db:5432/kb"),
        ("sqlite:////srv/a:b@c/kb.db", "sqlite:////srv/a:b@c/kb.db"),
    ],
)
def test_an_address_is_shown_without_its_password(url: str, shown: str) -> None:
    assert without_password(url) == shown


def test_only_variables_that_look_like_settings_but_are_not_are_unknown() -> None:
    environ = {**dict.fromkeys(VARIABLES.values(), "x"), "KEYBEARER_TRACEBACK": "1", "PATH": "/bin"}
    assert unknown_variables(environ) == {}
    assert unknown_variables({"KEYBEARER_WORKER": "2", "KEYBEARER_XYZZY": "2"}) == {
        "KEYBEARER_WORKER": "KEYBEARER_WORKERS",
        "KEYBEARER_XYZZY": None,
    }


def test_a_bad_address_is_refused_without_repeating_it() -> None:
    with pytest.raises(SettingError) as caught:
        Settings(data_dir=Path("/srv/kb"), database_url="mysql://kb:hunter2@localhost/kb")
    assert "hunter2" not in str(caught.value)
    with pytest.raises(SettingError) as caught:
        Settings(data_dir=Path("/srv/kb"), smtp_url="kb:hunter2@mail.example.com")
    assert "hunter2" not in str(caught.value)


def test_settings_do_not_change() -> None:
    settings = Settings(data_dir=Path("/srv/kb"))
    with pytest.raises(FrozenInstanceError):
        settings.port = 1  # type: ignore[misc]


def test_an_unknown_override_is_a_programming_error() -> None:
    with pytest.raises(TypeError, match="colour"):
        Settings.from_environ({}, colour="red")
