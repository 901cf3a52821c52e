"""What stops a sweep besides signals, which are in test_signals.py."""

import pytest

from sweeps.interrupts import InterruptedSweepError, Interrupts


def test_a_check_that_says_why_stops_the_sweep_as_ctrl_c_does():
    reasons = [None, "Stopped in MLflow."]
    interrupts = Interrupts()
    interrupts.also(lambda: reasons.pop(0))
    interrupts.check()
    with pytest.raises(InterruptedSweepError, match=r"^Stopped in MLflow\. Everything so far is on record") as caught:
        interrupts.check()
    assert caught.value.exit_code == 130
    assert not interrupts.has_come()
