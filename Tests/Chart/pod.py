"""The bridge's pod, as some values make it."""
from __future__ import annotations

import yaml
from chart import named, one, render


def workload(values: dict) -> dict:
    return next(d for d in render(values) if d["kind"] in ("StatefulSet", "Deployment"))


def pod(values: dict) -> dict:
    return workload(values)["spec"]["template"]["spec"]


def container(values: dict) -> dict:
    return pod(values)["containers"][0]


def configuration(values: dict) -> dict:
    return yaml.safe_load(one(render(values), "ConfigMap", workload(values)["metadata"]["name"])["data"]["b24bridge.yaml"])


def mounted(documents: list[dict], spec: dict) -> list[tuple[str, str]]:
    """Files below /etc/b24bridge in a pod, with their content; with none for those of Secrets that are not the chart's."""
    objects, files = named(documents), []
    volume = next(v for v in spec["volumes"] if v["name"] == "configuration")
    for origin in volume["projected"]["sources"]:
        (kind, items), = origin.items()
        found = objects.get(("ConfigMap" if kind == "configMap" else "Secret", items["name"]), {})
        data = found.get("data", {}) | found.get("stringData", {})
        for item in items["items"]:
            files.append((item["path"], data.get(item["key"], "")))
    return files
