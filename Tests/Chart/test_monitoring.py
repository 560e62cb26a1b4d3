"""What watches the bridge: scraping, alerts with their unit tests and their runbook, the dashboard."""
from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import yaml
from bridge import program
from chart import CHART, NAME, least, one, refusal, render
from schema import SCHEMA, VALUES
from watch import DASHBOARD, alerts, dashboard, described, promtool, queries, rule

HERE = Path(__file__).resolve().parent


def values(**metrics: dict) -> dict:
    return least(metrics=metrics)


class ScrapingTests(unittest.TestCase):
    def test_the_admin_service_is_scraped_once_for_each_pod_ready_or_not(self) -> None:
        documents = render(values(serviceMonitor={"enabled": True, "interval": "15s", "labels": {"release": "prometheus"}}))
        monitor = one(documents, "ServiceMonitor")
        endpoint, = monitor["spec"]["endpoints"]
        self.assertEqual((endpoint["port"], endpoint["path"], endpoint["interval"]), ("admin", "/metrics", "15s"))
        self.assertEqual(monitor["metadata"]["labels"]["release"], "prometheus")
        services = [d for d in documents if d["kind"] == "Service"]
        keep = endpoint["relabelings"][0]
        self.assertEqual((keep["action"], keep["sourceLabels"]), ("keep", ["__meta_kubernetes_service_name"]))
        selected = [s for s in services if monitor["spec"]["selector"]["matchLabels"].items() <= s["metadata"]["labels"].items()
                    and s["metadata"]["name"] == keep["regex"] and "admin" in [p["name"] for p in s["spec"]["ports"]]]
        self.assertEqual([s["metadata"]["name"] for s in selected], [f"{NAME}-admin"])

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
                shutil.copy(file, folder)
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                for file, tested in zip(files, pool.map(lambda file: promtool("test", "rules", file.name, cwd=folder), files)):
                    with self.subTest(file.name):
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
        chosen = f'{{job="{NAME}-admin",namespace="bitrix24"'
        for name, alert in alerts(rule(selector={})).items():
            for metric, rest in re.findall(r"\b((?:b24bridge|process)_\w+)(.{0,80})", alert["expr"]):
                self.assertTrue(rest.startswith(chosen), f"{name}: {metric}{rest}")

    def test_thresholds_and_replicas_are_values(self) -> None:
        names = VALUES["metrics"]["prometheusRule"]["thresholds"]
        schema = SCHEMA["definitions"]
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
        scaled = values(prometheusRule={"enabled": True}) | {"replicaCount": 5}
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
                help_ = subprocess.run([str(program("b24bridge")), *names, "--help"], text=True, capture_output=True)
                self.assertEqual(help_.returncode, 0, f"{command}\n{help_.stderr}")
                known[name] = help_.stdout
            for option in re.findall(r"(?<!\S)--[a-z0-9-]+", command):
                with self.subTest(command):
                    self.assertRegex(known[name], rf"\s{option}\b")


class DashboardTests(unittest.TestCase):
    def test_the_json_is_what_the_description_says(self) -> None:
        self.assertEqual(DASHBOARD.read_text(), described(), "write it anew: make chart-rendered")

    def test_the_configmap_has_it_under_the_sidecars_label(self) -> None:
        configmap = one(render(values(dashboard={"enabled": True})), "ConfigMap",
                        f"{NAME}-dashboard")
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
