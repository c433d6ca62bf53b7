"""Coverage-guided fuzzing of what reads frames: `python -m tests.fuzz.atheris_frames [seconds] [corpus folder]`.

Needs `atheris` (tests/fuzz/requirements.txt) beside the project. Prints the number of executions at the end; a crash leaves
the input in `crash-*` and a traceback. How many there were: docs/bad-input.md.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris
import yaml

with atheris.instrument_imports(include=["gateway.edge", "translators.frames", "gateway.hub.upstream"]):
    from tests.fuzz.judge import VERSIONS, judge_charger, judge_csms

ROWS = Path(__file__).parents[2] / "gateway" / "edge" / "malformed.yaml"


def once(data: bytes) -> None:
    """The first byte chooses who reads: each version, strict or not, or the side of the CSMS."""
    if not data:
        return
    choice, frame = data[0] % 9, data[1:]
    try:
        frame.decode()  # the socket has seen to that
    except UnicodeDecodeError:
        return
    if choice == 8:
        judge_csms(frame)
    else:
        judge_charger(VERSIONS[choice % 4], frame, strict=choice >= 4)


def main() -> None:
    seconds = sys.argv[1] if len(sys.argv) > 1 else "60"
    corpus = Path(sys.argv[2] if len(sys.argv) > 2 else tempfile.mkdtemp(prefix="frames-"))
    corpus.mkdir(parents=True, exist_ok=True)
    number = 0
    for row in yaml.safe_load(ROWS.read_text("utf-8")):
        for example in row["examples"]:
            for choice in range(9):
                (corpus / f"seed-{number}-{choice}").write_bytes(bytes([choice]) + example["frame"].encode())
            number += 1
    atheris.Setup(
        [
            sys.argv[0],
            f"-max_total_time={seconds}",
            "-max_len=4096",
            "-rss_limit_mb=3000",
            "-print_final_stats=1",
            str(corpus),
        ],
        once,
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main()
