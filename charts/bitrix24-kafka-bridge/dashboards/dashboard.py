#!/usr/bin/env python3
"""Writes b24bridge.json, the Grafana dashboard, from the description below: dashboard.py > b24bridge.json

A panel is a title, what it tells, a unit of Grafana's, and queries with the legend of their series. The selection of
namespace, release and replicas is put into every query, so none stands here. What is too much is what the alerts say by
default (values.yaml); a release that has other thresholds has the same dashboard. The JSON is Grafana's classic model, which
its sidecar and every version from 11 on read.
"""
from __future__ import annotations

import json
import re
from pathlib import Path

SELECTION = 'namespace="$namespace",job="$job",pod=~"$replica"'
RATE = "$__rate_interval"
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
COLUMNS = 24
VALUES = Path(__file__).resolve().parents[1] / "values.yaml"


def threshold(name: str) -> float:
    """The default of metrics.prometheusRule.thresholds. One line of YAML is read, as whoever writes a dashboard may have Python
    and nothing else."""
    section = VALUES.read_text().partition("    thresholds:\n")[2]
    number = float(re.search(rf"^      {name}: ([0-9.]+)$", section, re.MULTILINE).group(1))
    return int(number) if number.is_integer() else number


# Of a portal, over all replicas: seconds since its last event, and its longest pause of the last 14 days, as the replica knows
# it that heard of it last.
SILENCE = "min by (portal) (b24bridge_portal_silence_seconds)"
LONGEST = ("max by (portal) (b24bridge_portal_longest_silence_seconds and on (pod, portal) "
           f"(b24bridge_portal_silence_seconds == on (portal) group_left () {SILENCE}))")
USUAL = f"clamp_min({threshold('silenceFactor')} * {LONGEST}, {threshold('silenceSeconds')})"


def selected(expression: str) -> str:
    """The expression with the selection in each of its metrics."""
    def select(match: re.Match) -> str:
        name, own = match.group(1), match.group(2)
        return f"{name}{{{SELECTION}{',' + own[1:-1] if own else ''}}}"
    return re.sub(r"\b((?:b24bridge|process)_\w+)(\{[^}]*\})?", select, expression)


def rate(metric: str, *labels: str) -> str:
    return f"sum by ({', '.join(labels)}) (rate({metric}[{RATE}]))"


def increase(metric: str, *labels: str) -> str:
    return f"sum by ({', '.join(labels)}) (increase({metric}[{RATE}]))"


def quantile(share: float, metric: str, *labels: str) -> str:
    return f"histogram_quantile({share}, sum by ({', '.join([*labels, 'le'])}) (rate({metric}_bucket[{RATE}])))"


class Panel:
    """One panel. `alarm`: from which value on it is red; `least`: below which it is."""

    def __init__(self, title: str, description: str, unit: str, *queries: tuple[str, str], kind: str = "timeseries",
                 width: int = 8, height: int = 7, stacked: bool = False, maximum: float | None = None,
                 alarm: float | None = None, least: float | None = None, decimals: int | None = None) -> None:
        self.title, self.description, self.unit, self.queries, self.kind = title, description, unit, queries, kind
        self.width, self.height, self.stacked = width, height, stacked
        self.maximum, self.alarm, self.least, self.decimals = maximum, alarm, least, decimals

    def json(self, number: int, x: int, y: int) -> dict:
        steps = [{"color": "green" if self.least is None else "red", "value": None}]
        if self.least is not None:
            steps.append({"color": "green", "value": self.least})
        if self.alarm is not None:
            steps.append({"color": "red", "value": self.alarm})
        defaults = {"unit": self.unit, "min": 0, "thresholds": {"mode": "absolute", "steps": steps}}
        if self.maximum is not None:
            defaults["max"] = self.maximum
        if self.decimals is not None:
            defaults["decimals"] = self.decimals
        panel = {
            "id": number, "type": self.kind, "title": self.title, "description": self.description, "datasource": SOURCE,
            "gridPos": {"x": x, "y": y, "w": self.width, "h": self.height},
            "fieldConfig": {"defaults": defaults, "overrides": []},
            "targets": [{"refId": chr(ord("A") + index), "datasource": SOURCE, "expr": selected(expression),
                         "legendFormat": legend, "editorMode": "code",
                         **({"instant": True, "range": False} if self.kind in ("stat", "table", "bargauge")
                            else {"instant": False, "range": True}),
                         **({"format": "table"} if self.kind == "table" else {})}
                        for index, (expression, legend) in enumerate(self.queries)],
        }
        panel["options"] = getattr(self, "_" + self.kind)(defaults)
        if self.kind == "table":
            panel["transformations"] = [{"id": "organize", "options": {"excludeByName": {"Time": True}}}]
        return panel

    def _timeseries(self, defaults: dict) -> dict:
        defaults["color"] = {"mode": "palette-classic"}
        defaults["custom"] = {
            "drawStyle": "line", "lineWidth": 1, "fillOpacity": 30 if self.stacked else 8, "showPoints": "never",
            "spanNulls": False, "stacking": {"mode": "normal" if self.stacked else "none", "group": "A"},
            "thresholdsStyle": {"mode": "line" if self.alarm is not None else "off"},
        }
        return {"legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
                "tooltip": {"mode": "multi", "sort": "desc"}}

    def _stat(self, defaults: dict) -> dict:
        defaults["color"] = {"mode": "thresholds"}
        return {"reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}, "colorMode": "value",
                "graphMode": "none", "justifyMode": "auto", "orientation": "auto", "textMode": "auto"}

    def _bargauge(self, defaults: dict) -> dict:
        defaults["color"] = {"mode": "palette-classic"}
        return {"reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}, "displayMode": "basic",
                "orientation": "horizontal", "showUnfilled": True, "valueMode": "text"}

    def _table(self, defaults: dict) -> dict:
        return {"showHeader": True, "cellHeight": "sm", "sortBy": [{"displayName": "Value", "desc": True}]}


def stat(title: str, description: str, unit: str, expression: str, alarm: float | None = None,
         least: float | None = None, decimals: int | None = None) -> Panel:
    return Panel(title, description, unit, (expression, ""), kind="stat", width=3, height=4, alarm=alarm, least=least,
                 decimals=decimals)


ROWS: list[tuple[str, list[Panel]]] = [
    ("Now", [
        stat("Ready replicas", "Replicas that take events. 0: everything that Bitrix24 calls is lost.", "none",
             "sum(b24bridge_ready)", least=1),
        stat("Lost in the time shown", "Events that were not taken, or that the disk did not keep for their portal's token. "
             "Bitrix24 does not send them again.", "none",
             "sum(increase(b24bridge_events_lost_total[$__range]))", alarm=1, decimals=0),
        stat("Events a second", "Events that were admitted, online and offline.", "reqps",
             f"sum(rate(b24bridge_events_admitted_total[{RATE}]))"),
        stat("Slowest answers (p99)", "One of a hundred events waits longer for its 200, at the slowest replica.", "s",
             f"max({quantile(0.99, 'b24bridge_answer_seconds', 'pod')})", alarm=threshold("answerSeconds")),
        stat("Oldest undelivered", "Age of the oldest record that Kafka has not confirmed and that is not parked.", "s",
             "max(b24bridge_oldest_undelivered_seconds)", alarm=threshold("undeliveredSeconds")),
        stat("Fullest journal", "Share of its quota that undelivered records hold. At 1 events are lost.", "percentunit",
             "max(b24bridge_journal_fill_ratio)", alarm=threshold("fillRatio")),
        stat("Without Kafka", "Replicas that reach no broker.", "none", "sum(b24bridge_kafka_unreachable)", alarm=1),
        stat("Silent portals", f"Portals silent for longer than {threshold('silenceFactor')} times their longest pause, and than "
             f"{threshold('silenceSeconds')} s: the alert's defaults.", "none", f"count({SILENCE} > {USUAL}) or vector(0)", alarm=1),
    ]),
    ("Taking", [
        Panel("Events by origin", "Admitted events a second: online by an application's token, webhook by an outgoing "
              "webhook's, offline fetched from a portal's queue.", "reqps",
              (rate("b24bridge_events_admitted_total", "origin"), "{{origin}}"), stacked=True),
        Panel("Answers by status", "Requests at the event listener, by the status that was answered. Anything but 200 of an "
              "event is not repeated by Bitrix24.", "reqps",
              (rate("b24bridge_answers_total", "status") + " > 0", "{{status}}"), stacked=True),
        Panel("Time to answer", "From the end of a request to its answer, of events that were taken. It is the disk's time.",
              "s", (quantile(0.5, "b24bridge_answer_seconds", "pod"), "p50 {{pod}}"),
              (quantile(0.99, "b24bridge_answer_seconds", "pod"), "p99 {{pod}}"), alarm=threshold("answerSeconds")),
        Panel("Lost events", "Events that were lost, by reason. Each is gone.", "none",
              (increase("b24bridge_events_lost_total", "reason"), "{{reason}}"), stacked=True, decimals=0, alarm=1),
        Panel("Refused calls", "Calls that were not taken, by reason. bad-token, unknown-portal and gone-portal become dead "
              "letters; address and the malformed ones are kept nowhere.", "reqps",
              (rate("b24bridge_requests_refused_total", "reason") + " > 0", "{{reason}}"), stacked=True),
        Panel("Dead letters", "Dead letters written, by reason, and those left out because their budget was used up.", "cps",
              (rate("b24bridge_dead_letters_total", "reason") + " > 0", "{{reason}}"),
              (rate("b24bridge_dead_letters_dropped_total", "pod") + " > 0", "left out at {{pod}}")),
        Panel("Requests by replica", "All requests at the event listener. An ingress that hashes by portal spreads them "
              "unevenly.", "reqps", (rate("b24bridge_requests_total", "pod"), "{{pod}}")),
        Panel("Connections", "Open connections of the event listener.", "none", ("b24bridge_connections", "{{pod}}")),
        Panel("Unusual contents", "Events that the catalog does not know, texts that were not UTF-8, calls of Bitrix24 that are "
              "no events. All are answered 200.", "cps",
              (rate("b24bridge_events_unknown_total", "pod"), "unknown events at {{pod}}"),
              (rate("b24bridge_texts_repaired_total", "pod"), "texts repaired at {{pod}}"),
              (rate("b24bridge_calls_not_events_total", "kind") + " > 0", "{{kind}}")),
    ]),
    ("Journal", [
        Panel("Fill", "Share of their quotas that undelivered and parked records hold. At 1 events are lost.", "percentunit",
              ("b24bridge_journal_fill_ratio", "{{pod}}"), ("b24bridge_parked_journal_fill_ratio", "parked {{pod}}"),
              maximum=1, alarm=threshold("fillRatio")),
        Panel("Oldest undelivered record", "Its age. It grows while Kafka is away.", "s",
              ("b24bridge_oldest_undelivered_seconds", "{{pod}}"), alarm=threshold("undeliveredSeconds")),
        Panel("Time until full", "At the net growth of the last minute; nothing is drawn while nothing grows.", "s",
              ("b24bridge_journal_until_full_seconds < Inf", "{{pod}}"),
              ("b24bridge_parked_journal_until_full_seconds < Inf", "parked {{pod}}")),
        Panel("Commit and sync (p99)", "A commit is a write and one fdatasync, shared by all requests that wait.", "s",
              (quantile(0.99, "b24bridge_journal_commit_seconds", "pod"), "commit {{pod}}"),
              (quantile(0.99, "b24bridge_journal_sync_seconds", "pod"), "sync {{pod}}")),
        Panel("Records committed and records of one commit", "Records made durable a second, and how many shared a commit.",
              "none", (rate("b24bridge_records_committed_total", "pod"), "a second at {{pod}}"),
              (rate("b24bridge_records_committed_total", "pod") + " / "
               + rate("b24bridge_journal_commit_seconds_count", "pod"), "in one commit at {{pod}}")),
        Panel("On disk", "Bytes of the segment files, which retained segments are part of, bytes that wait for their commit, and "
              "the quota.", "bytes", ("b24bridge_journal_pending_bytes", "waits for commit {{pod}}"),
              ("b24bridge_journal_bytes", "{{pod}}"), ("b24bridge_parked_journal_bytes", "parked {{pod}}"),
              ("min(b24bridge_journal_max_bytes)", "quota")),
        Panel("Segments", "Segment files. One is kept even when all is delivered.", "none",
              ("b24bridge_journal_segments", "{{pod}}"), decimals=0),
        Panel("Faults of the disk", "Segments given up after a failed write or sync, maintenance that failed and is repeated, "
              "records that could not be read again.", "none",
              (increase("b24bridge_journal_segments_abandoned_total", "pod"), "segments given up {{pod}}"),
              (increase("b24bridge_journal_maintenance_failures_total", "pod"), "maintenance {{pod}}"),
              (increase("b24bridge_records_unreadable_total", "pod"), "records lost {{pod}}"), decimals=0, alarm=1),
        Panel("Found at the start", "Files that were not as they were left, by kind, bytes that could not be read, and records "
              "of earlier runs that were found undelivered, which is no fault.", "short",
              ("sum by (pod, kind) (b24bridge_journal_findings_total) > 0", "{{kind}} {{pod}}"),
              ("b24bridge_journal_damaged_bytes_total > 0", "damaged bytes {{pod}}"),
              ("b24bridge_records_recovered_total", "undelivered records {{pod}}")),
    ]),
    ("Kafka", [
        Panel("Delivered", "Records that Kafka confirmed, a second.", "cps",
              (rate("b24bridge_records_delivered_total", "pod"), "{{pod}}"), stacked=True),
        Panel("Waiting", "Records in the journal that are neither delivered nor parked.", "short",
              ("b24bridge_records_waiting", "{{pod}}")),
        Panel("Failed deliveries", "Delivery reports that said no. The records are kept, and sent again or parked.", "cps",
              (rate("b24bridge_delivery_failures_total", "pod"), "{{pod}}")),
        Panel("Brokers", "As librdkafka of the producer sees them; none while its statistics are off.", "none",
              ("sum by (pod, state) (b24bridge_kafka_brokers)", "{{state}} {{pod}}"), decimals=0),
        Panel("Refusing topics, parked records", "Topics that refuse records, and records parked until they take them or that "
              "are refused for a reason of their own.", "short",
              ("b24bridge_topics_refusing", "topics {{pod}}"), ("b24bridge_records_parked", "records {{pod}}")),
        Panel("Into and out of parking", "Records moved to the parked journal, and delivered from it.", "cps",
              (rate("b24bridge_records_moved_to_parked_total", "pod"), "parked {{pod}}"),
              (rate("b24bridge_parked_records_delivered_total", "pod"), "delivered {{pod}}")),
        Panel("librdkafka's queue", "Records handed to librdkafka and not reported yet.", "short",
              ("b24bridge_producer_queue_records", "{{pod}}")),
        Panel("librdkafka's queue in bytes", "The bytes of these records.", "bytes",
              ("b24bridge_producer_queue_bytes", "{{pod}}")),
        Panel("Producers made anew, tokens", "Producers made anew after a fatal error; requests for a token (kafka.oauth) that "
              "failed.", "none", (increase("b24bridge_producer_rebuilds_total", "pod"), "producers {{pod}}"),
              (increase("b24bridge_kafka_token_failures_total", "pod"), "token failures {{pod}}"), decimals=0),
        Panel("Life of the token", "Time until the token for Kafka expires; nothing is drawn without kafka.oauth.", "s",
              ("b24bridge_kafka_token_seconds_left < Inf", "{{pod}}")),
    ]),
    ("Portals", [
        Panel("By state", "Portals of the registry, by state. All replicas know the same.", "none",
              ("max by (state) (b24bridge_registered_portals)", "{{state}}"), stacked=True, decimals=0),
        Panel("Known, silent, without series", "Portals known, those that a replica has not heard for longer than usual, though "
              "another may, and those that have no series of their own. A file with faults is not taken: earlier portals stay "
              "in force.", "none", ("max(b24bridge_portals)", "known"),
              ("b24bridge_portals_silent", "silent at {{pod}}"),
              ("max(b24bridge_portals_without_series)", "without series"),
              ("b24bridge_portals_file_faulty > 0", "faulty file at {{pod}}"), decimals=0),
        Panel("Ten that call most", "Events a second of the ten portals that have most, over the time shown.", "reqps",
              ("topk(10, sum by (portal) (rate(b24bridge_portal_events_total[$__range])))", "{{portal}}"), kind="bargauge"),
        Panel("Twenty that are silent for longest", "Time since the last event of a portal, at any replica, without "
              "the time in which the replica was down.", "s",
              (f"topk(20, {SILENCE})", "{{portal}}"),
              kind="table", width=12, height=9),
        Panel("Nearest to their longest pause", "Silence now, as a multiple of the portal's longest pause of the last 14 days. "
              f"The alert fires above {threshold('silenceFactor')} by default.", "none",
              (f"topk(20, {SILENCE} / {LONGEST})", "{{portal}}"),
              kind="table", width=12, height=9, decimals=2),
        Panel("Waiting for their token", "Events that wait for their portal's application token, and how many came to wait.",
              "none", ("b24bridge_awaiting_token_records", "{{pod}}"),
              (increase("b24bridge_events_awaiting_token_total", "pod"), "came to {{pod}}"), width=6),
        Panel("Room for them", "Bytes of the events that wait for their portal's application token, of 64 MiB.", "bytes",
              ("b24bridge_awaiting_token_bytes", "{{pod}}"), width=6, alarm=2 ** 25),
        Panel("Installations", "Calls about installations that were verified, by kind, and that were refused, by reason.", "none",
              (increase("b24bridge_installs_verified_total", "kind") + " > 0", "{{kind}}"),
              (increase("b24bridge_installs_refused_total", "reason") + " > 0", "refused: {{reason}}"), width=6,
              decimals=0),
        Panel("Installations to be verified", "Calls that wait for the authorization server.", "none",
              ("b24bridge_install_inbox_calls", "{{pod}}"), width=6, decimals=0),
    ]),
    ("Offline queues", [
        Panel("Rows", "Rows of which Kafka has confirmed the record, by what it is, and those of them that had been left behind.",
              "cps", (rate("b24bridge_offline_rows_total", "outcome"), "{{outcome}}"),
              (rate("b24bridge_offline_recovered_rows_total"), "recovered")),
        Panel("Lag", "Age of the oldest change that was read and is not cleared at the portal. 0: none.", "s",
              ("max(b24bridge_offline_lag_seconds)", "lag"), alarm=threshold("offlineLagSeconds")),
        Panel("Portals that wait", "For what: budget, their rate of calls is used up; turn, others come first; gate, Kafka or the "
              "journal takes no more.", "none",
              ("sum by (for) (b24bridge_offline_portals_waiting)", "{{for}}"), stacked=True, decimals=0),
        Panel("Drains", "Looks into offline queues, by what caused them.", "cps",
              (rate("b24bridge_offline_drains_total", "trigger"), "{{trigger}}")),
        Panel("What failed", "Turns at offline queues that failed, by Bitrix24's code.", "none",
              (increase("b24bridge_offline_errors_total", "code") + " > 0", "{{code}}"), decimals=0),
        Panel("Rows held, calls left, push channels", "Rows reserved and not cleared; calls left at the portal that has the "
              "fewest; connections to Push & Pull.", "short", ("sum(b24bridge_offline_rows_held)", "rows held"),
              ("min(b24bridge_offline_budget_left_calls)", "calls left"),
              ("sum(b24bridge_offline_push_channels)", "push channels")),
        Panel("Last gap of reception", "Length of the last time in which a replica was down or no event came for unusually long. "
              "A quiet night is one, too.", "s", ("b24bridge_reception_gap_seconds", "{{pod}}")),
    ]),
    ("Calls to portals, registry, senders", [
        Panel("Owner of the REST work", "The one replica that calls portals.", "none",
              ("b24bridge_registry_owner", "{{pod}}"), stacked=True, maximum=2, decimals=0),
        Panel("Subscriptions that drifted", "Bindings that are not as declared and could not be mended.", "none",
              ("max(b24bridge_bindings_drift)", "bindings"), decimals=0, alarm=1),
        Panel("Comparisons and tokens", "Comparisons of a portal's bindings with the declared ones, and exchanges of a refresh "
              "token, by outcome.", "none",
              (increase("b24bridge_reconciles_total", "outcome") + " > 0", "bindings {{outcome}}"),
              (increase("b24bridge_token_refreshes_total", "outcome") + " > 0", "token {{outcome}}"), decimals=0),
        Panel("What failed", "REST work that failed, by Bitrix24's code.", "none",
              (increase("b24bridge_rest_errors_total", "code") + " > 0", "{{code}}"), decimals=0),
        Panel("Registry", "Whether a replica has read the registry since its start, and portals with changes that Kafka has not "
              "confirmed.", "none", ("b24bridge_registry_read", "read {{pod}}"),
              ("b24bridge_registry_unconfirmed", "unconfirmed {{pod}}"), decimals=0),
        Panel("Age of the snapshot", "Since the registry was written to the volume, from which a replica starts without Kafka.",
              "s", ("b24bridge_registry_snapshot_age_seconds < Inf", "{{pod}}")),
        Panel("Lists of senders", "Age of the lists of Bitrix24's senders; nothing is drawn of a list that was never fetched.",
              "s", ("max by (list) (b24bridge_sender_list_age_seconds < Inf)", "{{list}}"),
              alarm=threshold("senderListAgeSeconds")),
        Panel("Lists: fetches, entries", "Fetches that failed, lists that were never fetched (everybody may send then), networks "
              "on a list.", "short", (increase("b24bridge_sender_list_failures_total", "list"), "failures {{list}}"),
              ("b24bridge_sender_lists_missing", "missing at {{pod}}"),
              ("max by (list) (b24bridge_sender_list_entries)", "entries {{list}}")),
    ]),
    ("Process", [
        Panel("Memory", "Resident memory.", "bytes", ("process_resident_memory_bytes", "{{pod}}")),
        Panel("CPU", "Cores in use.", "none", (rate("process_cpu_seconds_total", "pod"), "{{pod}}"), decimals=2),
        Panel("Open files", "Share of the limit. Connections that say nothing give way before it is reached.", "percentunit",
              ("process_open_fds / process_max_fds", "{{pod}}"), maximum=1, alarm=0.9),
        Panel("Up since", "Time since the start of the process.", "s", ("time() - process_start_time_seconds", "{{pod}}")),
        Panel("Versions", "Of the bridge and of librdkafka.", "none",
              ("count by (pod, version, librdkafka) (b24bridge_build_info)", ""), kind="table", width=16),
    ]),
]


def variable(name: str, label: str, query: str, several: bool = False) -> dict:
    return {"name": name, "label": label, "type": "query", "datasource": SOURCE, "definition": query,
            "query": {"query": query, "refId": name, "qryType": 1}, "refresh": 2, "sort": 1, "multi": several,
            "includeAll": several, "hide": 0, "options": [], "regex": "", "skipUrlSync": False,
            "current": {"selected": True, "text": ["All"], "value": ["$__all"]} if several else {}}


def panels() -> list[dict]:
    """Rows and panels in their places: a row's panels from left to right, and on below where they do not fit."""
    result: list[dict] = []
    y = 0
    for title, row in ROWS:
        result.append({"id": len(result) + 1, "type": "row", "title": title, "collapsed": False, "panels": [],
                       "gridPos": {"x": 0, "y": y, "w": COLUMNS, "h": 1}})
        x, y, height = 0, y + 1, 0
        for panel in row:
            if x + panel.width > COLUMNS:
                x, y, height = 0, y + height, 0
            result.append(panel.json(len(result) + 1, x, y))
            x, height = x + panel.width, max(height, panel.height)
        y += height
    return result


def dashboard() -> dict:
    return {
        "uid": "b24bridge", "title": "b24bridge", "description": "The bridge from Bitrix24 to Apache Kafka.",
        "tags": ["b24bridge", "bitrix24", "kafka"], "schemaVersion": 41, "version": 1, "editable": True, "graphTooltip": 1,
        "timezone": "browser", "refresh": "30s", "time": {"from": "now-3h", "to": "now"}, "timepicker": {}, "links": [],
        "fiscalYearStartMonth": 0,
        "annotations": {"list": [{
            "builtIn": 1, "datasource": {"type": "grafana", "uid": "-- Grafana --"}, "enable": True, "hide": True,
            "iconColor": "rgba(0, 211, 255, 1)", "name": "Annotations & Alerts", "type": "dashboard"}]},
        "templating": {"list": [
            {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "refresh": 1,
             "hide": 0, "includeAll": False, "multi": False, "options": [], "regex": "", "skipUrlSync": False, "current": {}},
            variable("namespace", "Namespace", "label_values(b24bridge_ready, namespace)"),
            variable("job", "Release", 'label_values(b24bridge_ready{namespace="$namespace"}, job)'),
            variable("replica", "Replica", 'label_values(b24bridge_ready{namespace="$namespace",job="$job"}, pod)', True),
        ]},
        "panels": panels(),
    }


if __name__ == "__main__":
    print(json.dumps(dashboard(), indent=1, ensure_ascii=False))
