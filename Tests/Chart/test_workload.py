"""The pods, their configuration, Secrets and volumes: rendered objects against what the chart promises, and against the program."""
from __future__ import annotations

import copy
import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import time
import unittest
import urllib.parse
import urllib.request
from pathlib import Path

import yaml
from chart import CHART, merged, named, notes, one, refusal, render

ROOT = CHART.parents[1]
MEMBER, TOKEN = "a223c6b3710f85df22e9377d6c4f7553", "51856fefc120afa4b628cc82d3935cce"
PORTAL = {"memberId": MEMBER, "applicationTokens": [TOKEN]}
MINIMAL = {"config": {"kafka": {"bootstrapServers": "kafka:9092"}}, "portals": {"static": [PORTAL]}}
APPLICATION = {
    "config": {"kafka": {"bootstrapServers": "kafka:9092"},
               "application": {"clientId": "local.1", "publicURL": "https://bridge.example"}},
    "application": {"existingSecret": "b24-application"}}
SETS = {path.name.removesuffix("-values.yaml"): yaml.safe_load(path.read_text()) for path in sorted(CHART.glob("ci/*-values.yaml"))}
SCHEMA = json.loads((CHART / "values.schema.json").read_text())
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
NAME = "bridge-bitrix24-kafka-bridge"


def minimal(**over: object) -> dict:
    return merged(MINIMAL, over)


def pods(documents: list[dict]) -> dict[str, dict]:
    """Specifications of all pods, by kind and name of what makes them."""
    found = {}
    for document in documents:
        spec = document if document["kind"] == "Pod" else document.get("spec", {}).get("template")
        if isinstance(spec, dict) and "containers" in spec.get("spec", {}):
            found[f"{document['kind']}/{document['metadata']['name']}"] = spec
    return found


def workload(values: dict) -> dict:
    return next(d for d in render(values) if d["kind"] in ("StatefulSet", "Deployment"))


def pod(values: dict) -> dict:
    return workload(values)["spec"]["template"]["spec"]


def container(values: dict) -> dict:
    return pod(values)["containers"][0]


def configuration(values: dict) -> dict:
    return yaml.safe_load(one(render(values), "ConfigMap", workload(values)["metadata"]["name"])["data"]["b24bridge.yaml"])


def config(**sections: object) -> dict:
    return minimal(config=sections)


class TheEndOfAPod(unittest.TestCase):
    def grace(self, **over: object) -> int:
        return pod(minimal(**over))["terminationGracePeriodSeconds"]

    def test_the_grace_period_is_the_sum_of_what_happens_in_it(self) -> None:
        self.assertEqual(self.grace(), 5 + 10 + 25 + 15)
        self.assertEqual(self.grace(preStopSeconds=7, terminationMarginSeconds=11), 7 + 10 + 25 + 11)
        # null takes the chart's default away; the bridge's own is no delay.
        bare = {**MINIMAL, "config": {**MINIMAL["config"], "shutdownDelay": None, "shutdownTimeout": None}}
        self.assertEqual(pod(bare)["terminationGracePeriodSeconds"], 5 + 0 + 25 + 15)

    def test_durations_are_read_as_the_bridge_reads_them(self) -> None:
        for text, seconds in {"500ms": 1, "1.5s": 2, "2m": 120, "1m30s": 90, "0.5h": 1800, "1h1m1s1ms": 3662, "0s": 0,
                              "1_000ms": 1, "90s": 90, "1500000us": 2}.items():
            with self.subTest(text):
                self.assertEqual(self.grace(config={"shutdownTimeout": text}), 5 + 10 + seconds + 15)

    def test_a_grace_period_of_ones_own_is_taken_if_it_is_long_enough(self) -> None:
        self.assertEqual(self.grace(terminationGracePeriodSeconds=55), 55)
        words = refusal(minimal(terminationGracePeriodSeconds=54))
        for part in ["terminationGracePeriodSeconds 54", "55", "config.shutdownDelay 10s", "config.shutdownTimeout 25s",
                     "preStopSeconds 5", "terminationMarginSeconds 15"]:
            self.assertIn(part, words)

    def test_it_sleeps_before_it_is_told(self) -> None:
        self.assertEqual(container(MINIMAL)["lifecycle"], {"preStop": {"sleep": {"seconds": 5}}})
        self.assertNotIn("lifecycle", container(minimal(preStopSeconds=0)))

    def test_readiness_is_noticed_while_events_are_still_taken(self) -> None:
        probe = container(MINIMAL)["readinessProbe"]
        self.assertEqual(probe["httpGet"], {"path": "/readyz", "port": "admin"})
        self.assertLess((probe["periodSeconds"] + probe["timeoutSeconds"]) * probe["failureThreshold"], 10)
        self.assertEqual(container(MINIMAL)["livenessProbe"]["httpGet"]["path"], "/livez")

    def test_updates_go_one_by_one_and_replicas_do_not_wait_for_each_other(self) -> None:
        spec = workload(MINIMAL)["spec"]
        self.assertEqual((spec["podManagementPolicy"], spec["updateStrategy"]["type"]), ("Parallel", "RollingUpdate"))
        self.assertGreater(spec["minReadySeconds"], 0)
        budget = one(render(MINIMAL), "PodDisruptionBudget")["spec"]
        self.assertEqual(budget["maxUnavailable"], 1)
        self.assertEqual(budget["selector"], spec["selector"])


class WhatPodsMay(unittest.TestCase):
    """The Pod Security Standard restricted (https://kubernetes.io/docs/concepts/security/pod-security-standards/)."""

    def test_every_pod_of_every_set_is_restricted(self) -> None:
        volumes = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
        for name, values in SETS.items():
            for kind, template in pods(render(values)).items():
                with self.subTest(f"{name}: {kind}"):
                    spec = template["spec"]
                    self.assertTrue(spec["securityContext"]["runAsNonRoot"])
                    self.assertEqual(spec["securityContext"]["runAsUser"], 65532)
                    self.assertEqual(spec["securityContext"]["seccompProfile"], {"type": "RuntimeDefault"})
                    self.assertIs(spec["automountServiceAccountToken"], False)
                    self.assertIs(spec["enableServiceLinks"], False)
                    for key in ["hostNetwork", "hostPID", "hostIPC"]:
                        self.assertNotIn(key, spec)
                    for volume in spec["volumes"]:
                        self.assertLessEqual(set(volume) - {"name"}, volumes)
                        for source in volume.get("projected", {}).get("sources", []):
                            self.assertNotIn("serviceAccountToken", source)
                    for each in spec["containers"] + spec.get("initContainers", []):
                        context = each["securityContext"]
                        self.assertIs(context["allowPrivilegeEscalation"], False)
                        self.assertIs(context["readOnlyRootFilesystem"], True)
                        self.assertEqual(context["capabilities"], {"drop": ["ALL"]})
                        self.assertNotIn("privileged", context)

    def test_what_it_writes_to_is_mounted(self) -> None:
        for name, values in SETS.items():
            mounts = {m["mountPath"]: m for m in container(values)["volumeMounts"]}
            self.assertLessEqual({"/var/lib/b24bridge", "/tmp", "/etc/b24bridge"}, set(mounts), name)
            self.assertTrue(mounts["/etc/b24bridge"]["readOnly"])

    def test_the_service_account_has_no_token(self) -> None:
        self.assertIs(one(render(MINIMAL), "ServiceAccount")["automountServiceAccountToken"], False)
        self.assertEqual(pod(minimal(serviceAccount={"create": False}))["serviceAccountName"], "default")


class Secrets(unittest.TestCase):
    def test_no_secret_is_in_a_configmap_or_a_pod(self) -> None:
        for name, values in SETS.items():
            planted = re.findall(r"[a-z0-9]{32}", json.dumps(values.get("portals", {}).get("static", [])))
            planted = [token for token in planted if token != MEMBER]
            for document in render(values):
                if document["kind"] != "Secret":
                    for token in planted:
                        self.assertNotIn(token, json.dumps(document), f"{name}: {document['kind']}")

    def test_secrets_are_files_that_exist_in_the_pod(self) -> None:
        for name, values in SETS.items():
            with self.subTest(name):
                files = {file for file, _ in mounted(render(values), pod(values))}
                named_there = set(re.findall(r"/etc/b24bridge/[^\s\"']+", yaml.safe_dump(configuration(values))))
                self.assertEqual(named_there, {f"/etc/b24bridge/{f}" for f in files} - {"/etc/b24bridge/b24bridge.yaml"})

    def test_a_password_in_properties_is_refused_but_as_a_reference(self) -> None:
        properties = {"security.protocol": "SASL_SSL", "sasl.mechanism": "PLAIN", "sasl.username": "u"}
        words = refusal(config(kafka={"properties": {**properties, "sasl.password": "geheim"}}))
        self.assertIn("sasl.password", words)
        self.assertNotIn("geheim", words)
        made = configuration(config(kafka={"properties": {**properties, "sasl.password": {"file": "/more/password"}}}))
        self.assertEqual(made["kafka"]["properties"]["sasl.password"], {"file": "/more/password"})


class Portals(unittest.TestCase):
    def test_other_portals_restart_no_pod_and_another_configuration_does(self) -> None:
        template = workload(MINIMAL)["spec"]["template"]
        more = minimal(portals={"static": [PORTAL, {"memberId": "other", "webhookTokens": ["t"]}]})
        self.assertEqual(workload(more)["spec"]["template"], template)
        self.assertNotEqual(one(render(more), "Secret"), one(render(MINIMAL), "Secret"))
        self.assertNotEqual(workload(config(kafka={"mode": "binary"}))["spec"]["template"], template)

    def test_a_chart_of_another_version_alone_restarts_nothing(self) -> None:
        text = json.dumps(workload(MINIMAL)["spec"])
        self.assertNotIn("helm.sh/chart", text)
        self.assertNotIn("app.kubernetes.io/version", text)

    def test_a_change_reaches_a_running_pod(self) -> None:
        for mount in container(MINIMAL)["volumeMounts"]:
            self.assertNotIn("subPath", mount)

    def test_where_portals_come_from(self) -> None:
        self.assertEqual(configuration(MINIMAL)["portals"], {"file": "/etc/b24bridge/portals/portals.yaml", "registry": False})
        self.assertEqual(yaml.safe_load(one(render(MINIMAL), "Secret")["stringData"]["portals.yaml"]), {"portals": [PORTAL]})
        self.assertEqual(configuration(APPLICATION)["portals"], {"file": "", "registry": True})
        only = merged(MINIMAL, {"portals": {"static": [], "registry": True}})
        self.assertEqual(configuration(only)["portals"], {"file": "", "registry": True})
        self.assertIn("portals add", notes(only))


class Volumes(unittest.TestCase):
    def test_each_replica_has_a_volume_that_stays(self) -> None:
        spec = workload(MINIMAL)["spec"]
        claim = spec["volumeClaimTemplates"][0]
        self.assertEqual(claim["metadata"]["name"], "data")
        self.assertEqual(claim["spec"]["resources"]["requests"]["storage"], "12Gi")
        self.assertEqual(claim["spec"]["accessModes"], ["ReadWriteOncePod"])
        self.assertEqual(spec["persistentVolumeClaimRetentionPolicy"], {"whenScaled": "Retain", "whenDeleted": "Retain"})
        self.assertEqual(claim["metadata"]["labels"], spec["selector"]["matchLabels"])

    def test_without_volumes_it_says_so_everywhere(self) -> None:
        values = minimal(persistence={"enabled": False, "acceptLoss": True})
        found = workload(values)
        self.assertEqual(found["kind"], "Deployment")
        self.assertEqual(found["metadata"]["labels"]["b24bridge/durable"], "false")
        self.assertIn("lost", found["metadata"]["annotations"]["b24bridge/durability"])
        self.assertEqual(found["spec"]["template"]["metadata"]["labels"]["b24bridge/durable"], "false")
        data = next(v for v in found["spec"]["template"]["spec"]["volumes"] if v["name"] == "data")
        self.assertEqual(data["emptyDir"], {"sizeLimit": "12Gi"})
        self.assertIn("Not durable", notes(values))

    def test_the_volume_must_hold_the_journal(self) -> None:
        # 1.05 × (4 GiB + a quarter + 64 MiB) + 64 MiB are 5507.2 MiB.
        fits = {"config": {"journal": {"maxBytes": "4GiB"}}}
        render(minimal(**fits, persistence={"size": "5508Mi"}))
        words = refusal(minimal(**fits, persistence={"size": "5507Mi"}))
        for part in ["persistence.size 5507Mi", "config.journal", "5508Mi", "parkedMaxBytes", "64 MiB"]:
            self.assertIn(part, words)

    def test_sizes_are_read_as_the_bridge_and_kubernetes_read_them(self) -> None:
        for text in ["4GiB", "4 GiB", "4gib", "4Gi", 4 << 30, str(4 << 30), "4294.967296MB", "4_096MiB", "4_294_967_296"]:
            with self.subTest(text):
                render(minimal(config={"journal": {"maxBytes": text}}, persistence={"size": "5508Mi"}))
                refusal(minimal(config={"journal": {"maxBytes": text}}, persistence={"size": "5507Mi"}))
        for size in ["5775Mi", "5.64Gi", "6056M", "6.1G", "0.01T", str(6056 << 20)]:
            with self.subTest(size):
                render(minimal(config={"journal": {"maxBytes": "4GiB"}}, persistence={"size": size}))


class Scaling(unittest.TestCase):
    def test_an_autoscaler_decides_alone(self) -> None:
        self.assertEqual(workload(MINIMAL)["spec"]["replicas"], 2)
        for durable in [True, False]:
            values = minimal(autoscaling={"enabled": True}, persistence={"enabled": durable, "acceptLoss": True})
            found = workload(values)
            self.assertNotIn("replicas", found["spec"])
            target = one(render(values), "HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]
            self.assertEqual((target["kind"], target["name"]), (found["kind"], found["metadata"]["name"]))

    def test_replicas_are_spread_as_far_as_they_can(self) -> None:
        constraints = pod(MINIMAL)["topologySpreadConstraints"]
        self.assertEqual([c["topologyKey"] for c in constraints], ["kubernetes.io/hostname", "topology.kubernetes.io/zone"])
        # Two replicas on two nodes: one node is drained, and the pod must find a place on the other.
        self.assertEqual({c["whenUnsatisfiable"] for c in constraints}, {"ScheduleAnyway"})
        self.assertNotIn("topologySpreadConstraints", pod(minimal(topologySpreadConstraints=[])))
        own = [{"topologyKey": "rack", "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule"}]
        self.assertEqual(pod(minimal(topologySpreadConstraints=own))["topologySpreadConstraints"], own)

    def test_a_job_takes_the_volume_of_a_replica_that_is_gone(self) -> None:
        documents = render(minimal(adopt={"ordinals": [2, 5]}))
        jobs = {d["metadata"]["name"]: d for d in documents if d["kind"] == "Job"}
        claims = [next(v["persistentVolumeClaim"]["claimName"] for v in job["spec"]["template"]["spec"]["volumes"] if v["name"] == "data")
                  for job in jobs.values()]
        self.assertEqual(sorted(claims), [f"data-{NAME}-2", f"data-{NAME}-5"])
        job = next(iter(jobs.values()))
        self.assertEqual(job["spec"]["template"]["spec"]["restartPolicy"], "OnFailure")
        self.assertEqual(job["spec"]["ttlSecondsAfterFinished"], 86400)
        self.assertNotEqual(job["spec"]["template"]["metadata"]["labels"], workload(MINIMAL)["spec"]["selector"]["matchLabels"])

    def test_a_changed_job_is_another_job(self) -> None:
        def name(**over: object) -> str:
            return one(render(minimal(adopt={"ordinals": [2]}, **over)), "Job")["metadata"]["name"]

        self.assertNotEqual(name(), name(image={"tag": "9"}))
        self.assertNotEqual(name(), name(config={"kafka": {"bootstrapServers": "other:9092"}}))
        self.assertEqual(name(), name(service={"port": 81}))
        self.assertLessEqual(len(name(fullnameOverride="a" * 52)), 63 + 18)


class Services(unittest.TestCase):
    def test_events_go_to_ready_pods_and_monitoring_sees_all(self) -> None:
        objects = named(render(MINIMAL))
        events, admin, headless = (objects["Service", NAME + suffix]["spec"] for suffix in ["", "-admin", "-headless"])
        self.assertNotIn("publishNotReadyAddresses", events)
        self.assertEqual([p["name"] for p in events["ports"]], ["events"])
        self.assertTrue(admin["publishNotReadyAddresses"])
        self.assertEqual([p["name"] for p in admin["ports"]], ["admin"])
        self.assertEqual(headless["clusterIP"], "None")
        self.assertEqual(workload(MINIMAL)["spec"]["serviceName"], NAME + "-headless")
        ports = {p["name"]: p["containerPort"] for p in container(MINIMAL)["ports"]}
        self.assertEqual(ports, {"events": 8080, "admin": 9090})
        made = configuration(MINIMAL)
        self.assertEqual((made["http"]["port"], made["admin"]["host"], made["admin"]["port"]), (8080, "0.0.0.0", 9090))


class Contradictions(unittest.TestCase):
    """Each is refused in words that name both keys."""

    CASES: list[tuple[dict, list[str]]] = [
        ({}, ["portals.static", "portals.existingSecret", "config.application"]),
        (merged(MINIMAL, {"config": {"kafka": {"bootstrapServers": ""}}}), ["config.kafka.bootstrapServers"]),
        (minimal(portals={"existingSecret": "x"}), ["portals.static", "portals.existingSecret"]),
        (minimal(portals={"static": [{"memberId": "m"}]}), ["portals.static", "applicationTokens", "webhookTokens"]),
        (minimal(persistence={"enabled": False}), ["persistence.enabled", "persistence.acceptLoss"]),
        (minimal(terminationMarginSeconds=9), ["terminationMarginSeconds 9", "config.http.requestTimeout 10s"]),
        (config(http={"requestTimeout": "16s"}), ["terminationMarginSeconds 15", "config.http.requestTimeout 16s"]),
        (minimal(kafka={"sasl": {"mechanism": "PLAIN", "username": "u"}}), ["kafka.sasl.mechanism", "kafka.sasl.existingSecret"]),
        (minimal(kafka={"sasl": {"mechanism": "PLAIN", "existingSecret": "s"}}), ["kafka.sasl.mechanism", "kafka.sasl.username", "kafka.sasl.usernameKey"]),
        (minimal(kafka={"sasl": {"mechanism": "PLAIN", "existingSecret": "s", "username": "u", "usernameKey": "k"}}), ["kafka.sasl.username", "kafka.sasl.usernameKey"]),
        (minimal(kafka={"sasl": {"existingSecret": "s"}}), ["kafka.sasl.existingSecret", "kafka.sasl.mechanism"]),
        (minimal(kafka={"sasl": {"username": "u"}}), ["kafka.sasl.username", "kafka.sasl.mechanism"]),
        (minimal(kafka={"tls": {"ca": {"existingSecret": "s"}}}), ["kafka.tls.ca.existingSecret", "kafka.tls.enabled"]),
        (minimal(kafka={"tls": {"client": {"existingSecret": "s"}}}), ["kafka.tls.client.existingSecret", "kafka.tls.enabled"]),
        (minimal(kafka={"oauth": {"existingSecret": "s"}}), ["kafka.oauth.existingSecret", "config.kafka.oauth"]),
        (config(kafka={"oauth": {"tokenEndpoint": "https://t", "clientId": "b"}}), ["config.kafka.oauth", "kafka.oauth.existingSecret"]),
        (minimal(config={"kafka": {"oauth": {"clientId": "b"}}}, kafka={"oauth": {"existingSecret": "s"}}), ["config.kafka.oauth", "tokenEndpoint"]),
        (minimal(config={"kafka": {"oauth": {"tokenEndpoint": "https://t", "clientId": "b"}}}, kafka={"oauth": {"existingSecret": "s"}, "sasl": {"mechanism": "PLAIN", "existingSecret": "s", "username": "u"}}), ["kafka.sasl.mechanism", "config.kafka.oauth"]),
        (minimal(config={"kafka": {"properties": {"security.protocol": "SSL"}}}, kafka={"tls": {"enabled": True}}), ["config.kafka.properties.security.protocol", "kafka.tls"]),
        (minimal(config={"kafka": {"properties": {"sasl.mechanisms": "PLAIN"}}}, kafka={"sasl": {"mechanism": "PLAIN", "existingSecret": "s", "username": "u"}}), ["config.kafka.properties.sasl.mechanisms", "kafka.sasl"]),
        (merged(APPLICATION, {"application": {"existingSecret": ""}}), ["config.application.clientId", "application.existingSecret"]),
        (merged(APPLICATION, {"config": {"application": {"publicURL": ""}}}), ["config.application.clientId", "config.application.publicURL"]),
        (merged(APPLICATION, {"application": {"previousSealingKeys": [{"keyId": "1", "secretKey": "k"}]}}), ["application.sealingKeyId", "application.previousSealingKeys"]),
        (minimal(application={"existingSecret": "s"}), ["application.existingSecret", "config.application.clientId"]),
        (config(subscriptions={"online": ["crm.deal"]}), ["config.subscriptions", "config.application.clientId"]),
        (config(offline={"batchRows": 5}), ["config.offline", "config.application.clientId"]),
        (minimal(autoscaling={"enabled": True, "minReplicas": 5, "maxReplicas": 4}), ["autoscaling.minReplicas 5", "autoscaling.maxReplicas 4"]),
        (minimal(adopt={"ordinals": [1]}), ["adopt.ordinals", "replicaCount"]),
        (minimal(adopt={"ordinals": [1]}, autoscaling={"enabled": True}), ["adopt.ordinals", "autoscaling.minReplicas"]),
        (minimal(adopt={"ordinals": [4]}, persistence={"enabled": False, "acceptLoss": True}), ["adopt.ordinals", "persistence.enabled"]),
    ]

    def test_each_is_refused_with_the_keys(self) -> None:
        for values, parts in self.CASES:
            with self.subTest(parts):
                words = refusal(values)
                for part in parts:
                    self.assertIn(part, words)

    def test_what_the_chart_sets_is_refused_with_what_to_do_instead(self) -> None:
        for path, instead in {
            "http.host": "addresses", "http.port": "service.port", "admin.port": "adminService.port", "admin.portalMetrics": "metrics.portals",
            "journal.directory": "/var/lib/b24bridge", "portals.file": "portals.existingSecret", "replica": "pod",
            "kafka.oauth.clientSecret": "kafka.oauth.existingSecret", "secrets.key": "application.sealingKeyKey",
            "application.clientSecret": "application.existingSecret",
        }.items():
            with self.subTest(path):
                values: object = "x"
                for part in reversed(path.split(".")):
                    values = {part: values}
                words = refusal(config(**values))
                self.assertIn(f"config.{path.split('.')[0]}", words)
                self.assertIn(instead, words)

    def test_a_misspelt_key_is_refused_by_name(self) -> None:
        for values, part in [
            (config(journal={"maxByte": "1GiB"}), "maxByte"), (config(htpp={}), "htpp"), (minimal(replicacount=3), "replicacount"),
            (config(kafka={"oauth": {"clientID": "x"}}), "clientID"), (minimal(kafka={"sasl": {"user": "x"}}), "user"),
            (config(shutdownDelay=10), "shutdownDelay"), (config(shutdownDelay="10"), "shutdownDelay"), (config(journal={"maxBytes": "8G"}), "maxBytes"),
            (minimal(extraEnv=[{"name": "B24_HTTP_PORT", "value": "1"}]), "extraEnv"), (minimal(persistence={"size": "12GiB"}), "size"),
            (config(offline={"wakeBy": ["pull"]}), "wakeBy"), (minimal(portals={"static": [{"memberID": "x"}]}), "memberID"),
        ]:
            with self.subTest(part):
                self.assertIn(part, refusal(values))


class Notes(unittest.TestCase):
    def test_they_say_what_to_enter_in_bitrix24(self) -> None:
        text = notes(merged(APPLICATION, {"config": {"http": {"installPath": "/here"}}}))
        self.assertIn("https://bridge.example/here", text)
        self.assertNotIn("YOUR-HOST", text)
        self.assertIn("https://YOUR-HOST/b24/events/MEMBER_ID", notes(MINIMAL))
        self.assertIn("helm test bridge --namespace bitrix24", notes(MINIMAL))

    def test_they_warn(self) -> None:
        for values, words in [(minimal(replicaCount=1), "One replica"), (config(journal={"sync": False}), "config.journal.sync"), (MINIMAL, "Neither ingress"),
                              (minimal(replicaCount=0), "nobody takes events"), (minimal(persistence={"whenScaled": "Delete"}), "persistence.whenScaled"),
                              (minimal(kafka={"sasl": {"mechanism": "PLAIN", "existingSecret": "s", "username": "u"}}), "the password too")]:
            with self.subTest(words):
                self.assertIn(words, notes(values))
        self.assertNotIn("One replica", notes(MINIMAL))


# --- The schema --------------------------------------------------------------------------------------------------------------------

CORE = ["image", "portals", "application", "persistence", "adopt", "serviceAccount", "log", "podDisruptionBudget", "autoscaling", "service",
        "adminService", "tests", "kafka"]


def leaves(schema: dict, path: str = "") -> dict[str, dict]:
    """Keys of the configuration that are no sections, and those that the chart owns."""
    found = {}
    for name, below in schema["properties"].items():
        here = f"{path}.{name}" if path else name
        found |= leaves(below, here) if below.get("additionalProperties") is False else {here: below}
    return found


def is_owned(schema: dict) -> bool:
    return schema["description"].startswith("Set by the chart")


LEAVES = leaves(SCHEMA["definitions"]["config"])
SETTABLE = {path for path, schema in LEAVES.items() if not is_owned(schema)}
OWNED = set(LEAVES) - SETTABLE


class TheSchema(unittest.TestCase):
    def test_every_key_of_the_core_says_what_it_means(self) -> None:
        def walk(schema: dict, path: str) -> None:
            if "$ref" not in schema:
                self.assertTrue(schema.get("description"), path)
            for name, below in schema.get("properties", {}).items():
                walk(below, f"{path}.{name}")

        for name in [*CORE, "config", *(n for n, v in VALUES.items() if not isinstance(v, dict) and n in SCHEMA["definitions"])]:
            walk(SCHEMA["definitions"][name], name)

    def test_values_yaml_has_every_key_and_no_other(self) -> None:
        def walk(schema: dict, values: dict, path: str) -> None:
            self.assertEqual(set(schema["properties"]), set(values), path)
            for name, below in schema["properties"].items():
                if below.get("additionalProperties") is False:
                    walk(below, values[name], f"{path}.{name}")

        for name in CORE:
            walk(SCHEMA["definitions"][name], VALUES[name], name)
        self.assertEqual(set(SCHEMA["properties"]) - {"global"}, set(VALUES))

    def test_values_yaml_tells_every_key_of_the_configuration(self) -> None:
        text = (CHART / "values.yaml").read_text()
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
        made = yaml.safe_dump(configuration(SETS["everything"]))
        chart = {part for path in LEAVES for part in path.split(".")} | set(re.findall(r"^[ -]*(\w+):", made, re.MULTILINE))
        self.assertEqual(asked - chart, set(), "the chart knows none of these")


# --- The program -------------------------------------------------------------------------------------------------------------------

def program(name: str) -> Path | None:
    places = [os.environ.get("B24BRIDGE_BIN", ""), *(str(ROOT / ".build" / kind) for kind in ["debug", "release"])]
    return next((Path(place, name) for place in places if place and Path(place, name).exists()), None)


BRIDGE, CLUSTER = program("b24bridge"), program("ClusterServer")
# Every key that can be set, with a value that is not the default.
EVERY_KEY = {
    "http": {"path": "/e", "installPath": "/i", "maxBodyBytes": "512KiB", "requestTimeout": "5s", "allowedNetworks": ["10.0.0.0/8"],
             "trustedProxies": ["10.0.0.0/8"], "eventLoops": 1},
    "kafka": {"bootstrapServers": "kafka:9092", "topic": "t.{entity}", "key": "{portal}", "mode": "binary", "maxRecordBytes": "800kB",
              "deadLetterTopic": "t.dead", "registryTopic": "t.portals", "parkAfter": "30s", "properties": {"compression.type": "lz4", "linger.ms": 7},
              "oauth": {"tokenEndpoint": "https://127.0.0.1:1/token", "clientId": "c", "scope": "s", "extensions": {"logicalCluster": "lkc"}}},
    "journal": {"maxBytes": "1GiB", "parkedMaxBytes": "256MiB", "segmentBytes": "1MiB", "sync": True, "retain": "1h"},
    "subscriptions": {"online": ["crm.deal"], "offline": ["ONCRMLEADADD"], "authType": 1, "authConnector": "k", "minTimeout": 2,
                      "handler": "https://other.example/{portal}", "reconcileEvery": "2h",
                      "portals": [{"memberId": "m", "online": ["crm.lead"], "offline": [], "authType": 2, "authConnector": "j", "minTimeout": 3}]},
    "offline": {"wakeBy": ["timer"], "pollEvery": "2m", "batchRows": 50},
    "application": {"clientId": "local.1", "publicURL": "https://bridge.example", "standIn": "http://127.0.0.1:1", "callsPerSecond": 3, "callBurst": 5},
    "shutdownDelay": "1s", "shutdownTimeout": "2s",
}


def mounted(documents: list[dict], spec: dict) -> list[tuple[str, str]]:
    """Files below /etc/b24bridge in a pod, with a content that will do for those of Secrets that are not the chart's."""
    objects, files = named(documents), []
    volume = next(v for v in spec["volumes"] if v["name"] == "configuration")
    for source in volume["projected"]["sources"]:
        (kind, items), = source.items()
        found = objects.get(("ConfigMap" if kind == "configMap" else "Secret", items["name"]), {})
        data = found.get("data", {}) | found.get("stringData", {})
        for item in items["items"]:
            files.append((item["path"], data.get(item["key"]) or invented(item["path"])))
    return files


def invented(path: str) -> str:
    if "sealing-key" in path:
        return "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=\n"
    if path.endswith("portals.yaml"):
        return yaml.safe_dump({"portals": [PORTAL]})
    if path.endswith((".crt", ".key")):
        return certificate()[path.endswith(".key")]
    return "made-up\n"


_certificate: list[str] = []


def certificate() -> list[str]:
    if not _certificate:
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=test", "-days", "2", "-keyout", f"{folder}/k",
                            "-out", f"{folder}/c"], check=True, capture_output=True)
            _certificate.extend(Path(folder, name).read_text() for name in "ck")
    return _certificate


class Root:
    """A pod's files in a temporary directory, and its commands with the paths of there."""

    def __init__(self, folder: str, documents: list[dict], spec: dict) -> None:
        self.folder = Path(folder)
        for path in ["etc", "var", "tmp"]:
            (self.folder / path).mkdir(exist_ok=True)
        for path, content in mounted(documents, spec):
            file = self.folder / "etc" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(self.moved(content))

    def moved(self, text: str) -> str:
        here = {"/etc/b24bridge": "etc", "/var/lib/b24bridge": "var", "/tmp": "tmp"}
        return re.sub("|".join(here), lambda there: str(self.folder / here[there.group()]), text)

    def command(self, spec: dict) -> list[str]:
        each = spec["containers"][0]
        return [self.moved(part) for part in [*each.get("command", [str(BRIDGE)]), *each["args"]]]


@unittest.skipUnless(BRIDGE, "b24bridge is not built")
class TheProgram(unittest.TestCase):
    def check(self, values: dict, change=lambda made: made) -> subprocess.CompletedProcess:
        documents = render(values)
        with tempfile.TemporaryDirectory() as folder:
            root = Root(folder, documents, pod(values))
            file = root.folder / "etc" / "b24bridge.yaml"
            made = change(yaml.safe_load(file.read_text()))
            # Nobody is asked: neither brokers nor Bitrix24's lists.
            made["kafka"]["bootstrapServers"] = "127.0.0.1:1"
            if "allowedNetworks" in made["http"]:
                made["http"]["allowedNetworks"] = [n for n in made["http"]["allowedNetworks"] if not n.startswith("bitrix24")]
            if "oauth" in made["kafka"]:
                made["kafka"]["oauth"]["tokenEndpoint"] = "https://127.0.0.1:1/token"
            file.write_text(yaml.safe_dump(made))
            return subprocess.run([str(BRIDGE), "check", "--config", str(file), "--timeout", "1"], text=True, capture_output=True)

    def assertAccepted(self, values: dict) -> None:
        done = self.check(values)
        self.assertIn(done.returncode, [0, 1], done.stderr)

    def test_it_accepts_the_configuration_of_every_set(self) -> None:
        for name, values in SETS.items():
            with self.subTest(name):
                self.assertAccepted(values)

    def test_it_accepts_every_key_of_the_schema(self) -> None:
        self.assertEqual(set(leaves_of(EVERY_KEY)), SETTABLE, "EVERY_KEY has all keys")
        items = LEAVES["subscriptions.portals"]["items"]["properties"]
        self.assertEqual(set(EVERY_KEY["subscriptions"]["portals"][0]), set(items))
        self.assertAccepted({
            "config": EVERY_KEY, "application": {"existingSecret": "a", "sealingKeyId": "2", "previousSealingKeys": [{"keyId": "1x", "secretKey": "k"}]},
            "kafka": {"tls": {"enabled": True, "ca": {"existingSecret": "c"}, "client": {"existingSecret": "c"}}, "oauth": {"existingSecret": "o"}},
            "portals": {"static": [{**PORTAL, "domain": "d.example", "webhookTokens": ["w"]}], "registry": True}})

    def test_it_refuses_a_key_that_it_does_not_know(self) -> None:
        def misspelt(made: dict) -> dict:
            made["journal"]["maxByte"] = 1
            return made

        done = self.check(MINIMAL, misspelt)
        self.assertEqual(done.returncode, 2)
        self.assertIn("journal.maxByte", done.stderr)


def leaves_of(values: dict, path: str = "") -> list[str]:
    maps = ["kafka.properties", "kafka.oauth.extensions"]
    return [leaf for name, below in values.items() for here in [f"{path}.{name}" if path else name]
            for leaf in (leaves_of(below, here) if isinstance(below, dict) and here not in maps else [here])]


@unittest.skipUnless(BRIDGE and CLUSTER, "b24bridge and ClusterServer are not built")
class TheCommandsOfPods(unittest.TestCase):
    """What the pods of the test and of the Jobs run, against a bridge that runs as its pod does, and an in-process Kafka."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.kafka = subprocess.Popen([str(CLUSTER), "1", "bitrix24.bridge.portals"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(self.end, self.kafka)
        self.servers = self.kafka.stdout.readline().strip()
        self.port, self.admin = free_ports(2)

    def end(self, process: subprocess.Popen) -> None:
        if process.poll() is None:
            process.kill()
        process.wait()
        for stream in [process.stdin, process.stdout]:
            if stream:
                stream.close()

    def environment(self, servers: str) -> dict[str, str]:
        # The image has the program on its PATH.
        return os.environ | {"B24_REPLICA": "bridge-0", "B24_KAFKA_BOOTSTRAP_SERVERS": servers, "B24_HTTP_PORT": str(self.port), "B24_HTTP_HOST": "127.0.0.1",
                             "B24_ADMIN_PORT": str(self.admin), "B24_ADMIN_HOST": "127.0.0.1", "B24_SHUTDOWN_DELAY": "0s", "PATH": f"{BRIDGE.parent}:{os.environ['PATH']}",
                             "TMPDIR": f"{self.folder}/tmp"}

    def serve(self, values: dict, servers: str) -> subprocess.Popen:
        root = Root(self.folder, render(values), pod(values))
        log = open(Path(self.folder, "log"), "a")
        self.addCleanup(log.close)
        process = subprocess.Popen(root.command(pod(values)), env=self.environment(servers), stderr=log)
        self.addCleanup(self.end, process)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/readyz", timeout=5):
                    return process
            except OSError:
                self.assertIsNone(process.poll(), Path(self.folder, "log").read_text())
                time.sleep(0.05)
        raise AssertionError("the bridge did not become ready: " + Path(self.folder, "log").read_text())

    def stop(self, process: subprocess.Popen, how: signal.Signals) -> None:
        process.send_signal(how)
        process.wait(60)

    def run_test_pod(self, values: dict) -> None:
        bridge = self.serve(values, self.servers)
        test = one(render(values), "Pod")
        self.assertEqual(test["metadata"]["annotations"]["helm.sh/hook"], "test")
        command = [part.replace(f"http://{NAME}.bitrix24.svc:80", f"http://127.0.0.1:{self.port}")
                   for part in Root(self.folder, render(values), test["spec"]).command(test["spec"])]

        def run() -> subprocess.CompletedProcess:
            return subprocess.run(command, env=self.environment(self.servers), text=True, capture_output=True, timeout=120)

        done = run()
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("verdict: good", done.stdout)
        self.stop(bridge, signal.SIGTERM)
        done = run()
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn("nobody answers", done.stderr)

    def test_the_helm_test_succeeds_with_a_bridge_and_fails_without(self) -> None:
        self.run_test_pod(MINIMAL)

    def test_the_helm_test_brings_a_portal_where_the_file_has_none_and_takes_it_away(self) -> None:
        values = {"config": MINIMAL["config"], "portals": {"registry": True}}
        self.run_test_pod(values)
        listed = subprocess.run([str(BRIDGE), "portals", "list", "--config", f"{self.folder}/etc/b24bridge.yaml", "--json"],
                                env=self.environment(self.servers), text=True, capture_output=True)
        self.assertEqual(listed.returncode, 0, listed.stderr)
        self.assertNotIn("connected", listed.stdout)

    def test_adopting_delivers_what_a_replica_left(self) -> None:
        bridge = self.serve(MINIMAL, "127.0.0.1:1")
        body = urllib.parse.urlencode({"event": "ONCRMDEALUPDATE", "data[FIELDS][ID]": "7", "ts": "1466439714", "auth[member_id]": MEMBER,
                                       "auth[application_token]": TOKEN}).encode()
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/b24/events", data=body, timeout=10) as answer:
            self.assertEqual(answer.status, 200)
        self.stop(bridge, signal.SIGKILL)
        values = minimal(adopt={"ordinals": [2]})
        job = one(render(values), "Job")["spec"]["template"]["spec"]
        command = Root(self.folder, render(values), job).command(job)
        for delivered in [1, 0]:
            done = self.run_job(command)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertEqual((json.loads(done.stdout)["delivered"], json.loads(done.stdout)["left"]), (delivered, 0))
        # What only a bridge can deal with keeps the Job from saying that the volume can go.
        waiting = Path(self.folder, "var", "journal", "waiting")
        waiting.mkdir()
        (waiting / "1").write_text("an event without a known token")
        done = self.run_job(command)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertEqual(json.loads(done.stdout)["unread"]["waitingFiles"], 1)

    def run_job(self, command: list[str]) -> subprocess.CompletedProcess:
        return subprocess.run([*command, "--json"], env=self.environment(self.servers), text=True, capture_output=True, timeout=120)


def free_ports(count: int) -> list[int]:
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports


if __name__ == "__main__":
    unittest.main()
