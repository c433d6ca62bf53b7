"""What watching costs, in CPU time of this process: so little that 4,000 round trips a second, all that one core can do, keep
95 % of it. `python -m tests.bench.watching` measures the same with real processes, on a machine that does nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from gateway import tap
from gateway.admin.frames import Stream

ROUND_TRIPS = 4000
"""Per second, of a gateway that uses a whole core for 200 us each or more."""
ALLOWED = 0.05


@pytest.fixture
def watch() -> Iterator[tap.Watch]:
    made = tap.Watch("cost", "*", time.time() + 60, time.time(), lambda: None)
    tap.add(made)
    yield made
    tap.remove("cost")


def seconds(work: Callable[[], object], times: int) -> float:
    """CPU time of one, the least of some tries: others use this machine too."""
    found = []
    for _ in range(7):
        begun = time.process_time()
        for _ in range(times):
            work()
        found.append((time.process_time() - begun) / times)
    return min(found)


def test_the_whole_of_it(watch: tap.Watch) -> None:
    data = (
        b'[2,"8d4b6a","TransactionEvent",{"eventType":"Updated","timestamp":"2026-11-22T10:00:00.000Z","triggerReason":'
        b'"MeterValuePeriodic","seqNo":3,"transactionInfo":{"transactionId":"abc","chargingState":"Charging"},"evse":{"id":1},'
        b'"idToken":{"idToken":"04A1","type":"ISO14443"},"meterValue":[{"timestamp":"2026-11-22T10:00:00.000Z","sampledValue":['
        b'{"value":123,"measurand":"Energy.Active.Import.Register","unitOfMeasure":{"unit":"Wh"}}]}]}]'
    )
    stream = Stream(raw=False, action="", upstream="", legs=frozenset(("charger", "csms")))

    def shown() -> None:
        watch._allowed = tap.BURST
        tap.begins("CP0")
        tap.frame(1, "CP0", "charger", "in", "ocpp2.0.1", data, action="TransactionEvent", id="8d4b6a", exchange="1-1")
        taken, _ = watch.take()
        assert len([stream._event(each) for each in taken]) == 1

    frame = seconds(shown, 200)
    watch._again = time.time() + 3600  # it has had all that it may

    def missed() -> None:
        """As the hooks of one round trip ask: two more look whether the charger is followed."""
        tap.begins("CP1")
        tap.wanted("CP1")
        tap.wanted("CP1")
        tap.wanted("CP1")
        assert "CP1" not in tap.following and "CP1" not in tap.following

    trip = seconds(missed, 5000)
    assert watch.lost > 4 * 5000
    cost = frame * tap.RATE + trip * ROUND_TRIPS
    print(
        f"{frame * 1e6:.0f} us for a frame that is shown, {trip * 1e6:.1f} us for a round trip that is not: {cost:.1%}"
    )
    assert cost < ALLOWED
