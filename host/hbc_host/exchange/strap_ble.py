"""A Polar H10, or any strap with the standard heart-rate service, through bleak and bleakheart.

Tested against a peripheral made of code at bleak's interface. No strap has been connected.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

from hbc_host.errors import InputError, TransportError
from hbc_host.exchange.strap_log import EcgFrame, RrFrame, StrapWriter

log = logging.getLogger(__name__)

PIP = "pip install 'hbc-box[strap]'"
HEART_RATE_SERVICE = "0000180d-0000-1000-8000-00805f9b34fb"
FIND_S = 15.0
AGAIN_S = 1.0  # before a lost strap is looked for again
TURN_S = 0.05


def load_ble() -> tuple[Any, Any]:
    """The modules bleak and bleakheart; raises InputError with the command that installs them."""
    try:
        import bleak
        import bleakheart
    except ImportError:
        raise InputError(f"a strap needs bleak and bleakheart, which are not installed; {PIP}") from None
    return bleak, bleakheart


class StrapRecorder:
    """Records from one strap until told to stop; a lost connection is taken up again.

    Parameters
    ----------
    writer : StrapWriter
    address : str or None
        Of the strap; else the first one that offers heart rate.
    clock : callable
        Host seconds; stamps arrivals.
    tell : callable
        Gets a line for people.
    """

    def __init__(
        self,
        writer: StrapWriter,
        *,
        address: str | None = None,
        clock: Callable[[], float] = time.monotonic,
        tell: Callable[[str], None] = log.info,
    ) -> None:
        self._bleak, self._heart = load_ble()
        self._writer, self._address, self._clock, self._tell = writer, address, clock, tell
        self._connection = -1
        self.connections_n = 0

    async def run(self, stop: Callable[[], bool]) -> None:
        """Record until ``stop()``.

        Raises
        ------
        TransportError
            No strap was found, or this computer's Bluetooth cannot be used; only before the first connection.
        """
        while not stop():
            try:
                await self._once(stop)
            except (self._bleak.exc.BleakError, OSError) as fault:
                reason = " ".join(str(fault).split()) or type(fault).__name__
                if self.connections_n == 0:
                    raise TransportError(
                        f"Bluetooth cannot be used ({reason}); switch it on, close other programs that use the strap"
                    ) from fault
                self._tell(f"strap lost ({reason}); looking for it again")
            if not stop():
                await asyncio.sleep(AGAIN_S)

    async def _once(self, stop: Callable[[], bool]) -> None:
        device = await self._find()
        if device is None:
            if self.connections_n == 0:
                raise TransportError(
                    f"no heart-rate strap within {FIND_S:g} s; wet its electrodes, wear it, and take it off other "
                    "phones and watches"
                )
            return
        lost = asyncio.Event()
        async with self._bleak.BleakClient(device, disconnected_callback=lambda _: lost.set()) as client:
            self._connection += 1
            self.connections_n += 1
            await self._begin(client)
            while not stop() and not lost.is_set():
                await asyncio.sleep(TURN_S)
        if lost.is_set() and not stop():
            self._tell("strap lost; looking for it again")

    async def _find(self) -> Any:
        scanner = self._bleak.BleakScanner
        if self._address is not None:
            return await scanner.find_device_by_address(self._address, timeout=FIND_S)
        return await scanner.find_device_by_filter(
            lambda _, seen: HEART_RATE_SERVICE in seen.service_uuids, timeout=FIND_S
        )

    async def _begin(self, client: Any) -> None:
        """Ask for intervals and, where there is one, the ECG."""
        await self._heart.HeartRate(client, callback=self._take_rr, unpack=False).start_notify()
        polar = self._heart.PolarMeasurementData(client, callback=self._take_ecg)
        try:
            code, text, _ = await polar.start_streaming("ECG")
        except (self._bleak.exc.BleakError, RuntimeError) as fault:
            code, text = -1, str(fault)
        name = getattr(client, "name", None) or "strap"
        self._tell(f"{name}: ECG and intervals" if code == 0 else f"{name}: intervals only, no ECG ({text})")

    def _take_rr(self, frame: tuple[str, int, tuple[float, list[float]], Any]) -> None:
        rr_ms = frame[2][1]
        if rr_ms:
            self._writer.rr(RrFrame(self._connection, self._clock(), tuple(rr_ms)))

    def _take_ecg(self, frame: tuple[str, int, list[int]]) -> None:
        kind, sensor_ns, uv = frame
        if kind == "ECG" and uv:
            self._writer.ecg(EcgFrame(self._connection, self._clock(), sensor_ns * 1e-9, tuple(uv)))
