"""A minute of faults with a fixed seed: what ``claw faults`` checks in its long form, on every run of the suite."""

import pytest

from ops.faults.report import render
from ops.faults.run import FaultsOptions, inject_faults

SEED = 20278454
MINUTES = 1.0


@pytest.mark.timeout(420)
async def test_no_promise_is_broken_whatever_dies(tmp_path):
    report = await inject_faults(FaultsOptions(seed=SEED, minutes=MINUTES, folder=tmp_path / "run"))
    if not report.passed:
        pytest.fail(f"history: {tmp_path / 'run'}\n{render(report)}", pytrace=False)
    assert report.groups >= 3
    assert sum(report.replies.values()) >= 50
