"""How fast and how costly the live page is: ``python -m tests.study.live_page --seconds 60``.

Prints frames a second, time from the feed to the drawn beat, and what the page's own process costs. The browser is
Chromium without a window, at 1920 x 1080.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import sync_playwright

from tests.browser.scene import Scene

ALARMS_N = 5
WATCH = """() => {
  window.frames = []; window.drawn = []; window.alarms = [];
  const now = () => performance.timeOrigin + performance.now();
  document.addEventListener('hbc:frame', () => window.frames.push(now()));
  document.addEventListener('hbc:alarm', () => window.alarms.push(now()));
  document.addEventListener('hbc:mark', (event) => {
    if (event.detail.kind === 'beat') window.drawn.push([event.detail.at_s, now()]);
  });
}"""


def cost(pid: int) -> tuple[float, float]:
    """CPU seconds so far and resident memory in MB of a process (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    cpu_s = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return cpu_s, int(fields[21]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def raise_alarm(scene: Scene, page: Any) -> float:
    """Raise an alarm and acknowledge it; how long its prompt took to the screen, milliseconds."""
    raised_s = time.time()
    scene.alarm()
    page.locator("#alarm").wait_for(state="visible")
    page.wait_for_timeout(1200)
    page.keyboard.type("AB")
    page.keyboard.press("Enter")
    page.locator("#alarm").wait_for(state="hidden")
    return float(page.evaluate("window.alarms.at(-1)")) - 1000 * raised_s


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    seconds = parser.parse_args().seconds
    folder = Path(tempfile.mkdtemp())
    command = [sys.executable, "-m", "hbc_host.app.page", "--live", str(folder)]
    with Scene(folder) as scene, sync_playwright() as driver:
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert server.stdout is not None
        chromium = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_context(viewport={"width": 1920, "height": 1080}).new_page()
        page.goto(server.stdout.readline().removeprefix("live page: ").strip())
        page.wait_for_timeout(3000)
        page.evaluate(WATCH)
        began_s, (cpu_s, _) = time.time(), cost(server.pid)
        page.wait_for_timeout(1000 * seconds)
        spent_s, memory_mb = cost(server.pid)
        frames_ms = np.diff(page.evaluate("window.frames"))
        drawn = [(at_s, at_ms) for at_s, at_ms in page.evaluate("window.drawn") if scene.told_s[at_s] > began_s]
        late_ms = np.array([at_ms - 1000 * scene.told_s[at_s] for at_s, at_ms in drawn])
        raised_ms = [raise_alarm(scene, page) for _ in range(ALARMS_N)]
        browser.close()
        server.terminate()
        server.wait()
    print(f"load of this computer: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print(f"frames: {1000 / frames_ms.mean():.1f} a second, 99 % within {np.percentile(frames_ms, 99):.0f} ms")
    print(f"feed to drawn beat: median {np.median(late_ms):.0f} ms, worst {late_ms.max():.0f} ms, n = {late_ms.size}")
    print(f"feed to stop prompt: median {np.median(raised_ms):.0f} ms, worst {max(raised_ms):.0f} ms, n = {ALARMS_N}")
    print(f"page process: {100 * (spent_s - cpu_s) / seconds:.1f} % of a core, {memory_mb:.0f} MB")


if __name__ == "__main__":
    main()
