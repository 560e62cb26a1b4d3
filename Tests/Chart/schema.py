"""The keys of values.schema.json and of values.yaml, and those of the bridge's configuration among them."""
from __future__ import annotations

import json
from collections.abc import Iterator

import yaml
from chart import CHART

SCHEMA = json.loads((CHART / "values.schema.json").read_text())
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
COMBINED = ("allOf", "anyOf", "oneOf")


def at(schema: dict) -> dict:
    """The schema itself, where this is a reference to it. Beside a reference draft 7 reads nothing but what people read."""
    while "$ref" in schema:
        target: dict = SCHEMA
        for step in schema["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        schema = {k: v for k, v in schema.items() if k == "description"} | target
    return schema


def parts(schema: dict) -> dict[str, dict]:
    """The keys of an object, those of its combined schemas too."""
    result = dict(schema.get("properties", {}))
    for combination in COMBINED:
        for each in schema.get(combination, []):
            for key, part in parts(at(each)).items():
                result.setdefault(key, part)
    return result


def keys(schema: dict, path: str = "") -> Iterator[tuple[str, dict]]:
    """Every key that the schema names, by its path; `[]` stands for the elements of a list, `*` for any name. Those that only
    one of several forms of a value has are said with the value."""
    schema = at(schema)
    below = [(f"{path}.{key}".lstrip("."), part, True) for key, part in schema.get("properties", {}).items()]
    if isinstance(schema.get("items"), dict):
        below.append((path + "[]", schema["items"], False))
    if isinstance(schema.get("additionalProperties"), dict):
        below.append((path + ".*", schema["additionalProperties"], False))
    for name, part, is_key in below:
        if is_key:
            yield name, at(part)
        yield from keys(part, name)


def leaves(schema: dict, path: str = "") -> dict[str, dict]:
    """Keys of the configuration that are no sections, and those that the chart owns."""
    found = {}
    for name, below in schema["properties"].items():
        here = f"{path}.{name}" if path else name
        found |= leaves(below, here) if below.get("additionalProperties") is False else {here: below}
    return found


LEAVES = leaves(SCHEMA["definitions"]["config"])
OWNED = {path for path, schema in LEAVES.items() if schema["description"].startswith("Set by the chart")}
SETTABLE = set(LEAVES) - OWNED
