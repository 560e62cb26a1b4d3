"""Mistakes that the bridge would find weeks later, or never: the chart refuses them, or warns, in words that name the mend."""
from __future__ import annotations

import re
import unittest

import yaml
from chart import CHART, merged, notes, refusal, render

MEMBER, TOKEN = "a223c6b3710f85df22e9377d6c4f7553", "51856fefc120afa4b628cc82d3935cce"
PORTAL = {"memberId": MEMBER, "applicationTokens": [TOKEN]}
MINIMAL = {"config": {"kafka": {"bootstrapServers": "kafka:9092"}}, "portals": {"static": [PORTAL]}}
APPLICATION = {
    "config": {"kafka": {"bootstrapServers": "kafka:9092"},
               "application": {"clientId": "local.1", "publicURL": "https://bridge.example"}},
    "application": {"existingSecret": "b24-application"}}


def portals(*entries: dict) -> dict:
    return merged(MINIMAL, {"portals": {"static": list(entries)}})


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
        words = refusal(merged(MINIMAL, {"extraEnv": [{"name": "TZ", "value": "UTC"}, {"name": "B24_HTTP_PORT", "value": "1"}]}))
        self.assertIn("extraEnv has B24_HTTP_PORT", words)
        self.assertIn("{env: NAME}", words)


class StrimziUser(unittest.TestCase):
    @staticmethod
    def values(username: str, **user: object) -> dict:
        return merged(MINIMAL, {"kafka": {
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
        for example in examples:
            with self.subTest(yaml.safe_dump(example)):
                render(merged(MINIMAL if "kafka" in example.get("config", {}) else APPLICATION, example))


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
        self.check("ingress.tls is empty", merged(MINIMAL, merged(self.INGRESS, {"ingress": {"tls": []}})), merged(MINIMAL, self.INGRESS))

    def test_an_edge_that_neither_hashes_nor_repeats_by_itself(self) -> None:
        self.check("examples/README.md", merged(MINIMAL, self.INGRESS), MINIMAL)

    def test_tokens_for_kafka_in_the_clear(self) -> None:
        open_ = merged(MINIMAL, self.OAUTH)
        self.check("config.kafka.oauth is set without kafka.tls.enabled", open_, merged(open_, {"kafka": {"tls": {"enabled": True}}}))

    def test_a_policy_that_leaves_out_a_port_of_kafka(self) -> None:
        def values(servers: str, *ports: int) -> dict:
            return merged(merged(MINIMAL, self.POLICY), {"config": {"kafka": {"bootstrapServers": servers}},
                                                         "networkPolicy": {"kafkaPorts": list(ports)}})

        self.check("kafkaPorts lacks 9094, the port of b:9094", values("a:9093, b:9094", 9093), values("a:9093, b:9094", 9093, 9094))
        self.check("kafkaPorts lacks 9092, the port of kafka ", values("kafka", 9093), values("kafka", 9092))

    def test_alerts_that_lead_to_no_runbook(self) -> None:
        given = merged(MINIMAL, {"metrics": {"prometheusRule": {"enabled": True, "runbookURL": "https://git.example/RUNBOOK.md#"}}})
        self.check("runbookURL is empty", merged(MINIMAL, self.RULE), given)


if __name__ == "__main__":
    unittest.main()
