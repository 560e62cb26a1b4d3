"""Values that would make objects which Kubernetes refuses, or end in words of the templates: refused by their keys."""
from __future__ import annotations

import unittest

from chart import merged, one, refusal, render

GIVEN = {"config": {"kafka": {"bootstrapServers": "kafka:9092"}}, "portals": {"existingSecret": "portals"}}


class RefusedValuesTests(unittest.TestCase):
    def test_a_section_that_is_null_is_missed_by_its_name(self) -> None:
        for path in ["config", "metrics", "kafka", "persistence", "portals", "networkPolicy", "autoscaling", "config.journal",
                     "config.http", "config.kafka", "metrics.serviceMonitor", "metrics.prometheusRule", "kafka.tls",
                     "kafka.strimzi.topics"]:
            over: dict | None = None
            for key in reversed(path.split(".")):
                over = {key: over}
            values = dict(GIVEN)
            for key, section in over.items():
                values[key] = section if section is None else {**GIVEN.get(key, {}), **section}
            with self.subTest(path):
                words = refusal(values)
                self.assertIn(path.split(".")[-1], words)
                self.assertIn("missing", words)
                self.assertNotIn("nil pointer", words)

    def test_labels_that_the_chart_sets_are_refused(self) -> None:
        for section in ["podLabels", "commonLabels"]:
            for label in ["app.kubernetes.io/name", "app.kubernetes.io/part-of", "helm.sh/chart", "b24bridge/durable"]:
                with self.subTest(f"{section} {label}"):
                    words = refusal(merged(GIVEN, {section: {label: "x"}}))
                    self.assertIn(f"{section} has {label}", words)
        for section in ["podAnnotations", "commonAnnotations"]:
            for annotation in ["checksum/configuration", "kubectl.kubernetes.io/default-container"]:
                with self.subTest(f"{section} {annotation}"):
                    words = refusal(merged(GIVEN, {section: {annotation: "x"}}))
                    self.assertIn(f"{section} has {annotation}", words)

    def test_a_label_stands_once_also_where_two_sections_give_it(self) -> None:
        both = merged(GIVEN, {"commonLabels": {"team": "crm"}, "podLabels": {"team": "events"},
                              "metrics": {"dashboard": {"enabled": True, "labels": {"team": "watch"}}}})
        found = render(both)
        self.assertEqual(one(found, "StatefulSet")["spec"]["template"]["metadata"]["labels"]["team"], "events")
        self.assertEqual(one(found, "ConfigMap", "bridge-bitrix24-kafka-bridge-dashboard")["metadata"]["labels"]["team"], "watch")

    def test_other_labels_are_taken(self) -> None:
        own = {"team": "crm", "example.org/app": "bridge"}
        template = one(render(merged(GIVEN, {"podLabels": own, "podAnnotations": own})), "StatefulSet")["spec"]["template"]
        self.assertLessEqual(own.items(), template["metadata"]["labels"].items())
        self.assertLessEqual(own.items(), template["metadata"]["annotations"].items())


class StorageClassTests(unittest.TestCase):
    def claim(self, name: str) -> dict:
        found = one(render(merged(GIVEN, {"persistence": {"storageClass": name}})), "StatefulSet")
        return found["spec"]["volumeClaimTemplates"][0]["spec"]

    def test_the_default_one_a_named_one_and_none(self) -> None:
        self.assertNotIn("storageClassName", self.claim(""))
        self.assertEqual(self.claim("fast")["storageClassName"], "fast")
        self.assertEqual(self.claim("-")["storageClassName"], "")


class NamespaceTests(unittest.TestCase):
    def test_every_object_says_its_namespace(self) -> None:
        everything = {"metrics": {name: {"enabled": True} for name in ["serviceMonitor", "prometheusRule", "dashboard"]},
                      "kafka": {"strimzi": {"enabled": True, "cluster": "events", "namespace": "kafka"}}}
        for document in render(merged(GIVEN, everything)):
            expected = "kafka" if document["kind"] in ("KafkaTopic", "KafkaUser") else "bitrix24"
            self.assertEqual(document["metadata"].get("namespace"), expected, document["kind"])


if __name__ == "__main__":
    unittest.main()
