"""Standalone console, `gatekeeper console`: read-only, on this machine only, with clear errors."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from console_house import PATIENCE
from registry_site import Site

GATEKEEPER = str(Path(sys.executable).with_name("gatekeeper"))
pytestmark = pytest.mark.xdist_group("console")


def environment(site: Site) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("GATEKEEPER_")}
    return {**own, "GATEKEEPER_DB": site.url, "GATEKEEPER_MODELS": str(site.models)}


@contextmanager
def started(site: Site) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command, and the address that it prints."""
    with subprocess.Popen(
        [GATEKEEPER, "console", "--port", "0"],
        env=environment(site),
        cwd=site.root,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stderr is not None
            line = process.stderr.readline()
            said = re.search(r"read-only, is at (http://127\.0\.0\.1:\d+)/;", line)
            assert said is not None, line
            yield process, said[1]
        finally:
            process.kill()


def test_it_shows_everything_changes_nothing_and_ends_well(site: Site) -> None:
    before = (site.rows(), site.files())
    with started(site) as (process, url), httpx.Client(base_url=url, timeout=PATIENCE) as client:
        for path in ("/", "/default/models", "/default/models/2", "/default/history", "/default/doctor"):
            answer = client.get(path, follow_redirects=True)
            assert answer.status_code == 200
        page = client.get("/default/models").text
        assert "gatekeeper_primary2" in page
        assert "read-only" in page
        assert "data-act" not in page
        for path in ("promote/3", "rollback", "hold", "release"):
            order = {"json": {"reason": "x"}, "headers": {"X-Gatekeeper-Act": "1"}}
            assert client.post(f"/default/acts/{path}", **order).status_code == 403
        assert client.get("/default/models", headers={"Host": "evil.example"}).status_code == 400
        port = int(url.rpartition(":")[2])
        with socket.socket() as other:  # any other address of this machine finds nobody
            assert other.connect_ex(("127.0.0.2", port)) != 0
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
    assert (site.rows(), site.files()) == before


def test_a_taken_port_is_named_with_the_way_out(site: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = subprocess.run(
            [GATEKEEPER, "console", "--port", str(port)], env=environment(site), capture_output=True, text=True
        )
    assert ended.returncode == 1
    assert f"cannot listen on port {port} of 127.0.0.1" in ended.stderr
    assert "--port" in ended.stderr
    assert "Traceback" not in ended.stderr
