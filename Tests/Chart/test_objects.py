"""What holds of every object of every value set: names, labels, references among each other, the hardening of pods."""
from __future__ import annotations

import functools
import re
import unittest
from collections.abc import Callable, Iterator

import chart
import dockerfile
import examples

NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
LABEL = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?")
LABELS = ["helm.sh/chart", "app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/component",
          "app.kubernetes.io/version", "app.kubernetes.io/managed-by"]
# Those that the Pod Security Standard restricted admits.
VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
# Strimzi's operator reads them where the cluster is.
ELSEWHERE = ("KafkaTopic", "KafkaUser")


def pods(documents: list[dict]) -> Iterator[tuple[str, dict, dict]]:
    """Every pod: what it is of, its metadata, its spec."""
    for document in documents:
        kind, name = document["kind"], document["metadata"]["name"]
        if kind == "Pod":
            yield f"{kind}/{name}", document["metadata"], document["spec"]
        elif kind in ("StatefulSet", "Deployment", "Job"):
            template = document["spec"]["template"]
            yield f"{kind}/{name}", template.get("metadata", {}), template["spec"]


def containers(spec: dict) -> list[dict]:
    return [*spec.get("initContainers", []), *spec["containers"]]


def ports(spec: dict) -> set[str | int]:
    found = [port for container in containers(spec) for port in container.get("ports", [])]
    return {port["name"] for port in found if "name" in port} | {port["containerPort"] for port in found}


def in_every_example(check: Callable[[unittest.TestCase, list[dict]], None]) -> Callable[[unittest.TestCase], None]:
    @functools.wraps(check)
    def test(self: unittest.TestCase) -> None:
        for name in examples.names():
            with self.subTest(values=name):
                check(self, examples.objects(name))
    return test


class ObjectsTests(unittest.TestCase):
    @in_every_example
    def test_names_are_names_and_stand_once(self, documents: list[dict]) -> None:
        for kind, name in chart.named(documents):
            self.assertTrue(NAME.fullmatch(name) and len(name) <= 63, f"{kind}/{name}")

    @in_every_example
    def test_all_have_the_usual_labels_and_the_namespace_of_the_release(self, documents: list[dict]) -> None:
        for document in documents:
            what, labels = f"{document['kind']}/{document['metadata']['name']}", document["metadata"].get("labels", {})
            self.assertEqual([label for label in LABELS if label not in labels], [], f"{what} lacks labels")
            for label, value in labels.items():
                self.assertTrue(isinstance(value, str) and LABEL.fullmatch(value) and len(value) <= 63, f"{what}: {label}: {value}")
            # `kubectl apply` of what `helm template` prints puts what has none wherever it stands.
            self.assertIn("namespace", document["metadata"], what)
            if document["kind"] not in ELSEWHERE:
                self.assertEqual(document["metadata"]["namespace"], chart.NAMESPACE, what)

    @in_every_example
    def test_annotations_are_texts(self, documents: list[dict]) -> None:
        for document in documents:
            for key, value in (document["metadata"].get("annotations") or {}).items():
                self.assertIsInstance(value, str, f"{document['kind']}/{document['metadata']['name']}: {key}")

    @in_every_example
    def test_selectors_select(self, documents: list[dict]) -> None:
        labels = [metadata.get("labels", {}) for _, metadata, _ in pods(documents)]
        for document in documents:
            kind, spec = document["kind"], document.get("spec", {})
            what = f"{kind}/{document['metadata']['name']}"
            selector = spec.get("selector", {})
            if kind in ("StatefulSet", "Deployment"):
                self.assertLessEqual(selector["matchLabels"].items(), spec["template"]["metadata"]["labels"].items(), what)
            elif kind == "Service":
                self.assertTrue(any(selector.items() <= each.items() for each in labels), f"{what} selects no pod")
            elif kind in ("PodDisruptionBudget", "NetworkPolicy"):
                selector = spec.get("podSelector", selector)["matchLabels"]
                self.assertTrue(any(selector.items() <= each.items() for each in labels), f"{what} selects no pod")
            elif kind == "ServiceMonitor":
                there = [d["metadata"]["labels"] for d in documents if d["kind"] == "Service"]
                self.assertTrue(any(selector["matchLabels"].items() <= each.items() for each in there), f"{what} selects no Service")

    @in_every_example
    def test_services_lead_to_ports_that_pods_have(self, documents: list[dict]) -> None:
        for service in (d for d in documents if d["kind"] == "Service"):
            selector = service["spec"]["selector"].items()
            there = [ports(spec) for _, metadata, spec in pods(documents) if selector <= metadata.get("labels", {}).items()]
            for port in service["spec"]["ports"]:
                target = port.get("targetPort", port["port"])
                for names in there:
                    self.assertIn(target, names, f"Service/{service['metadata']['name']} port {port.get('name')}")

    @in_every_example
    def test_routes_lead_to_ports_that_services_have(self, documents: list[dict]) -> None:
        services = {d["metadata"]["name"]: d["spec"]["ports"] for d in documents if d["kind"] == "Service"}
        for document in documents:
            backends = []
            if document["kind"] == "Ingress":
                backends = [path["backend"]["service"] for rule in document["spec"]["rules"] for path in rule["http"]["paths"]]
                backends = [(b["name"], b["port"].get("name", b["port"].get("number"))) for b in backends]
            elif document["kind"] == "HTTPRoute":
                backends = [(b["name"], b["port"]) for rule in document["spec"]["rules"] for b in rule["backendRefs"]]
            for name, port in backends:
                known = [p.get(key) for p in services.get(name, []) for key in ("name", "port")]
                self.assertIn(port, known, f"{document['kind']} leads to {name}:{port}, which no Service has")

    @in_every_example
    def test_probes_and_hooks_ask_ports_that_are_there(self, documents: list[dict]) -> None:
        for what, _, spec in pods(documents):
            for container in containers(spec):
                for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                    port = container.get(probe, {}).get("httpGet", {}).get("port")
                    if port is not None:
                        self.assertIn(port, ports({"containers": [container]}), f"{what} {probe}")

    @in_every_example
    def test_what_is_mounted_is_a_volume_and_the_other_way_round(self, documents: list[dict]) -> None:
        for what, _, spec in pods(documents):
            claims = next((d["spec"].get("volumeClaimTemplates", []) for d in documents
                           if f"{d['kind']}/{d['metadata']['name']}" == what and d["kind"] == "StatefulSet"), [])
            volumes = {v["name"] for v in spec.get("volumes", [])} | {c["metadata"]["name"] for c in claims}
            mounted = {m["name"] for container in containers(spec) for m in container.get("volumeMounts", [])}
            self.assertEqual(mounted, volumes, what)

    @in_every_example
    def test_configuration_that_the_chart_makes_is_mounted_by_its_name(self, documents: list[dict]) -> None:
        made = {(d["kind"], d["metadata"]["name"]): d for d in documents if d["kind"] in ("ConfigMap", "Secret")}
        for what, _, spec in pods(documents):
            for volume in spec.get("volumes", []):
                sources = volume.get("projected", {}).get("sources", [volume])
                for source in sources:
                    for kind, key in (("ConfigMap", "configMap"), ("Secret", "secret")):
                        reference = source.get(key)
                        if not reference:
                            continue
                        name = reference.get("name", reference.get("secretName"))
                        document = made.get((kind, name))
                        if document is None:
                            self.assertFalse(kind == "ConfigMap" and name.startswith(chart.RELEASE + "-"), f"{what} mounts {name}")
                            continue
                        there = document.get("data", {}).keys() | document.get("stringData", {}).keys()
                        for item in reference.get("items", []):
                            self.assertIn(item["key"], there, f"{what} mounts a key that {kind}/{name} lacks")

    @in_every_example
    def test_every_pod_is_admitted_by_the_restricted_standard(self, documents: list[dict]) -> None:
        """https://kubernetes.io/docs/concepts/security/pod-security-standards/, and what the bridge can do without beside it."""
        user = int(dockerfile.image().last("USER").split(":")[0])
        for what, _, spec in pods(documents):
            own = spec["securityContext"]
            self.assertIs(spec.get("automountServiceAccountToken"), False, f"{what} has the token of its ServiceAccount")
            self.assertIs(spec.get("enableServiceLinks"), False, f"{what} has the addresses of all Services in its environment")
            for key in ("hostNetwork", "hostPID", "hostIPC"):
                self.assertNotIn(key, spec, what)
            for volume in spec.get("volumes", []):
                self.assertLessEqual(volume.keys() - {"name"}, VOLUMES, what)
                for source in volume.get("projected", {}).get("sources", []):
                    self.assertNotIn("serviceAccountToken", source, what)
            for container in containers(spec):
                context, where = own | container["securityContext"], f"{what}, container {container['name']}"
                self.assertIs(context.get("runAsNonRoot"), True, where)
                self.assertEqual(context.get("runAsUser"), user, where)
                self.assertEqual(context.get("seccompProfile"), {"type": "RuntimeDefault"}, where)
                self.assertIs(context.get("allowPrivilegeEscalation"), False, where)
                self.assertIs(context.get("readOnlyRootFilesystem"), True, where)
                self.assertEqual(context.get("capabilities"), {"drop": ["ALL"]}, where)
                self.assertNotIn("privileged", context, where)
                self.assertIn("memory", container.get("resources", {}).get("limits", {}), f"{where} has no limit of memory")
