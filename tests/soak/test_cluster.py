"""Failover of several machines, for a limited time: `make cluster` runs it for as long as wanted."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster.hosts import NGINX
from tests.cluster.network import is_possible

pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(not is_possible(), reason="only root on Linux can make network namespaces"),
    pytest.mark.skipif(NGINX is None, reason="nginx is not installed"),
]


def run_cluster(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run it to its end. It says why if it fails."""
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "tests.cluster", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600, cwd=root)
    print(f"\n{done.stdout}")
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_no_acknowledged_change_is_lost_and_no_ended_key_works_when_a_primary_is_killed_or_cut_off() -> None:
    done = run_cluster("--minutes", "1")
    assert "broken promises: 0" in done.stdout


def test_without_fencing_an_ended_key_stays_valid_on_the_old_primary() -> None:
    """This shows why the documentation says to fence. If it ever fails, the documentation asks for too much."""
    assert "fence it before you promote" in run_cluster("--unfenced").stdout
