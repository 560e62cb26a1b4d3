"""Helm's own engine from the wheel helm-sdkpy, for machines without helm.

The wheel can install, and only that. So the engine is given a cluster that is just big enough: it tells which kinds there
are, and takes the release record, which Helm writes before it creates the first object and which has everything that was
rendered. Then it refuses. Nothing is created, no hook runs and nothing is waited for.
"""
from __future__ import annotations

import asyncio
import base64
import gzip
import json
import os
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import yaml

KUBERNETES = "1.33.0"
# What the cluster has, by API version: the kinds that the chart makes. Others are refused by name.
KINDS = {
    "v1": "ConfigMap Pod Secret Service ServiceAccount",
    "apps/v1": "Deployment StatefulSet",
    "autoscaling/v2": "HorizontalPodAutoscaler",
    "batch/v1": "Job",
    "networking.k8s.io/v1": "Ingress NetworkPolicy",
    "policy/v1": "PodDisruptionBudget",
    "gateway.networking.k8s.io/v1": "HTTPRoute",
    "kafka.strimzi.io/v1": "KafkaTopic KafkaUser",
    "kafka.strimzi.io/v1beta2": "KafkaTopic KafkaUser",
    "monitoring.coreos.com/v1": "PrometheusRule ServiceMonitor",
}


class Refused(Exception):
    """Helm would not render. The message is Helm's own."""


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

    def render(self, values: dict, release: str, chart: Path) -> tuple[str, str]:
        """The manifest with the objects of hooks behind it, and the notes. Raises `Refused`."""
        self.cluster.release = None
        try:
            asyncio.run(self.helm.Install(self.configuration).run(release, str(chart), values=values, wait=False))
        except self.helm.HelmError as error:
            if self.cluster.release is None:
                unknown = "no matches for kind" in str(error)
                raise Refused(f"{error}" + (" (KINDS in Tests/Chart/engine.py has those that there are)" if unknown else "")) from None
        record = self.cluster.release
        # Helm keeps the source of an object of a manifest as a comment, and that of a hook beside it.
        hooks = [f"# Source: {hook['path']}\n" + hook["manifest"].removeprefix(f"# Source: {hook['path']}\n").strip()
                 for hook in record.get("hooks") or []]
        return "\n---\n".join([record["manifest"], *hooks]), record["info"].get("notes") or ""

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
                {"name": kind.lower() + "s", "kind": kind, "namespaced": True, "verbs": ["create", "get"]}
                for kind in KINDS[api].split()]})
        elif path.endswith("/secrets"):
            self.answer(200, {"kind": "SecretList", "apiVersion": "v1", "items": []})
        else:
            # Nothing is there that the chart may look up.
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
