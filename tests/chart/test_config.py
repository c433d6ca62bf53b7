"""The configuration that the chart renders is one that the program takes, and drains in the time that the pods have."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from gateway.config_print import FIXED, FREE

from .rendering import CHART, CI, Doc, of, render


@cache
def certificate() -> tuple[str, str]:
    """A self-signed one and its key, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ocpp.example")])
    begin = datetime.now(UTC)
    built = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    built = built.serial_number(1).not_valid_before(begin).not_valid_after(begin + timedelta(days=30))
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return built.sign(key, SHA256()).public_bytes(Encoding.PEM).decode(), private.decode()


def content(name: str) -> str:
    """Something that a mounted file of this name may hold."""
    match Path(name).suffix:
        case ".crt":
            return certificate()[0]
        case ".key":
            return certificate()[1]
        case ".txt":
            return "ab" * 32
        case ".yaml":
            return "a: b"
        case ".csv":
            return "id,password\nCP1,secret-secret-secret\n"
    return "ws://csms.example/ocpp"


def check(docs: list[Doc], role: str, directory: Path) -> str:
    """What check-config says of a pod's configuration; Raises AssertionError when it is not content."""
    pod = of(docs, "Deployment", f"-{role}")["spec"]["template"]["spec"]
    container = pod["containers"][0]
    fullname = of(docs, "Deployment", f"-{role}")["metadata"]["name"].removesuffix(f"-{role}")
    maps = {doc["metadata"]["name"]: doc["data"] for doc in docs if doc["kind"] == "ConfigMap" and "data" in doc}
    etc = directory / "etc"

    def placed(text: str) -> str:
        return text.replace("/etc/ocpp-gateway", str(etc))

    file = etc / "config" / "gateway.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(placed(maps[fullname]["gateway.yaml"]))
    environment = {key: placed(value) for key, value in maps[f"{fullname}-static"].items()}
    for each in container["env"]:
        value = each.get("value", "redis://store:6379" if each["name"].endswith("URL") else "secret")
        for name, known in list(environment.items()):
            value = value.replace(f"$({name})", known)
        environment[each["name"]] = placed(value)
    for name in re.findall(rf"{re.escape(str(etc))}[\w./-]+", "".join(environment.values()) + file.read_text()):
        if not Path(name).exists():
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            Path(name).write_text(content(Path(name).name))
    roles = [f"--role={role}"] if "--role" in container["args"] else []
    done = subprocess.run(
        [Path(sys.executable).with_name("ocpp-gateway"), "check-config", file, *roles],
        capture_output=True,
        text=True,
        timeout=30,
        env={"PATH": os.environ["PATH"], **environment},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("values", CI)
def test_check_config_takes_it_and_the_pods_have_time_to_drain(values: str, tmp_path: Path) -> None:
    docs = render(values)
    for deployment in [doc for doc in docs if doc["kind"] == "Deployment"]:
        role = deployment["metadata"]["name"].rsplit("-", 1)[1]
        said = check(docs, role, tmp_path / role)
        found = re.search(r"drains within (\d+) s", said)
        assert found, said
        grace = deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
        if values == "restricted-values.yaml":
            assert int(grace) == 300 >= int(found[1])
        else:
            assert int(grace) == int(found[1])


@pytest.mark.parametrize(
    "sets",
    [
        ("config.drain.timeout=2m", "config.drain.delay=0"),
        ("config.drain.close_rate=7", "config.listen.max_connections=333"),
        ("config.drain.delay=1500ms", "config.drain.timeout=0.5"),
        ("config.drain.timeout=0",),
    ],
)
def test_grace_is_computed_as_the_program_does(sets: tuple[str, ...], tmp_path: Path) -> None:
    docs = render("minimal-values.yaml", sets=sets)
    grace = of(docs, "Deployment")["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    assert f"drains within {grace} s" in check(docs, "edge", tmp_path)


@pytest.mark.fast
def test_what_a_running_gateway_cannot_change_restarts_the_pods() -> None:
    template = (CHART / "templates" / "_config.tpl").read_text(encoding="utf-8")
    omitted = re.search(r"omit \.Values\.config ([^}]*?) -", template)
    assert omitted and set(re.findall(r'"(\w+)"', omitted[1])) == set(FIXED)
    free = re.search(r'define "ocpp-gateway.free" -}}\n(.*?)\n{{- end', template, re.S)
    assert free
    kept = {f"{section}.{key}" for section, keys in yaml.safe_load(free[1]).items() for key in keys}
    assert kept == set(FREE), "and what it can does not"


def test_fixed_sections_are_variables_of_the_pod(tmp_path: Path) -> None:
    sets = (
        *("config.registry.source=file", "config.registry.file=/etc/ocpp-gateway/mounts/registry/c.csv"),
        *("config.vault.key_file=/etc/ocpp-gateway/mounts/vault/key.txt", "mounts.registry.secret=chargers"),
        "mounts.vault.secret=vault",
    )
    docs = render("minimal-values.yaml", sets=sets)
    static = next(doc for doc in docs if doc["kind"] == "ConfigMap" and doc["metadata"]["name"].endswith("-static"))
    assert {"OCPPGW_REGISTRY", "OCPPGW_VAULT"} <= static["data"].keys()
    assert "registry:" not in next(doc for doc in docs if "gateway.yaml" in doc.get("data", {}))["data"]["gateway.yaml"]
    plain = of(render("minimal-values.yaml"), "Deployment")["spec"]["template"]["metadata"]["annotations"]
    changed = of(docs, "Deployment")["spec"]["template"]["metadata"]["annotations"]
    assert plain["checksum/static"] != changed["checksum/static"]
    check(docs, "edge", tmp_path)
