"""What watches the bridge: scraping, alerts, their unit tests and runbook, the dashboard, and that each metric exists.

promtool (Debian's package prometheus) tests the rules. The metrics are those of a real bridge, `serve --dev`, as far as one
was built; with B24_STRICT=1 it must have been.
"""
from __future__ import annotations

import functools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.parse
import urllib.request
from pathlib import Path

import yaml

from chart import CHART, one, refusal, render

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BRIDGE = ROOT / ".build" / os.environ.get("CONFIGURATION", "debug") / "b24bridge"
STRICT = os.environ.get("B24_STRICT") == "1"


# What only a bridge shows that has watched a portal for a week; that it is one of its metrics, its source tells.
AFTER_A_WEEK = {"b24bridge_portal_longest_silence_seconds": {"portal"}}


def values(**metrics: dict) -> dict:
    """The least that the chart needs, and these metrics."""
    return {"config": {"kafka": {"bootstrapServers": "kafka:9092"}},
            "portals": {"existingSecret": "portals"}, "metrics": metrics}


def promtool(*words: str, **options: object) -> subprocess.CompletedProcess:
    if not shutil.which("promtool"):
        if STRICT:
            raise AssertionError("promtool is missing; Debian has it in the package prometheus")
        raise unittest.SkipTest("promtool is missing; Debian has it in the package prometheus")
    return subprocess.run(["promtool", *words], text=True, capture_output=True, **options)


def bridge() -> str:
    if not BRIDGE.exists():
        if STRICT:
            raise AssertionError(f"{BRIDGE} is missing: swift build")
        raise unittest.SkipTest(f"{BRIDGE} is missing: swift build")
    return str(BRIDGE)


def rule(**settings: object) -> dict:
    """The spec of the PrometheusRule, for the series of the unit tests."""
    settings = {"enabled": True, "selector": {"job": "bridge", "namespace": "bitrix24"}, **settings}
    return one(render(values(prometheusRule=settings)), "PrometheusRule")["spec"]


def alerts(spec: dict) -> dict[str, dict]:
    return {alert["alert"]: alert for group in spec["groups"] for alert in group["rules"]}


def dashboard() -> dict:
    return json.loads((CHART / "dashboards" / "b24bridge.json").read_text())


def queries() -> list[tuple[str, str, str]]:
    """Panel, expression and legend of each of the dashboard's queries."""
    return [(panel["title"], target["expr"], target["legendFormat"])
            for panel in dashboard()["panels"] for target in panel.get("targets", [])]


def used() -> set[str]:
    """The metrics of all alerts and panels."""
    expressions = [alert["expr"] for alert in alerts(rule()).values()] + [expression for _, expression, _ in queries()]
    return set(re.findall(r"\b(?:b24bridge|process)_\w+", " ".join(expressions)))


class ScrapingTests(unittest.TestCase):
    def test_the_admin_service_is_scraped_once_for_each_pod_ready_or_not(self) -> None:
        documents = render(values(serviceMonitor={"enabled": True, "interval": "15s", "labels": {"release": "prometheus"}}))
        monitor = one(documents, "ServiceMonitor")
        endpoint, = monitor["spec"]["endpoints"]
        self.assertEqual((endpoint["port"], endpoint["path"], endpoint["interval"]), ("admin", "/metrics", "15s"))
        self.assertEqual(monitor["metadata"]["labels"]["release"], "prometheus")
        services = [d for d in documents if d["kind"] == "Service"]
        if not services:
            self.skipTest("the chart has no Services yet")
        keep = endpoint["relabelings"][0]
        self.assertEqual((keep["action"], keep["sourceLabels"]), ("keep", ["__meta_kubernetes_service_name"]))
        selected = [s for s in services if monitor["spec"]["selector"]["matchLabels"].items() <= s["metadata"]["labels"].items()
                    and s["metadata"]["name"] == keep["regex"] and "admin" in [p["name"] for p in s["spec"]["ports"]]]
        self.assertEqual([s["metadata"]["name"] for s in selected], ["bridge-bitrix24-kafka-bridge-admin"])

    def test_nothing_is_made_that_was_not_asked_for(self) -> None:
        kinds = {d["kind"] for d in render(values(dashboard={"enabled": True}))}
        self.assertFalse(kinds & {"ServiceMonitor", "PrometheusRule"})


class AlertTests(unittest.TestCase):
    def test_promtool_accepts_the_rules_and_they_pass_their_unit_tests(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "rules.yaml").write_text(yaml.safe_dump(rule(), width=1000))
            checked = promtool("check", "rules", "rules.yaml", cwd=folder)
            self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)
            files = sorted((HERE / "alerts").glob("*.test.yaml"))
            self.assertTrue(files)
            for file in files:
                with self.subTest(file.name):
                    shutil.copy(file, folder)
                    tested = promtool("test", "rules", file.name, cwd=folder)
                    self.assertEqual(tested.returncode, 0, tested.stdout + tested.stderr)

    def test_each_alert_is_seen_to_fire_and_not_to(self) -> None:
        fires, rests = set(), set()
        for file in (HERE / "alerts").glob("*.test.yaml"):
            for test in yaml.safe_load(file.read_text())["tests"]:
                fires |= {e["alertname"] for e in test.get("alert_rule_test", []) if e["exp_alerts"]}
                for expectation in test["promql_expr_test"]:
                    name = re.search(r'alertname="(\w+)"', expectation["expr"]).group(1)
                    (fires if expectation["exp_samples"] else rests).add(name)
        self.assertEqual(fires, set(alerts(rule())))
        self.assertEqual(rests, set(alerts(rule())))

    def test_each_alert_has_a_section_of_the_runbook_and_each_section_an_alert(self) -> None:
        sections = re.findall(r"^## (B24Bridge\w+)$", (CHART / "RUNBOOK.md").read_text(), re.MULTILINE)
        self.assertEqual(sorted(sections), sorted(alerts(rule())))
        self.assertEqual(sections, list(alerts(rule())), "the runbook has the order of the rules")

    def test_each_alert_says_what_it_is_about(self) -> None:
        address = "https://git.example/b24bridge/RUNBOOK.md#"
        for name, alert in alerts(rule(runbookURL=address)).items():
            with self.subTest(name):
                self.assertIn(alert["labels"]["severity"], ("critical", "warning"))
                annotations = alert["annotations"]
                self.assertEqual(annotations["runbook_url"], address + name.lower())
                self.assertLess(len(annotations["summary"]), 90)
                self.assertNotIn("\n", annotations["description"])
                # Whatever the rule groups by is told.
                grouped = set(re.findall(r"\w+", re.findall(r"by \(([\w, ]+)\)", alert["expr"])[0])) - {"le"}
                if "count by (namespace) (count" in alert["expr"]:
                    grouped = {"namespace"}
                told = set(re.findall(r"\$labels\.(\w+)", annotations["summary"] + annotations["description"]))
                self.assertLessEqual(grouped - ({"namespace"} if grouped == {"namespace", "portal"} or "list" in grouped
                                                else set()), told)
                self.assertLessEqual(told, grouped)

    def test_few_alerts_wake_somebody(self) -> None:
        critical = [name for name, alert in alerts(rule()).items() if alert["labels"]["severity"] == "critical"]
        self.assertEqual(critical, ["B24BridgeEventsLost", "B24BridgeNoReplicaReady", "B24BridgeNoEvents",
                                    "B24BridgeJournalFullSoon", "B24BridgeParkedJournalFullSoon",
                                    "B24BridgeRecordsUnreadable"])

    def test_every_metric_of_a_rule_is_chosen_from_this_release(self) -> None:
        chosen = '{job="bridge-bitrix24-kafka-bridge-admin",namespace="bitrix24"'
        for name, alert in alerts(rule(selector={})).items():
            for metric, rest in re.findall(r"\b((?:b24bridge|process)_\w+)(.{0,80})", alert["expr"]):
                self.assertTrue(rest.startswith(chosen), f"{name}: {metric}{rest}")

    def test_thresholds_and_replicas_are_values(self) -> None:
        names = yaml.safe_load((CHART / "values.yaml").read_text())["metrics"]["prometheusRule"]["thresholds"]
        schema = json.loads((CHART / "values.schema.json").read_text())["definitions"]
        described = schema["metrics"]["properties"]["prometheusRule"]["properties"]["thresholds"]["properties"]
        self.assertEqual(set(names), set(described))
        self.assertEqual(schema["alertName"]["enum"], list(alerts(rule())))
        before = json.dumps(rule())
        for name, value in names.items():
            with self.subTest(name):
                other = value + 1 if value >= 1 else value / 2
                self.assertNotEqual(json.dumps(rule(thresholds={name: other})), before)
                self.assertIn(name, refusal(values(prometheusRule={"enabled": True, "thresholds": {name: None}})))
                self.assertIn(name, refusal(values(prometheusRule={"thresholds": {name: "much"}})))
        scaled = {**values(prometheusRule={"enabled": True}), "replicaCount": 5}
        self.assertIn("< 5", alerts(one(render(scaled), "PrometheusRule")["spec"])["B24BridgeReplicaMissing"]["expr"])
        scaled["autoscaling"] = {"enabled": True, "minReplicas": 3, "maxReplicas": 6}
        self.assertIn("< 3", alerts(one(render(scaled), "PrometheusRule")["spec"])["B24BridgeReplicaMissing"]["expr"])

    def test_alerts_can_be_left_out_changed_and_labelled(self) -> None:
        changed = alerts(rule(disabled=["B24BridgeNoEvents"], alertLabels={"team": "crm"},
                              overrides={"B24BridgeNoReplicaReady": {"for": "9m", "severity": "page"}}))
        self.assertNotIn("B24BridgeNoEvents", changed)
        self.assertEqual(changed["B24BridgeNoReplicaReady"]["for"], "9m")
        self.assertEqual(changed["B24BridgeNoReplicaReady"]["labels"], {"severity": "page", "team": "crm"})
        self.assertEqual(changed["B24BridgeEventsLost"]["labels"], {"severity": "critical", "team": "crm"})
        self.assertIn("disabled", refusal(values(prometheusRule={"disabled": ["B24BridgeNoEvent"]})))
        self.assertIn("B24BridgeNoEvent", refusal(values(prometheusRule={"overrides": {"B24BridgeNoEvent": {}}})))


class RunbookTests(unittest.TestCase):
    def setUp(self) -> None:
        self.text = (CHART / "RUNBOOK.md").read_text()

    def test_each_link_leads_to_a_section(self) -> None:
        sections = {name.lower() for name in re.findall(r"^## (\w+)$", self.text, re.MULTILINE)}
        self.assertEqual(set(re.findall(r"\]\(#(\w+)\)", self.text)) - sections, set())
        for file in re.findall(r"\]\(([^#)]+)\)", self.text):
            self.assertTrue((CHART / file).exists(), file)

    def test_each_panel_that_it_names_is_in_the_dashboard(self) -> None:
        titles = " ".join(panel["title"] for panel in dashboard()["panels"])
        for line in re.findall(r"dashboard's (?:panel )?([^.;:]*)", self.text.replace("\n", " ")):
            for name in re.findall(r'"([^"]+)"', line):
                self.assertIn(name, titles)

    def test_each_command_exists_with_its_options(self) -> None:
        commands = re.findall(r"\bb24(?:bridge)? ((?:[a-z-]+ ?)+[^`#\n|<]*)", self.text)
        self.assertGreater(len(commands), 40)
        known: dict[str, str] = {}
        for command in commands:
            words = command.split()
            names = [word for word in words[:2] if re.fullmatch("[a-z-]+", word) and not word.startswith("-")]
            name = " ".join(names)
            if name not in known:
                help_ = subprocess.run([bridge(), *names, "--help"], text=True, capture_output=True)
                self.assertEqual(help_.returncode, 0, f"{command}\n{help_.stderr}")
                known[name] = help_.stdout
            for option in re.findall(r"(?<!\S)--[a-z0-9-]+", command):
                with self.subTest(command):
                    self.assertRegex(known[name], rf"\s{option}\b")


class DashboardTests(unittest.TestCase):
    def test_the_json_is_what_the_description_says(self) -> None:
        written = subprocess.run([sys.executable, str(CHART / "dashboards" / "dashboard.py")], check=True, text=True,
                                 capture_output=True).stdout
        self.assertEqual((CHART / "dashboards" / "b24bridge.json").read_text(), written,
                         "write it anew: cd charts/bitrix24-kafka-bridge/dashboards && ./dashboard.py > b24bridge.json")

    def test_the_configmap_has_it_under_the_sidecars_label(self) -> None:
        configmap = one(render(values(dashboard={"enabled": True})), "ConfigMap",
                        "bridge-bitrix24-kafka-bridge-dashboard")
        self.assertEqual(configmap["metadata"]["labels"]["grafana_dashboard"], "1")
        self.assertEqual(json.loads(configmap["data"]["b24bridge.json"]), dashboard())

    def test_each_panel_has_a_description_a_unit_a_place_and_a_source_to_choose(self) -> None:
        board = dashboard()
        self.assertEqual([v["name"] for v in board["templating"]["list"]], ["datasource", "namespace", "job", "replica"])
        self.assertEqual(len({p["id"] for p in board["panels"]}), len(board["panels"]))
        taken: set[tuple[int, int]] = set()
        for panel in board["panels"]:
            with self.subTest(panel["title"]):
                place = panel["gridPos"]
                cells = {(x, y) for x in range(place["x"], place["x"] + place["w"])
                         for y in range(place["y"], place["y"] + place["h"])}
                self.assertFalse(cells & taken, "it lies on another")
                self.assertLessEqual(place["x"] + place["w"], 24)
                taken |= cells
                if panel["type"] == "row":
                    continue
                self.assertTrue(panel["description"].endswith("."))
                self.assertTrue(panel["fieldConfig"]["defaults"]["unit"])
                self.assertTrue(panel["targets"])
                for target in panel["targets"]:
                    self.assertEqual(target["datasource"]["uid"], "${datasource}")

    def test_prometheus_can_read_each_query(self) -> None:
        rules = [{"record": f"panel:{index}", "expr": re.sub(r"\$__rate_interval|\$__range", "5m", expression)}
                 for index, (_, expression, _) in enumerate(queries())]
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "queries.yaml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
            checked = promtool("check", "rules", "queries.yaml", cwd=folder)
        self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)


class Exposition:
    """What a bridge shows at /metrics: for each name, the values of each label."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.labels: dict[str, dict[str, set[str]]] = {}
        for line in text.splitlines():
            sample = re.match(r"(\w+)(?:\{(.*)\})? \S+$", line)
            if sample:
                labels = self.labels.setdefault(sample.group(1), {})
                for name, value in re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', sample.group(2) or ""):
                    labels.setdefault(name, set()).add(value)

    def faults(self, expression: str, legend: str = "") -> list[str]:
        """What is not there of an expression's metrics, labels and their values."""
        faults, known = [], {"namespace", "pod", "job"}
        uses = re.findall(r"\b((?:b24bridge|process)_\w+)(?:\{([^}]*)\})?", expression)
        for name, matchers in uses:
            if name in AFTER_A_WEEK:
                known |= AFTER_A_WEEK[name]
                continue
            if name not in self.labels:
                return [*faults, f"{name} does not exist"]
            known |= set(self.labels[name])
            for label, operator, value in re.findall(r'(\w+)(=~|!=|!~|=)"([^"]*)"', matchers):
                if label in ("namespace", "pod", "job"):
                    continue
                for alternative in value.split("|"):
                    if alternative not in self.labels[name].get(label, set()):
                        faults.append(f"{name} has no {label}={alternative}")
        grouped = re.findall(r"\b(?:by|on) \(([^)]*)\)", expression)
        for label in {word for words in grouped for word in re.findall(r"\w+", words)} | set(re.findall(r"{{(\w+)}}", legend)):
            if label not in known:
                faults.append(f"none of {sorted(name for name, _ in uses)} has the label {label}")
        return faults


@functools.cache
def exposition() -> Exposition:
    """Of a bridge that is an application with a registry, offline queues and lists of senders, and took one event."""
    settings = {
        "HTTP_HOST": "127.0.0.1", "HTTP_PORT": "0", "ADMIN_PORT": "0",
        "HTTP_ALLOWED_NETWORKS": "127.0.0.0/8,bitrix24-world,bitrix24-russia",
        "APPLICATION_CLIENT_ID": "local.5c8bb1b0891cf2.87252039", "APPLICATION_CLIENT_SECRET": "s" * 50,
        "APPLICATION_PUBLIC_URL": "http://127.0.0.1:8080", "APPLICATION_STAND_IN": "http://127.0.0.1:9",
        "SECRETS_KEY": "A" * 43 + "=", "SUBSCRIPTIONS_ONLINE": "crm.deal", "SUBSCRIPTIONS_OFFLINE": "crm.contact",
        "SUBSCRIPTIONS_AUTH_CONNECTOR": "kafka-bridge",
    }
    environment = {name: value for name, value in os.environ.items() if not name.startswith("B24_")}
    environment |= {f"B24_{name}": value for name, value in settings.items()}
    with tempfile.TemporaryDirectory() as folder, open(Path(folder, "log"), "w+") as log:
        process = subprocess.Popen([bridge(), "serve", "--dev", "--log-format", "json"], env=environment, cwd=folder,
                                   stdout=subprocess.DEVNULL, stderr=log)
        try:
            events, admin = (_address(process, Path(folder, "log"), listener) for listener in ("events", "admin"))
            event = {"event": "ONCRMDEALUPDATE", "data[FIELDS][ID]": "4711", "ts": "1466439714",
                     "auth[domain]": "portal.bitrix24.com", "auth[member_id]": "a223c6b3710f85df22e9377d6c4f7553",
                     "auth[application_token]": "51856fefc120afa4b628cc82d3935cce"}
            body = urllib.parse.urlencode(event).encode()
            urllib.request.urlopen(f"http://{events}/b24/events", data=body, timeout=10).close()
            deadline = time.monotonic() + 10
            while True:
                with urllib.request.urlopen(f"http://{admin}/metrics", timeout=10) as answer:
                    shown = Exposition(answer.read().decode())
                # What an event changes is there when it has been looked at.
                if time.monotonic() > deadline or not used() - set(AFTER_A_WEEK) - set(shown.labels):
                    return shown
                time.sleep(0.1)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def _address(process: subprocess.Popen, log: Path, listener: str) -> str:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        for line in log.read_text().splitlines():
            entry = json.loads(line) if line.endswith("}") else {}
            if entry.get("listener") == listener and "address" in entry:
                return entry["address"]
        time.sleep(0.05)
    raise AssertionError("the bridge did not start:\n" + log.read_text())


class MetricTests(unittest.TestCase):
    def test_promtool_finds_nothing_to_better_in_what_the_bridge_shows(self) -> None:
        checked = promtool("check", "metrics", input=exposition().text)
        self.assertEqual((checked.returncode, checked.stdout + checked.stderr), (0, ""))

    def test_every_metric_label_and_value_of_an_alert_exists(self) -> None:
        for name, alert in alerts(rule()).items():
            with self.subTest(name):
                self.assertEqual(exposition().faults(alert["expr"]), [])

    def test_every_metric_label_and_value_of_a_panel_exists(self) -> None:
        for title, expression, legend in queries():
            with self.subTest(title):
                self.assertEqual(exposition().faults(expression, legend), [])

    def test_every_metric_is_in_a_panel(self) -> None:
        shown = " ".join(expression for _, expression, _ in queries())
        names = {re.sub(r"_(bucket|sum|count)$", "", name) if f"{name.rsplit('_', 1)[0]}_bucket" in exposition().labels
                 else name for name in exposition().labels}
        # Faults of the program itself; none is expected.
        names -= {"metrics_label_overflows_total", "metrics_conflicts_total"}
        self.assertEqual([name for name in sorted(names) if name not in shown], [])

    def test_what_takes_a_week_is_a_metric_of_the_bridge(self) -> None:
        source = (ROOT / "Sources" / "Bridge" / "BridgeMetrics.swift").read_text()
        for name in AFTER_A_WEEK:
            self.assertTrue(f'"{name.removeprefix("b24bridge_")}"' in source, f"{name} is not in BridgeMetrics.swift")


if __name__ == "__main__":
    unittest.main()
