"""Which gateway a command speaks to, from a file: `server`, and `token` or `token_file`. What the environment says goes first."""

from __future__ import annotations

import os
from pathlib import Path

from gateway.cli.options import fail
from gateway.cli.server import SERVER_VARIABLE, TOKEN_VARIABLE

KEYS = ("server", "token", "token_file")


def enter(file: Path) -> None:
    """Take the file's address and token as OCPPGW_SERVER and OCPPGW_TOKEN, unless these are set. A relative `token_file` is
    beside the file. Exits with 2 and a reason when the file cannot be used."""
    import yaml

    try:
        known = yaml.safe_load(file.read_text("utf-8"))
    except OSError as error:
        fail([f"{file}: {error.strerror}"])
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        fail([f"{file}: no YAML: {' '.join(str(error).split())}"])
    if not isinstance(known, dict) or not all(isinstance(value, str) for value in known.values()):
        fail([f"{file}: a mapping of texts is expected, with {', '.join(KEYS)}"])
    if wrong := [key for key in known if key not in KEYS]:
        fail([f"{file}: unknown key {key} (known: {', '.join(KEYS)})" for key in wrong])
    if "token" in known and "token_file" in known:
        fail([f"{file}: token or token_file, not both"])
    if "token_file" in known:
        secret = file.parent / known.pop("token_file")
        try:
            known["token"] = secret.read_text("utf-8").strip()
        except OSError as error:
            fail([f"{secret}: {error.strerror}"])
    for key, variable in (("server", SERVER_VARIABLE), ("token", TOKEN_VARIABLE)):
        if known.get(key):
            os.environ.setdefault(variable, known[key])
