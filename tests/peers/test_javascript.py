"""zulip-js, Zulip's client for JavaScript, from npm."""

from __future__ import annotations

import json
import shutil
import subprocess

from tests.peers.conftest import Stage
from tests.peers.installing import HERE, javascript
from tests.server_process import OWNER_EMAIL, OWNER_NAME, OWNER_PASSWORD


def test_zulip_js_signs_in_by_file_and_by_password_and_replaces_the_key(stage: Stage) -> None:
    directory = javascript()
    shutil.copy(HERE / "javascript" / "ask.js", directory / "ask.js")
    files = map(str, (stage.owner, stage.with_named_key(stage.owner)))
    done = subprocess.run(
        ["node", "ask.js", *files, stage.server.site, OWNER_EMAIL, OWNER_PASSWORD],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["fromFile"]["full_name"] == said["fromPassword"]["full_name"] == OWNER_NAME
    assert said["settings"]["zulip_feature_level"] == 492
    assert {member["email"] for member in said["members"]["members"]} >= {OWNER_EMAIL}
    assert (said["sent"]["result"], said["refused"]["code"]) == ("success", "INSUFFICIENT_SCOPE")
    assert said["made"]["result"] == "success"
    assert said["regenerated"]["api_key"] == stage.server.api_key_of(OWNER_EMAIL)
    assert said["afterwards"]["msg"] == "Invalid API key"
