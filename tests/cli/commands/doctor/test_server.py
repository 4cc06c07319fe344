"""Checks of the server and of its response to the key."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from tests.cli.commands.doctor.patients import KEY, SETTINGS, Patient, zulip
from tests.client.scripted_server import EMAIL, PROFILE, Reply, error, html, success


def test_the_version_and_feature_level_of_the_server_are_reported(patient: Patient) -> None:
    report = patient.examined()

    assert report.the("server_told")["message"] == "Zulip 12.0, feature level 372, Elsinore"
    assert report.the("key_accepted")["message"] == f"The key is accepted: Hamlet <{EMAIL}>, member"


@pytest.mark.parametrize(
    "settings", [{"zulip_version": "2.1.8"}, {**SETTINGS, "is_incompatible": True}], ids=["no level", "incompatible"]
)
def test_a_server_that_is_too_old_is_a_warning(patient: Patient, settings: dict[str, object]) -> None:
    patient.server.otherwise = zulip(settings=success(**settings))
    assert patient.examined().kinds == ["old_server"]


@pytest.mark.parametrize(
    "answer", [html(200), html(404), Reply(json=[1]), success(greeting="hello"), Reply(body=b"")],
    ids=["page", "no page", "list", "other JSON", "nothing"],
)  # fmt: skip
def test_a_server_other_than_zulip_is_a_fault_and_gets_no_key(patient: Patient, answer: Reply) -> None:
    patient.server.otherwise = answer
    report = patient.examined()

    assert report.kinds == ["not_a_zulip_server"]
    assert all("authorization" not in seen.headers for seen in patient.server.seen)


def test_a_site_that_has_moved_is_a_fault_with_the_new_address(patient: Patient) -> None:
    there = "https://chat.example.org"
    patient.server.otherwise = Reply(301, headers={"Location": f"{there}/api/v1/server_settings"})
    report = patient.examined()

    assert report.kinds == ["redirected"]
    assert there in report.the("redirected")["remedy"]


def test_a_server_that_fails_is_a_fault(patient: Patient) -> None:
    patient.server.otherwise = html(502)
    assert patient.examined().kinds == ["server_failed"]
    assert len(patient.server.seen) == 1


def test_a_refused_key_is_reported_even_after_too_many_refusals(patient: Patient) -> None:
    limited = error(
        429,
        "API usage exceeded rate limit: Invalid API key",
        "RATE_LIMIT_HIT",
        **{"retry-after": 17.2, "refusal": "Invalid API key"},
    )
    patient.server.otherwise = zulip(profile=limited)
    report = patient.examined()

    assert report.kinds == ["key_refused"]
    assert "Invalid API key" in report.the("key_refused")["message"]


def test_too_many_calls_are_a_temporary_fault(patient: Patient) -> None:
    limited = error(429, "API usage exceeded rate limit", "RATE_LIMIT_HIT", **{"retry-after": 17.2})
    patient.server.otherwise = zulip(profile=limited)
    report = patient.examined()

    assert report.kinds == ["rate_limited"]
    assert "18 seconds" in report.the("rate_limited")["remedy"]


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("Invalid API key", "key_refused"),
        ("Malformed API key", "key_refused"),
        ("Account is deactivated", "account_deactivated"),
        ("This organization has been deactivated", "organization_deactivated"),
        ("Account is not associated with this subdomain", "wrong_site"),
        ("Not today", "refused"),
    ],
)
def test_each_refusal_of_zulip_is_a_separate_fault(patient: Patient, said: str, kind: str) -> None:
    patient.server.otherwise = zulip(profile=error(401, said, "UNAUTHORIZED"))
    report = patient.examined()

    assert report.kinds == [kind]
    assert report.the(kind)["place"] == patient.server.site


def test_a_key_that_the_server_repeats_is_not_shown(patient: Patient) -> None:
    patient.server.otherwise = zulip(profile=error(400, f"No {KEY} today"))
    assert patient.examined().kinds == ["refused"]


def test_an_email_that_differs_from_the_server_is_a_warning(patient: Patient) -> None:
    patient.server.otherwise = zulip(profile=success(**PROFILE, delivery_email="prince@example.com"))
    report = patient.examined()

    assert report.kinds == ["email_mismatch"]
    assert "email=prince@example.com" in report.the("email_mismatch")["remedy"]


@pytest.mark.parametrize("real", [None, EMAIL.upper()])
def test_a_hidden_email_or_one_in_capitals_is_no_warning(patient: Patient, real: str | None) -> None:
    patient.server.otherwise = zulip(profile=success(**PROFILE, delivery_email=real))
    assert patient.examined().kinds == []


@pytest.mark.parametrize(
    ("apart", "said"),
    [
        (timedelta(minutes=5), "5 minutes behind"),
        (timedelta(minutes=-5), "5 minutes ahead of"),
        (timedelta(hours=-26), "26 hours ahead of"),
        (timedelta(seconds=30), ""),
    ],
)
def test_a_wrong_clock_is_reported(patient: Patient, apart: timedelta, said: str) -> None:
    date = format_datetime(datetime.now(UTC) + apart, usegmt=True)
    patient.server.otherwise = zulip(
        settings=Reply(json={"result": "success", "msg": "", **SETTINGS}, headers={"Date": date})
    )
    report = patient.examined()

    assert report.kinds == (["clock_skew"] if said else [])
    assert said in (report.the("clock_skew")["message"] if said else "")
