"""How long chargers wait when their hub is killed and another one takes its partitions over."""

from __future__ import annotations

import statistics
import time

from .ends import answering, chargers_at
from .gateway import split, upstream
from .plan import Plan
from .processes import Failed
from .report import Report, Section

PAUSE_S = 0.5
STEADY_S = 2.0
PATIENCE_S = 30.0

HEADER = ("killed", "chargers hit", "of", "longest wait s", "median s", "all answered after s", "sockets lost")


def measure(plan: Plan, report: Report) -> None:
    """Adds the section and its bar."""
    section = Section(f"Recovery after the kill of a hub, {plan.chargers} chargers, one edge, two hubs", HEADER)
    back = None
    try:
        back = _kill(plan, section)
    except Failed as failed:
        section.notes.append(f"missing: {failed}")
    report.sections.append(section)
    report.at_most("kill of a hub: seconds until every charger is answered again", 20, back)


def _kill(plan: Plan, section: Section) -> float:
    with (
        answering() as csms,
        split({"main": upstream(csms.url, "ocpp1.6")}, hubs=2) as parts,
        chargers_at(parts.url, plan.chargers) as load,
    ):
        heard = csms.heard("MeterValues")
        load.ask({"do": "watch", "pause": PAUSE_S})
        time.sleep(STEADY_S)
        killed = time.perf_counter()  # the same clock in every process
        steady = load.ask({"do": "watched", "since": killed - STEADY_S})
        parts.hubs[0].popen.kill()
        time.sleep(2 * PAUSE_S + 1)  # every charger has asked since
        while (seen := load.ask({"do": "watched", "since": killed}))["waiting"]:
            if time.perf_counter() > killed + PATIENCE_S:
                raise Failed(f"{seen['waiting']} chargers without an answer after {PATIENCE_S:.0f} s")
            time.sleep(0.1)
        heard = csms.heard("MeterValues") - heard
        waits = seen["waits"] or [0.0]
        cells = [f"{max(waits):.1f}", f"{statistics.median(waits):.1f}", f"{seen['back']:.1f}", str(seen["lost"])]
        section.rows.append(("one of two", str(len(seen["waits"])), str(plan.chargers), *cells))
        section.notes += NOTES
        if steady["waits"]:
            section.notes.append(f"{len(steady['waits'])} waits of more than a second before the kill")
        if seen["errors"]:
            section.notes.append(f"answered with errors: {seen['errors']}")
        if heard < seen["answered"]:
            section.notes.append(f"the CSMS heard {heard} of {seen['answered']} answered messages")
        return float(seen["back"])


NOTES = (
    f"every charger sends a MeterValues {PAUSE_S:g} s after it was answered; hit: it waited for more than a second",
    "a lease lives 15 s; the hub that is left takes over, reads what was pending, and connects to the CSMS again",
)
