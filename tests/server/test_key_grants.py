"""What a key may do: a grant covers another exactly when the other lets its holder do nothing more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybearer.server.domain.accounts import Account, Role
from keybearer.server.domain.actors import Actor
from keybearer.server.domain.api_keys import APIKeyRecord
from keybearer.server.domain.errors import BeyondGrant, Refused
from keybearer.server.domain.grants import ALL_SCOPES, FULL, Grant, Scope, checked_networks
from keybearer.server.domain.key_policy import KeyPolicy

NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)
MOMENTS = [NOON + timedelta(days=days) for days in range(4)]
NETWORKS = ["10.0.0.0/8", "10.1.0.0/16", "10.1.2.3", "192.0.2.0/24", "2001:db8::/32", "2001:db8:1::/48"]
ADDRESSES = ["10.9.9.9", "10.1.9.9", "10.1.2.3", "192.0.2.9", "2001:db8:9::1", "2001:db8:1::1", "203.0.113.9", ""]

grants = st.builds(
    Grant,
    st.integers(1, ALL_SCOPES.value).map(Scope),
    st.none() | st.sampled_from(MOMENTS),
    st.lists(st.sampled_from(NETWORKS), max_size=3, unique=True).map(checked_networks),
)


def allowed(grant: Grant) -> set[tuple[str, datetime, str]]:
    """Everything that a key with this grant can do: what, when, from where."""
    return {
        (scope.name or "", moment, address)
        for scope in Scope
        if scope in grant.scopes
        for moment in [*MOMENTS, NOON + timedelta(days=9999)]
        if not grant.has_ended(moment)
        for address in ADDRESSES
        if grant.includes(address)
    }


@given(grants, grants)
def test_a_grant_that_covers_another_allows_all_that_it_allows(grant: Grant, other: Grant) -> None:
    if grant.covers(other):
        assert allowed(other) <= allowed(grant)


@given(grants, grants, st.sampled_from(["scopes", "end", "networks"]))
def test_more_scopes_a_later_end_and_wider_networks_are_not_covered(grant: Grant, other: Grant, more: str) -> None:
    changed = {
        "scopes": grant._replace(scopes=grant.scopes | other.scopes),
        "end": grant._replace(expires_at=other.expires_at),
        "networks": grant._replace(networks=other.networks),
    }[more]
    if allowed(changed) - allowed(grant):
        assert not grant.covers(changed)
    assert FULL.covers(grant)
    assert grant.covers(grant)


@given(grants, grants)
def test_an_actor_by_key_cannot_reveal_a_key_that_may_do_more(own: Grant, wanted: Grant) -> None:
    record = APIKeyRecord(
        1, 1, "script", NOON, None, own.expires_at, is_account_key=False, scopes=own.scopes, networks=own.networks
    )
    account = Account(1, 1, "hamlet@example.com", "Hamlet", Role.MEMBER, NOON)
    actor = Actor(account, key=record)
    if own.covers(wanted):
        actor.check_covers(wanted)
    else:
        with pytest.raises(BeyondGrant):
            actor.check_covers(wanted)


@pytest.mark.parametrize(
    ("text", "usual"),
    [
        (" 192.0.2.7 ", "192.0.2.7/32"),
        ("::ffff:192.0.2.0/120", "192.0.2.0/24"),
        ("2001:DB8::/32", "2001:db8::/32"),
    ],
)
def test_a_network_is_stored_in_its_normal_form(text: str, usual: str) -> None:
    assert checked_networks([text, text]) == (usual,)


@pytest.mark.parametrize(
    "policy",
    [KeyPolicy(0), KeyPolicy(9999), KeyPolicy(30), KeyPolicy(30, 60), KeyPolicy(must_end=True), KeyPolicy(None, 0)],
)
def test_a_policy_that_contradicts_itself_is_refused(policy: KeyPolicy) -> None:
    with pytest.raises(Refused):
        policy.checked()
