"""Captures: written, read, validated, reported on; recordings of other tools too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import pytest
from typer.testing import CliRunner

from gateway.capture import BadCapture, Header, Line, read, version_of, write
from gateway.cli.commands import app

CAPTURE = [
    Header(made_by="test", at="2026-11-22T10:00:00Z", match="*"),
    Line("2026-11-22T10:00:00Z", "CP1", state="connected"),
    Line(
        "2026-11-22T10:00:01Z", "CP1", source="charger", version="ocpp1.6",
        frame=[2, "1", "BootNotification", {"chargePointVendor": "Acme", "chargePointModel": "One"}],
    ),
    Line(
        "2026-11-22T10:00:02Z", "CP1", source="gateway", version="ocpp1.6",
        frame=[3, "1", {"status": "Accepted", "currentTime": "2026-11-22T10:00:02Z", "interval": 300}],
    ),
    Line(
        "2026-11-22T10:00:03Z", "CP1", source="charger", version="ocpp1.6",
        frame=[2, "2", "StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": "Preparing"}],
    ),
    Line("2026-11-22T10:00:04Z", "CP1", source="gateway", version="ocpp1.6", frame=[3, "2", {}]),
    Line("2026-11-22T10:00:05Z", gap=3),
]  # fmt: skip


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "fleet.jsonl"
    path.write_text("".join(write(each) + "\n" for each in CAPTURE))
    return path


def run(*arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, list(arguments), env={"NO_COLOR": "1"})
    assert done.exit_code == code, done.output
    return done.output


def test_what_is_written_is_read(file: Path) -> None:
    assert list(read(file.read_text().splitlines())) == CAPTURE[1:]
    assert json.loads(file.read_text().splitlines()[0])["capture"] == 1


def test_a_newer_format_is_refused() -> None:
    with pytest.raises(BadCapture, match="format 2"):
        list(read(['{"capture": 2, "shiny": true}']))
    with pytest.raises(BadCapture, match="line 2"):
        list(read(['{"capture": 1}', "nonsense"]))
    assert [each.state for each in read(['{"capture": 1, "new": 1}', '{"at": "x", "state": "y", "new": 1}'])] == ["y"]


def test_recordings_of_other_tools(tmp_path: Path) -> None:
    lines = ['{"dir": "in", "t": 1795359649.18, "conn": 2, "frame": [2, "1", "Heartbeat", {}]}']
    [line] = read(lines, charger="CP", version="ocpp1.6")
    assert (line.source, line.charger, line.version, line.conn) == ("charger", "CP", "ocpp1.6", 2)
    assert line.at == "2026-11-22T15:00:49.180Z" and line.time == pytest.approx(1795359649.18)
    assert (
        version_of(['{"ev": "ping"}', '{"who": "csms", "lines": ["Sec-WebSocket-Protocol: ocpp2.0.1"]}']) == "ocpp2.0.1"
    )


def test_validate(file: Path, tmp_path: Path) -> None:
    assert "5 frames" not in run("validate", str(file)) and "4 frames, 0 errors" in run("validate", str(file))
    bad = tmp_path / "bad.jsonl"
    frames = [
        [2, "1", "Reset", {"type": "Weak"}], [2, "2", "Nonsense", {}], [3, "1", {"status": "Perhaps"}], [2, "x" * 37, "Heartbeat", {}],
        [7, "1"], "text",
    ]  # fmt: skip
    bad.write_text("\n".join(json.dumps(each) for each in frames))
    output = run("validate", str(bad), "--version", "ocpp1.6", "-o", "json", code=1)
    errors = json.loads(output)["errors"]
    assert [each["line"] for each in errors] == [1, 2, 3, 4, 5, 6]
    assert "$.type" in errors[0]["error"] and errors[2]["action"] == "answer to Reset"
    assert "not known" in run("validate", str(bad), code=1)


def test_validate_names_the_line_of_the_file(file: Path) -> None:
    text = file.read_text()
    bad = write(said("CP1", [2, "9", "Heartbeat", {"since": 1}]))
    file.write_text(text + "\n" + bad + "\n")
    where = len(CAPTURE) + 2  # the first line is the header, one is empty
    told = f"{file}:{where}: CP1: Heartbeat: $: Additional properties are not allowed ('since' was unexpected)"
    assert told in run("validate", str(file), code=1).splitlines()
    found = json.loads(run("validate", str(file), "-o", "json", code=1))
    assert [(each["line"], each["charger"]) for each in found["errors"]] == [(where, "CP1")]
    done = CliRunner().invoke(app, ["validate", "-"], input=file.read_text())
    assert done.exit_code == 1 and f"-:{where}: CP1: Heartbeat" in done.output
    assert "none: cannot be read: No such file" in run("validate", str(file.with_name("none")), code=2)


@pytest.mark.parametrize(
    ("version", "frame", "error"),
    [
        ("ocpp1.5", [2, "1", "Authorize", {}], "'idTag' is a required property"),
        ("ocpp2.1", [6, "1", "NotifyPeriodicEventStream", {"id": 1}], "is a required property"),
        ("ocpp2.1", [2, "1", "Heartbeat", {"x": 1}], "Additional properties"),
        ("ocpp2.0.1", [2, "1", "StartTransaction", {}], "ocpp2.0.1 has no StartTransaction"),
        ("ocpp1.6", [[2], "1", "Heartbeat", {}], "no OCPP-J frame"),
    ],
)
def test_validate_knows_every_version(version: str, frame: list[Any], error: str, tmp_path: Path) -> None:
    file = tmp_path / "frames.txt"
    file.write_text(json.dumps(frame))
    assert error in run("validate", "--version", version, str(file), code=1)


def test_migrate_report(file: Path) -> None:
    output = run("migrate", "report", "--to", "ocpp2.0.1", str(file))
    assert output.startswith("1 chargers, 2 messages, 1 of them without loss towards ocpp2.0.1\n\nAcme One (ocpp1.6)")
    found = json.loads(run("migrate", "report", "--to", "ocpp2.0.1", str(file), "-o", "json"))
    [kind] = found["kinds"]
    assert (
        kind["losses"][0]["field"] == "status" and kind["losses"][0]["kind"] == "folded" and kind["losses"][0]["note"]
    )
    assert "no translation" in run("migrate", "report", "--to", "ocpp2.1", str(file))


def said(
    charger: str, frame: list[Any], source: Literal["charger", "gateway"] = "charger", version: str = "ocpp1.6"
) -> Line:
    return Line("2026-11-22T10:00:00Z", charger, source=source, version=version, frame=frame)


def test_what_began_before_the_capture_is_counted_and_left_out(tmp_path: Path) -> None:
    meter = {"connectorId": 1, "meterValue": [{"timestamp": "2026-11-22T10:00:00Z", "sampledValue": [{"value": "1"}]}]}
    start = {"connectorId": 1, "idTag": "T", "meterStart": 0, "timestamp": "2026-11-22T10:00:00Z"}
    event = {"timestamp": "2026-11-22T10:00:00Z", "triggerReason": "MeterValuePeriodic", "seqNo": 3}
    info = {"transactionInfo": {"transactionId": "t"}}
    lines = [
        said("CP1", [2, "1", "MeterValues", {**meter, "transactionId": 6}]),
        said("CP1", [2, "2", "StartTransaction", start]),
        said("CP1", [3, "2", {"transactionId": 7, "idTagInfo": {"status": "Accepted"}}], "gateway"),
        said("CP1", [2, "3", "MeterValues", {**meter, "transactionId": 7}]),
        said("CP1", [2, "4", "MeterValues", meter]),
        said("CP2", [2, "1", "TransactionEvent", {**event, **info, "eventType": "Updated"}], version="ocpp2.0.1"),
        said("CP2", [2, "2", "TransactionEvent", {**event, **info, "eventType": "Started"}], version="ocpp2.0.1"),
    ]
    file = tmp_path / "midway.jsonl"
    file.write_text("".join(write(each) + "\n" for each in (CAPTURE[0], *lines)))
    found = json.loads(run("migrate", "report", "--to", "ocpp2.0.1", str(file), "-o", "json"))
    assert [(each["version"], each["messages"], each["begun_before"]) for each in found["kinds"]] == [
        ("ocpp1.6", 3, 1), ("ocpp2.0.1", 1, 1),
    ]  # fmt: skip
    assert "MeterValues" not in [
        each["action"] for each in found["kinds"][0]["losses"] if each["field"] == "transactionId"
    ]
    told = run("migrate", "report", "--to", "ocpp2.0.1", str(file))
    assert "\n2 more are left out: their transactions were not heard to begin\n" in told
    assert "\nVendor and model not known, as no BootNotification was seen (ocpp1.6): 1 chargers" in told


def test_wrong_usage(tmp_path: Path, file: Path) -> None:
    assert "cannot be read" in run("migrate", "report", "--to", "ocpp2.0.1", str(tmp_path / "none"), code=2)
    assert "--to" in run("replay", str(file), "--to", "http://x", code=2)
    assert "--speed" in run("replay", str(file), "--to", "ws://127.0.0.1:1", "--speed", "fast", code=2)
    assert "does not connect" in run("replay", str(file), "--to", "ws://127.0.0.1:1", "--speed", "0", code=1)


def test_translate_explains(file: Path) -> None:
    step = {"from": "charger", "frame": CAPTURE[4].frame}  # type: ignore[union-attr]
    versions = ("--charger", "ocpp1.6", "--csms", "ocpp2.0.1")
    done = CliRunner().invoke(app, ["translate", *versions, "--explain"], input=json.dumps(step) + "\n")
    told, end = map(json.loads, done.stdout.splitlines())
    assert end == {"done": True} and told["because"]["fate"] == "translated"
    [loss] = told["because"]["losses"]
    assert loss["field"] == "status" and "Occupied" in loss["why"]
    assert "none: cannot be read: No such file" in run("translate", *versions, "--options", "none", code=2)
    lines = [json.loads(line) for line in run("translate", *versions, "--capture", str(file)).splitlines()]
    assert [each.get("from") or "to " + each["to"] for each in lines] == ["charger", "to csms", "to charger"] * 2
    assert all("because" not in each for each in lines)


def test_translate_passes_what_nobody_answers_in_21() -> None:
    steps = [
        {"from": "charger", "frame": [6, "s", "NotifyPeriodicEventStream", {"id": 7}]},
        {"from": "charger", "frame": [6, "t", "Heartbeat", {}]},
        {"from": "csms", "frame": [6, "s", "NotifyPeriodicEventStream", {"id": 7}]},
        {"from": "csms", "frame": [5, "b9", "FormatViolation", "unknown", {}]},
    ]
    for version, left in (("ocpp2.1", [6]), ("ocpp2.0.1", [])):
        done = CliRunner().invoke(
            app,
            ["translate", "--charger", version, "--csms", version],
            input="".join(json.dumps(step) + "\n" for step in steps),
        )
        told = [json.loads(line) for line in done.stdout.splitlines()]
        assert [each["frame"][0] for each in told if "frame" in each] == left
        assert done.exit_code == (0 if left else 2)
