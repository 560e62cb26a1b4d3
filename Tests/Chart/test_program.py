"""What the chart writes, against the program: each configuration is accepted, and the commands of the pods do what they are for."""
from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import tempfile
import unittest
from pathlib import Path

import examples
import yaml
from bridge import EVENT, PORTAL, Bridge, environment, kafka, program, status
from chart import KAFKA, LEAST, NAME, least, one, render
from pod import mounted, pod
from schema import LEAVES, SETTABLE

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
            file.write_text(self.moved(content or invented(path)))

    def moved(self, text: str) -> str:
        here = {"/etc/b24bridge": "etc", "/var/lib/b24bridge": "var", "/tmp": "tmp"}
        return re.sub("|".join(here), lambda there: str(self.folder / here[there.group()]), text)

    def command(self, spec: dict) -> list[str]:
        each = spec["containers"][0]
        command = [self.moved(part) for part in each.get("command", [])] or [str(program("b24bridge"))]
        return command + [self.moved(part) for part in each["args"]]


class TheProgram(unittest.TestCase):
    def start(self, values: dict, change=lambda made: made) -> subprocess.Popen:
        """`b24bridge check` of what the chart writes."""
        root = Root(self.enterContext(tempfile.TemporaryDirectory()), render(values), pod(values))
        file = root.folder / "etc" / "b24bridge.yaml"
        made = change(yaml.safe_load(file.read_text()))
        # Nobody is asked: neither brokers nor Bitrix24's lists.
        made["kafka"]["bootstrapServers"] = "127.0.0.1:1"
        if "allowedNetworks" in made["http"]:
            made["http"]["allowedNetworks"] = [n for n in made["http"]["allowedNetworks"] if not n.startswith("bitrix24")]
        if "oauth" in made["kafka"]:
            made["kafka"]["oauth"]["tokenEndpoint"] = "https://127.0.0.1:1/token"
        file.write_text(yaml.safe_dump(made))
        return subprocess.Popen([str(program("b24bridge")), "check", "--config", str(file), "--timeout", "1"], text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def assertAccepted(self, check: subprocess.Popen) -> None:
        errors = check.communicate(timeout=60)[1]
        self.assertIn(check.returncode, [0, 1], errors)

    def test_it_accepts_the_configuration_of_every_set(self) -> None:
        # Each waits a second for brokers that are not there.
        for name, check in [(name, self.start(values)) for name, values in examples.sets()]:
            with self.subTest(name):
                self.assertAccepted(check)

    def test_it_accepts_every_key_of_the_schema(self) -> None:
        self.assertEqual(set(leaves_of(EVERY_KEY)), SETTABLE, "EVERY_KEY has all keys")
        items = LEAVES["subscriptions.portals"]["items"]["properties"]
        self.assertEqual(set(EVERY_KEY["subscriptions"]["portals"][0]), set(items))
        self.assertAccepted(self.start({
            "config": EVERY_KEY, "application": {"existingSecret": "a", "sealingKeyId": "2", "previousSealingKeys": [{"keyId": "1x", "secretKey": "k"}]},
            "kafka": {"tls": {"enabled": True, "ca": {"existingSecret": "c"}, "client": {"existingSecret": "c"}}, "oauth": {"existingSecret": "o"}},
            "portals": {"static": [{**PORTAL, "domain": "d.example", "webhookTokens": ["w"]}], "registry": True}}))

    def test_it_refuses_a_key_that_it_does_not_know(self) -> None:
        def misspelt(made: dict) -> dict:
            made["journal"]["maxByte"] = 1
            return made

        check = self.start(LEAST, misspelt)
        self.assertIn("journal.maxByte", check.communicate(timeout=60)[1])
        self.assertEqual(check.returncode, 2)


def leaves_of(values: dict, path: str = "") -> list[str]:
    maps = ["kafka.properties", "kafka.oauth.extensions"]
    return [leaf for name, below in values.items() for here in [f"{path}.{name}" if path else name]
            for leaf in (leaves_of(below, here) if isinstance(below, dict) and here not in maps else [here])]


class TheCommandsOfPods(unittest.TestCase):
    """What the pods of the test and of the Jobs run, against a bridge that runs as its pod does, and an in-process Kafka."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.servers = cls.enterClassContext(kafka(1, "bitrix24.bridge.portals"))

    def setUp(self) -> None:
        self.folder = self.enterContext(tempfile.TemporaryDirectory())

    def environment(self, servers: str = "") -> dict[str, str]:
        # The image has the program on its PATH.
        return environment(REPLICA="bridge-0", KAFKA_BOOTSTRAP_SERVERS=servers or self.servers, HTTP_HOST="127.0.0.1", HTTP_PORT="0",
                           ADMIN_HOST="127.0.0.1", ADMIN_PORT="0", SHUTDOWN_DELAY="0s") | {
            "PATH": f"{program('b24bridge').parent}:{os.environ['PATH']}", "TMPDIR": f"{self.folder}/tmp"}

    def serve(self, values: dict, servers: str = "") -> Bridge:
        command = Root(self.folder, render(values), pod(values)).command(pod(values))
        bridge = self.enterContext(Bridge.run(command, Path(self.folder, "log"), self.environment(servers)))
        bridge.wait_until_ready()
        return bridge

    def start_test_pod(self, values: dict, address: str) -> subprocess.Popen:
        test = one(render(values), "Pod")
        self.assertEqual(test["metadata"]["annotations"]["helm.sh/hook"], "test")
        root = Root(self.enterContext(tempfile.TemporaryDirectory()), render(values), test["spec"])
        command = [part.replace(f"http://{NAME}.bitrix24.svc:80", address) for part in root.command(test["spec"])]
        return subprocess.Popen(command, env=self.environment(), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def assertGood(self, test: subprocess.Popen) -> None:
        said, errors = test.communicate(timeout=120)
        self.assertEqual(test.returncode, 0, said + errors)
        self.assertIn("verdict: good", said)

    def test_the_helm_test_succeeds_with_a_bridge_and_fails_without(self) -> None:
        bridge = self.serve(LEAST)
        without = self.start_test_pod(LEAST, "http://127.0.0.1:1")
        self.assertGood(self.start_test_pod(LEAST, bridge.events))
        said, errors = without.communicate(timeout=120)
        self.assertEqual(without.returncode, 1, said + errors)
        self.assertIn("nobody answers", errors)

    def test_the_helm_test_brings_a_portal_where_the_file_has_none_and_takes_it_away(self) -> None:
        values = {"config": KAFKA["config"], "portals": {"registry": True}}
        self.assertGood(self.start_test_pod(values, self.serve(values).events))
        listed = subprocess.run([str(program("b24bridge")), "portals", "list", "--config", f"{self.folder}/etc/b24bridge.yaml", "--json"],
                                env=self.environment(), text=True, capture_output=True)
        self.assertEqual(listed.returncode, 0, listed.stderr)
        self.assertNotIn("connected", listed.stdout)

    def test_adopting_delivers_what_a_replica_left(self) -> None:
        bridge = self.serve(LEAST, "127.0.0.1:1")
        self.assertEqual(status(f"{bridge.events}/b24/events", EVENT), 200)
        bridge.stop(signal.SIGKILL)
        values = least(adopt={"ordinals": [2]})
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
        return subprocess.run([*command, "--json"], env=self.environment(), text=True, capture_output=True, timeout=120)
