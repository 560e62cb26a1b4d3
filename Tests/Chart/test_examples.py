"""Every value set lints, renders to what Kubernetes accepts, and to the example beside it."""
from __future__ import annotations

import difflib
import unittest
from collections import Counter

import chart
import examples
import kubernetes_validate
import yaml


def versions() -> list[str]:
    """The oldest Kubernetes that the chart admits, and the newest whose schemas there are."""
    metadata = yaml.safe_load((chart.CHART / "Chart.yaml").read_text())
    oldest = metadata["kubeVersion"].removeprefix(">=").split("-")[0]
    return [version.rpartition(".")[0] for version in (oldest, kubernetes_validate.latest_version())]


class ExamplesTests(unittest.TestCase):
    """Has a test for each value set and each of the checks, see below."""

    without_schema: Counter[str] = Counter()

    @classmethod
    def tearDownClass(cls) -> None:
        if cls.without_schema:
            kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(cls.without_schema.items()))
            print(f"\nno schema, so not validated: {kinds}")

    def test_there_are_value_sets(self) -> None:
        self.assertTrue(examples.names(), f"no file *{examples.SUFFIX} in {examples.FOLDER}")

    def lint(self, name: str) -> None:
        self.assertEqual(chart.lint(examples.values(name)), [])

    def validate(self, name: str) -> None:
        for document in examples.objects(name):
            what = f"{document['kind']}/{document['metadata']['name']}"
            if document["apiVersion"] in examples.FOREIGN:
                self.without_schema[document["kind"]] += 1
                continue
            for version in versions():
                with self.subTest(what, kubernetes=version):
                    try:
                        kubernetes_validate.validate(document, version, strict=True)
                    except kubernetes_validate.ValidationError as error:
                        self.fail(f"{what} in Kubernetes {version}: {'.'.join(map(str, error.path))}: {error.message}")
                    except kubernetes_validate.SchemaNotFoundError:
                        self.fail(f"Kubernetes {version} has no {document['kind']} in {document['apiVersion']}")

    def compare(self, name: str) -> None:
        file, now = examples.file(name), examples.text(name)
        then = file.read_text() if file.exists() else ""
        difference = difflib.unified_diff(then.splitlines(), now.splitlines(), f"{file.parent.name}/{file.name}", "rendered now",
                                          lineterm="")
        if then != now:
            self.fail("the example is not what is rendered. If that is meant: make chart-rendered\n" + "\n".join(difference))


for value_set in examples.names():
    for check in (ExamplesTests.lint, ExamplesTests.validate, ExamplesTests.compare):
        def test(self: ExamplesTests, check=check, value_set=value_set) -> None:
            check(self, value_set)
        setattr(ExamplesTests, f"test_{check.__name__}_{value_set.replace('-', '_')}", test)
