"""The alerts and the dashboard, as their tests read them, and promtool, which knows what Prometheus takes."""
from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys

from bridge import lacking
from chart import CHART, least, one, render

DASHBOARD = CHART / "dashboards" / "b24bridge.json"


def promtool(*words: str, **options: object) -> subprocess.CompletedProcess:
    if not shutil.which("promtool"):
        raise lacking("promtool is missing; Debian has it in the package prometheus")
    return subprocess.run(["promtool", *words], text=True, capture_output=True, **options)


def rule(**settings: object) -> dict:
    """The spec of the PrometheusRule, for the series of the unit tests."""
    settings = {"enabled": True, "selector": {"job": "bridge", "namespace": "bitrix24"}, **settings}
    return one(render(least(metrics={"prometheusRule": settings})), "PrometheusRule")["spec"]


def alerts(spec: dict) -> dict[str, dict]:
    return {alert["alert"]: alert for group in spec["groups"] for alert in group["rules"]}


def dashboard() -> dict:
    return json.loads(DASHBOARD.read_text())


def described() -> str:
    """The dashboard as its description makes it."""
    return subprocess.run([sys.executable, str(DASHBOARD.with_name("dashboard.py"))], check=True, text=True, stdout=subprocess.PIPE).stdout


def write() -> int:
    content = described()
    if DASHBOARD.read_text() != content:
        DASHBOARD.write_text(content)
        print(f"wrote {DASHBOARD.relative_to(CHART)}")
    return 0


def queries() -> list[tuple[str, str, str]]:
    """Panel, expression and legend of each of the dashboard's queries."""
    return [(panel["title"], target["expr"], target["legendFormat"])
            for panel in dashboard()["panels"] for target in panel.get("targets", [])]


def used() -> set[str]:
    """The metrics of all alerts and panels."""
    expressions = [alert["expr"] for alert in alerts(rule()).values()] + [expression for _, expression, _ in queries()]
    return set(re.findall(r"\b(?:b24bridge|process)_\w+", " ".join(expressions)))
