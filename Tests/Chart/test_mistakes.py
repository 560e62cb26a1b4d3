"""Mistakes that the bridge would find weeks later, or never: the chart refuses them, or warns, in words that name the mend."""
from __future__ import annotations

import re
import unittest

import yaml
from bridge import MEMBER, PORTAL, TOKEN
from chart import APPLICATION as INSTALLED
from chart import CHART, KAFKA, LEAST, merged, notes, one, refusal, render

APPLICATION = merged(KAFKA, INSTALLED)


def portals(*entries: dict) -> dict:
    return merged(LEAST, {"portals": {"static": list(entries)}})


class PortalsFile(unittest.TestCase):
    def test_a_portal_that_stands_twice_is_refused(self) -> None:
        words = refusal(portals(PORTAL, {"memberId": MEMBER, "webhookTokens": ["other"]}))
        self.assertIn(f"portals.static: portal {MEMBER} stands twice", words)
        self.assertIn("one entry with all its tokens", words)
        render(portals(PORTAL, {"memberId": "other", "webhookTokens": ["other"]}))

    def test_an_empty_token_is_refused_by_its_key(self) -> None:
        for key in ("applicationTokens", "webhookTokens"):
            words = refusal(portals({**PORTAL, key: [TOKEN, ""]}))
            self.assertIn(f"portal {MEMBER} has an empty token in {key}", words)
            self.assertNotIn(TOKEN, words)

    def test_more_tokens_than_the_bridge_takes_are_refused(self) -> None:
        tokens = [f"token{number}" for number in range(17)]
        self.assertIn("more than 16 tokens", refusal(portals({**PORTAL, "applicationTokens": tokens[:9], "webhookTokens": tokens[9:]})))
        render(portals({**PORTAL, "applicationTokens": tokens[:8], "webhookTokens": tokens[8:16]}))


class PublicAddress(unittest.TestCase):
    @staticmethod
    def values(url: object, **application: str) -> dict:
        return merged(APPLICATION, {"config": {"application": {"publicURL": url, **application}}})

    def test_bitrix24_delivers_to_https_only(self) -> None:
        for url in ("http://bridge.example", "bridge.example"):
            words = refusal(self.values(url))
            self.assertIn(f"config.application.publicURL is {url}", words)
            self.assertIn("https://", words)

    def test_what_the_bridge_takes_is_taken(self) -> None:
        for values in (self.values("https://bridge.example"), self.values({"env": "PUBLIC_URL"}),
                       self.values("http://bridge.example", standIn="http://stand-in:8080")):
            render(values)


class Variables(unittest.TestCase):
    def test_one_that_would_override_the_configuration_is_refused_by_name(self) -> None:
        words = refusal(merged(LEAST, {"extraEnv": [{"name": "TZ", "value": "UTC"}, {"name": "B24_HTTP_PORT", "value": "1"}]}))
        self.assertIn("extraEnv has B24_HTTP_PORT", words)
        self.assertIn("{env: NAME}", words)


class StrimziUser(unittest.TestCase):
    @staticmethod
    def values(username: str, **user: object) -> dict:
        return merged(LEAST, {"kafka": {
            "sasl": {"mechanism": "SCRAM-SHA-512", "username": username, "existingSecret": "b24bridge"},
            "strimzi": {"enabled": True, "cluster": "events", "user": user}}})

    def test_a_login_of_somebody_else_is_refused_with_both_names(self) -> None:
        words = refusal(self.values("b24bridge"))
        for part in ("kafka.sasl.username is b24bridge", "is bridge-bitrix24-kafka-bridge", "kafka.strimzi.user.name"):
            self.assertIn(part, words)
        self.assertIn("is b24,", refusal(self.values("b24bridge", name="b24")))

    def test_the_same_name_or_no_user_of_the_chart_is_well(self) -> None:
        for values in (self.values("b24bridge", name="b24bridge"), self.values("bridge-bitrix24-kafka-bridge"),
                       self.values("b24bridge", enabled=False)):
            render(values)

    def test_the_examples_of_the_readme_are_rendered(self) -> None:
        examples = [yaml.safe_load(text) for text in
                    re.findall(r"^```yaml\n(.*?)^```$", (CHART / "README.md").read_text(), re.MULTILINE | re.DOTALL)]
        self.assertTrue(any("strimzi" in example.get("kafka", {}) for example in examples))
        # One is for Argo CD.
        for example in (example for example in examples if "spec" not in example):
            with self.subTest(yaml.safe_dump(example)):
                render(merged(LEAST if "kafka" in example.get("config", {}) else APPLICATION, example))


class Warnings(unittest.TestCase):
    INGRESS = {"ingress": {"enabled": True, "hosts": [{"host": "bridge.example"}],
                           "tls": [{"hosts": ["bridge.example"], "secretName": "bridge-tls"}]}}
    POLICY = {"networkPolicy": {"enabled": True, "ingressFrom": [{"podSelector": {}}], "kafkaTo": [{"podSelector": {}}]}}
    OAUTH = {"config": {"kafka": {"oauth": {"tokenEndpoint": "https://login.example/token", "clientId": "b24bridge"}}},
             "kafka": {"oauth": {"existingSecret": "kafka-oauth"}}}
    RULE = {"metrics": {"prometheusRule": {"enabled": True}}}

    def check(self, words: str, with_it: dict, without_it: dict) -> None:
        self.assertIn(words, notes(with_it))
        self.assertNotIn(words, notes(without_it))

    def test_a_route_for_another_host_than_bitrix24_calls(self) -> None:
        def values(public: str, *routes: dict) -> dict:
            result = merged(APPLICATION, {"config": {"application": {"publicURL": public}}})
            for route in routes:
                result = merged(result, route)
            return result

        def route(*names: str) -> dict:
            return {"httpRoute": {"enabled": True, "parentRefs": [{"name": "public"}], "hostnames": list(names)}}

        wrong = "names the host other.example"
        self.check(wrong, values("https://other.example", self.INGRESS), values("https://bridge.example:443/", self.INGRESS))
        self.check(wrong, values("https://other.example", route("bridge.example")), values("https://other.example", route("*.example")))
        for well in (values("https://other.example", self.INGRESS, route("other.example")), values("https://other.example", route()),
                     values("https://other.example")):
            self.assertNotIn("would call in vain", notes(well))

    def test_an_ingress_without_a_certificate(self) -> None:
        self.check("ingress.tls is empty", merged(LEAST, merged(self.INGRESS, {"ingress": {"tls": []}})), merged(LEAST, self.INGRESS))

    def test_an_edge_that_neither_hashes_nor_repeats_by_itself(self) -> None:
        self.check("examples/README.md", merged(LEAST, self.INGRESS), LEAST)

    def test_tokens_for_kafka_in_the_clear(self) -> None:
        open_ = merged(LEAST, self.OAUTH)
        self.check("config.kafka.oauth is set without kafka.tls.enabled", open_, merged(open_, {"kafka": {"tls": {"enabled": True}}}))

    def test_a_policy_that_leaves_out_a_port_of_kafka(self) -> None:
        def values(servers: str, *ports: int) -> dict:
            return merged(merged(LEAST, self.POLICY), {"config": {"kafka": {"bootstrapServers": servers}},
                                                         "networkPolicy": {"kafkaPorts": list(ports)}})

        self.check("kafkaPorts lacks 9094, the port of b:9094", values("a:9093, b:9094", 9093), values("a:9093, b:9094", 9093, 9094))
        self.check("kafkaPorts lacks 9092, the port of kafka ", values("kafka", 9093), values("kafka", 9092))

    def test_alerts_that_lead_to_no_runbook(self) -> None:
        given = merged(LEAST, {"metrics": {"prometheusRule": {"enabled": True, "runbookURL": "https://git.example/RUNBOOK.md#"}}})
        self.check("runbookURL is empty", merged(LEAST, self.RULE), given)


class WhatKubernetesWouldRefuse(unittest.TestCase):
    def test_a_section_that_is_null_is_missed_by_its_name(self) -> None:
        for path in ["config", "metrics", "kafka", "persistence", "portals", "networkPolicy", "autoscaling", "config.journal",
                     "config.http", "config.kafka", "metrics.serviceMonitor", "metrics.prometheusRule", "kafka.tls",
                     "kafka.strimzi.topics"]:
            over: dict | None = None
            for key in reversed(path.split(".")):
                over = {key: over}
            values = dict(LEAST)
            for key, section in over.items():
                values[key] = section if section is None else {**LEAST.get(key, {}), **section}
            with self.subTest(path):
                words = refusal(values)
                self.assertIn(path.split(".")[-1], words)
                self.assertIn("missing", words)
                self.assertNotIn("nil pointer", words)

    def test_labels_that_the_chart_sets_are_refused(self) -> None:
        for section in ["podLabels", "commonLabels"]:
            for label in ["app.kubernetes.io/name", "app.kubernetes.io/part-of", "helm.sh/chart", "b24bridge/durable"]:
                with self.subTest(f"{section} {label}"):
                    words = refusal(merged(LEAST, {section: {label: "x"}}))
                    self.assertIn(f"{section} has {label}", words)
        for section in ["podAnnotations", "commonAnnotations"]:
            for annotation in ["checksum/configuration", "kubectl.kubernetes.io/default-container"]:
                with self.subTest(f"{section} {annotation}"):
                    words = refusal(merged(LEAST, {section: {annotation: "x"}}))
                    self.assertIn(f"{section} has {annotation}", words)

    def test_a_label_stands_once_also_where_two_sections_give_it(self) -> None:
        both = merged(LEAST, {"commonLabels": {"team": "crm"}, "podLabels": {"team": "events"},
                              "metrics": {"dashboard": {"enabled": True, "labels": {"team": "watch"}}}})
        found = render(both)
        self.assertEqual(one(found, "StatefulSet")["spec"]["template"]["metadata"]["labels"]["team"], "events")
        self.assertEqual(one(found, "ConfigMap", "bridge-bitrix24-kafka-bridge-dashboard")["metadata"]["labels"]["team"], "watch")

    def test_other_labels_are_taken(self) -> None:
        own = {"team": "crm", "example.org/app": "bridge"}
        template = one(render(merged(LEAST, {"podLabels": own, "podAnnotations": own})), "StatefulSet")["spec"]["template"]
        self.assertLessEqual(own.items(), template["metadata"]["labels"].items())
        self.assertLessEqual(own.items(), template["metadata"]["annotations"].items())


class StorageClassTests(unittest.TestCase):
    def claim(self, name: str) -> dict:
        found = one(render(merged(LEAST, {"persistence": {"storageClass": name}})), "StatefulSet")
        return found["spec"]["volumeClaimTemplates"][0]["spec"]

    def test_the_default_one_a_named_one_and_none(self) -> None:
        self.assertNotIn("storageClassName", self.claim(""))
        self.assertEqual(self.claim("fast")["storageClassName"], "fast")
        self.assertEqual(self.claim("-")["storageClassName"], "")


class NamespaceTests(unittest.TestCase):
    def test_every_object_says_its_namespace(self) -> None:
        everything = {"metrics": {name: {"enabled": True} for name in ["serviceMonitor", "prometheusRule", "dashboard"]},
                      "kafka": {"strimzi": {"enabled": True, "cluster": "events", "namespace": "kafka"}}}
        for document in render(merged(LEAST, everything)):
            expected = "kafka" if document["kind"] in ("KafkaTopic", "KafkaUser") else "bitrix24"
            self.assertEqual(document["metadata"].get("namespace"), expected, document["kind"])


if __name__ == "__main__":
    unittest.main()
