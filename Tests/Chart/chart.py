"""The chart as Helm renders it: `helm template` where helm is on PATH, else Helm's own engine from the wheel helm-sdkpy."""
from __future__ import annotations

import copy
import json
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import yaml
from bridge import PORTAL
from engine import KINDS, KUBERNETES, Engine, Refused

CHART = Path(__file__).resolve().parents[2] / "charts" / "bitrix24-kafka-bridge"
RELEASE, NAMESPACE = "bridge", "bitrix24"
# Of the release's objects.
NAME = f"{RELEASE}-{CHART.name}"
# Values: where Kafka is, the least that the chart takes, and what makes the bridge an application.
KAFKA = {"config": {"kafka": {"bootstrapServers": "kafka:9092"}}}
LEAST = {**KAFKA, "portals": {"static": [PORTAL]}}
APPLICATION = {"config": {"application": {"clientId": "local.1", "publicURL": "https://bridge.example"}},
               "application": {"existingSecret": "b24-application"}}


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


def render(values: dict, namespace: str = NAMESPACE) -> list[dict]:
    """All objects, those of hooks too. Raises `Refused`."""
    return [parsed(text) for text in rendered(values, namespace).texts]


def refusal(values: dict) -> str:
    """Why Helm does not render these values, in its words."""
    try:
        rendered(values)
    except Refused as error:
        return str(error)
    raise AssertionError(f"these values were expected to be refused, and are rendered: {json.dumps(values)}")


def notes(values: dict) -> str:
    """What Helm tells whoever has installed it (NOTES.txt)."""
    return rendered(values).notes


def least(*layers: dict, **over: object) -> dict:
    """The least values with these over them, one layer after the other."""
    result = LEAST
    for layer in [*layers, over]:
        result = merged(result, layer)
    return result


def one(documents: list[dict], kind: str, name: str | None = None) -> dict:
    """The only object of that kind, and of that name if one is given."""
    found = [d for d in documents if d["kind"] == kind and name in (None, d["metadata"]["name"])]
    if len(found) != 1:
        there = ", ".join(sorted(f"{d['kind']}/{d['metadata']['name']}" for d in documents))
        raise AssertionError(f"{len(found)} objects {kind} {name or ''} in place of one, among: {there}")
    return found[0]


def of_kind(documents: list[dict], kind: str) -> list[dict]:
    return [document for document in documents if document["kind"] == kind]


def named(documents: list[dict]) -> dict[tuple[str, str], dict]:
    """The objects by kind and name."""
    result: dict[tuple[str, str], dict] = {}
    for document in documents:
        key = document["kind"], document["metadata"]["name"]
        if key in result:
            raise AssertionError(f"{key[0]}/{key[1]} is rendered twice")
        result[key] = document
    return result


def rendered(values: dict, namespace: str = NAMESPACE) -> Rendered:
    """The same values are rendered once in a process."""
    key = json.dumps([values, namespace], sort_keys=True)
    if key not in _known:
        try:
            render_with = _helm if shutil.which("helm") else _engine
            _known[key] = render_with(values, namespace)
        except Refused as error:
            _known[key] = error
    result = _known[key]
    if isinstance(result, Refused):
        raise result
    return result


def lint(values: dict) -> list[str]:
    """What `helm lint --strict` has against the chart with these values, one line each."""
    with tempfile.TemporaryDirectory() as folder:
        if shutil.which("helm"):
            file = Path(folder, "values.yaml")
            file.write_text(json.dumps(values))
            done = subprocess.run(["helm", "lint", "--strict", "--quiet", str(CHART), "-f", str(file)],
                                  text=True, capture_output=True)
            return [] if done.returncode == 0 else (done.stdout + done.stderr).strip().splitlines()
        # The engine lints a chart with its own values only, so the chart is given these.
        there = Path(folder, CHART.name)
        shutil.copytree(CHART, there)
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


# `helm template` leaves NOTES.txt out, so a template beside it, in a copy of the chart, says what it says.
NOTES_TEMPLATE = """{{- $notes := include (print $.Template.BasePath "/NOTES.txt") . }}
apiVersion: v1
kind: ConfigMap
metadata: {name: notes-of-the-chart}
data: {notes: {{ $notes | toJson }}}
"""


def _helm(values: dict, namespace: str) -> Rendered:
    with tempfile.TemporaryDirectory() as folder:
        there, file = Path(folder, CHART.name), Path(folder, "values.yaml")
        shutil.copytree(CHART, there)
        if (there / "templates" / "NOTES.txt").exists():
            (there / "templates" / "notes-of-the-chart.yaml").write_text(NOTES_TEMPLATE)
        file.write_text(json.dumps(values))
        there_is = [version for api, kinds in KINDS.items() for version in [api, *(f"{api}/{k}" for k in kinds.split())]]
        done = subprocess.run(
            ["helm", "template", RELEASE, str(there), "--namespace", namespace, "--values", str(file),
             "--kube-version", KUBERNETES, *(f"--api-versions={version}" for version in there_is)], text=True, capture_output=True)
    if done.returncode != 0:
        raise Refused(done.stderr.strip())
    texts = _objects(done.stdout)
    words = [text for text in texts if source(text).endswith("/notes-of-the-chart.yaml")]
    return Rendered([text for text in texts if text not in words], parsed(words[0])["data"]["notes"] if words else "")


def _engine(values: dict, namespace: str) -> Rendered:
    manifest, notes = Engine.of(namespace).render(values, RELEASE, CHART)
    return Rendered(_objects(manifest), notes)
