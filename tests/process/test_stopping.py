import os
import signal
import time

import pytest

from app.process import stopping as module
from app.process.stopping import Stopping


def test_a_signal_asks_to_stop_and_the_handlers_return_afterwards() -> None:
    before = signal.getsignal(signal.SIGINT)
    with Stopping() as stopping:
        seen = [stopping.requested]
        os.kill(os.getpid(), signal.SIGINT)
        seen += [stopping.requested, stopping.hastened]
    assert seen == [False, True, False]
    assert signal.getsignal(signal.SIGINT) is before


def test_the_same_request_arriving_twice_is_not_haste() -> None:
    with Stopping() as stopping:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
        assert not stopping.hastened


def test_a_second_request_is_haste(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SAME_REQUEST_SECONDS", 0.01)
    with Stopping() as stopping:
        stopping.request()
        time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)
        assert stopping.hastened
