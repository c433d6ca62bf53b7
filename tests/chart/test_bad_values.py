"""Values that cannot work are refused, with a sentence that says what to do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from .rendering import CHART, CI, HELMS, HelmError, text

MAIN = "config.upstreams.main"
BAD: list[tuple[tuple[str, ...], str]] = [
    # what values.schema.json says
    (("replicaCount=3",), "replicaCount"),
    (("edge.replicas=two",), "edge/replicas|edge.replicas"),
    (("edge.resourcess.limits=1",), "resourcess"),
    (("service.type=LoadBalancerr",), "service/type|service.type"),
    ((f"{MAIN}.version=ocpp2.2",), "version"),
    ((f"{MAIN}.call_timeot=3s",), "call_timeot"),
    (("config.drain.delay=soon",), "drain"),
    (("tests.version=ocpp1.5",), "tests"),
    # what templates say
    (("config.upstreams=null",), "config.upstreams is empty: name at least one CSMS"),
    ((f"{MAIN}.password=secret",), "config.upstreams.main holds a password, which would end in a ConfigMap"),
    ((f"{MAIN}.url=wss://user:secret@csms.example/ocpp",), "put it in a Secret and name that in upstreamSecrets.main"),
    (("config.upstreams.other.version=ocpp1.6",), "config.upstreams.other.url is missing"),
    ((f"{MAIN}.credentials=passthrough", "hub.enabled=true"), "needs both roles in one process: set hub.enabled to false"),
    ((f"{MAIN}.credentials=passthrough", "edge.replicas=2"), "so edge.replicas must be 1"),
    (("upstreamSecrets.man.existingSecret=x",), "upstreamSecrets.man: config.upstreams has no upstream of this name; there are main"),
    (("redis.dev.enabled=false",), "redis: the pods need a store that they share"),
    (("config.vault.key=c2VjcmV0",), "config.vault.key would end in a ConfigMap"),
    (("redis.hosts={redis:6379}",), "redis: give one of hosts, urlKey and dev.enabled, not several"),
    (("config.redis.url=redis://x",), "config.redis.url: the chart sets where the store is from redis"),
    (("redis.dev.enabled=false", "redis.urlKey=url"), "redis.existingSecret is empty"),
    (("redis.dev.enabled=false", "redis.hosts={s:1}", "redis.mode=sentinel"), "redis.service is empty"),
    (("redis.service=main",), "redis.service is given, but redis.mode is not sentinel"),
    (("redis.dev.enabled=false", "redis.hosts={s:1}", "redis.mode=cluster", "redis.db=3"), "a Cluster has only database 0"),
    (("redis.tls.caKey=ca.crt",), "redis.tls: its keys need redis.tls.enabled and redis.tls.existingSecret"),
    (("redis.tls.enabled=true",), "redis.dev is a single server without password and TLS"),
    (("config.redis.replicas=1",), "config.redis.replicas asks replicas for confirmation, and redis.dev has none"),
    (("httpRoute.enabled=true",), "httpRoute.parentRefs is empty"),
    (("httpRoute.gateway.create=true",), "httpRoute.gateway.className is empty"),
    (("ingress.enabled=true",), "ingress.hosts is empty"),
    (("service.nodePort=30000",), "service.nodePort needs service.type NodePort or LoadBalancer"),
    (("edge.pdb.minAvailable=1",), "edge.pdb: give minAvailable or maxUnavailable"),
    (("edge.autoscaling.enabled=true", "edge.keda.enabled=true"), "edge.autoscaling and edge.keda exclude one another"),
    (("edge.autoscaling.enabled=true", "edge.autoscaling.minReplicas=20"), "edge: minReplicas 20 is more than maxReplicas 10"),
    (("edge.autoscaling.enabled=true", "edge.autoscaling.targetCPU=0"), "edge.autoscaling has nothing to scale by"),
    (("hub.enabled=true", "hub.keda.enabled=true"), "hub.keda.prometheusAddress is empty"),
    (("edge.terminationGracePeriodSeconds=30",), "edge.terminationGracePeriodSeconds is 30, but a drain takes up to 130 s"),
    (("edge.extraEnv[0].name=OCPPGW_LOG__LEVEL", "edge.extraEnv[0].value=debug"), "edge.extraEnv sets OCPPGW_LOG__LEVEL"),
    (("prometheusRule.enabled=true", "prometheusRule.disabled={Nothing}"), "prometheusRule: there is no alert Nothing"),
    (
        ("prometheusRule.enabled=true", "prometheusRule.overrides.OcppGatewayStoreDwn.threshold=1"),
        "there is no alert OcppGatewayStoreDwn; there are OcppGateway",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("sets", "message"), BAD, ids=[pair[0][0] for pair in BAD])
def test_bad_values(sets: tuple[str, ...], message: str) -> None:
    for binary in HELMS:
        with pytest.raises(HelmError) as failed:
            text("minimal-values.yaml", sets=sets, binary=binary)
        said = str(failed.value)
        if "|" in message:
            assert re.search(message, said), said
        else:
            assert message in said, said


def test_every_rule_of_the_templates_has_its_bad_value() -> None:
    source = "".join(path.read_text() for path in (CHART / "templates").glob("_*.tpl"))
    messages = re.findall(r'fail (?:\(printf )?"((?:[^"\\]|\\.)*)"', source)
    assert len(messages) > 25
    said = []
    for sets, _ in BAD:
        with pytest.raises(HelmError) as failed:
            text("minimal-values.yaml", sets=sets)
        said.append(str(failed.value))
    for message in messages:
        pattern = ".*".join(map(re.escape, re.split(r"%[sd]", message)))
        assert any(re.search(pattern, each) for each in said), message


def test_defaults_ask_for_what_they_lack() -> None:
    with pytest.raises(HelmError, match=r"config\.upstreams is empty"):
        text()


def test_every_default_is_in_the_schema_and_the_reverse() -> None:
    import json

    schema = json.loads((CHART / "values.schema.json").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())

    def compare(node: dict[str, object], default: object, path: str) -> None:
        properties = node.get("properties")
        if not isinstance(properties, dict) or path == "config":
            return
        assert node["additionalProperties"] is False, path
        assert isinstance(default, dict)
        assert set(properties) - {"global"} == set(default), path
        for key, child in properties.items():
            if key != "global":
                compare(child, default[key], f"{path}.{key}".strip("."))

    compare(schema, values, "")


def test_ci_values_are_six_topologies() -> None:
    assert len(CI) >= 6
    for name in CI:
        assert Path(CHART / "ci" / name).read_text().startswith("# "), name
