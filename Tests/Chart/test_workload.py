"""The pods, their configuration, Secrets and volumes: rendered objects against what the chart promises."""
from __future__ import annotations

import json
import re
import unittest

import examples
import yaml
from bridge import MEMBER, PORTAL
from chart import APPLICATION, KAFKA, LEAST, NAME, least, merged, named, notes, one, refusal, render
from pod import configuration, container, mounted, pod, workload

# An application alone, that no portal is told of.
INSTALLED = merged(KAFKA, APPLICATION)


def config(**sections: object) -> dict:
    return least(config=sections)


class TheEndOfAPod(unittest.TestCase):
    def grace(self, **over: object) -> int:
        return pod(least(**over))["terminationGracePeriodSeconds"]

    def test_the_grace_period_is_the_sum_of_what_happens_in_it(self) -> None:
        self.assertEqual(self.grace(), 5 + 10 + 25 + 15)
        self.assertEqual(self.grace(preStopSeconds=7, terminationMarginSeconds=11), 7 + 10 + 25 + 11)
        # null takes the chart's default away; the bridge's own is no delay.
        bare = {**LEAST, "config": {**LEAST["config"], "shutdownDelay": None, "shutdownTimeout": None}}
        self.assertEqual(pod(bare)["terminationGracePeriodSeconds"], 5 + 0 + 25 + 15)

    def test_durations_are_read_as_the_bridge_reads_them(self) -> None:
        for text, seconds in {"500ms": 1, "1.5s": 2, "2m": 120, "1m30s": 90, "0.5h": 1800, "1h1m1s1ms": 3662, "0s": 0,
                              "1_000ms": 1, "90s": 90, "1500000us": 2}.items():
            with self.subTest(text):
                self.assertEqual(self.grace(config={"shutdownTimeout": text}), 5 + 10 + seconds + 15)

    def test_a_grace_period_of_ones_own_is_taken_if_it_is_long_enough(self) -> None:
        self.assertEqual(self.grace(terminationGracePeriodSeconds=55), 55)
        words = refusal(least(terminationGracePeriodSeconds=54))
        for part in ["terminationGracePeriodSeconds 54", "55", "config.shutdownDelay 10s", "config.shutdownTimeout 25s",
                     "preStopSeconds 5", "terminationMarginSeconds 15"]:
            self.assertIn(part, words)

    def test_it_sleeps_before_it_is_told(self) -> None:
        self.assertEqual(container(LEAST)["lifecycle"], {"preStop": {"sleep": {"seconds": 5}}})
        self.assertNotIn("lifecycle", container(least(preStopSeconds=0)))

    def test_readiness_is_noticed_while_events_are_still_taken(self) -> None:
        probe = container(LEAST)["readinessProbe"]
        self.assertEqual(probe["httpGet"], {"path": "/readyz", "port": "admin"})
        self.assertLess((probe["periodSeconds"] + probe["timeoutSeconds"]) * probe["failureThreshold"], 10)
        self.assertEqual(container(LEAST)["livenessProbe"]["httpGet"]["path"], "/livez")

    def test_updates_go_one_by_one_and_replicas_do_not_wait_for_each_other(self) -> None:
        spec = workload(LEAST)["spec"]
        self.assertEqual((spec["podManagementPolicy"], spec["updateStrategy"]["type"]), ("Parallel", "RollingUpdate"))
        self.assertGreater(spec["minReadySeconds"], 0)
        budget = one(render(LEAST), "PodDisruptionBudget")["spec"]
        self.assertEqual(budget["maxUnavailable"], 1)
        self.assertEqual(budget["selector"], spec["selector"])


class WhatPodsMay(unittest.TestCase):
    def test_what_it_writes_to_is_mounted(self) -> None:
        for name, values in examples.sets():
            mounts = {m["mountPath"]: m for m in container(values)["volumeMounts"]}
            self.assertLessEqual({"/var/lib/b24bridge", "/tmp", "/etc/b24bridge"}, set(mounts), name)
            self.assertTrue(mounts["/etc/b24bridge"]["readOnly"])

    def test_the_service_account_has_no_token(self) -> None:
        self.assertIs(one(render(LEAST), "ServiceAccount")["automountServiceAccountToken"], False)
        self.assertEqual(pod(least(serviceAccount={"create": False}))["serviceAccountName"], "default")


class Secrets(unittest.TestCase):
    def test_no_secret_is_in_a_configmap_or_a_pod(self) -> None:
        for name, values in examples.sets():
            planted = re.findall(r"[a-z0-9]{32}", json.dumps(values.get("portals", {}).get("static", [])))
            planted = [token for token in planted if token != MEMBER]
            for document in render(values):
                if document["kind"] != "Secret":
                    for token in planted:
                        self.assertNotIn(token, json.dumps(document), f"{name}: {document['kind']}")

    def test_secrets_are_files_that_exist_in_the_pod(self) -> None:
        for name, values in examples.sets():
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
        template = workload(LEAST)["spec"]["template"]
        more = least(portals={"static": [PORTAL, {"memberId": "other", "webhookTokens": ["t"]}]})
        self.assertEqual(workload(more)["spec"]["template"], template)
        self.assertNotEqual(one(render(more), "Secret"), one(render(LEAST), "Secret"))
        self.assertNotEqual(workload(config(kafka={"mode": "binary"}))["spec"]["template"], template)

    def test_a_chart_of_another_version_alone_restarts_nothing(self) -> None:
        text = json.dumps(workload(LEAST)["spec"])
        self.assertNotIn("helm.sh/chart", text)
        self.assertNotIn("app.kubernetes.io/version", text)

    def test_a_change_reaches_a_running_pod(self) -> None:
        for mount in container(LEAST)["volumeMounts"]:
            self.assertNotIn("subPath", mount)

    def test_where_portals_come_from(self) -> None:
        self.assertEqual(configuration(LEAST)["portals"], {"file": "/etc/b24bridge/portals/portals.yaml", "registry": False})
        self.assertEqual(yaml.safe_load(one(render(LEAST), "Secret")["stringData"]["portals.yaml"]), {"portals": [PORTAL]})
        self.assertEqual(configuration(INSTALLED)["portals"], {"file": "", "registry": True})
        only = merged(LEAST, {"portals": {"static": [], "registry": True}})
        self.assertEqual(configuration(only)["portals"], {"file": "", "registry": True})
        self.assertIn("portals add", notes(only))


class Volumes(unittest.TestCase):
    def test_each_replica_has_a_volume_that_stays(self) -> None:
        spec = workload(LEAST)["spec"]
        claim = spec["volumeClaimTemplates"][0]
        self.assertEqual(claim["metadata"]["name"], "data")
        self.assertEqual(claim["spec"]["resources"]["requests"]["storage"], "12Gi")
        self.assertEqual(claim["spec"]["accessModes"], ["ReadWriteOncePod"])
        self.assertEqual(spec["persistentVolumeClaimRetentionPolicy"], {"whenScaled": "Retain", "whenDeleted": "Retain"})
        self.assertEqual(claim["metadata"]["labels"], spec["selector"]["matchLabels"])

    def test_without_volumes_it_says_so_everywhere(self) -> None:
        values = least(persistence={"enabled": False, "acceptLoss": True})
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
        render(least(**fits, persistence={"size": "5508Mi"}))
        words = refusal(least(**fits, persistence={"size": "5507Mi"}))
        for part in ["persistence.size 5507Mi", "config.journal", "5508Mi", "parkedMaxBytes", "64 MiB"]:
            self.assertIn(part, words)

    def test_sizes_are_read_as_the_bridge_and_kubernetes_read_them(self) -> None:
        for text in ["4GiB", "4 GiB", "4gib", "4Gi", 4 << 30, str(4 << 30), "4294.967296MB", "4_096MiB", "4_294_967_296"]:
            with self.subTest(text):
                render(least(config={"journal": {"maxBytes": text}}, persistence={"size": "5508Mi"}))
                refusal(least(config={"journal": {"maxBytes": text}}, persistence={"size": "5507Mi"}))
        for size in ["5775Mi", "5.64Gi", "6056M", "6.1G", "0.01T", str(6056 << 20)]:
            with self.subTest(size):
                render(least(config={"journal": {"maxBytes": "4GiB"}}, persistence={"size": size}))


class Scaling(unittest.TestCase):
    def test_an_autoscaler_decides_alone(self) -> None:
        self.assertEqual(workload(LEAST)["spec"]["replicas"], 2)
        for durable in [True, False]:
            values = least(autoscaling={"enabled": True}, persistence={"enabled": durable, "acceptLoss": True})
            found = workload(values)
            self.assertNotIn("replicas", found["spec"])
            target = one(render(values), "HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]
            self.assertEqual((target["kind"], target["name"]), (found["kind"], found["metadata"]["name"]))

    def test_replicas_are_spread_as_far_as_they_can(self) -> None:
        constraints = pod(LEAST)["topologySpreadConstraints"]
        self.assertEqual([c["topologyKey"] for c in constraints], ["kubernetes.io/hostname", "topology.kubernetes.io/zone"])
        # Two replicas on two nodes: one node is drained, and the pod must find a place on the other.
        self.assertEqual({c["whenUnsatisfiable"] for c in constraints}, {"ScheduleAnyway"})
        self.assertNotIn("topologySpreadConstraints", pod(least(topologySpreadConstraints=[])))
        own = [{"topologyKey": "rack", "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule"}]
        self.assertEqual(pod(least(topologySpreadConstraints=own))["topologySpreadConstraints"], own)

    def test_a_job_takes_the_volume_of_a_replica_that_is_gone(self) -> None:
        documents = render(least(adopt={"ordinals": [2, 5]}))
        jobs = {d["metadata"]["name"]: d for d in documents if d["kind"] == "Job"}
        claims = [next(v["persistentVolumeClaim"]["claimName"] for v in job["spec"]["template"]["spec"]["volumes"] if v["name"] == "data")
                  for job in jobs.values()]
        self.assertEqual(sorted(claims), [f"data-{NAME}-2", f"data-{NAME}-5"])
        job = next(iter(jobs.values()))
        self.assertEqual(job["spec"]["template"]["spec"]["restartPolicy"], "Never")
        self.assertEqual(job["spec"]["ttlSecondsAfterFinished"], 86400)
        self.assertNotEqual(job["spec"]["template"]["metadata"]["labels"], workload(LEAST)["spec"]["selector"]["matchLabels"])

    def test_a_changed_job_is_another_job(self) -> None:
        def name(**over: object) -> str:
            return one(render(least(adopt={"ordinals": [2]}, **over)), "Job")["metadata"]["name"]

        self.assertNotEqual(name(), name(image={"tag": "9"}))
        self.assertNotEqual(name(), name(config={"kafka": {"bootstrapServers": "other:9092"}}))
        self.assertEqual(name(), name(service={"port": 81}))
        self.assertLessEqual(len(name(fullnameOverride="a" * 52)), 63)


class Services(unittest.TestCase):
    def test_events_go_to_ready_pods_and_monitoring_sees_all(self) -> None:
        objects = named(render(LEAST))
        events, admin, headless = (objects["Service", NAME + suffix]["spec"] for suffix in ["", "-admin", "-headless"])
        self.assertNotIn("publishNotReadyAddresses", events)
        self.assertEqual([p["name"] for p in events["ports"]], ["events"])
        self.assertTrue(admin["publishNotReadyAddresses"])
        self.assertEqual([p["name"] for p in admin["ports"]], ["admin"])
        self.assertEqual(headless["clusterIP"], "None")
        self.assertEqual(workload(LEAST)["spec"]["serviceName"], NAME + "-headless")
        ports = {p["name"]: p["containerPort"] for p in container(LEAST)["ports"]}
        self.assertEqual(ports, {"events": 8080, "admin": 9090})
        made = configuration(LEAST)
        self.assertEqual((made["http"]["port"], made["admin"]["host"], made["admin"]["port"]), (8080, "0.0.0.0", 9090))


class Contradictions(unittest.TestCase):
    """Each is refused in words that name both keys."""

    CASES: list[tuple[dict, list[str]]] = [
        ({}, ["portals.static", "portals.existingSecret", "config.application"]),
        (merged(LEAST, {"config": {"kafka": {"bootstrapServers": ""}}}), ["config.kafka.bootstrapServers"]),
        (least(portals={"existingSecret": "x"}), ["portals.static", "portals.existingSecret"]),
        (least(portals={"static": [{"memberId": "m"}]}), ["portals.static", "applicationTokens", "webhookTokens"]),
        (least(persistence={"enabled": False}), ["persistence.enabled", "persistence.acceptLoss"]),
        (least(terminationMarginSeconds=9), ["terminationMarginSeconds 9", "config.http.requestTimeout 10s"]),
        (config(http={"requestTimeout": "16s"}), ["terminationMarginSeconds 15", "config.http.requestTimeout 16s"]),
        (least(kafka={"sasl": {"mechanism": "PLAIN", "username": "u"}}), ["kafka.sasl.mechanism", "kafka.sasl.existingSecret"]),
        (least(kafka={"sasl": {"mechanism": "PLAIN", "existingSecret": "s"}}), ["kafka.sasl.mechanism", "kafka.sasl.username", "kafka.sasl.usernameKey"]),
        (least(kafka={"sasl": {"mechanism": "PLAIN", "existingSecret": "s", "username": "u", "usernameKey": "k"}}), ["kafka.sasl.username", "kafka.sasl.usernameKey"]),
        (least(kafka={"sasl": {"existingSecret": "s"}}), ["kafka.sasl.existingSecret", "kafka.sasl.mechanism"]),
        (least(kafka={"sasl": {"username": "u"}}), ["kafka.sasl.username", "kafka.sasl.mechanism"]),
        (least(kafka={"tls": {"ca": {"existingSecret": "s"}}}), ["kafka.tls.ca.existingSecret", "kafka.tls.enabled"]),
        (least(kafka={"tls": {"client": {"existingSecret": "s"}}}), ["kafka.tls.client.existingSecret", "kafka.tls.enabled"]),
        (least(kafka={"oauth": {"existingSecret": "s"}}), ["kafka.oauth.existingSecret", "config.kafka.oauth"]),
        (config(kafka={"oauth": {"tokenEndpoint": "https://t", "clientId": "b"}}), ["config.kafka.oauth", "kafka.oauth.existingSecret"]),
        (least(config={"kafka": {"oauth": {"clientId": "b"}}}, kafka={"oauth": {"existingSecret": "s"}}), ["config.kafka.oauth", "tokenEndpoint"]),
        (least(config={"kafka": {"oauth": {"tokenEndpoint": "https://t", "clientId": "b"}}}, kafka={"oauth": {"existingSecret": "s"}, "sasl": {"mechanism": "PLAIN", "existingSecret": "s", "username": "u"}}), ["kafka.sasl.mechanism", "config.kafka.oauth"]),
        (least(config={"kafka": {"properties": {"security.protocol": "SSL"}}}, kafka={"tls": {"enabled": True}}), ["config.kafka.properties.security.protocol", "kafka.tls"]),
        (least(config={"kafka": {"properties": {"sasl.mechanisms": "PLAIN"}}}, kafka={"sasl": {"mechanism": "PLAIN", "existingSecret": "s", "username": "u"}}), ["config.kafka.properties.sasl.mechanisms", "kafka.sasl"]),
        (merged(INSTALLED, {"application": {"existingSecret": ""}}), ["config.application.clientId", "application.existingSecret"]),
        (merged(INSTALLED, {"config": {"application": {"publicURL": ""}}}), ["config.application.clientId", "config.application.publicURL"]),
        (merged(INSTALLED, {"application": {"previousSealingKeys": [{"keyId": "1", "secretKey": "k"}]}}), ["application.sealingKeyId", "application.previousSealingKeys"]),
        (least(application={"existingSecret": "s"}), ["application.existingSecret", "config.application.clientId"]),
        (config(subscriptions={"online": ["crm.deal"]}), ["config.subscriptions", "config.application.clientId"]),
        (config(offline={"batchRows": 5}), ["config.offline", "config.application.clientId"]),
        (least(autoscaling={"enabled": True, "minReplicas": 5, "maxReplicas": 4}), ["autoscaling.minReplicas 5", "autoscaling.maxReplicas 4"]),
        (least(adopt={"ordinals": [1]}), ["adopt.ordinals", "replicaCount"]),
        (least(adopt={"ordinals": [1]}, autoscaling={"enabled": True}), ["adopt.ordinals", "autoscaling.minReplicas"]),
        (least(adopt={"ordinals": [4]}, persistence={"enabled": False, "acceptLoss": True}), ["adopt.ordinals", "persistence.enabled"]),
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
            (config(journal={"maxByte": "1GiB"}), "maxByte"), (config(htpp={}), "htpp"), (least(replicacount=3), "replicacount"),
            (config(kafka={"oauth": {"clientID": "x"}}), "clientID"), (least(kafka={"sasl": {"user": "x"}}), "user"),
            (config(shutdownDelay=10), "shutdownDelay"), (config(shutdownDelay="10"), "shutdownDelay"), (config(journal={"maxBytes": "8G"}), "maxBytes"),
            (least(extraEnv=[{"name": "B24_HTTP_PORT", "value": "1"}]), "extraEnv"), (least(persistence={"size": "12GiB"}), "size"),
            (config(offline={"wakeBy": ["pull"]}), "wakeBy"), (least(portals={"static": [{"memberID": "x"}]}), "memberID"),
        ]:
            with self.subTest(part):
                self.assertIn(part, refusal(values))


class Notes(unittest.TestCase):
    def test_they_say_what_to_enter_in_bitrix24(self) -> None:
        text = notes(merged(INSTALLED, {"config": {"http": {"installPath": "/here"}}}))
        self.assertIn("https://bridge.example/here", text)
        self.assertNotIn("YOUR-HOST", text)
        self.assertIn("https://YOUR-HOST/b24/events/MEMBER_ID", notes(LEAST))
        self.assertIn("helm test bridge --namespace bitrix24", notes(LEAST))

    def test_they_warn(self) -> None:
        for values, words in [(least(replicaCount=1), "One replica"), (config(journal={"sync": False}), "config.journal.sync"), (LEAST, "Neither ingress"),
                              (least(replicaCount=0), "nobody takes events"), (least(persistence={"whenScaled": "Delete"}), "persistence.whenScaled"),
                              (least(kafka={"sasl": {"mechanism": "PLAIN", "existingSecret": "s", "username": "u"}}), "the password too")]:
            with self.subTest(words):
                self.assertIn(words, notes(values))
        self.assertNotIn("One replica", notes(LEAST))
