#!/usr/bin/env python3
"""Reads Kafka topics from the beginning with aiokafka and compares them with what should be there.

    read_topics.py --bootstrap HOST:PORT[,…] --expect expected.ndjson [--timeout 30]

Each line of the file is one expected record; only `topic` must be given, and only what is given is
compared:
    {"id": …, "topic": …, "key": …, "headers": {name: text, …}, "value": …}
Objects within `value` are compared as subsets, everything else must be equal. "<uuid7>" and "<time>"
stand for any such text, so what `normalize` prints, or a golden record, will do. Without an id (also
taken from ce_id in the headers or `id` in the value) the first record of the topic that fits is it.

Every record read, expected or not, must be a valid CloudEvent (see check_cloudevents.py) and lie in
the partition that the Java client picks for its key. A repeated id must repeat the record to the byte.
Reading ends when all expected records were seen, or at the deadline. The last line is
"N passed, M failed".

Needs: pip install aiokafka 'cloudevents>=2' jsonschema
"""
from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from jsonschema import Draft202012Validator

from check_cloudevents import Faulty, Record, check, load_validator, parse_json, require

UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?Z")
PLACEHOLDERS = {"<uuid7>": UUID7, "<time>": TIME}


def murmur2(data: bytes) -> int:
    """Kafka's variant of MurmurHash2 (org.apache.kafka.common.utils.Utils), as a signed 32-bit number."""
    mask, m, r = 0xFFFFFFFF, 0x5BD1E995, 24
    h = (0x9747B28C ^ len(data)) & mask
    whole = len(data) & ~3
    for start in range(0, whole, 4):
        k = int.from_bytes(data[start:start + 4], "little") * m & mask
        k = (k ^ k >> r) * m & mask
        h = h * m & mask ^ k
    if tail := data[whole:]:
        h = (h ^ int.from_bytes(tail, "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    h ^= h >> 15
    return h - (1 << 32) if h & 1 << 31 else h


def partition_of(key: bytes, partitions: int) -> int:
    return (murmur2(key) & 0x7FFFFFFF) % partitions


@dataclass
class Expected:
    topic: str
    id: str | None = None
    key: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    fields: dict[str, Any] = field(default_factory=dict)  # {"value": …} where a value was given
    seen: bool = False

    @classmethod
    def parse(cls, line: str) -> Expected:
        given = json.loads(line)
        unknown = given.keys() - {"id", "topic", "key", "headers", "value"}
        if unknown or "topic" not in given:
            raise ValueError(f"no topic, or unknown fields: {sorted(unknown)}")
        headers, value = given.get("headers", {}), given.get("value")
        identity = given.get("id") or headers.get("ce_id") or (value.get("id") if isinstance(value, dict) else None)
        return cls(given["topic"], None if identity in PLACEHOLDERS else identity, given.get("key"), headers,
                   {"value": value} if "value" in given else {})

    def differences(self, got: ConsumerRecord, value: Any) -> list[str]:
        key = None if got.key is None else got.key.decode("utf-8", "replace")
        faults = [] if self.key in (None, key) else [f"key is {key!r}, not {self.key!r}"]
        headers = {name: content.decode("utf-8", "replace") for name, content in got.headers}
        faults += subset(self.headers, headers, "headers")
        if "value" in self.fields:
            faults += subset(self.fields["value"], value, "value")
        return faults


def subset(wanted: Any, got: Any, where: str) -> list[str]:
    """How `got` falls short of `wanted`. More members than wanted are no fault."""
    if isinstance(wanted, dict) and isinstance(got, dict):
        return [fault for name, part in wanted.items() for fault in
                (subset(part, got[name], f"{where}.{name}") if name in got else [f"{where}.{name} is missing"])]
    if isinstance(wanted, str) and wanted in PLACEHOLDERS:
        fits = isinstance(got, str) and PLACEHOLDERS[wanted].fullmatch(got)
    else:
        fits = type(wanted) is type(got) and wanted == got
    return [] if fits else [f"{where} is {got!r}, not {wanted!r}"]


class Reading:
    """The expected records and what became of them."""

    def __init__(self, expected: list[Expected], validator: Draft202012Validator, raw_topics: set[str]) -> None:
        self.expected = expected
        self.validator = validator
        self.raw_topics = raw_topics
        self.first: dict[str, Record] = {}
        self.faults: list[str] = []
        self.passed = self.repeated = self.others = 0

    def complete(self) -> bool:
        return all(item.seen for item in self.expected)

    def take(self, got: ConsumerRecord, partitions: int) -> None:
        where = f"{got.topic}[{got.partition}]@{got.offset}"
        try:
            self._take(got, partitions)
        except Faulty as fault:
            self.faults.append(f"{where}: {fault}")

    def _take(self, got: ConsumerRecord, partitions: int) -> None:
        record = Record(got.topic, got.key, list(got.headers), got.value or b"")
        header = dict(record.headers).get("ce_id")
        identity = None if header is None else header.decode("utf-8", "replace")
        try:
            value, unreadable = parse_json(record.value), None
        except Faulty as fault:
            value, unreadable = None, fault
        # Claimed before its checks, so that a faulty record is one failure and not a missing one besides.
        claimed = None
        if identity is not None and identity in self.first:
            self.repeated += 1
            require(self.first[identity] == record, f"id {identity} came again as another record")
        else:
            if identity is not None:
                self.first[identity] = record
            claimed = self._claim(got, identity, value)
        if unreadable:
            raise unreadable
        if got.key is not None:
            wanted = partition_of(got.key, partitions)
            require(got.partition == wanted, f"partition is {got.partition} of {partitions}, not {wanted}")
        if got.topic not in self.raw_topics:
            check(record, self.validator)
        if claimed:
            faults = claimed.differences(got, value)
            require(not faults, "; ".join(faults))
            self.passed += 1

    def _claim(self, got: ConsumerRecord, identity: str | None, value: Any) -> Expected | None:
        free = [item for item in self.expected if item.topic == got.topic and not item.seen]
        named = [item for item in free if item.id is not None and item.id == identity]
        fitting = [item for item in free if item.id is None and not item.differences(got, value)]
        found = next(iter(named + fitting), None)
        if found is None:
            self.others += 1
        else:
            found.seen = True
        return found

    def conclude(self) -> int:
        for item in self.expected:
            if not item.seen:
                self.faults.append(f"{item.topic}: not seen: {item.id or item.key or json.dumps(item.fields)}")
        for fault in self.faults:
            print(fault)
        if self.repeated or self.others:
            print(f"besides: {self.repeated} repetitions, {self.others} records that were not expected")
        print(f"{self.passed} passed, {len(self.faults)} failed")
        return 0 if not self.faults and self.passed > 0 else 1


async def read(bootstrap: str, reading: Reading, topics: set[str], timeout: float) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout
    # No group: all partitions of the topics are this consumer's, and a topic that comes into being
    # later is found at the next look at the metadata.
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=None, auto_offset_reset="earliest",
                                metadata_max_age_ms=1000)
    await consumer.start()
    try:
        consumer.subscribe(topics=sorted(topics))
        # A new topic makes aiokafka start all over again; what was read before is skipped.
        next_offsets: dict[TopicPartition, int] = {}
        while not reading.complete() and loop.time() < deadline:
            for at, batch in (await consumer.getmany(timeout_ms=300)).items():
                for got in batch:
                    if got.offset >= next_offsets.get(at, 0):
                        next_offsets[at] = got.offset + 1
                        reading.take(got, len(consumer.partitions_for_topic(got.topic) or ()))
    finally:
        await consumer.stop()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bootstrap", required=True, help="bootstrap servers")
    parser.add_argument("--expect", type=Path, required=True, help="expected records, one JSON object a line")
    parser.add_argument("--timeout", type=float, default=30, help="seconds until the deadline")
    parser.add_argument("--raw-topic", action="append", default=[], metavar="TOPIC",
                        help="a topic whose values are JSON but no CloudEvents (dead letters)")
    options = parser.parse_args()
    lines = options.expect.read_text(encoding="utf-8").splitlines()
    try:
        expected = [Expected.parse(line) for line in lines if line.strip()]
    except ValueError as error:
        parser.error(f"{options.expect}: {error}")
    reading = Reading(expected, load_validator(), set(options.raw_topic))
    asyncio.run(read(options.bootstrap, reading, {item.topic for item in expected}, options.timeout))
    return reading.conclude()


if __name__ == "__main__":
    sys.exit(main())
