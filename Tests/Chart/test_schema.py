"""values.schema.json says of every value what a person must know, and refuses what is none."""
from __future__ import annotations

import json
import re
import unittest
from collections.abc import Iterator

import chart
import examples
import jsonschema
import yaml
from bridge import ROOT
from pod import configuration
from schema import COMBINED, LEAVES, OWNED, SCHEMA, SETTABLE, VALUES, at, keys, parts

# Helm's own, and what the bridge's configuration has beside the defaults that the chart gives.
MORE_THAN_DEFAULTS = ("global", "config")


class SchemaTests(unittest.TestCase):
    def test_it_is_a_schema_of_draft_7(self) -> None:
        self.assertEqual(SCHEMA["$schema"], "http://json-schema.org/draft-07/schema#")
        jsonschema.Draft7Validator.check_schema(SCHEMA)

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
                if "." in path.partition("[].")[2]:
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
                if isinstance(value, dict):
                    yield from self.differences(value, named[key], name)
            elif named or at(schema).get("additionalProperties") is False:
                yield name, "schema"
        # An empty object in values.yaml is one that people fill in: what it may hold stands in the schema alone.
        if values and not path.startswith(MORE_THAN_DEFAULTS):
            for key in named.keys() - values.keys() - set(MORE_THAN_DEFAULTS):
                yield f"{path}.{key}".lstrip("."), "values.yaml"


class ConfigurationKeyTests(unittest.TestCase):
    """The section config is the bridge's configuration."""

    def test_values_yaml_tells_every_key_of_the_configuration(self) -> None:
        text = (chart.CHART / "values.yaml").read_text()
        section = text[text.index("\nconfig:\n"):text.index("\nkafka:\n")]
        told = set(re.findall(r"^ +(?:# +)?([A-Za-z]+):", section, re.MULTILINE))
        self.assertEqual({path.split(".")[-1] for path in SETTABLE} - told, set())

    def test_it_has_the_keys_that_the_readme_has(self) -> None:
        readme = (ROOT / "README.md").read_text()
        table = readme[readme.index("### Configuration"):readme.index("Kafka with SASL and TLS:")]
        told = {key for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for key in re.findall(r"`([A-Za-z.]+)`", row)}
        self.assertGreater(len(told), 40)
        self.assertEqual(SETTABLE - told, set(), "in the schema only")
        self.assertEqual({key for key in told - SETTABLE if not any(f"{key}.".startswith(f"{own}.") for own in OWNED)}, set(), "in the README only")
        self.assertEqual({own for own in OWNED if not any(f"{key}.".startswith(f"{own}.") for key in told)}, set())

    def test_it_has_the_keys_that_the_program_asks_for(self) -> None:
        sources = [*ROOT.glob("Sources/Bridge/BridgeSettings*.swift"), *ROOT.glob("Sources/Bridge/*/BridgeSettings+*.swift")]
        text = "\n".join(path.read_text() for path in sources)
        kinds = "string|requiredString|optionalString|integer|boolean|bytes|duration|choice|strings|stringMap|section|sections"
        asked = set(re.findall(rf'\.(?:{kinds})\(\s*"(\w+)"', text)) | set(re.findall(r'(?:nonEmpty|networks|template|events)\(\s*\w+,\s*"(\w+)"', text))
        self.assertGreater(len(asked), 50)
        self.assertEqual({part for path in SETTABLE for part in path.split(".")} - asked, set(), "the program asks for none of these")
        made = yaml.safe_dump(configuration(examples.values("everything")))
        known = {part for path in LEAVES for part in path.split(".")} | set(re.findall(r"^[ -]*(\w+):", made, re.MULTILINE))
        self.assertEqual(asked - known, set(), "the chart knows none of these")
