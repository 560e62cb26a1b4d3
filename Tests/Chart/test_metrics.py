"""The metrics of the alerts and panels are those of a real bridge, `serve --dev`."""
from __future__ import annotations

import functools
import re
import tempfile
import time
import unittest
import urllib.request
from pathlib import Path

from bridge import EVENT, ROOT, Bridge, environment, status
from watch import alerts, promtool, queries, rule, used

# What only a bridge shows that has watched a portal for a week; that it is one of its metrics, its source tells.
AFTER_A_WEEK = {"b24bridge_portal_longest_silence_seconds": {"portal"}}


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
    settings = environment(
        HTTP_HOST="127.0.0.1", HTTP_PORT="0", ADMIN_PORT="0", HTTP_ALLOWED_NETWORKS="127.0.0.0/8,bitrix24-world,bitrix24-russia",
        APPLICATION_CLIENT_ID="local.5c8bb1b0891cf2.87252039", APPLICATION_CLIENT_SECRET="s" * 50,
        APPLICATION_PUBLIC_URL="http://127.0.0.1:8080", APPLICATION_STAND_IN="http://127.0.0.1:9", SECRETS_KEY="A" * 43 + "=",
        SUBSCRIPTIONS_ONLINE="crm.deal", SUBSCRIPTIONS_OFFLINE="crm.contact", SUBSCRIPTIONS_AUTH_CONNECTOR="kafka-bridge")
    with tempfile.TemporaryDirectory() as folder, \
            Bridge.serve(Path(folder, "log"), "--dev", "--log-format", "json", env=settings, cwd=Path(folder)) as bridge:
        status(f"{bridge.events}/b24/events", EVENT)
        deadline = time.monotonic() + 10
        while True:
            with urllib.request.urlopen(f"{bridge.admin}/metrics", timeout=10) as answer:
                shown = Exposition(answer.read().decode())
            # What an event changes is there when it has been looked at.
            if time.monotonic() > deadline or not used() - set(AFTER_A_WEEK) - set(shown.labels):
                bridge.stop()
                return shown
            time.sleep(0.1)


class MetricTests(unittest.TestCase):
    def test_promtool_finds_nothing_to_better_in_what_the_bridge_shows(self) -> None:
        checked = promtool("check", "metrics", input=exposition().text)
        self.assertEqual((checked.returncode, checked.stdout + checked.stderr), (0, ""))

    def test_every_metric_label_and_value_of_an_alert_exists(self) -> None:
        shown = exposition()
        for name, alert in alerts(rule()).items():
            with self.subTest(name):
                self.assertEqual(shown.faults(alert["expr"]), [])

    def test_every_metric_label_and_value_of_a_panel_exists(self) -> None:
        shown = exposition()
        for title, expression, legend in queries():
            with self.subTest(title):
                self.assertEqual(shown.faults(expression, legend), [])

    def test_every_metric_is_in_a_panel(self) -> None:
        shown = " ".join(expression for _, expression, _ in queries())
        names = {re.sub(r"_(bucket|sum|count)$", "", name) if f"{name.rsplit('_', 1)[0]}_bucket" in exposition().labels
                 else name for name in exposition().labels}
        # Faults of the program itself; none is expected.
        names -= {"metrics_label_overflows_total", "metrics_conflicts_total"}
        self.assertEqual([name for name in sorted(names) if name not in shown], [])

    def test_what_takes_a_week_is_a_metric_of_the_bridge(self) -> None:
        source = "".join(path.read_text() for path in (ROOT / "Sources" / "Bridge").glob("BridgeMetrics*.swift"))
        for name in AFTER_A_WEEK:
            self.assertTrue(f'"{name.removeprefix("b24bridge_")}"' in source, f"{name} is in no BridgeMetrics*.swift")
