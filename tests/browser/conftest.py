"""A browser, the live page as a process of its own, and a session's feed. Without Chromium these tests skip."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
SIZE = {"width": 1100, "height": 650}  # small: this Chromium paints without a GPU
WAIT_MS = 120_000  # other work may hold this computer up


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Debian's Chromium, driven by playwright; ends with the file: playwright's event loop is in the way of others'."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no Chromium; apt install chromium")
    with playwright.sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"], timeout=WAIT_MS)
        yield found
        found.close()


class PageServer:
    """The live page's process: ``address`` holds the token, ``origin`` does not."""

    def __init__(self, folder: Path, language: str, *options: str) -> None:
        words = ["--live", str(folder), "--lang", language, *options]
        command = [sys.executable, "-W", "error", "-m", "hbc_host.app.page", *words]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().removeprefix("live page: ").strip()
        self.origin = self.address.partition("/?")[0]

    def close(self) -> str:
        """End it; what it complained about."""
        self.process.terminate()
        _, complaints = self.process.communicate(timeout=300)
        return complaints


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., PageServer]]:
    """Starts page servers; each must end without a word of complaint."""
    servers: list[PageServer] = []

    def start(language: str = "en", folder: Path = tmp_path, *options: str) -> PageServer:
        servers.append(PageServer(folder, language, *options))
        return servers[-1]

    yield start
    assert [server.close() for server in servers] == [""] * len(servers)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], tuple[Path, PageServer]]]:
    """One page server for each language, and the session folder it follows, for tests that leave it as it was."""
    servers: dict[str, tuple[Path, PageServer]] = {}

    def get(language: str = "en") -> tuple[Path, PageServer]:
        if language not in servers:
            folder = tmp_path_factory.mktemp("session")
            servers[language] = folder, PageServer(folder, language)
        return servers[language]

    yield get
    assert [server.close() for _, server in servers.values()] == [""] * len(servers)


@pytest.fixture
def visit(browser: Any) -> Iterator[Callable[..., Any]]:
    """Opens pages; not one request may leave this computer, and not one script may fail."""
    faults: list[str] = []
    asked: list[str] = []
    contexts: list[Any] = []

    def open_page(address: str, **options: Any) -> Any:
        context = browser.new_context(viewport=SIZE, **options)
        context.set_default_timeout(WAIT_MS)
        contexts.append(context)
        page = context.new_page()
        context.on("request", lambda request: asked.append(request.url))
        page.on("websocket", lambda socket: asked.append(socket.url))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(address)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert faults == []
    outside = [url for url in asked if not url.startswith(("http://127.0.0.1:", "ws://127.0.0.1:", "data:"))]
    assert outside == []
