"""What keeps the service up and to itself: disruption budgets, scaling, spread, network policy, probes, and what NOTES warn of."""

from __future__ import annotations

from typing import Any

import pytest

from .rendering import CHART, Doc, helm, of, pods, render


def kinds(docs: list[Doc], kind: str) -> list[Doc]:
    return [doc for doc in docs if doc["kind"] == kind]


def pod(docs: list[Doc], role: str) -> Doc:
    spec: Doc = of(docs, "Deployment", f"-{role}")["spec"]["template"]["spec"]
    return spec


def test_a_role_with_several_pods_loses_one_at_a_time() -> None:
    budget = of(render("production-values.yaml"), "PodDisruptionBudget", "-edge")["spec"]
    assert budget["maxUnavailable"] == 1 and "minAvailable" not in budget
    assert budget["unhealthyPodEvictionPolicy"] == "AlwaysAllow", "a pod that is never ready holds up no node"
    other = render("production-values.yaml", sets=("edge.pdb.minAvailable=75%", "edge.pdb.maxUnavailable=null"))
    budget = of(other, "PodDisruptionBudget", "-edge")["spec"]
    assert budget["minAvailable"] == "75%" and "maxUnavailable" not in budget


@pytest.mark.parametrize(
    ("sets", "budgets"),
    [
        (("edge.replicas=1",), 0),
        (("edge.replicas=2",), 1),
        (("edge.replicas=2", "edge.pdb.enabled=false"), 0),
        (("edge.replicas=1", "edge.autoscaling.enabled=true"), 1),
        (("edge.replicas=3", "edge.autoscaling.enabled=true", "edge.autoscaling.minReplicas=1"), 0),
        (("edge.replicas=3", "edge.keda.enabled=true", "edge.keda.prometheusAddress=http://p", "edge.keda.minReplicas=1"), 0),
    ],
)  # fmt: skip
def test_a_single_pod_may_be_moved(sets: tuple[str, ...], budgets: int) -> None:
    assert len(kinds(render("minimal-values.yaml", sets=sets), "PodDisruptionBudget")) == budgets


def slow(behavior: Doc) -> bool:
    """Whether pods go one by one, with minutes between them."""
    down = behavior["scaleDown"]
    [policy] = down["policies"]
    return policy["value"] == 1 and policy["periodSeconds"] >= 180 and down["stabilizationWindowSeconds"] >= 600


def test_pods_come_with_the_chargers_and_go_one_by_one() -> None:
    docs = render("sentinel-values.yaml")
    scaler = of(docs, "HorizontalPodAutoscaler")["spec"]
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (2, 8) and slow(scaler["behavior"])
    by_chargers, by_cpu = scaler["metrics"]
    assert by_chargers["pods"]["metric"]["name"] == "ocppgw_connections"
    assert by_chargers["pods"]["target"]["averageValue"] == "7000"
    assert by_cpu["resource"]["target"]["averageUtilization"] == 70
    assert "replicas" not in of(docs, "Deployment", "-edge")["spec"], "an upgrade would undo what it scaled"


def test_keda_asks_for_the_series_of_this_release() -> None:
    docs = render("keda-values.yaml")
    assert not kinds(docs, "HorizontalPodAutoscaler")
    edge, hub = (of(docs, "ScaledObject", f"-{role}")["spec"] for role in ("edge", "hub"))
    job = of(docs, "PodMonitor")["spec"]["jobLabel"]
    for scaled, metric in ((edge, "ocppgw_connections"), (hub, "ocppgw_stream_oldest_undelivered_age_seconds")):
        [trigger] = scaled["triggers"]
        role = scaled["scaleTargetRef"]["name"].rpartition("-")[2]
        labels = of(docs, "Deployment", f"-{role}")["spec"]["template"]["metadata"]["labels"]
        assert f'{metric}{{namespace="ocpp", job="{labels[job]}"}}' in trigger["metadata"]["query"]
        assert slow(scaled["advanced"]["horizontalPodAutoscalerConfig"]["behavior"])
        assert "replicas" not in of(docs, "Deployment", f"-{role}")["spec"]


def test_pods_of_a_role_are_spread_over_zones_and_nodes() -> None:
    docs = render("production-values.yaml")
    for role in ("edge", "hub"):
        spread = pod(docs, role)["topologySpreadConstraints"]
        assert [each["topologyKey"] for each in spread] == ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]
        for each in spread:
            assert (each["maxSkew"], each["whenUnsatisfiable"]) == (1, "ScheduleAnyway")
            assert each["matchLabelKeys"] == ["pod-template-hash"], "the pods of one rollout"
            labels = of(docs, "Deployment", f"-{role}")["spec"]["template"]["metadata"]["labels"]
            assert each["labelSelector"]["matchLabels"].items() <= labels.items()
            assert each["labelSelector"]["matchLabels"]["app.kubernetes.io/component"] == role
    assert "topologySpreadConstraints" not in pod(render("minimal-values.yaml", sets=("edge.spread=false",)), "edge")
    own = ("edge.topologySpreadConstraints[0].topologyKey=rack",)
    assert [
        each["topologyKey"]
        for each in pod(render("minimal-values.yaml", sets=own), "edge")["topologySpreadConstraints"]
    ] == ["rack"]


def policy(*sets: str) -> Doc:
    docs = render("minimal-values.yaml", sets=("networkPolicy.enabled=true", *sets))
    spec: Doc = of(docs, "NetworkPolicy", "r-ocpp-gateway")["spec"]
    return spec


def rule(rules: list[Doc], port: Any) -> Doc | None:
    """The only rule for a port."""
    found = [each for each in rules if port in [one["port"] for one in each.get("ports", [])]]
    assert len(found) < 2
    return found[0] if found else None


def test_who_may_come_in() -> None:
    spec = policy()
    assert set(spec["policyTypes"]) == {"Ingress", "Egress"}
    chargers = rule(spec["ingress"], 9000)
    assert chargers is not None and "from" not in chargers, "chargers come from anywhere"
    assert rule(spec["ingress"], "admin") is None, "nobody reaches the operators' port"
    spec = policy("networkPolicy.monitoringFrom[0].namespaceSelector.matchLabels.team=sre", "config.listen.port=9443",
                  "networkPolicy.extraIngress[0].ports[0].port=7")  # fmt: skip
    admin = rule(spec["ingress"], "admin")
    assert admin is not None and admin["from"] == [{"namespaceSelector": {"matchLabels": {"team": "sre"}}}]
    assert rule(spec["ingress"], 9443) is not None and rule(spec["ingress"], 7) is not None


def test_where_the_pods_may_go() -> None:
    spec = policy()
    assert {one["protocol"] for one in (rule(spec["egress"], 53) or {})["ports"]} == {"UDP", "TCP"}
    store = rule(spec["egress"], 6379)
    assert store is not None
    [peer] = store["to"]
    docs = render("minimal-values.yaml", sets=("networkPolicy.enabled=true",))
    labels = of(docs, "StatefulSet")["spec"]["template"]["metadata"]["labels"]
    assert peer["podSelector"]["matchLabels"].items() <= labels.items(), "the store of the release, and no other"
    upstreams = rule(spec["egress"], 443)
    assert upstreams is not None and "to" not in upstreams
    spec = policy("networkPolicy.upstreamsTo[0].ipBlock.cidr=198.51.100.0/24", "networkPolicy.upstreamPorts={8443}",
                  "networkPolicy.extraEgress[0].ports[0].port=4318")  # fmt: skip
    upstreams = rule(spec["egress"], 8443)
    assert upstreams is not None and upstreams["to"] == [{"ipBlock": {"cidr": "198.51.100.0/24"}}]
    assert rule(spec["egress"], 4318) is not None and rule(spec["egress"], 443) is None


def test_probes() -> None:
    """A store that is away or loads its file ends no pod: liveness asks the event loop, and nothing else."""
    for name, spec in pods(render("production-values.yaml")):
        if name.endswith("-test"):
            continue
        container = spec["containers"][0]
        paths = {kind: container[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "liveness", "readiness")}
        assert paths["startup"] == paths["liveness"] == "/livez" and paths["readiness"].startswith("/readyz")
        startup, liveness = container["startupProbe"], container["livenessProbe"]
        assert startup["failureThreshold"] * startup["periodSeconds"] >= 60, "time for a slow store"
        assert liveness["failureThreshold"] * liveness["periodSeconds"] >= 30, "a pause of the node ends no pod"


def notes(*sets: str, values: str = "minimal-values.yaml") -> str:
    pairs = [part for pair in sets for part in ("--set", pair)]
    said = helm("install", "r", CHART, "--dry-run=client", "--values", CHART / "ci" / values, *pairs)
    return said.partition("NOTES:")[2]


def test_notes_tell_where_and_warn() -> None:
    said = notes()
    assert "ws://r-ocpp-gateway.default:80/ocpp/<charger id>" in said and "helm test r" in said
    assert "ocpp2.0.1, ocpp1.6" in said and "/metrics" in said
    assert "WARNING: the store is a single" in said and "WARNING: config.registry is open" in said
    assert "WARNING: edge has one pod" in notes("edge.replicas=1")
    assert "WARNING: config.redis.accept_data_loss is on" in notes("config.redis.accept_data_loss=true")
    assert "needs tests.existingSecret" in notes("config.listen.security_profile=1")
    assert "needs tests.certSecret" in notes("config.listen.security_profile=3")
    production = notes(values="production-values.yaml")
    assert "WARNING" not in production and "wss://r-ocpp-gateway.default:443/" in production
    assert "needs tests" not in production and "No alerts" not in production
    assert "ws(s)://ocpp.example/ocpp/<charger id>" in notes(values="sentinel-values.yaml")
