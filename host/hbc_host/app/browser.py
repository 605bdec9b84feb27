"""One browser that follows a session: what waits for it, and what it has been told."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from hbc_host.app.cell import Cell

WAITING_MAX_N = 400  # messages a browser may be behind: some 15 s


class Browser:
    """One page. Belongs to the event loop; ``queue`` holds what is on its way."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue(WAITING_MAX_N)
        self._cells: Mapping[str, Cell] = {}
        self._shown: dict[str, Any] = {}

    def put(self, message: dict[str, Any]) -> bool:
        """False when it is too far behind."""
        try:
            self.queue.put_nowait(message)
        except asyncio.QueueFull:
            return False
        return True

    def show(self, cells: Mapping[str, Cell], parts: Mapping[str, dict[str, Any]]) -> bool:
        """Send what changed of its places and parts; False when it is too far behind and must begin anew."""
        changed = {name: list(cell) for name, cell in cells.items() if self._cells.get(name) != cell}
        sent = not changed or self.put({"kind": "cells", "cells": changed})
        self._cells = cells
        for name, part in parts.items():
            if sent and self._shown.get(name) != part:
                self._shown[name] = part
                sent = self.put(part)
        return sent

    def forget(self) -> None:
        """What waits is thrown away, and all will be told again."""
        while not self.queue.empty():
            self.queue.get_nowait()
        self._cells, self._shown = {}, {}
