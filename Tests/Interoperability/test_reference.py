#!/usr/bin/env python3
"""Tests of the reference tools: python test_reference.py (needs what read_topics.py needs)."""
from __future__ import annotations

import base64
import contextlib
import io
import json
import unittest
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from aiokafka.partitioner import murmur2 as other_murmur2

from check_cloudevents import load_validator, run
from read_topics import murmur2, partition_of

HERE = Path(__file__).resolve().parent
ID = "0199c0de-7c1a-7b5e-9f0d-2f1f6d1c0a42"
RECEIVED = "2026-01-02T03:04:05.678Z"


def golden(folder: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted((HERE.parent / "Fixtures" / folder).glob("*.json")):
        text = path.read_text(encoding="utf-8").replace("<uuid7>", ID).replace("<time>", RECEIVED)
        record = json.loads(text)
        if "error" not in record:
            yield path.stem, record


def line(record: dict[str, Any]) -> str:
    def encode(text: str) -> str:
        return base64.b64encode(text.encode()).decode()
    return json.dumps({
        "topic": record["topic"], "key_base64": encode(record["key"]),
        "headers": [[name, encode(value)] for name, value in record["headers"].items()],
        "value_base64": encode(json.dumps(record["value"], ensure_ascii=False)),
    })


def outcome(*lines: str) -> tuple[int, str]:
    output = io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(io.StringIO()):
        code = run(lines, load_validator())
    return code, output.getvalue().splitlines()[-1]


class GoldenRecords(unittest.TestCase):
    def test_structured(self) -> None:
        records = [line(record) for _, record in golden("records")]
        self.assertEqual(outcome(*records), (0, f"{len(records)} passed, 0 failed"))

    def test_binary(self) -> None:
        records = [line(record) for _, record in golden("records-binary")]
        self.assertEqual(outcome(*records), (0, f"{len(records)} passed, 0 failed"))

    def test_both_modes_say_the_same(self) -> None:
        structured = dict(golden("records"))
        for name, record in golden("records-binary"):
            value = dict(structured[name]["value"])
            self.assertEqual(record["value"], value.pop("data"), name)
            self.assertEqual(record["headers"].pop("content-type"), value.pop("datacontenttype"), name)
            self.assertEqual(record["headers"], {f"ce_{key}": text for key, text in value.items()}, name)


class Damage(unittest.TestCase):
    """Each of these must be noticed."""

    def damaged(self, folder: str, name: str, damage: Callable[[dict[str, Any]], object]) -> None:
        record = dict(golden(folder))[name]
        self.assertEqual(outcome(line(record))[0], 0)
        damage(record)
        self.assertEqual(outcome(line(record)), (1, "0 passed, 1 failed"))

    def test_structured(self) -> None:
        changes: list[Callable[[dict[str, Any]], object]] = [
            lambda r: r.update(key="other"),
            lambda r: r["headers"].pop("content-type"),
            lambda r: r["headers"].update({"content-type": "application/json"}),
            lambda r: r["headers"].update({"ce_type": "com.bitrix24.crm.deal.delete"}),
            lambda r: r["headers"].update({"ce_subject": "crm.deal/7405"}),
            lambda r: r["value"].pop("b24entity"),
            lambda r: r["value"].update(auth={}),
            lambda r: r["value"].update(time="2026-01-02 03:04:05"),
            lambda r: r["value"].update(sequence="b24bridge-0.17"),
            lambda r: r["value"].update(b24user=1),
            lambda r: r["value"].update(b24entityid="7406"),
            lambda r: r["value"]["data"]["FIELDS"].update(ID=7405),
        ]
        for number, change in enumerate(changes):
            with self.subTest(number):
                self.damaged("records", "ONCRMDEALADD", change)

    def test_binary(self) -> None:
        changes: list[Callable[[dict[str, Any]], object]] = [
            lambda r: r["headers"].pop("ce_source"),
            lambda r: r["headers"].update({"content-type": "text/plain"}),
            lambda r: r["headers"].update(ce_partitionkey="other"),
            lambda r: r["headers"].update(ce_b24Event="X"),
            lambda r: r.update(value=107),
        ]
        for number, change in enumerate(changes):
            with self.subTest(number):
                self.damaged("records-binary", "ONIMCONNECTORLINEDELETE", change)

    def test_a_value_that_is_cut(self) -> None:
        record = json.loads(line(dict(golden("records"))["ONCRMDEALADD"]))
        value = base64.b64decode(record["value_base64"])
        record["value_base64"] = base64.b64encode(value[:-1]).decode()
        self.assertEqual(outcome(json.dumps(record)), (1, "0 passed, 1 failed"))

    def test_nothing_at_all(self) -> None:
        self.assertEqual(outcome(), (1, "0 passed, 0 failed"))


class Murmur2(unittest.TestCase):
    # From Apache Kafka, org.apache.kafka.common.utils.UtilsTest.testMurmur2.
    KNOWN = {
        b"21": -973932308,
        b"foobar": -790332482,
        b"a-little-bit-long-string": -985981536,
        b"a-little-bit-longer-string": -1486304829,
        b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
        b"abc": 479470107,
        b"": 275646681,
    }

    def test_known_values(self) -> None:
        for data, known in self.KNOWN.items():
            self.assertEqual(murmur2(data), known, data)

    def test_same_as_aiokafka(self) -> None:
        data = bytes((n * 37 + 11) % 256 for n in range(64))
        for length in range(len(data)):
            self.assertEqual(murmur2(data[:length]) & 0xFFFFFFFF, other_murmur2(data[:length]) & 0xFFFFFFFF)

    def test_a_negative_hash_gives_a_partition(self) -> None:
        self.assertEqual(partition_of(b"foobar", 50), 16)


if __name__ == "__main__":
    unittest.main()
