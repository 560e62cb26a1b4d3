"""The defaults of the bridge's configuration: the README's table, the schema's texts and the templates say the same."""
from __future__ import annotations

import re
import unittest

from bridge import ROOT
from chart import CHART
from schema import LEAVES, OWNED, SETTABLE, VALUES

# What the table has where there is no default; "required" stands for itself.
NOTHING = ("", "[]", "{}", "required")
# The schema's word for an empty list, by what it does.
EMPTY = {"[]": ("none", "all"), "": ("none",)}


def of_the_readme() -> dict[str, str]:
    readme = (ROOT / "README.md").read_text()
    table = readme[readme.index("| key | default | meaning |"):readme.index("Kafka with SASL and TLS:")]
    found = {}
    for line in table.splitlines()[2:]:
        if line.startswith("|"):
            keys, default = [re.sub("`", "", cell).strip() for cell in line.split("|")[1:3]]
            names = keys.split(", ")
            found |= {names[0]: default} if len(names) == 1 else dict(zip(names, (part.strip() for part in (default or ",,").split(","))))
    return found


def of_the_schema(key: str) -> str | None:
    """What the description says, if it says one: `Default: …` or `Default …: what that means`."""
    told = re.search(r"\bDefault:? (\[[^]]*\]|[^\s;:]+?(?:\.\{entity\})?)(?=[.;:]?(?: |$))", LEAVES[key]["description"])
    return told and told.group(1)


def given(key: str) -> bool:
    """Whether values.yaml has the key: the chart's own default, which is seen there."""
    place = VALUES["config"]
    for step in key.split("."):
        if not isinstance(place, dict) or step not in place:
            return False
        place = place[step]
    return True


class DefaultTests(unittest.TestCase):
    def test_the_schema_says_those_of_the_readme(self) -> None:
        compared = 0
        for key, default in of_the_readme().items():
            if key not in SETTABLE:
                self.assertTrue(any(f"{key}.".startswith(f"{own}.") for own in OWNED), f"{key} is not in the schema")
                continue
            with self.subTest(key):
                told = of_the_schema(key)
                if default not in NOTHING:
                    self.assertTrue(told == default or (told is None and given(key)), f"README: {default}, values.schema.json: {told}")
                    compared += 1
                elif told:
                    # In words, as "what the server gives", or with a word for what is empty.
                    self.assertIn(told, (*EMPTY.get(default, ()), "what", "application.publicURL,"))
        self.assertGreater(compared, 20)

    def test_the_templates_fall_back_to_those_of_the_readme(self) -> None:
        readme, keys = of_the_readme(), {key.split(".")[-1]: key for key in sorted(SETTABLE)}
        templates = "\n".join(file.read_text() for file in sorted((CHART / "templates").iterdir()) if file.is_file())
        found = re.findall(r'\.(\w+) \| default (?:"([^"]+)"|(\d+))', templates)
        compared = [(keys[name], text or number) for name, text, number in found if name in keys]
        for key, fallback in compared:
            with self.subTest(key):
                self.assertEqual(fallback, readme[key])
        self.assertGreater(len(set(compared)), 8)
