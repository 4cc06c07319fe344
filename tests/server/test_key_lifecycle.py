"""The lifecycle of keys: after any sequence of actions, each key is accepted or refused as a model predicts."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from keybearer.server.domain.accounts import Role
from tests.in_process import InProcessServer, Known, prepared, serving
from tests.server.named_keys import CURRENT, OWN, expire, form

T = TypeVar("T")

SCOPES = ("read", "send", "manage", "keys")
ASKED = {
    "read": ("GET", "/api/v1/users/me/alert_words"),
    "send": ("GET", "/api/v1/bot_storage"),
    "manage": ("DELETE", "/api/v1/users/me/alert_words"),
    "keys": ("GET", OWN),
}
"""A call that needs the scope. Other reasons for refusing it do not matter."""

FOREVER = 10**9
OVERLAP = 3600

scopes_of_keys = st.sets(st.sampled_from(SCOPES), min_size=1).map(frozenset)
numbers = st.integers(0, 1000)
whose = st.sampled_from(["person", "bot"])


@dataclass(eq=False)
class Key:
    """A key in the model. `end` is in steps of the model."""

    id: int
    holder: str
    text: str
    scopes: frozenset[str] = frozenset(SCOPES)
    end: int = FOREVER
    is_account_key: bool = True
    is_revoked: bool = False
    created_with: Key | None = None
    replaced: Key | None = None
    is_replaced: bool = False

    def covers(self, other: Key) -> bool:
        return other.scopes <= self.scopes and other.end <= self.end


class Lifecycle(RuleBasedStateMachine):
    """A person and their bot, and an administrator who can do everything."""

    server: InProcessServer
    runner: asyncio.Runner
    names: Iterator[int]

    def run(self, work: Awaitable[T]) -> T:
        async def waited() -> T:
            return await work

        return self.runner.run(waited())

    @initialize()
    def begin(self) -> None:
        number = next(self.names)
        self.admin = self.run(self.server.add_person(f"olive{number}", Role.OWNER))
        self.others = self.run(self.server.add_person(f"cordelia{number}"))
        person = self.run(self.server.add_person(f"hamlet{number}"))
        self.accounts: dict[str, Known] = {
            "person": person,
            "bot": self.run(self.server.add_bot(person, f"bot{number}")),
        }
        self.active = {"person": True, "bot": True}
        self.is_guest = False
        self.owner = "person"
        self.step = 0
        self.keys: list[Key] = []
        for holder, known in self.accounts.items():
            self.keys.append(Key(self.newest_id(known), holder, known.api_key))

    def newest_id(self, known: Known) -> int:
        answer = self.run(self.server.client().get(CURRENT, auth=known.auth))
        return int(answer.json()["id"])

    def ask(self, key: Key, method: str, path: str, **fields: Any) -> httpx2.Response:
        self.step += 1
        auth = (self.accounts[key.holder].email, key.text)
        return self.run(self.server.client().request(method, path, auth=auth, data=form(**fields)))

    def ask_admin(self, method: str, path: str, **fields: Any) -> httpx2.Response:
        self.step += 1
        answer = self.run(self.server.client().request(method, path, auth=self.admin.auth, data=form(**fields)))
        assert answer.status_code == 200, answer.text
        return answer

    # What the model predicts

    def is_live(self, key: Key) -> bool:
        return not key.is_revoked and key.end > self.step

    def is_active(self, holder: str) -> bool:
        return self.active[holder] and (holder == "person" or self.owner != "person" or self.active["person"])

    def is_accepted(self, key: Key) -> bool:
        return self.is_live(key) and self.is_active(key.holder)

    def may_handle_keys_of(self, holder: str, key: Key) -> bool:
        if not self.is_accepted(key) or "keys" not in key.scopes:
            return False
        manages_it = key.holder == self.owner == "person" and not self.is_guest
        return key.holder == holder or (holder == "bot" and manages_it)

    def end_with_all_created(self, *keys: Key) -> None:
        doomed = list(keys)
        while doomed:
            key = doomed.pop()
            key.is_revoked = True
            doomed += [each for each in self.keys if each.created_with is key and each not in doomed]
            doomed += [key.replaced] if key.replaced is not None else []

    def creator_of_line(self, key: Key) -> Key | None:
        while key.created_with is not None and key.created_with is key.replaced:
            key = key.created_with
        return key.created_with

    def key_above(self, by: Key) -> Key | None:
        """The key that an account key ends with which this key generates."""
        above = by.created_with if by.is_account_key else by
        while above is not None and above.is_revoked:
            above = next((key for key in self.keys if key.replaced is above), None)
        return above

    def end_all_of(self, holder: str) -> None:
        self.end_with_all_created(*(key for key in self.keys if key.holder == holder))

    def key_at(self, number: int) -> Key:
        return self.keys[number % len(self.keys)]

    def path_of(self, holder: str, key: Key) -> str:
        return OWN if holder == key.holder else f"/api/v1/bots/{self.accounts['bot'].id}/api_keys"

    def give_new_account_key(self, holder: str, *, by: Key | None = None) -> None:
        known = self.run(self.server.known(self.accounts[holder].email))
        self.end_all_of(holder)
        above = None if by is None else self.key_above(by)
        self.accounts[holder] = known
        listed = self.ask_admin("GET", "/api/v1/api_keys").json()["api_keys"]
        (key_id,) = [each["id"] for each in listed if each["user_id"] == known.id and each["is_account_key"]]
        self.keys.append(Key(key_id, holder, known.api_key, created_with=above))

    # Actions

    @rule(number=numbers, holder=whose, scopes=scopes_of_keys)
    def issue(self, number: int, holder: str, scopes: frozenset[str]) -> None:
        key = self.key_at(number)
        may = self.may_handle_keys_of(holder, key) and self.active[holder] and scopes <= key.scopes
        answer = self.ask(key, "POST", self.path_of(holder, key), name="script", scopes=sorted(scopes))
        assert (answer.status_code == 200) is may, answer.text
        if may:
            new = Key(answer.json()["id"], holder, answer.json()["api_key"], scopes, key.end, is_account_key=False)
            new.created_with = key
            self.keys.append(new)

    @rule(number=numbers, other=numbers, overlap=st.sampled_from([0, OVERLAP]))
    def regenerate(self, number: int, other: int, overlap: int) -> None:
        key, by = self.key_at(number), self.key_at(other)
        may = self.may_handle_keys_of(key.holder, by) and by.covers(key)
        path = f"{self.path_of(key.holder, by)}/{key.id}/regenerate"
        self.replace(key, by, path, overlap, may=may)

    @rule(number=numbers, overlap=st.sampled_from([0, OVERLAP]))
    def regenerate_current(self, number: int, overlap: int) -> None:
        key = self.key_at(number)
        self.replace(key, key, f"{CURRENT}/regenerate", overlap, may=self.is_accepted(key))

    def replace(self, key: Key, by: Key, path: str, overlap: int, *, may: bool) -> None:
        may = may and self.is_live(key) and not key.is_account_key and not key.is_replaced
        answer = self.ask(by, "POST", path, overlap_seconds=overlap)
        assert (answer.status_code == 200) is may, answer.text
        if not may:
            return
        new = Key(answer.json()["id"], key.holder, answer.json()["api_key"], key.scopes, key.end, is_account_key=False)
        # A key that replaces itself has created its successor.
        new.created_with, new.replaced = key if by is key else self.creator_of_line(key), key
        if key.replaced is not None:
            key.replaced.is_revoked = True
        key.is_replaced, key.end = True, min(key.end, self.step + overlap)
        self.keys.append(new)

    @rule(number=numbers, other=numbers, scopes=scopes_of_keys)
    def narrow(self, number: int, other: int, scopes: frozenset[str]) -> None:
        key, by = self.key_at(number), self.key_at(other)
        may = self.may_handle_keys_of(key.holder, by) and by.covers(key) and scopes <= key.scopes
        may = may and self.is_live(key) and not key.is_account_key
        answer = self.ask(by, "PATCH", f"{self.path_of(key.holder, by)}/{key.id}", scopes=sorted(scopes))
        assert (answer.status_code == 200) is may, answer.text
        if may:
            key.scopes = scopes

    @rule(number=numbers, other=numbers)
    def revoke(self, number: int, other: int) -> None:
        key, by = self.key_at(number), self.key_at(other)
        may = self.may_handle_keys_of(key.holder, by) and not key.is_revoked and not key.is_account_key
        answer = self.ask(by, "DELETE", f"{self.path_of(key.holder, by)}/{key.id}")
        assert (answer.status_code == 200) is may, answer.text
        if may:
            self.end_with_all_created(key)

    @rule(number=numbers)
    def expire(self, number: int) -> None:
        key = self.key_at(number)
        if not key.is_account_key and self.is_live(key):
            self.run(expire(self.server, key.id))
            key.end = self.step

    @rule(number=numbers)
    def find(self, number: int) -> None:
        """Somebody who has a key revokes it."""
        key = self.key_at(number)
        path = "/api/v1/api_keys/revoke_by_possession"
        client = self.server.client(address=f"203.0.{next(self.names) % 250}.7")
        assert self.run(client.post(path, data={"api_key": key.text})).status_code == 200
        if not key.is_revoked:
            self.end_with_all_created(key)

    @rule(holder=whose)
    def replace_account_key(self, holder: str) -> None:
        account_keys = [key for key in self.keys if key.holder == holder and key.is_account_key]
        if self.is_accepted(account_keys[-1]):
            answer = self.ask(account_keys[-1], "POST", "/api/v1/users/me/api_key/regenerate")
            assert answer.status_code == 200, answer.text
            self.give_new_account_key(holder, by=account_keys[-1])

    @rule(number=numbers)
    def replace_account_key_of_the_bot(self, number: int) -> None:
        """A key of the owner gives the bot a new account key, which ends with it if it is a named key."""
        key = self.key_at(number)
        may = key.holder == "person" and self.may_handle_keys_of("bot", key) and key.scopes == frozenset(SCOPES)
        if key.holder == "person":
            answer = self.ask(key, "POST", f"/api/v1/bots/{self.accounts['bot'].id}/api_key/regenerate")
            assert (answer.status_code == 200) is may, answer.text
            if may:
                self.give_new_account_key("bot", by=key)

    @rule(holder=whose)
    def deactivate(self, holder: str) -> None:
        if self.active[holder]:
            path = "users" if holder == "person" else "bots"
            self.ask_admin("DELETE", f"/api/v1/{path}/{self.accounts[holder].id}")
            self.active[holder] = False
            if holder == "person" and self.owner == "person":
                self.active["bot"] = False

    @rule(holder=whose)
    def reactivate(self, holder: str) -> None:
        if not self.active[holder]:
            self.ask_admin("POST", f"/api/v1/users/{self.accounts[holder].id}/reactivate")
            self.active[holder] = True
            if holder == "bot" and self.owner == "person" and not self.active["person"]:
                self.owner = "admin"
            self.give_new_account_key(holder)

    @rule()
    def change_owner(self) -> None:
        if self.active["bot"] and (self.active["person"] or self.owner == "person") and not self.is_guest:
            self.owner = "other" if self.owner == "person" else "person"
            owner = self.accounts["person"] if self.owner == "person" else self.others
            self.ask_admin("PATCH", f"/api/v1/bots/{self.accounts['bot'].id}", bot_owner_id=owner.id)
            self.give_new_account_key("bot")

    @rule()
    def change_role(self) -> None:
        if self.active["person"]:
            self.is_guest = not self.is_guest
            role = Role.GUEST if self.is_guest else Role.MEMBER
            self.ask_admin("PATCH", f"/api/v1/users/{self.accounts['person'].id}", role=role.value)

    # Checks after each step

    @invariant()
    def each_key_ever_issued_is_accepted_or_refused_by_scope_as_the_model_says(self) -> None:
        for key in getattr(self, "keys", []):
            auth, client = (self.accounts[key.holder].email, key.text), self.server.client()
            answer = self.run(client.get(CURRENT, auth=auth))
            assert answer.status_code == (200 if self.is_accepted(key) else 401), (key, answer.text)
            for scope, (method, path) in ASKED.items() if self.is_accepted(key) else ():
                code = self.run(client.request(method, path, auth=auth)).json().get("code")
                assert (code == "INSUFFICIENT_SCOPE") is (scope not in key.scopes), (key, scope)


@pytest.mark.parametrize(
    ("examples", "steps"), [pytest.param(4, 15, id="short"), pytest.param(100, 50, id="long", marks=pytest.mark.soak)]
)
def test_every_key_ever_issued_is_accepted_or_refused_as_the_model_says(
    tmp_path: Path, database_url: str, examples: int, steps: int
) -> None:
    bounds = prepared(
        tmp_path / "data", database_url=database_url, api_limit="1000000/minute", failure_limit="1000000/minute"
    )
    with asyncio.Runner() as runner:
        serving_it = serving(bounds)
        machine = type(
            "Machine",
            (Lifecycle,),
            {"server": runner.run(serving_it.__aenter__()), "runner": runner, "names": itertools.count(1)},
        )
        run_settings = settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        try:
            run_state_machine_as_test(machine, settings=run_settings)
        finally:
            runner.run(serving_it.__aexit__(None, None, None))
