"""The chart as Helm renders it: `helm template` where helm is on PATH, else Helm's own engine from the wheel helm-sdkpy.

The wheel can install, and only that. So the engine is given a cluster that is just big enough: it tells which kinds there
are, and takes the release record, which Helm writes before it creates the first object and which has everything that was
rendered. Then it refuses. Nothing is created, no hook runs and nothing is waited for.
"""
from __future__ import annotations

import asyncio
import base64
import copy
import gzip
import json
import os
import re
import shutil
import subprocess
import tempfile
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import yaml

CHART = Path(__file__).resolve().parents[2] / "charts" / "bitrix24-kafka-bridge"
RELEASE, NAMESPACE = "bridge", "bitrix24"
KUBERNETES = "1.33.0"
# What the cluster has, by API version. Kinds that are missing here are refused by name.
KINDS = {
    "v1": "ConfigMap Endpoints PersistentVolumeClaim Pod Secret Service ServiceAccount",
    "apps/v1": "DaemonSet Deployment ReplicaSet StatefulSet",
    "autoscaling/v2": "HorizontalPodAutoscaler",
    "batch/v1": "CronJob Job",
    "networking.k8s.io/v1": "Ingress IngressClass NetworkPolicy",
    "policy/v1": "PodDisruptionBudget",
    "rbac.authorization.k8s.io/v1": "ClusterRole ClusterRoleBinding Role RoleBinding",
    "scheduling.k8s.io/v1": "PriorityClass",
    "cert-manager.io/v1": "Certificate Issuer",
    "cilium.io/v2": "CiliumNetworkPolicy",
    "external-secrets.io/v1": "ExternalSecret",
    "gateway.envoyproxy.io/v1alpha1": "BackendTrafficPolicy ClientTrafficPolicy SecurityPolicy",
    "gateway.networking.k8s.io/v1": "BackendTLSPolicy Gateway HTTPRoute",
    "gateway.networking.x-k8s.io/v1alpha1": "XBackendTrafficPolicy",
    "kafka.strimzi.io/v1": "KafkaTopic KafkaUser",
    "kafka.strimzi.io/v1beta2": "KafkaTopic KafkaUser",
    "keda.sh/v1alpha1": "ScaledObject",
    "monitoring.coreos.com/v1": "PodMonitor PrometheusRule ServiceMonitor",
    "traefik.io/v1alpha1": "IngressRoute Middleware ServersTransport TraefikService",
}
WITHOUT_NAMESPACE = {"ClusterRole", "ClusterRoleBinding", "IngressClass", "PriorityClass"}


class Refused(Exception):
    """Helm would not render. The message is Helm's own."""


@dataclass(frozen=True)
class Rendered:
    """What came of one set of values. Each text is one object with the comment `# Source: …` that Helm puts above it."""

    texts: list[str]
    notes: str

    def sorted_text(self) -> str:
        """All objects in the order of their templates, and of kind and name within one: the same with every Helm."""
        def place(text: str) -> tuple[str, str, str]:
            document = parsed(text)
            return source(text), document["kind"], document["metadata"]["name"]

        return "".join(f"---\n{text.strip()}\n" for text in sorted(self.texts, key=place))


def render(values: dict, release: str = RELEASE, namespace: str = NAMESPACE) -> list[dict]:
    """All objects, those of hooks too. Raises `Refused`."""
    return [parsed(text) for text in rendered(values, release, namespace).texts]


def refusal(values: dict, release: str = RELEASE, namespace: str = NAMESPACE) -> str:
    """Why Helm does not render these values, in its words."""
    try:
        rendered(values, release, namespace)
    except Refused as error:
        return str(error)
    raise AssertionError(f"these values were expected to be refused, and are rendered: {json.dumps(values)}")


def notes(values: dict, release: str = RELEASE, namespace: str = NAMESPACE) -> str:
    """What Helm tells whoever has installed it (NOTES.txt)."""
    return rendered(values, release, namespace).notes


def one(documents: list[dict], kind: str, name: str | None = None) -> dict:
    """The only object of that kind, and of that name if one is given."""
    found = [d for d in documents if d["kind"] == kind and name in (None, d["metadata"]["name"])]
    if len(found) != 1:
        there = ", ".join(sorted(f"{d['kind']}/{d['metadata']['name']}" for d in documents))
        raise AssertionError(f"{len(found)} objects {kind} {name or ''} in place of one, among: {there}")
    return found[0]


def named(documents: list[dict]) -> dict[tuple[str, str], dict]:
    """The objects by kind and name."""
    result: dict[tuple[str, str], dict] = {}
    for document in documents:
        key = document["kind"], document["metadata"]["name"]
        if key in result:
            raise AssertionError(f"{key[0]}/{key[1]} is rendered twice")
        result[key] = document
    return result


def rendered(values: dict, release: str = RELEASE, namespace: str = NAMESPACE, chart: Path = CHART) -> Rendered:
    """The same values are rendered once in a process."""
    key = json.dumps([values, release, namespace, str(chart)], sort_keys=True)
    if key not in _known:
        try:
            render_with = _helm if shutil.which("helm") else _engine
            _known[key] = render_with(values, release, namespace, chart)
        except Refused as error:
            _known[key] = error
    result = _known[key]
    if isinstance(result, Refused):
        raise result
    return result


def lint(values: dict, chart: Path = CHART) -> list[str]:
    """What `helm lint --strict` has against the chart with these values, one line each."""
    with tempfile.TemporaryDirectory() as folder:
        if shutil.which("helm"):
            file = Path(folder, "values.yaml")
            file.write_text(json.dumps(values))
            done = subprocess.run(["helm", "lint", "--strict", "--quiet", str(chart), "-f", str(file)],
                                  text=True, capture_output=True)
            return [] if done.returncode == 0 else (done.stdout + done.stderr).strip().splitlines()
        # The engine lints a chart with its own values only, so the chart is given these.
        there = Path(folder, chart.name)
        shutil.copytree(chart, there)
        own = yaml.safe_load((there / "values.yaml").read_text())
        (there / "values.yaml").write_text(yaml.safe_dump(merged(own, values), sort_keys=False))
        return Engine.of(NAMESPACE).lint(there)


def merged(below: dict, above: dict) -> dict:
    """Values over values, as Helm lays them: null takes a key away."""
    result = dict(below)
    for key, value in above.items():
        if isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = merged(result[key], value)
        elif value is None:
            result.pop(key, None)
        else:
            result[key] = value
    return result


def source(text: str) -> str:
    """The template from which an object came."""
    found = re.search(r"^# Source: (\S+)$", text, re.MULTILINE)
    return found.group(1) if found else ""


class OnceOnly(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """YAML in which a key that stands twice is a fault, as it is for Kubernetes."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = {key for key in keys if keys.count(key) > 1}
        if twice:
            raise yaml.constructor.ConstructorError(None, None, f"{sorted(twice)} stands twice", node.start_mark)
        return super().construct_mapping(node, deep)


def parsed(text: str) -> dict:
    """An object of its own, which the caller may change."""
    if text not in _parsed:
        _parsed[text] = yaml.load(text, Loader=OnceOnly)
    return copy.deepcopy(_parsed[text])


def _objects(manifest: str) -> list[str]:
    """The objects of a manifest; templates that came out empty are left out."""
    parts = re.split(r"^---[ \t]*$", manifest, flags=re.MULTILINE)
    return [part.strip() for part in parts if re.search(r"^[^#\s]", part, re.MULTILINE)]


_known: dict[str, Rendered | Refused] = {}
_parsed: dict[str, dict] = {}


# --- helm ------------------------------------------------------------------------------------------------------------------------

# `helm template` leaves NOTES.txt out, so a template beside it, in a copy of the chart, says what it says.
NOTES_TEMPLATE = """{{- $notes := include (print $.Template.BasePath "/NOTES.txt") . }}
apiVersion: v1
kind: ConfigMap
metadata: {name: notes-of-the-chart}
data: {notes: {{ $notes | toJson }}}
"""


def _helm(values: dict, release: str, namespace: str, chart: Path) -> Rendered:
    with tempfile.TemporaryDirectory() as folder:
        there, file = Path(folder, chart.name), Path(folder, "values.yaml")
        shutil.copytree(chart, there)
        if (there / "templates" / "NOTES.txt").exists():
            (there / "templates" / "notes-of-the-chart.yaml").write_text(NOTES_TEMPLATE)
        file.write_text(json.dumps(values))
        there_is = [version for api, kinds in KINDS.items() for version in [api, *(f"{api}/{k}" for k in kinds.split())]]
        done = subprocess.run(
            ["helm", "template", release, str(there), "--namespace", namespace, "--values", str(file),
             "--kube-version", KUBERNETES, *(f"--api-versions={version}" for version in there_is)], text=True, capture_output=True)
    if done.returncode != 0:
        raise Refused(done.stderr.strip())
    texts = _objects(done.stdout)
    words = [text for text in texts if source(text).endswith("/notes-of-the-chart.yaml")]
    return Rendered([text for text in texts if text not in words], parsed(words[0])["data"]["notes"] if words else "")


# --- The engine of the wheel -----------------------------------------------------------------------------------------------------

def _engine(values: dict, release: str, namespace: str, chart: Path) -> Rendered:
    return Engine.of(namespace).render(values, release, chart)


class Engine:
    """Helm in this process, with a cluster of its own on loopback. One for each namespace."""

    _all: dict[str, Engine] = {}

    @classmethod
    def of(cls, namespace: str) -> Engine:
        if namespace not in cls._all:
            cls._all[namespace] = cls(namespace)
        return cls._all[namespace]

    def __init__(self, namespace: str) -> None:
        os.environ["HELM_DRIVER"] = "secret"
        import helm_sdkpy
        self.helm, self.cluster = helm_sdkpy, Cluster()
        self.configuration = helm_sdkpy.Configuration(namespace=namespace, kubeconfig=yaml.safe_dump({
            "apiVersion": "v1", "kind": "Config", "current-context": "here",
            "clusters": [{"name": "here", "cluster": {"server": f"http://127.0.0.1:{self.cluster.server_port}"}}],
            "users": [{"name": "nobody", "user": {}}],
            "contexts": [{"name": "here", "context": {"cluster": "here", "user": "nobody"}}]}))

    def render(self, values: dict, release: str, chart: Path) -> Rendered:
        self.cluster.release = None
        try:
            asyncio.run(self.helm.Install(self.configuration).run(release, str(chart), values=values, wait=False))
        except self.helm.HelmError as error:
            if self.cluster.release is None:
                unknown = "no matches for kind" in str(error)
                raise Refused(f"{error}" + (" (KINDS in Tests/Chart/chart.py has those that there are)" if unknown else "")) from None
        record = self.cluster.release
        # Helm keeps the source of an object of a manifest as a comment, and that of a hook beside it.
        hooks = [f"# Source: {hook['path']}\n" + hook["manifest"].removeprefix(f"# Source: {hook['path']}\n").strip()
                 for hook in record.get("hooks") or []]
        return Rendered(_objects(record["manifest"]) + hooks, record["info"].get("notes") or "")

    def lint(self, chart: Path) -> list[str]:
        try:
            found = asyncio.run(self.helm.Lint(self.configuration).run(str(chart)))
        except self.helm.HelmError as error:
            return [str(error)]
        severities = {2: "warning", 3: "error"}  # what is below is a recommendation
        return [f"{severities[m['Severity']]} in {m['Path']}" for m in found.get("Messages") or [] if m["Severity"] in severities]


class Cluster(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.release: dict | None = None
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Answers(BaseHTTPRequestHandler):
    """What Helm asks a cluster until it has written down the release."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one packet for an answer: with two, the kernel delays the second

    def log_message(self, *_: object) -> None:
        pass

    def answer(self, code: int, body: dict) -> None:
        content = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        api = path.removeprefix("/apis/").removeprefix("/api/")
        if path == "/version":
            major, minor, _ = KUBERNETES.split(".")
            self.answer(200, {"major": major, "minor": minor, "gitVersion": f"v{KUBERNETES}"})
        elif path == "/api":
            self.answer(200, {"kind": "APIVersions", "versions": ["v1"]})
        elif path == "/apis":
            groups: dict[str, list[dict]] = {}
            for known in KINDS:
                group, _, version = known.rpartition("/")
                if group:
                    groups.setdefault(group, []).append({"groupVersion": known, "version": version})
            self.answer(200, {"kind": "APIGroupList", "apiVersion": "v1", "groups": [
                {"name": group, "versions": versions, "preferredVersion": versions[0]} for group, versions in groups.items()]})
        elif api in KINDS:
            self.answer(200, {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": api, "resources": [
                {"name": kind.lower() + "s", "kind": kind, "namespaced": kind not in WITHOUT_NAMESPACE, "verbs": ["create", "get"]}
                for kind in KINDS[api].split()]})
        elif path.endswith("/secrets"):
            self.answer(200, {"kind": "SecretList", "apiVersion": "v1", "items": []})
        else:
            self.refuse(404, "NotFound", path)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        record = re.search(rb"H4sI[A-Za-z0-9+/]+=*", body)  # gzip in base64, somewhere in protobuf
        if self.path.split("?")[0].endswith("/secrets") and record:
            self.server.release = json.loads(gzip.decompress(base64.b64decode(record.group())))
        self.refuse(403, "Forbidden", "this cluster takes the record of a release and nothing else")

    def refuse(self, code: int, reason: str, message: str) -> None:
        self.answer(code, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": code,
                           "message": message})
