"""values.schema.json says of every value what a person must know, and refuses what is none."""
from __future__ import annotations

import json
import unittest
from collections.abc import Iterator

import chart
import examples
import jsonschema
import yaml

SCHEMA = json.loads((chart.CHART / "values.schema.json").read_text())
VALUES = yaml.safe_load((chart.CHART / "values.yaml").read_text())
# Helm's own, and what the bridge's configuration has beside the defaults that the chart gives.
MORE_THAN_DEFAULTS = ("global", "config")
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


def unfinished(schema: dict) -> bool:
    return at(schema) == {"description": ""}


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


class SchemaTests(unittest.TestCase):
    def test_it_is_a_schema_of_draft_7(self) -> None:
        self.assertEqual(SCHEMA["$schema"], "http://json-schema.org/draft-07/schema#")
        jsonschema.Draft7Validator.check_schema(SCHEMA)

    def test_all_definitions_are_filled_in(self) -> None:
        empty = [name for name in SCHEMA["definitions"] if unfinished(SCHEMA["definitions"][name])]
        if len(empty) == len(SCHEMA["definitions"]):
            self.skipTest("no definition is filled in yet")
        self.assertEqual(empty, [])

    def test_all_definitions_are_used(self) -> None:
        text = json.dumps(SCHEMA)
        self.assertEqual([name for name in SCHEMA["definitions"] if f'"#/definitions/{name}"' not in text], [])

    def test_the_defaults_are_accepted(self) -> None:
        faults = jsonschema.Draft7Validator(SCHEMA).iter_errors(VALUES)
        self.assertEqual([f"{fault.json_path}: {fault.message}" for fault in faults], [])

    def test_the_value_sets_are_accepted(self) -> None:
        for name in examples.names():
            faults = jsonschema.Draft7Validator(SCHEMA).iter_errors(chart.merged(VALUES, examples.values(name)))
            self.assertEqual([f"{name}: {fault.json_path}: {fault.message}" for fault in faults], [])

    def test_every_key_is_described(self) -> None:
        for path, schema in keys(SCHEMA):
            with self.subTest(path):
                # Within the elements of a list stands what is Kubernetes' own.
                if unfinished(schema) or "." in path.partition("[].")[2]:
                    continue
                description = schema.get("description", "")
                self.assertGreater(len(description), 5, f"{path} has no description that says something")
                self.assertIn(description[-1], ".):…", f"the description of {path} is no sentence: {description}")
                if not schema.keys() & {"type", "enum", "const", "not", *COMBINED}:
                    self.assertIn("chart", description, f"{path} may be anything, and is not said to be the chart's own")

    def test_objects_refuse_keys_that_they_do_not_name(self) -> None:
        for path, schema in [("", at(SCHEMA)), *keys(SCHEMA)]:
            with self.subTest(path or "the values"):
                if schema.get("properties"):
                    self.assertIn("additionalProperties", schema, f"{path or 'the values'}: other keys are taken silently")

    def test_values_and_schema_have_the_same_keys(self) -> None:
        for path, missing in self.differences(VALUES, SCHEMA, ""):
            with self.subTest(path):
                self.fail(f"{path} is in {'values.yaml' if missing == 'schema' else 'the schema'} and not in the {missing}")

    def differences(self, values: dict, schema: dict, path: str) -> Iterator[tuple[str, str]]:
        named = parts(at(schema))
        for key, value in values.items():
            name = f"{path}.{key}".lstrip(".")
            if key in named:
                if isinstance(value, dict) and not unfinished(named[key]):
                    yield from self.differences(value, named[key], name)
            elif named or at(schema).get("additionalProperties") is False:
                yield name, "schema"
        # An empty object in values.yaml is one that people fill in: what it may hold stands in the schema alone.
        if values and not path.startswith(MORE_THAN_DEFAULTS):
            for key in named.keys() - values.keys() - set(MORE_THAN_DEFAULTS):
                yield f"{path}.{key}".lstrip("."), "values.yaml"
