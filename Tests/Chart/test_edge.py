"""How calls and Kafka's rights reach the bridge: Ingress, HTTPRoute, NetworkPolicy, Strimzi's objects."""
from __future__ import annotations

import re
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import chart  # noqa: E402
from chart import one, refusal, render  # noqa: E402

BASE = {
    "config": {"kafka": {"bootstrapServers": "kafka-1:9092"}},
    "portals": {"existingSecret": "portals"},
}
APPLICATION = {
    "config": {"application": {"clientId": "local.1", "publicURL": "https://bridge.example"}},
    "application": {"existingSecret": "application"},
}
NAME = "bridge-bitrix24-kafka-bridge"
CATALOG = chart.CHART.parents[1] / "Sources" / "Bitrix24" / "Events" / "event-catalog.tsv"


def values(*layers: dict) -> dict:
    result = BASE
    for layer in layers:
        result = chart.merged(result, layer)
    return result


def of_kind(documents: list[dict], kind: str) -> list[dict]:
    return [document for document in documents if document["kind"] == kind]


class Unasked(unittest.TestCase):
    def test_nothing_of_it_is_there(self):
        kinds = {document["kind"] for document in render(values(APPLICATION))}
        self.assertFalse(kinds & {"Ingress", "HTTPRoute", "NetworkPolicy", "KafkaTopic", "KafkaUser"})


class PublicPaths(unittest.TestCase):
    INGRESS = {"ingress": {"enabled": True, "className": "public", "hosts": [{"host": "a.example"}, {"host": "b.example"}],
                           "tls": [{"secretName": "tls", "hosts": ["a.example"]}]}}
    ROUTE = {"httpRoute": {"enabled": True, "parentRefs": [{"name": "public", "sectionName": "https"}],
                           "hostnames": ["a.example"]}}

    def paths(self, *layers: dict) -> list[list[str]]:
        documents = render(values(self.INGRESS, self.ROUTE, *layers))
        found = [[path["path"] for path in rule["http"]["paths"]] for rule in one(documents, "Ingress")["spec"]["rules"]]
        rules = one(documents, "HTTPRoute")["spec"]["rules"]
        found.append([match["path"]["value"] for rule in rules for match in rule["matches"]])
        return found

    def test_events_only_without_an_application(self):
        self.assertEqual(self.paths(), [["/b24/events"]] * 3)

    def test_installation_with_one(self):
        self.assertEqual(self.paths(APPLICATION), [["/b24/events", "/b24/install"]] * 3)

    def test_paths_of_the_configuration(self):
        http = {"config": {"http": {"path": "/in", "installPath": "/app"}}}
        self.assertEqual(self.paths(APPLICATION, http), [["/in", "/app"]] * 3)

    def test_everything_below_a_path_goes_to_the_events_port(self):
        documents = render(values(APPLICATION, self.INGRESS, self.ROUTE))
        for rule in one(documents, "Ingress")["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                self.assertEqual(path["pathType"], "Prefix")
                self.assertEqual(path["backend"]["service"], {"name": NAME, "port": {"name": "events"}})
        for rule in one(documents, "HTTPRoute")["spec"]["rules"]:
            self.assertEqual({match["path"]["type"] for match in rule["matches"]}, {"PathPrefix"})
            self.assertEqual(rule["backendRefs"], [{"name": NAME, "port": 80}])

    def test_what_the_values_say(self):
        documents = render(values(
            self.INGRESS, self.ROUTE, {"ingress": {"annotations": {"a": "b"}}, "commonAnnotations": {"c": "d"}},
            {"httpRoute": {"retry": {"attempts": 2, "codes": [503]}, "filters": [{"type": "ExtensionRef", "extensionRef": {
                "group": "gateway.nginx.org", "kind": "SnippetsFilter", "name": "retry"}}]}}))
        ingress, route = one(documents, "Ingress"), one(documents, "HTTPRoute")
        self.assertEqual(ingress["spec"]["ingressClassName"], "public")
        self.assertEqual(ingress["metadata"]["annotations"], {"a": "b", "c": "d"})
        self.assertEqual(ingress["spec"]["tls"], [{"secretName": "tls", "hosts": ["a.example"]}])
        self.assertEqual([rule["host"] for rule in ingress["spec"]["rules"]], ["a.example", "b.example"])
        self.assertEqual(route["spec"]["parentRefs"], [{"name": "public", "sectionName": "https"}])
        self.assertEqual(route["spec"]["rules"][0]["retry"], {"attempts": 2, "codes": [503]})
        self.assertEqual(route["spec"]["rules"][0]["filters"][0]["extensionRef"]["name"], "retry")

    def test_who_is_missing_is_named(self):
        self.assertIn("ingress.hosts is empty", refusal(values({"ingress": {"enabled": True}})))
        self.assertIn("httpRoute.parentRefs is empty", refusal(values({"httpRoute": {"enabled": True}})))


class Policy(unittest.TestCase):
    INGRESS_PODS = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress"}}}
    PROMETHEUS = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
    BROKERS = {"podSelector": {"matchLabels": {"strimzi.io/cluster": "events"}}}
    OWN = {"podSelector": {"matchLabels": {
        "app.kubernetes.io/name": "bitrix24-kafka-bridge", "app.kubernetes.io/instance": "bridge"}}}
    GIVEN = {"networkPolicy": {"enabled": True, "ingressFrom": [INGRESS_PODS], "monitoringFrom": [PROMETHEUS],
                               "kafkaTo": [BROKERS]}}

    def spec(self, *layers: dict) -> dict:
        return one(render(values(self.GIVEN, *layers)), "NetworkPolicy")["spec"]

    def test_who_may_come(self):
        spec = self.spec()
        self.assertEqual(spec["policyTypes"], ["Ingress", "Egress"])
        self.assertEqual(spec["ingress"], [
            {"from": [self.INGRESS_PODS, self.OWN], "ports": [{"port": "events", "protocol": "TCP"}]},
            {"from": [self.PROMETHEUS, self.OWN], "ports": [{"port": "admin", "protocol": "TCP"}]}])

    def test_it_is_for_every_pod_of_the_release(self):
        self.assertEqual(self.spec()["podSelector"], self.OWN["podSelector"])

    def test_where_to(self):
        names, kafka, own = self.spec()["egress"]
        self.assertEqual({(port["port"], port["protocol"]) for port in names["ports"]}, {(53, "UDP"), (53, "TCP")})
        self.assertEqual(names["to"][0]["podSelector"]["matchLabels"], {"k8s-app": "kube-dns"})
        self.assertEqual((kafka["to"], [port["port"] for port in kafka["ports"]]), ([self.BROKERS], [9092, 9093]))
        self.assertEqual(own["to"], [self.OWN])

    def test_bitrix24_only_where_it_is_asked(self):
        for layer in [APPLICATION, {"config": {"http": {"allowedNetworks": ["bitrix24-world"]}}}]:
            with self.subTest(layer):
                rule = self.spec(layer)["egress"][3]
                self.assertEqual([port["port"] for port in rule["ports"]], [443])
                self.assertIn("10.0.0.0/8", rule["to"][0]["ipBlock"]["except"])
        there = [{"ipBlock": {"cidr": "10.9.0.0/16"}}]
        self.assertEqual(self.spec(APPLICATION, {"networkPolicy": {"bitrix24To": there}})["egress"][3]["to"], there)

    def test_other_names_and_more(self):
        dns, more = {"ipBlock": {"cidr": "169.254.20.10/32"}}, {"to": [{"ipBlock": {"cidr": "10.3.0.0/16"}}]}
        egress = self.spec({"networkPolicy": {"dnsTo": [dns], "extraEgress": [more]}})["egress"]
        self.assertEqual((egress[0]["to"], egress[-1]), ([dns], more))

    def test_the_token_server_is_not_forgotten(self):
        oauth = {"config": {"kafka": {"oauth": {"tokenEndpoint": "https://login.example/token", "clientId": "b24bridge"}}},
                 "kafka": {"oauth": {"existingSecret": "oauth"}}}
        self.assertIn("networkPolicy.extraEgress is empty", refusal(values(self.GIVEN, oauth)))

    def test_a_policy_that_lets_nobody_in_is_refused(self):
        for key in ["ingressFrom", "kafkaTo"]:
            self.assertIn(f"networkPolicy.{key} is empty", refusal(values(self.GIVEN, {"networkPolicy": {key: []}})))
        scraped = {"metrics": {"serviceMonitor": {"enabled": True}}}
        self.assertIn("networkPolicy.monitoringFrom is empty",
                      refusal(values(self.GIVEN, scraped, {"networkPolicy": {"monitoringFrom": []}})))


class Strimzi(unittest.TestCase):
    GIVEN = {"kafka": {"strimzi": {"enabled": True, "cluster": "events", "namespace": "kafka"}}}

    def topics(self, *layers: dict) -> dict[str, dict]:
        found = of_kind(render(values(self.GIVEN, *layers)), "KafkaTopic")
        names = [topic["metadata"]["name"] for topic in found]
        self.assertEqual(len(set(names)), len(names), "each object has a name of its own")
        for name in names:
            self.assertRegex(name, r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
            self.assertLessEqual(len(name), 253)
        return {topic["spec"]["topicName"]: topic for topic in found}

    def with_topics(self, **topics: object) -> dict:
        return {"kafka": {"strimzi": {"topics": topics}}}

    def rights(self, *layers: dict) -> dict[tuple[str, str, str], set[str]]:
        acls = one(render(values(self.GIVEN, *layers)), "KafkaUser")["spec"]["authorization"]["acls"]
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
        self.assertLessEqual(set(chart.parsed((chart.CHART / "values.yaml").read_text())["kafka"]["strimzi"]["topics"]["entities"]),
                             known)

    def test_the_registry_is_as_the_bridge_makes_it(self):
        source = (chart.CHART.parents[1] / "Sources" / "Bridge" / "Registry" / "RegistryTopic.swift").read_text()
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
            self.assertIn(f"event code {entities[0]}", refusal(values(*layers, layer)))
        self.assertIn("so are config.subscriptions", refusal(values(*layers)))

    def test_names_that_kubernetes_does_not_allow(self):
        names = ["B24_Deals", "b24-deals", "b24_deals", "b24..deals", "x" * 249]
        self.assertEqual(set(self.topics(self.with_topics(names=names))), {*names, "bitrix24.dead-letter"})

    def test_one_topic_for_all(self):
        self.assertEqual(set(self.topics({"config": {"kafka": {"topic": "b24"}}})), {"b24", "bitrix24.dead-letter"})

    def test_a_template_that_depends_on_the_portal(self):
        layer = {"config": {"kafka": {"topic": "b24.{portal}.{entity}"}}}
        self.assertIn("what {portal} will stand for: name the topics in kafka.strimzi.topics.names",
                      refusal(values(self.GIVEN, layer)))
        self.assertEqual(set(self.topics(layer, self.with_topics(names=["b24.1.app"]))), {"b24.1.app", "bitrix24.dead-letter"})

    def test_what_cannot_be_known_is_refused(self):
        self.assertIn("no name that Kafka allows", refusal(values(self.GIVEN, {"config": {"kafka": {"topic": "b24 deals"}}})))
        self.assertIn("kafka.strimzi.cluster is empty", refusal(values({"kafka": {"strimzi": {"enabled": True}}})))

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
        self.assertEqual(more["topic", "bitrix24.", "prefix"], {"Describe", "Read", "Write"})

    def test_without_a_common_beginning_each_topic_is_named(self):
        rights = self.rights({"config": {"kafka": {"topic": "{entity}"}}}, self.with_topics(entities=["crm.deal", "task"]))
        self.assertEqual({key[1:] for key, operations in rights.items() if "Write" in operations}, {
            ("crm.deal", "literal"), ("task", "literal"), ("bitrix24.dead-letter", "literal")})
        self.assertIn(("topic", "b24", "literal"), self.rights({"config": {"kafka": {"topic": "b24"}}}))

    def test_the_user(self):
        user = one(render(values(self.GIVEN, {"kafka": {"strimzi": {"user": {"name": "b24", "authentication": "tls"}}}})),
                   "KafkaUser")
        self.assertEqual((user["metadata"]["name"], user["metadata"]["namespace"]), ("b24", "kafka"))
        self.assertEqual(user["spec"]["authentication"], {"type": "tls"})
        self.assertEqual(user["metadata"]["labels"]["strimzi.io/cluster"], "events")

    def test_older_strimzi(self):
        kinds = dict(chart.KINDS)
        del chart.KINDS["kafka.strimzi.io/v1"]
        try:
            # A namespace of its own, as what a cluster serves is asked once for each.
            found = render(values(self.GIVEN), namespace="older")
        finally:
            chart.KINDS.clear()
            chart.KINDS.update(kinds)
        versions = {d["apiVersion"] for d in of_kind(found, "KafkaTopic") + of_kind(found, "KafkaUser")}
        self.assertEqual(versions, {"kafka.strimzi.io/v1beta2"})


class Examples(unittest.TestCase):
    """Values and objects for controllers: what they refer to is there."""

    FOLDER = chart.CHART / "examples"
    FOLDERS = sorted(path for path in FOLDER.iterdir() if path.is_dir())

    def objects(self, folder: Path) -> list[dict]:
        file = folder / "objects.yaml"
        return [parsed for text in file.read_text().split("\n---\n") if (parsed := chart.parsed(text))] if file.exists() else []

    def rendered(self, folder: Path) -> list[dict]:
        return render(values(APPLICATION, chart.parsed((folder / "values.yaml").read_text()) or {}))

    def test_each_is_in_the_table_and_says_where_it_is_from(self):
        table = re.findall(r"^\| `([a-z-]+)` \|", (self.FOLDER / "README.md").read_text(), re.MULTILINE)
        self.assertEqual(sorted(table), [folder.name for folder in self.FOLDERS])
        for folder in self.FOLDERS:
            self.assertIn("https://", "".join(file.read_text() for file in folder.iterdir()), folder.name)

    def test_names_are_those_of_the_chart(self):
        for folder in self.FOLDERS:
            with self.subTest(folder.name):
                self.check_names(self.rendered(folder), self.objects(folder))

    def check_names(self, documents: list[dict], objects: list[dict]):
        routes = {(d["kind"], d["metadata"]["name"]) for d in documents if d["kind"] in ("Ingress", "HTTPRoute")}
        self.assertEqual({name for _, name in routes} or {"b24bridge"}, {"b24bridge"})
        there = routes | {("Service", "b24bridge")}
        for thing in objects:
            self.assertEqual(thing["metadata"]["namespace"], chart.NAMESPACE)
            for target in thing["spec"].get("targetRefs", []):
                self.assertIn((target["kind"], target["name"]), there)
        wanted = {(f["extensionRef"]["kind"], f["extensionRef"]["name"]) for d in of_kind(documents, "HTTPRoute")
                  for rule in d["spec"]["rules"] for f in rule.get("filters", [])}
        for ingress in of_kind(documents, "Ingress"):
            for text in ingress["metadata"]["annotations"].values():
                wanted |= {("Middleware", name) for name in re.findall(rf"^{chart.NAMESPACE}-(.*)@kubernetescrd$", text)}
        self.assertLessEqual(wanted, {(thing["kind"], thing["metadata"]["name"]) for thing in objects})


if __name__ == "__main__":
    unittest.main()
