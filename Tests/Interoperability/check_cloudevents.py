#!/usr/bin/env python3
"""Reads Kafka records back with the CloudEvents SDK for Python and with the envelope's schema.

stdin, one record a line:
    {"topic": …, "key_base64": … or null, "headers": [[name, value_base64], …], "value_base64": …}

A record passes when the SDK (version 2, the Kafka binding in cloudevents.core) reads the same
attributes and data out of it that stand in it, and, written by the SDK and read once more, they are
still the same. A structured value must also fit envelope.schema.json; a binary record must fit it
when its attributes and data are put together. The last line is "N passed, M failed".

Needs: pip install 'cloudevents>=2' jsonschema
"""
from __future__ import annotations

import argparse
import base64
import json
import sys
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from cloudevents.core.base import BaseCloudEvent
from cloudevents.core.bindings import kafka
from cloudevents.core.formats.json import JSONFormat
from jsonschema import Draft202012Validator

STRUCTURED = "application/cloudevents+json; charset=UTF-8"
# The headers of structured mode: few, since each one costs on the way.
STRUCTURED_HEADERS = {"content-type", "ce_id", "ce_type", "traceparent"}
SCHEMA = Path(__file__).resolve().parents[2] / "Sources" / "Bitrix24" / "Envelope" / "envelope.schema.json"


class Record(NamedTuple):
    topic: str
    key: bytes | None
    headers: list[tuple[str, bytes]]
    value: bytes


class Faulty(Exception):
    """What is wrong with a record."""


def require(condition: bool, message: str) -> None:
    if not condition:
        raise Faulty(message)


def load_validator(path: Path = SCHEMA) -> Draft202012Validator:
    schema = json.loads(path.read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def parse_json(raw: bytes) -> Any:
    """Strict JSON: UTF-8, no name twice, no NaN; Python alone would let these pass."""
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        require(len(names) == len(set(names)), f"a JSON name stands twice: {names}")
        return dict(pairs)

    def refuse(constant: str) -> None:
        raise Faulty(f"{constant} is not JSON")

    try:
        return json.loads(raw.decode("utf-8"), object_pairs_hook=once, parse_constant=refuse)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise Faulty(f"the value is not JSON: {error}") from error


def headers_of(record: Record) -> dict[str, str]:
    names = [name for name, _ in record.headers]
    require(len(names) == len(set(names)), f"a header stands twice: {sorted(names)}")
    try:
        return {name: value.decode("utf-8") for name, value in record.headers}
    except UnicodeDecodeError as error:
        raise Faulty(f"a header is not UTF-8: {error}") from error


def is_structured(record: Record) -> bool:
    return any(name == "content-type" and value.lower().startswith(b"application/cloudevents")
               for name, value in record.headers)


def attributes_of(event: BaseCloudEvent) -> dict[str, Any]:
    """The SDK's view, the time as text again."""
    def text(value: Any) -> Any:
        return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else value
    return {name: text(value) for name, value in event.get_attributes().items()}


def same_instant(time: str) -> str:
    return datetime.fromisoformat(time.replace("Z", "+00:00")).isoformat().replace("+00:00", "Z")


def expect_same(event: BaseCloudEvent, attributes: dict[str, Any], data: Any, where: str) -> None:
    wanted = attributes | {"time": same_instant(attributes["time"])}
    found = attributes_of(event)
    for name in sorted(wanted.keys() | found.keys()):
        require(wanted.get(name) == found.get(name),
                f"{where}: {name} is {found.get(name)!r}, not {wanted.get(name)!r}")
    require(event.get_data() == data and type(event.get_data()) is type(data), f"{where}: data differs")


def envelope_of(record: Record) -> dict[str, Any]:
    """The attributes and data of a record of either mode, read without the SDK."""
    headers = headers_of(record)
    envelope: dict[str, Any]
    if is_structured(record):
        require(headers["content-type"] == STRUCTURED, f"content-type is {headers['content-type']!r}")
        require(headers.keys() <= STRUCTURED_HEADERS, f"too many headers: {sorted(headers)}")
        value = parse_json(record.value)
        require(isinstance(value, dict), "the value is not a JSON object")
        envelope = value
        for name in ("id", "type"):
            require(headers.get(f"ce_{name}") == envelope.get(name), f"ce_{name} is not the {name} of the value")
    else:
        envelope = {name.removeprefix("ce_"): value for name, value in headers.items() if name.startswith("ce_")}
        require("content-type" in headers, "no content-type")
        envelope["datacontenttype"] = headers["content-type"]
        envelope["data"] = parse_json(record.value)
    if "traceparent" in headers:
        require(headers["traceparent"] == envelope.get("traceparent"), "traceparent of header and event differ")
    return envelope


def check(record: Record, validator: Draft202012Validator) -> dict[str, Any]:
    """Returns the envelope, or raises Faulty."""
    envelope = envelope_of(record)
    errors = sorted(validator.iter_errors(envelope), key=lambda error: list(map(str, error.path)))
    require(not errors, "; ".join(f"{'/'.join(map(str, e.path)) or 'envelope'}: {e.message}" for e in errors))
    require(record.key is not None and record.key.decode("utf-8", "replace") == envelope["partitionkey"],
            "key and partitionkey differ")
    require(envelope["type"] == f"com.bitrix24.{envelope['b24entity']}.{envelope['b24action']}",
            "type is not made of b24entity and b24action")
    own = envelope.get("b24entityid")
    require(envelope["subject"] == envelope["b24entity"] + (f"/{own}" if own is not None else ""),
            "subject is not made of b24entity and b24entityid")

    attributes = {name: value for name, value in envelope.items() if name != "data"}
    data = envelope["data"]
    format = JSONFormat()
    message = kafka.KafkaMessage(headers=dict(record.headers), key=record.key, value=record.value)
    try:
        # Not from_kafka(): it takes any ce_ header for binary mode, and the bridge's structured records have two.
        read = kafka.from_structured if is_structured(record) else kafka.from_binary
        event = read(message, format)
        expect_same(event, attributes, data, "read by the SDK")
        expect_same(kafka.from_structured(kafka.to_structured(event, format), format), attributes, data,
                    "written by the SDK, structured")
        if isinstance(data, dict):
            # The SDK writes other data without its JSON quotes.
            expect_same(kafka.from_binary(kafka.to_binary(event, format), format), attributes, data,
                        "written by the SDK, binary")
    except Faulty:
        raise
    except Exception as error:  # whatever the SDK refuses with
        raise Faulty(f"the SDK refuses it: {type(error).__name__}: {error}") from error
    return envelope


def parse_line(line: str) -> Record:
    def decode(text: str) -> bytes:
        return base64.b64decode(text, validate=True)
    try:
        fields = json.loads(line)
        key = fields["key_base64"]
        return Record(fields["topic"], None if key is None else decode(key),
                      [(name, decode(value)) for name, value in fields["headers"]], decode(fields["value_base64"]))
    except (KeyError, TypeError, ValueError) as error:
        raise Faulty(f"not a record: {type(error).__name__}: {error}") from error


def run(lines: Iterable[str], validator: Draft202012Validator) -> int:
    passed = failed = 0
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            check(parse_line(line), validator)
            passed += 1
        except Faulty as fault:
            failed += 1
            print(f"record {number}: {fault}")
    if passed + failed == 0:
        print("no records on stdin", file=sys.stderr)
    print(f"{passed} passed, {failed} failed")
    return 0 if failed == 0 and passed > 0 else 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--schema", type=Path, default=SCHEMA)
    return run(sys.stdin, load_validator(parser.parse_args().schema))


if __name__ == "__main__":
    sys.exit(main())
