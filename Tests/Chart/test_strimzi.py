"""Topics, and a user with the least rights, as Strimzi's operator makes them."""
from __future__ import annotations

import json
import re
import unittest

import chart
from bridge import ROOT
from chart import APPLICATION, least, of_kind, one, refusal, render
from schema import VALUES

CATALOG = ROOT / "Sources" / "Bitrix24" / "Events" / "event-catalog.tsv"


class Strimzi(unittest.TestCase):
    GIVEN = {"kafka": {"strimzi": {"enabled": True, "cluster": "events", "namespace": "kafka"}}}

    def topics(self, *layers: dict) -> dict[str, dict]:
        found = of_kind(render(least(self.GIVEN, *layers)), "KafkaTopic")
        names = [topic["metadata"]["name"] for topic in found]
        self.assertEqual(len(set(names)), len(names), "each object has a name of its own")
        for name in names:
            self.assertRegex(name, r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
            self.assertLessEqual(len(name), 253)
        return {topic["spec"]["topicName"]: topic for topic in found}

    def with_topics(self, **topics: object) -> dict:
        return {"kafka": {"strimzi": {"topics": topics}}}

    def rights(self, *layers: dict) -> dict[tuple[str, str, str], set[str]]:
        acls = one(render(least(self.GIVEN, *layers)), "KafkaUser")["spec"]["authorization"]["acls"]
        found: dict[tuple[str, str, str], set[str]] = {}
        for rule in acls:
            resource = rule["resource"]
            found.setdefault((resource["type"], resource["name"], resource["patternType"]), set()).update(rule["operations"])
        return found

    def test_topics_of_the_entities(self):
        topics = self.topics()
        self.assertEqual(set(topics), {f"bitrix24.{entity}" for entity in [
            "app", "crm.activity", "crm.company", "crm.contact", "crm.deal", "crm.lead", "other", "task", "dead-letter"]})
        for topic in topics.values():
            self.assertEqual(topic["apiVersion"], "kafka.strimzi.io/v1")
            self.assertEqual(topic["metadata"]["namespace"], "kafka")
            self.assertEqual(topic["metadata"]["labels"]["strimzi.io/cluster"], "events")
            self.assertEqual(topic["metadata"]["annotations"], {"helm.sh/resource-policy": "keep"})
            self.assertEqual((topic["spec"]["partitions"], topic["spec"]["replicas"]), (6, 3))
        self.assertEqual(topics["bitrix24.crm.deal"]["spec"]["config"], {
            "retention.ms": 604800000, "min.insync.replicas": 2, "compression.type": "producer", "max.message.bytes": 1048588})
        self.assertEqual(topics["bitrix24.dead-letter"]["spec"]["config"]["retention.ms"], 2592000000)

    def test_the_entities_that_are_named_by_default_exist(self):
        known = {line.split("\t")[1] for line in CATALOG.read_text().splitlines()[1:]} | {"other"}
        self.assertLessEqual(set(VALUES["kafka"]["strimzi"]["topics"]["entities"]),
                             known)

    def test_the_registry_is_as_the_bridge_makes_it(self):
        source = (ROOT / "Sources" / "Bridge" / "Registry" / "RegistryTopic.swift").read_text()
        made = source[source.index("package static let settings"):]
        wanted = dict(re.findall(r'"([a-z.]+)": "([^"]+)"', made[:made.index("]\n")]))
        self.assertEqual(wanted["cleanup.policy"], "compact")
        registry = self.topics(APPLICATION)["bitrix24.bridge.portals"]["spec"]
        self.assertEqual(registry["partitions"], 1)
        self.assertEqual({key: str(value) for key, value in registry["config"].items() if key in wanted}, wanted)

    def test_a_registry_without_an_application_and_an_application_without_one(self):
        self.assertIn("bitrix24.bridge.portals", self.topics({"portals": {"registry": True}}))
        self.assertNotIn("bitrix24.bridge.portals", self.topics(APPLICATION, {"portals": {"registry": False}}))

    def test_entities_of_the_subscriptions(self):
        subscriptions = {"config": {"subscriptions": {
            "online": ["CRM.deal"], "portals": [{"memberId": "1", "offline": ["task", "crm.deal"]}]}}}
        self.assertEqual(set(self.topics(APPLICATION, self.with_topics(entities=[]), subscriptions)), {
            f"bitrix24.{entity}" for entity in ["app", "bridge.portals", "crm.deal", "dead-letter", "offline", "other", "task"]})

    def test_an_event_code_among_them_is_refused(self):
        layers = self.GIVEN, APPLICATION, self.with_topics(entities=[])
        for entities in [["ONTASKADD"], ["onCrmDynamicItemAdd_31"], ["CATALOG.PRODUCT.ON.ADD"]]:
            layer = {"config": {"subscriptions": {"online": entities}}}
            self.assertIn(f"event code {entities[0]}", refusal(least(*layers, layer)))
        self.assertIn("so are config.subscriptions", refusal(least(*layers)))

    def test_names_that_kubernetes_does_not_allow(self):
        names = ["B24_Deals", "b24-deals", "b24_deals", "b24..deals", "x" * 249]
        self.assertEqual(set(self.topics(self.with_topics(names=names))), {*names, "bitrix24.dead-letter"})

    def test_one_topic_for_all(self):
        self.assertEqual(set(self.topics({"config": {"kafka": {"topic": "b24"}}})), {"b24", "bitrix24.dead-letter"})

    def test_a_template_that_depends_on_the_portal(self):
        layer = {"config": {"kafka": {"topic": "b24.{portal}.{entity}"}}}
        self.assertIn("what {portal} will stand for: name the topics in kafka.strimzi.topics.names",
                      refusal(least(self.GIVEN, layer)))
        self.assertEqual(set(self.topics(layer, self.with_topics(names=["b24.1.app"]))), {"b24.1.app", "bitrix24.dead-letter"})

    def test_what_cannot_be_known_is_refused(self):
        self.assertIn("no name that Kafka allows", refusal(least(self.GIVEN, {"config": {"kafka": {"topic": "b24 deals"}}})))
        self.assertIn("kafka.strimzi.cluster is empty", refusal(least({"kafka": {"strimzi": {"enabled": True}}})))

    def test_topics_may_go_with_the_release(self):
        for topic in self.topics(self.with_topics(keep=False)).values():
            self.assertNotIn("annotations", topic["metadata"])

    NO_TEST = {"tests": {"enabled": False}}

    def test_least_rights(self):
        self.assertEqual(self.rights(self.NO_TEST), {
            ("topic", "bitrix24.", "prefix"): {"Describe", "Write"},
            ("topic", "bitrix24.dead-letter", "literal"): {"Describe", "Write"}})

    def test_rights_on_the_registry(self):
        more = self.rights(self.NO_TEST, APPLICATION, {"config": {"kafka": {"registryTopic": "portals"}}})
        self.assertEqual(more["topic", "portals", "literal"], {"Describe", "DescribeConfigs", "Read", "Write"})
        self.assertEqual(more["group", "portals.", "prefix"], {"Describe", "Read"})
        self.assertEqual(len(more), 4)

    def test_rights_of_helm_test(self):
        more = self.rights()
        self.assertEqual(more["topic", "bitrix24.other", "literal"], {"Describe", "Read"})
        self.assertEqual(more["group", "b24bridge-", "prefix"], {"Describe", "Read"})
        self.assertEqual(len(more), 4)

    def test_rights_to_read(self):
        more = self.rights({"kafka": {"strimzi": {"user": {"readDeadLetters": True}}}})
        self.assertEqual(more["topic", "bitrix24.dead-letter", "literal"], {"Describe", "Read", "Write"})
        self.assertEqual(more["topic", "bitrix24.", "prefix"], {"Describe", "Write"})
        self.assertEqual(more["group", "b24bridge-", "prefix"], {"Describe", "Read"})
        more = self.rights({"kafka": {"strimzi": {"user": {"readEvents": True}}}})
        self.assertEqual(more["topic", "bitrix24.", "prefix"], {"Describe", "Write"})
        self.assertEqual(more["topic", "bitrix24.crm.deal", "literal"], {"Describe", "Read"})

    def test_without_a_common_beginning_each_topic_is_named(self):
        rights = self.rights({"config": {"kafka": {"topic": "{entity}"}}}, self.with_topics(entities=["crm.deal", "task"]))
        self.assertEqual({key[1:] for key, operations in rights.items() if "Write" in operations}, {
            ("crm.deal", "literal"), ("task", "literal"), ("bitrix24.dead-letter", "literal")})
        self.assertIn(("topic", "b24", "literal"), self.rights({"config": {"kafka": {"topic": "b24"}}}))

    def test_the_user(self):
        user = one(render(least(self.GIVEN, {"kafka": {"strimzi": {"user": {"name": "b24", "authentication": "tls"}}}})),
                   "KafkaUser")
        self.assertEqual((user["metadata"]["name"], user["metadata"]["namespace"]), ("b24", "kafka"))
        self.assertEqual(user["spec"]["authentication"], {"type": "tls"})
        self.assertEqual(user["metadata"]["labels"]["strimzi.io/cluster"], "events")

    def test_older_strimzi(self):
        kinds = dict(chart.KINDS)
        del chart.KINDS["kafka.strimzi.io/v1"]
        try:
            # A namespace of its own, as what a cluster serves is asked once for each.
            found = render(least(self.GIVEN), namespace="older")
        finally:
            chart.KINDS.clear()
            chart.KINDS.update(kinds)
        versions = {d["apiVersion"] for d in of_kind(found, "KafkaTopic") + of_kind(found, "KafkaUser")}
        self.assertEqual(versions, {"kafka.strimzi.io/v1beta2"})


def strimzi(**sections: object) -> dict:
    """The least values with Strimzi's objects and these of its sections."""
    return least({"kafka": {"strimzi": {"enabled": True, "cluster": "events", **sections}}})


class InSyncReplicasTests(unittest.TestCase):
    def test_topics_with_fewer_replicas_than_must_be_in_sync_are_refused(self) -> None:
        words = refusal(strimzi(topics={"replicas": 1}))
        for word in ("kafka.strimzi.topics.replicas 1", "min.insync.replicas 2", "kafka.strimzi.topics.config", "raise"):
            self.assertIn(word, words)
        self.assertIn("deadLetterConfig", refusal(strimzi(topics={"deadLetterConfig": {"min.insync.replicas": 4}})))
        registry = {**strimzi(topics={"replicas": 1, "config": {"min.insync.replicas": 1}}),
                    "portals": {"registry": True, "existingSecret": "portals"}}
        self.assertIn("registryConfig", refusal(registry))

    def test_a_cluster_of_one_broker(self) -> None:
        topics = [d for d in render(strimzi(topics={"replicas": 1, "config": {"min.insync.replicas": 1}})) if d["kind"] == "KafkaTopic"]
        self.assertEqual({topic["spec"]["replicas"] for topic in topics}, {1})

    def test_without_a_cluster_it_is_refused(self) -> None:
        self.assertIn("kafka.strimzi.cluster is empty", refusal(strimzi(cluster="")))


class ReadingTests(unittest.TestCase):
    def readable(self, **user: object) -> set[str]:
        found = one(render(strimzi(user=user, topics={"entities": ["crm.deal", "task"]})), "KafkaUser")
        acls = found["spec"]["authorization"]["acls"]
        self.assertEqual(len(acls), len({json.dumps(acl, sort_keys=True) for acl in acls}))
        read = [acl["resource"] for acl in acls if "Read" in acl["operations"] and acl["resource"]["type"] == "topic"]
        self.assertEqual({resource["patternType"] for resource in read}, {"literal"})
        return {resource["name"] for resource in read}

    def test_whoever_reads_events_reads_no_dead_letters(self) -> None:
        self.assertEqual(self.readable(readEvents=True), {"bitrix24.crm.deal", "bitrix24.task", "bitrix24.other"})

    def test_dead_letters_are_read_by_whoever_may(self) -> None:
        self.assertEqual(self.readable(readDeadLetters=True), {"bitrix24.dead-letter", "bitrix24.other"})
