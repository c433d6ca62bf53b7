"""The pods: what the restricted Pod Security Standard asks, ports and names that fit one another, time to drain."""

from __future__ import annotations

import re
from typing import Any

import pytest
from typer.main import get_command

from gateway.cli.commands import app

from .rendering import CI, Doc, of, pods, render

every = pytest.mark.parametrize("values", CI)


@every
def test_restricted_pod_security_standard(values: str) -> None:
    for name, pod in pods(render(values)):
        assert pod["automountServiceAccountToken"] is False, name
        assert pod["enableServiceLinks"] is False, name
        security = pod["securityContext"]
        assert security["runAsNonRoot"] is True and security["runAsUser"] > 10000, name
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod), name
        assert not [volume for volume in pod.get("volumes", []) if "hostPath" in volume], name
        for container in pod["containers"] + pod.get("initContainers", []):
            own = container["securityContext"]
            assert own["allowPrivilegeEscalation"] is False, (name, container["name"])
            assert own["capabilities"] == {"drop": ["ALL"]}, (name, container["name"])
            assert not [port for port in container.get("ports", []) if "hostPort" in port]


@every
def test_own_containers_are_bounded_and_read_only(values: str) -> None:
    for name, pod in pods(render(values)):
        container = pod["containers"][0]
        assert container["securityContext"]["readOnlyRootFilesystem"] is True, name
        assert container["resources"]["requests"]["cpu"], name
        assert container["resources"]["limits"]["memory"], name
        assert "cpu" not in container["resources"]["limits"], name


@every
def test_names_that_objects_use_of_one_another_exist(values: str) -> None:
    docs = render(values)
    maps = {doc["metadata"]["name"] for doc in docs if doc["kind"] == "ConfigMap"}
    ports = {port["name"] for _, pod in pods(docs) for port in pod["containers"][0].get("ports", [])}
    services = {doc["metadata"]["name"]: doc for doc in docs if doc["kind"] == "Service"}
    deployments = {doc["metadata"]["name"] for doc in docs if doc["kind"] == "Deployment"}
    for doc in docs:
        match doc["kind"]:
            case "Service":
                assert {port["targetPort"] for port in doc["spec"]["ports"]} <= ports
                assert selected(docs, doc["spec"]["selector"])
            case "PodMonitor":
                assert {end["port"] for end in doc["spec"]["podMetricsEndpoints"]} <= ports
                assert set(selected(docs, doc["spec"]["selector"]["matchLabels"])) == deployments
            case "NetworkPolicy":
                assert set(selected(docs, doc["spec"]["podSelector"]["matchLabels"])) == deployments
            case "PodDisruptionBudget":
                assert selected(docs, doc["spec"]["selector"]["matchLabels"]) == [doc["metadata"]["name"]]
            case "HorizontalPodAutoscaler" | "ScaledObject":
                assert doc["spec"]["scaleTargetRef"]["name"] in deployments
            case "HTTPRoute":
                for back in doc["spec"]["rules"][0]["backendRefs"]:
                    assert back["port"] in [port["port"] for port in services[back["name"]]["spec"]["ports"]]
            case "Ingress":
                back = doc["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]
                assert back["port"]["name"] in [port["name"] for port in services[back["name"]]["spec"]["ports"]]
            case "Deployment":
                pod = doc["spec"]["template"]["spec"]
                own = [each for each in pod["volumes"] if each["name"] == "config"]
                assert own[0]["configMap"]["name"] in maps
                mounts = {mount["name"] for mount in pod["containers"][0]["volumeMounts"]}
                assert mounts == {volume["name"] for volume in pod["volumes"]}


def selected(docs: list[Doc], labels: dict[str, str]) -> list[str]:
    """Names of the workloads whose pods have these labels."""
    return [
        doc["metadata"]["name"]
        for doc in docs
        if doc["kind"] in ("Deployment", "StatefulSet")
        and labels.items() <= doc["spec"]["template"]["metadata"]["labels"].items()
    ]


@every
def test_selectors_have_no_version_and_select_their_own_pods(values: str) -> None:
    for doc in render(values):
        if doc["kind"] in ("Deployment", "StatefulSet"):
            labels = doc["spec"]["selector"]["matchLabels"]
            assert set(labels) == {f"app.kubernetes.io/{key}" for key in ("name", "instance", "component")}
            pod = doc["spec"]["template"]["metadata"]
            assert labels.items() <= pod["labels"].items()
            # A chart that changes nothing in the pods restarts none.
            assert "helm.sh/chart" not in pod["labels"]


@every
def test_names_fit(values: str) -> None:
    long = "a" * 53
    for doc in render(values, sets=(f"fullnameOverride={long}{long}",)):
        name = doc["metadata"]["name"]
        assert len(name) <= 63 and re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", name), name


def test_the_secret_of_any_upstream_can_be_mounted() -> None:
    """The name of an upstream may have what the name of a volume may not."""
    sets = ("config.upstreams.My_csms.version=ocpp1.6", "upstreamSecrets.My_csms.existingSecret=s")
    docs = render("minimal-values.yaml", sets=(*sets, "upstreamSecrets.My_csms.urlKey=url"))
    pod = of(docs, "Deployment")["spec"]["template"]["spec"]
    [volume] = [each["name"] for each in pod["volumes"] if each.get("secret", {}).get("secretName") == "s"]
    [mount] = [each for each in pod["containers"][0]["volumeMounts"] if each["name"] == volume]
    assert re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", volume)
    assert mount["mountPath"] == "/etc/ocpp-gateway/upstreams/My_csms"


def test_no_object_needs_rights_in_the_cluster() -> None:
    kinds = {doc["kind"] for values in CI for doc in render(values)}
    assert not [kind for kind in kinds if "Role" in kind]


def environment(docs: list[Doc], name: str) -> dict[str, Any]:
    pod = of(docs, "Deployment", name)["spec"]["template"]["spec"]
    return {each["name"]: each.get("value", each.get("valueFrom")) for each in pod["containers"][0]["env"]}


def test_no_secret_is_written_down() -> None:
    docs = render("sentinel-values.yaml")
    env = environment(docs, "edge")
    assert env["OCPPGW_REDIS__URL"] == (
        "rediss+sentinel://:$(REDIS_PASSWORD)@sentinel-0.redis:26379,sentinel-1.redis:26379,sentinel-2.redis:26379"
        "/gateway/2?sentinel_username=watcher&sentinel_password=$(REDIS_SENTINEL_PASSWORD)"
    )
    assert list(env)[:3] == ["OCPPGW_CONFIG", "REDIS_PASSWORD", "REDIS_SENTINEL_PASSWORD"]  # before what uses them
    assert env["REDIS_PASSWORD"] == {"secretKeyRef": {"name": "redis", "key": "password"}}
    assert not [doc for doc in docs if doc["kind"] == "Secret"]


def test_roles() -> None:
    one, two = render("minimal-values.yaml"), render("production-values.yaml")
    arguments = lambda docs, name: of(docs, "Deployment", name)["spec"]["template"]["spec"]["containers"][0]["args"]  # noqa: E731
    assert arguments(one, "-edge") == ["run"]
    assert arguments(two, "-edge") == ["run", "--role", "edge"]
    assert arguments(two, "-hub") == ["run", "--role", "hub"]
    assert [doc["metadata"]["name"] for doc in one if doc["kind"] == "PodDisruptionBudget"] == []
    assert len([doc for doc in two if doc["kind"] == "PodDisruptionBudget"]) == 2


def test_only_what_needs_a_restart_restarts_pods() -> None:
    def template(*sets: str) -> Doc:
        pod: Doc = of(render("minimal-values.yaml", sets=sets), "Deployment", "-edge")["spec"]["template"]
        return pod

    before = template()
    assert template("config.upstreams.main.url=wss://other.example/ocpp", "config.log.level=debug") == before
    assert template("config.charger.answer_timeout=20s") == before
    assert template("config.listen.accept_rate=7", "config.admin.tokens[0].name=a") == before
    assert template("config.listen.ping_interval=20s") != before
    assert template("config.redis.partitions=32") != before


@every
def test_the_charger_of_helm_test_has_what_it_is_told_to_show(values: str) -> None:
    docs = render(values, sets=("tests.existingSecret=pass", "tests.caSecret=roots", "tests.certSecret=own"))
    test = of(docs, "Pod")
    [container] = test["spec"]["containers"]
    command, url, *options = container["args"]
    known = {option for each in get_command(app).commands[command].params for option in each.opts}  # type: ignore[attr-defined]
    given = dict(option.split("=", 1) for option in options)
    assert given.keys() <= known and url.startswith(("ws://", "wss://"))
    files = {given[option] for option in ("--password-file", "--ca", "--cert", "--key")}
    places = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    secrets = {volume["name"]: volume["secret"]["secretName"] for volume in test["spec"]["volumes"]}
    assert {secrets[places[file.rpartition("/")[0]]] for file in files} == {"pass", "roots", "own"}
    for policy in [doc for doc in docs if doc["kind"] == "NetworkPolicy" and doc["spec"]["ingress"][0].get("from")]:
        labels = test["metadata"]["labels"].items()
        peers = [peer.get("podSelector", {}).get("matchLabels") for peer in policy["spec"]["ingress"][0]["from"]]
        assert any(peer and peer.items() <= labels for peer in peers), "it may come in"
    assert not selected_pod(docs, test), "but nobody is led to it"


def selected_pod(docs: list[Doc], pod: Doc) -> list[str]:
    """Services that have this pod behind them."""
    labels = pod["metadata"]["labels"].items()
    return [
        doc["metadata"]["name"]
        for doc in docs
        if doc["kind"] == "Service" and doc["spec"]["selector"].items() <= labels
    ]


def test_several_listeners() -> None:
    docs = render(
        "minimal-values.yaml",
        sets=("config.listen[0].port=9000", "config.listen[1].port=9443", "config.listen[1].max_connections=500"),
    )
    pod = of(docs, "Deployment", "-edge")["spec"]["template"]["spec"]
    assert [(port["name"], port["containerPort"]) for port in pod["containers"][0]["ports"]] == [
        ("ocpp", 9000),
        ("ocpp-1", 9443),
        ("admin", 9001),
    ]
    service = of(docs, "Service", "r-ocpp-gateway")
    assert [(port["name"], port["port"]) for port in service["spec"]["ports"]] == [("ocpp", 80), ("ocpp-1", 9443)]


def test_a_full_edge_can_be_unready() -> None:
    def probes(*sets: str) -> list[str]:
        docs = render("production-values.yaml", sets=sets)
        found = [pod["containers"][0].get("readinessProbe", {}) for _, pod in pods(docs)]
        return [each["httpGet"]["path"] for each in found if each]

    assert set(probes()) == {"/readyz"}
    assert sorted(probes("edge.readyWhenFull=false")) == ["/readyz", "/readyz?room"], "the hub has no chargers"
