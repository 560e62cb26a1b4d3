"""How calls reach the bridge, and where it may go: Ingress, HTTPRoute, NetworkPolicy, and the examples for controllers."""
from __future__ import annotations

import re
import unittest
from pathlib import Path

import chart
from chart import APPLICATION, NAME, least, of_kind, one, refusal, render


class Unasked(unittest.TestCase):
    def test_nothing_of_it_is_there(self):
        kinds = {document["kind"] for document in render(least(APPLICATION))}
        self.assertFalse(kinds & {"Ingress", "HTTPRoute", "NetworkPolicy", "KafkaTopic", "KafkaUser"})


class PublicPaths(unittest.TestCase):
    INGRESS = {"ingress": {"enabled": True, "className": "public", "hosts": [{"host": "a.example"}, {"host": "b.example"}],
                           "tls": [{"secretName": "tls", "hosts": ["a.example"]}]}}
    ROUTE = {"httpRoute": {"enabled": True, "parentRefs": [{"name": "public", "sectionName": "https"}],
                           "hostnames": ["a.example"]}}

    def paths(self, *layers: dict) -> list[list[str]]:
        documents = render(least(self.INGRESS, self.ROUTE, *layers))
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
        documents = render(least(APPLICATION, self.INGRESS, self.ROUTE))
        for rule in one(documents, "Ingress")["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                self.assertEqual(path["pathType"], "Prefix")
                self.assertEqual(path["backend"]["service"], {"name": NAME, "port": {"name": "events"}})
        for rule in one(documents, "HTTPRoute")["spec"]["rules"]:
            self.assertEqual({match["path"]["type"] for match in rule["matches"]}, {"PathPrefix"})
            self.assertEqual(rule["backendRefs"], [{"name": NAME, "port": 80}])

    def test_what_the_values_say(self):
        documents = render(least(
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
        self.assertIn("ingress.hosts is empty", refusal(least({"ingress": {"enabled": True}})))
        self.assertIn("httpRoute.parentRefs is empty", refusal(least({"httpRoute": {"enabled": True}})))


class Policy(unittest.TestCase):
    INGRESS_PODS = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress"}}}
    PROMETHEUS = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
    BROKERS = {"podSelector": {"matchLabels": {"strimzi.io/cluster": "events"}}}
    OWN = {"podSelector": {"matchLabels": {
        "app.kubernetes.io/name": "bitrix24-kafka-bridge", "app.kubernetes.io/instance": "bridge"}}}
    GIVEN = {"networkPolicy": {"enabled": True, "ingressFrom": [INGRESS_PODS], "monitoringFrom": [PROMETHEUS],
                               "kafkaTo": [BROKERS]}}

    def spec(self, *layers: dict) -> dict:
        return one(render(least(self.GIVEN, *layers)), "NetworkPolicy")["spec"]

    @staticmethod
    def ports(rule: dict) -> set[tuple[int, str]]:
        return {(port["port"], port["protocol"]) for port in rule["ports"]}

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
        # A policy is applied when the Service's address has become a pod's: OpenShift's listen on 5353.
        self.assertEqual(self.ports(names), {(53, "UDP"), (53, "TCP"), (5353, "UDP"), (5353, "TCP")})
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

    def test_names_are_asked_for_at_other_ports(self):
        names = self.spec({"networkPolicy": {"dnsPorts": [1053]}})["egress"][0]
        self.assertEqual(self.ports(names), {(1053, "UDP"), (1053, "TCP")})
        self.assertIn("dnsPorts", refusal(least(self.GIVEN, {"networkPolicy": {"dnsPorts": []}})))

    def test_the_token_server_is_not_forgotten(self):
        oauth = {"config": {"kafka": {"oauth": {"tokenEndpoint": "https://login.example/token", "clientId": "b24bridge"}}},
                 "kafka": {"oauth": {"existingSecret": "oauth"}}}
        self.assertIn("networkPolicy.extraEgress is empty", refusal(least(self.GIVEN, oauth)))

    def test_a_policy_that_lets_nobody_in_is_refused(self):
        for key in ["ingressFrom", "kafkaTo"]:
            self.assertIn(f"networkPolicy.{key} is empty", refusal(least(self.GIVEN, {"networkPolicy": {key: []}})))
        scraped = {"metrics": {"serviceMonitor": {"enabled": True}}}
        self.assertIn("networkPolicy.monitoringFrom is empty",
                      refusal(least(self.GIVEN, scraped, {"networkPolicy": {"monitoringFrom": []}})))


class Examples(unittest.TestCase):
    """Values and objects for controllers: what they refer to is there."""

    FOLDER = chart.CHART / "examples"
    FOLDERS = sorted(path for path in FOLDER.iterdir() if path.is_dir())

    def objects(self, folder: Path) -> list[dict]:
        file = folder / "objects.yaml"
        return [parsed for text in file.read_text().split("\n---\n") if (parsed := chart.parsed(text))] if file.exists() else []

    def rendered(self, folder: Path) -> list[dict]:
        return render(least(APPLICATION, chart.parsed((folder / "values.yaml").read_text()) or {}))

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
