"""axe-core finds no serious fault on the page, in light and dark, with and without an alarm."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from browser.scene import SITES, Scene, coupling

AXE = Path(__file__).resolve().parents[2] / "node_modules" / "axe-core" / "axe.min.js"
WAIT_MS = 120_000  # the machine may be busy


def grave_faults(page: Any) -> list[str]:
    """Serious and critical findings, with the element."""
    page.evaluate(AXE.read_text("utf-8"))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{fault['id']}: {node['html'][:120]}: {node['failureSummary'][:200]}"
        for fault in found["violations"]
        if fault["impact"] in ("serious", "critical")
        for node in fault["nodes"]
    ]


@pytest.mark.skipif(not AXE.exists(), reason="axe-core is not there; make test installs it when npm is there")
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious(shared, visit, theme):
    folder, server = shared("nl")
    with Scene(folder) as scene:
        page = visit(server.address, color_scheme=theme)
        page.get_by_text(scene.name).wait_for(timeout=WAIT_MS)
        scene.feed.publish(coupling(SITES[0], 4))
        scene.state["problems"] = [
            {"code": code, "text": "", "since_s": 0.0} for code in ("missing_pulses", "over_cap", "disk")
        ]
        page.locator("#problems p").nth(2).wait_for(timeout=WAIT_MS)
        page.locator("#map td").first.wait_for(timeout=WAIT_MS)
        assert page.evaluate("document.documentElement.dataset.theme") == theme
        found = grave_faults(page)
        for key in ("v", "c"):
            page.keyboard.press(key)
            found += grave_faults(page)
            page.keyboard.press("Escape")
        scene.alarm()
        page.locator("#alarm").wait_for(state="visible", timeout=WAIT_MS)
        found += grave_faults(page)
        page.evaluate("document.getElementById('alarm').append(document.createElement('button'))")
        planted = grave_faults(page)
    assert found == []
    assert any(fault.startswith("button-name") for fault in planted)
