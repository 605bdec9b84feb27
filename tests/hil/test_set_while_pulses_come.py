"""`hbc box set` on a box whose trigger input never comes to rest: told, waited for, refused with a way out."""

from __future__ import annotations

import pytest
from hbc_hil.rig import RigOptions, rig
from hbc_hil.scenario import Scenario, SiteScenario
from hbc_hil.stimulator import PulsePattern
from hbc_host.box import change
from hbc_host.errors import BoxRefusedError
from hbc_host.link import Link
from hbc_host.protocol import StreamDecoder, is_a
from hbc_host.transport import SerialTransport
from hbc_wire import messages

CHATTER = PulsePattern("chatter", 590.0, 591.0, burst_hz=20.0)


def until_an_edge_came(port: str) -> None:
    with Link(SerialTransport(port)) as link:
        link.wait_hello(120.0)
        decoder = StreamDecoder()
        while True:
            chunk = link.receive().chunk
            if chunk is not None and any(is_a(one.message, messages.TriggerEdge) for one in decoder.feed(chunk.data)):
                return


def test_a_chattering_input_is_named_and_the_setting_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(change, "BUSY_WAIT_S", 1.0)
    scenario = Scenario(
        seed=4,
        sites=(SiteScenario("BF3-L"),),
        pattern=CHATTER,
        intensities_pct=(40.0,),
        rest_first_s=0.5,
        rest_cycles_n=0,
        duration_s=600.0,
    )
    said: list[str] = []
    with rig(scenario, RigOptions(paced=True)) as box:
        until_an_edge_came(box.port)
        with pytest.raises(BoxRefusedError, match=r"unplug its cable, join the input to its own ground") as refused:
            change.change_box_setting(box.port, "trigger_hold_off_us", 5000, said.append)
        before, after = change.change_box_setting(box.port, "", None)
    assert refused.value.status == messages.ACK_BUSY
    assert len(said) == 1
    assert "pulses come" in said[0]
    assert before == after
    assert before["trigger_hold_off_us"].value == 0
