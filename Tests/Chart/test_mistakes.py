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


if __name__ == "__main__":
    unittest.main()
