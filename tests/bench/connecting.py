"""How chargers come: thousands at once, over TLS, and right after the start of the gateway."""

from __future__ import annotations

import contextlib
import statistics
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from . import peers
from .ends import Csms, answering
from .gateway import gateway, start_up
from .plan import Plan
from .processes import LOAD_CORE, Failed, Process, cpu_ns, running, tree
from .report import Report, Section

GATEWAY = "gateway 1.6 -> 1.6"
UPSTREAMS_S = 60.0
"""For the last connection to the CSMS."""

STORM_HEADER = ("target", "connected", "failures", "chargers s", "with upstreams s", "CPU us/connect", "load core")
TLS_HEADER = ("target", "ws us", "wss P-256 us", "wss RSA-2048 us", "TLS P-256 us", "to nginx")


def storm(plan: Plan, report: Report) -> None:
    """All chargers connect at once; each gets a connection to the CSMS."""
    section = Section(f"Connect storm: {plan.storm:,} chargers at once, each with its upstream", STORM_HEADER)
    seconds, failures = None, None
    for name, peer in {GATEWAY: _gateway, "nginx": peers.nginx, peers.YARDSTICK: peers.bare}.items():
        try:
            with answering() as csms, peer(csms.url, None) as (process, url):
                found = _storm(csms, process, url, plan.storm)
        except (Failed, peers.Missing) as missing:
            section.notes.append(f"missing, {name}: {missing}")
            continue
        cells = [f"{found['connected']:,}", str(found["failed"]), f"{found['seconds']:.1f}", f"{found['all']:.1f}"]
        section.rows.append((name, *cells, f"{found['cpu_us']:.0f}", f"{found['busy']:.0%}"))
        section.notes += [f"{name}: {count}x {text}" for text, count in found["failures"].items()]
        if name == GATEWAY:
            seconds, failures = found["all"], found["failed"]
    section.notes += [
        "with upstreams: until the CSMS has accepted as many connections as there are chargers; no charger boots",
        "limits against floods are off (`accept_rate`, `limits.pending`): as they come they slow such a storm on purpose",
    ]
    report.sections.append(section)
    report.at_most(f"{plan.storm:,} simultaneous connects with upstreams: failures", 0, failures)
    report.at_most(f"{plan.storm:,} simultaneous connects with upstreams, one core: s", 4 * plan.storm / 5000, seconds)


def _storm(csms: Csms, process: Process, url: str, chargers: int) -> dict[str, Any]:
    with running(Process.module("load", LOAD_CORE)) as load:
        ends = [load.popen.pid, csms.process.popen.pid]
        pids, wanted = tree(process.popen.pid), csms.opened() + chargers
        spent, ends_spent, began = cpu_ns(pids), cpu_ns(ends), time.perf_counter()
        found = load.ask({"do": "storm", "url": url, "chargers": chargers, "prefix": "STORM"}, 120)
        failed = sum(found["failures"].values())
        while csms.opened() < wanted - failed and time.perf_counter() < began + UPSTREAMS_S:
            time.sleep(0.02)
        ended = time.perf_counter()
        late = max(0, wanted - failed - csms.opened())
        if late:
            found["failures"][f"without upstream after {UPSTREAMS_S:g} s"] = late
        cpu = (cpu_ns(pids) - spent) / 1000 / chargers
        busy = (cpu_ns(ends) - ends_spent) / 1e9 / (ended - began)
    return {**found, "failed": failed + late, "all": ended - began, "cpu_us": cpu, "busy": busy}


@contextlib.contextmanager
def _gateway(csms: str, certificate: Path | None = None) -> Iterator[tuple[Process, str]]:
    with gateway(csms, "ocpp1.6", certificate=certificate) as found:
        yield found


def certificate(directory: Path, kind: str) -> Path:
    """A certificate of its own with its key, in one file; kind "ec" (P-256) or "rsa" (2048 bits)."""
    key: Any = ec.generate_private_key(ec.SECP256R1()) if kind == "ec" else rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30)).sign(key, hashes.SHA256())
    )  # fmt: skip
    file = directory / f"{kind}.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(made.public_bytes(Encoding.PEM) + private)
    return file


def tls(plan: Plan, report: Report) -> None:
    """What a connection costs without and with TLS; targets and kinds in turn."""
    section = Section(f"TLS handshakes: CPU per connection, {plan.handshakes} of each kind", TLS_HEADER)
    spent: dict[str, list[float]] = {}
    targets = {GATEWAY: _gateway, "nginx": peers.nginx, "haproxy": peers.haproxy}
    with tempfile.TemporaryDirectory(prefix="bench-") as path:
        kinds = [None, certificate(Path(path), "ec"), certificate(Path(path), "rsa")]
        for name, peer in targets.items():
            try:
                spent[name] = [_handshakes(peer, kind, plan.handshakes) for kind in kinds]
            except (Failed, peers.Missing) as missing:
                section.notes.append(f"missing, {name}: {missing}")
    first = spent.get("nginx")
    for name, (plain, curve, rivest) in spent.items():
        ratio = f"{(curve - plain) / (first[1] - first[0]):.2f}" if first else "-"
        cells = (f"{us:,.0f}" for us in (plain, curve, rivest, curve - plain))
        section.rows.append((name, *cells, ratio))
    section.notes += [
        "TLS 1.3 without resumption, 50 at a time; the WebSocket upgrade and the connection to the CSMS are included, "
        "in the gateway also the journal",
        "TLS P-256: the difference of the two columns",
    ]
    report.sections.append(section)


def _handshakes(peer: peers.Peer, kind: Path | None, count: int) -> float:
    """CPU us per connection, the medians of three batches."""
    found = []
    with (
        answering() as csms,
        peer(csms.url, kind) as (process, url),
        running(Process.module("load", LOAD_CORE)) as load,
    ):
        for batch in range(4):
            pids, wanted = tree(process.popen.pid), csms.opened() + count
            spent = cpu_ns(pids)
            said = load.ask({"do": "storm", "url": url, "chargers": count, "prefix": f"T{batch}", "at_once": 50}, 120)
            if said["failures"]:
                raise Failed(f"handshakes failed: {said['failures']}")
            deadline = time.perf_counter() + 10
            while csms.opened() < wanted and time.perf_counter() < deadline:
                time.sleep(0.02)
            time.sleep(0.1)
            found.append((cpu_ns(pids) - spent) / 1000 / count)
            load.ask({"do": "leave"})
            time.sleep(0.5)
    return statistics.median(found[1:])  # the first one warms up


def starts(plan: Plan, report: Report) -> None:
    """From the start of the process."""
    section = Section("Start-up, both roles, a new embedded store", ("until", "median s", "longest s"))
    listening = None
    try:
        found = [start_up() for _ in range(plan.starts)]
    except Failed as failed:
        section.notes.append(f"missing: {failed}")
    else:
        for name, seconds in (("it listens", [a for a, _ in found]), ("it is ready", [b for _, b in found])):
            section.rows.append((name, f"{statistics.median(seconds):.2f}", f"{max(seconds):.2f}"))
        listening = statistics.median(a for a, _ in found)
    section.notes.append(f"{plan.starts} starts on one core; ready: `/readyz` answers 200, chargers are served")
    report.sections.append(section)
    report.at_most("start with the embedded store: s until it listens", 1, listening)
