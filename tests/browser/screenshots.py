"""Screenshots of the docs, from a real practice session: ``python -m tests.browser.screenshots`` (five minutes).

Drives ``hbc demo --live`` in Chromium by keyboard, as a person does, and writes ``docs/images/live-*.png``.
"""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

from tests.browser.scene import SITES, Scene, coupling

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
SIZE = {"width": 1280, "height": 720}
LIMIT_N = 150_000
WAIT_MS = 240_000


def shoot(page: Page, name: str) -> None:
    """Write one image; it must be small."""
    path = IMAGES / f"live-{name}.png"
    # A palette is enough for a page of few colours, and a third of the size.
    Image.open(io.BytesIO(page.screenshot())).convert("RGB").quantize(128, dither=Image.Dither.NONE).save(
        path, optimize=True
    )
    size_n = path.stat().st_size
    print(f"{path.name}: {size_n} bytes")
    if size_n > LIMIT_N:
        raise SystemExit(f"{path.name} has {size_n} bytes, at most {LIMIT_N}")


def session(page: Page) -> None:
    """From the first key to the result."""
    phase = page.locator("#phase")
    expect(phase).to_contain_text("Place the coil at BF3-L", timeout=WAIT_MS)
    shoot(page, "place")
    page.keyboard.press("r")
    expect(phase).to_contain_text("Pause between trains", timeout=WAIT_MS)
    page.keyboard.press("2")
    expect(page.locator("#verdict")).to_contain_text("p =", timeout=WAIT_MS)
    page.wait_for_timeout(3000)
    shoot(page, "trains")
    expect(phase).to_contain_text("Place the coil at 5CM-L", timeout=WAIT_MS)
    page.keyboard.press("r")
    expect(phase).to_contain_text("The session is finished", timeout=WAIT_MS)
    page.keyboard.press("e")
    page.keyboard.type("practice done")
    page.keyboard.press("Tab")
    page.keyboard.type("AB")
    page.keyboard.press("Enter")
    expect(page.locator("#feed")).to_contain_text("session over", timeout=WAIT_MS)
    expect(page.locator("#result")).to_contain_text("Best site", timeout=WAIT_MS)
    page.wait_for_timeout(1000)
    shoot(page, "result")


def alarm(browser: Any, folder: Path) -> None:
    """The stop prompt, in Dutch and in the dark; the feed is real, the story is not."""
    with Scene(folder, "nl", rate_bpm=38.0) as scene:
        command = [sys.executable, "-m", "hbc_host.app.page", "--live", str(folder), "--lang", "nl"]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert server.stdout is not None
        page = browser.new_context(viewport=SIZE, color_scheme="dark").new_page()
        page.goto(server.stdout.readline().removeprefix("live page: ").strip())
        scene.state.update(phase="pause", next_train_s=8.0, step_k=3, train_k=3)
        scene.feed.publish(coupling(SITES[0], 4))
        page.wait_for_timeout(9000)
        shoot(page, "dark-nl")
        scene.alarm()
        expect(page.locator("#alarm")).to_be_visible(timeout=WAIT_MS)
        page.wait_for_timeout(1500)
        shoot(page, "alarm-nl")
        server.terminate()
        server.wait()


def main() -> None:
    """All of them."""
    folder = Path(tempfile.mkdtemp(prefix="hbc-shots-"))
    command = [sys.executable, "-m", "hbc_host.cli", "demo", "--live", "--no-browser", "--out", str(folder)]
    demo = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert demo.stdout is not None
    address = None
    while address is None:
        address = re.search(r"http://\S+", demo.stdout.readline())
    try:
        with sync_playwright() as driver:
            chromium = shutil.which("chromium") or shutil.which("chromium-browser")
            browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            page = browser.new_context(viewport=SIZE, color_scheme="light").new_page()
            page.goto(address.group())
            session(page)
            print(demo.communicate(timeout=120)[0])
            alarm(browser, Path(tempfile.mkdtemp(prefix="hbc-shots-")))
            browser.close()
    finally:
        if demo.poll() is None:
            demo.terminate()
        time.sleep(0.1)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
