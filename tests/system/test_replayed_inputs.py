"""With host traffic, the logged input at its virtual arrival times gives the same bytes again."""

from __future__ import annotations

import threading
import time

import serial
from hbc_hil.rig import Rig, RigOptions, rig
from hbc_hil.scenario import Scenario
from hbc_host.protocol import frame
from hbc_wire import messages
from support_rig import opened_with_all


def read_all(box: Rig, port: serial.Serial) -> bytes:
    data = bytearray()
    while not box.finished:
        data += port.read(port.in_waiting or 1)
    return bytes(data + port.read(port.in_waiting))


def talk(port: serial.Serial) -> None:
    """Pings and a setting, at moments that no two runs share."""
    for n in range(6):
        time.sleep(0.37)
        port.write(frame(messages.ClockPing, n, 100 + n))
    port.write(frame(messages.Setting, 6, 200, "blank_ms", 40))


def test_a_paced_run_with_a_talking_host_repeats_byte_for_byte_when_its_inputs_are_played_back() -> None:
    scenario = Scenario.short(21, duration_s=11.0, protocol="itbs", rest_s=1.0)
    # A bridge that waits for a busy computer: what it drops would be missing here and not in the second run.
    with rig(scenario, RigOptions(paced=True, buffer_n=1 << 16)) as box, opened_with_all(box.port) as port:
        speaker = threading.Thread(target=talk, args=(port,))
        speaker.start()
        live = read_all(box, port)
        speaker.join()
    assert len(box.report["inputs"]) >= 2
    inputs = tuple((int(t_ns), str(data)) for t_ns, data in box.report["inputs"])
    with rig(scenario, RigOptions(inputs=inputs)) as again, opened_with_all(again.port) as port:
        replayed = read_all(again, port)
    assert frame_n(live, messages.ClockPong.msg_id) == 6
    assert replayed == live


def frame_n(data: bytes, msg_id: int) -> int:
    from hbc_host.protocol import new_deframer

    return sum(payload[0] == msg_id for payload in new_deframer().feed(data))
