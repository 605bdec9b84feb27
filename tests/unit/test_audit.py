"""The dependency audit: a known vulnerability fails, a missing network does not, and nothing passes for clean unasked.

pip-audit is the real one; the database is a server on this machine that answers in OSV's format.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import audit
import pytest

ADVISORY = {
    "id": "OSV-TEST-1",
    "summary": "test",
    "modified": "2026-01-01T00:00:00Z",
    "published": "2026-01-01T00:00:00Z",
    "affected": [
        {
            "package": {"name": "cobs", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "99.0"}]}],
        }
    ],
}


class Database(BaseHTTPRequestHandler):
    vulnerable: str = ""

    def do_POST(self) -> None:
        asked: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        body = json.dumps({"vulns": [ADVISORY]} if asked["package"]["name"] == self.vulnerable else {}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    monkeypatch.setattr(audit, "installed", lambda: ["cobs==1.2.2", "typer==0.20.0"])
    monkeypatch.setattr(audit, "MEMORY", tmp_path / "build" / "clean.json")
    monkeypatch.setattr(audit, "PROBE_S", 120.0)  # it answers; this computer may be busy
    monkeypatch.setattr(Database, "vulnerable", "")
    with ThreadingHTTPServer(("127.0.0.1", 0), Database) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1/query"
        server.shutdown()


def test_a_known_vulnerability_fails_and_names_the_version_that_mends_it(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Database, "vulnerable", "cobs")
    assert audit.main(["--osv-url", url]) == 1
    shown = capsys.readouterr().out
    assert "audit: cobs 1.2.2: OSV-TEST-1, mended in 99.0" in shown
    assert "2 packages asked about, 0 not, 1 known vulnerabilities" in shown
    assert not audit.MEMORY.exists()


def test_what_was_clean_is_not_asked_again_for_a_day_unless_packages_change(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit.main(["--osv-url", url]) == 0
    assert "2 packages asked about, 0 not, 0 known vulnerabilities" in capsys.readouterr().out
    monkeypatch.setattr(audit, "answers", lambda osv_url: "nobody may be asked now")
    assert audit.main(["--osv-url", url]) == 0
    assert "2 packages, clean within the last day" in capsys.readouterr().out
    monkeypatch.setattr(audit, "installed", lambda: ["cobs==1.2.1"])
    assert audit.main(["--osv-url", url]) == 0
    assert "NOT done" in capsys.readouterr().out


def test_without_a_network_it_says_that_nothing_was_audited_and_fails_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(audit, "MEMORY", tmp_path / "clean.json")
    assert audit.main(["--osv-url", "http://127.0.0.1:9/v1/query"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("audit: NOT done, the vulnerability database does not answer")
    assert "clean" not in shown


def test_packages_that_could_not_be_asked_about_are_counted_and_not_taken_for_clean() -> None:
    found = {"dependencies": [{"name": "a", "skip_reason": "unknown"}, {"name": "b", "version": "1", "vulns": []}]}
    assert audit.verdict(found) == ([], 1, 1)


def test_this_environment_is_listed_with_versions_and_without_ourselves() -> None:
    packages = audit.installed()
    assert any(each.startswith("numpy==") for each in packages)
    assert not any(each.startswith("hbc-box") for each in packages)
