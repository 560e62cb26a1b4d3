#!/usr/bin/env python3
"""Writes the golden records: what `b24bridge normalize` must print for each event fixture.

An implementation of the contract that shares nothing with the bridge: it starts from the decoded
fixtures (NAME.json, made by PHP) and the researched event table, so that a mistake in the bridge's
decoder, catalog, key or envelope shows as a difference.

    make_golden.py --fixtures fixtures --events bitrix24-events.tsv

What differs from run to run stands as a placeholder: "<uuid7>" for the id, "<time>" for the time of
receipt. A body that cannot become an event gives {"error": true}.
"""
from __future__ import annotations

import argparse
import csv
import hashlib
import json
import re
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple

UUID7 = "<uuid7>"
TIME = "<time>"
REDACTED = "[redacted]"

# Names whose value is a secret, wherever they stand and however they are written.
SECRET_NAMES = frozenset({
    "access_token", "refresh_token", "application_token", "auth_id", "refresh_id", "token",
    "event_token", "client_secret", "signature", "jwt", "password",
})
# Shorter values are not looked for inside other strings: they would hit by chance.
MIN_TOKEN_LENGTH = 16
MAX_KEY_BYTES = 256
# 9999-12-31T23:59:59Z: RFC 3339 has no later year.
MAX_TS = 253_402_300_799

# Fixtures whose record is also written in binary mode: an id with a colon, non-ASCII and redacted
# text, a scalar `data`, no `data` and no id, a key that differs from the subject.
BINARY = (
    "ONCRMDYNAMICITEMADD_174", "ONIMBOTMESSAGEADD-cyrillic", "ONIMCONNECTORLINEDELETE",
    "ONTASKCOMMENTUPDATE-nodata", "ONIMCONNECTORMESSAGEUPDATE",
)


class NotAnEvent(Exception):
    """The body lacks what every event has."""


class Row(NamedTuple):
    entity: str
    action: str
    id_path: str


UNKNOWN = Row("other", "unknown", "data.FIELDS.ID|data.ID|data.id")


def read_catalog(path: Path) -> dict[str, Row]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        # Rows with braces are templates of the suffixed codes, which lookup() reduces to the plain ones.
        return {r["event"].upper(): Row(r["entity"], r["action"], r["id_path"])
                for r in rows if "{" not in r["event"]}


def lookup(catalog: dict[str, Row], code: str) -> Row:
    code = code.upper()
    return catalog.get(code) or catalog.get(re.sub(r"_[0-9]+\Z", "", code)) or UNKNOWN


def text_at(body: Any, path: str) -> str | None:
    """The non-empty string at a dotted path. A number in the path is a list index or a map key."""
    node = body
    for step in path.split("."):
        if isinstance(node, list):
            if not step.isdigit() or int(step) >= len(node):
                return None
            node = node[int(step)]
        elif isinstance(node, dict):
            node = node.get(step)
        else:
            return None
    return node if isinstance(node, str) and node != "" else None


def identify(body: dict[str, Any], id_path: str) -> str | None:
    """`|`: the first alternative that is there, not empty and not "0". `+`: all parts, joined by a colon."""
    if id_path == "auth.member_id":
        return None  # an event of the portal as a whole
    for alternative in id_path.split("|"):
        parts = [text_at(body, path) for path in alternative.split("+")]
        if all(part is not None for part in parts) and parts != ["0"]:
            return ":".join(part for part in parts if part is not None)
    return None


def entity_id(body: dict[str, Any], row: Row) -> str | None:
    found = identify(body, row.id_path)
    if row.entity == "crm.dynamic" and found is not None and "+" not in row.id_path:
        # Item ids are unique within their type only.
        kind = text_at(body, "data.FIELDS.ENTITY_TYPE_ID")
        if kind is None and (suffix := re.search(r"_([0-9]+)\Z", body["event"])):
            kind = suffix[1]
        return f"{kind}:{found}" if kind is not None else found
    return found


def ordering_id(body: dict[str, Any], row: Row, own: str | None) -> str | None:
    """What orders: the object itself, except where the order of a group of objects matters."""
    sides = ("BEFORE", "AFTER") if row.action == "delete" else ("AFTER", "BEFORE")
    path = {
        "task.comment": "|".join(f"data.FIELDS_{side}.TASK_ID" for side in sides),
        "imconnector.message": "data.MESSAGES.0.im.chat_id",
    }.get(row.entity)
    return (identify(body, path) if path else None) or own


def secrets_of(node: Any, name: str = "") -> Iterator[str]:
    """Every value of the request that stands under a secret name."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from secrets_of(value, name if name.lower() in SECRET_NAMES else key)
    elif isinstance(node, list):
        for value in node:
            yield from secrets_of(value, name)
    elif name.lower() in SECRET_NAMES and len(node) >= MIN_TOKEN_LENGTH:
        yield node


def scrub(text: str, tokens: list[str]) -> str:
    for token in tokens:
        text = text.replace(token, REDACTED)
    return text


def redact(node: Any, tokens: list[str]) -> Any:
    if isinstance(node, dict):
        return {scrub(key, tokens): REDACTED if key.lower() in SECRET_NAMES else redact(value, tokens)
                for key, value in node.items()}
    if isinstance(node, list):
        return [redact(value, tokens) for value in node]
    return scrub(node, tokens)


def rfc3339(ts: Any) -> str:
    if isinstance(ts, str) and re.fullmatch(r"[0-9]{1,12}", ts) and 0 < int(ts) <= MAX_TS:
        return datetime.fromtimestamp(int(ts), timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    return TIME


def record_key(portal: str, entity: str, ordering: str | None) -> str:
    key = "/".join(part for part in (portal, entity, ordering) if part is not None)
    if len(key.encode()) > MAX_KEY_BYTES:
        return hashlib.sha256(key.encode()).hexdigest()
    return key


def envelope(catalog: dict[str, Row], body: dict[str, Any]) -> dict[str, Any]:
    # The longest first, or a token within a longer one would leave the rest of that one behind.
    tokens = sorted(set(secrets_of(body)), key=lambda token: (-len(token), token))
    # Everything is read after scrubbing, so that nothing can carry a secret into a key or a header.
    body = redact(body, tokens)
    code, portal = text_at(body, "event"), text_at(body, "auth.member_id")
    if code is None or portal is None:
        raise NotAnEvent
    row = lookup(catalog, code)
    own = entity_id(body, row)
    value: dict[str, Any] = {
        "specversion": "1.0",
        "id": UUID7,
        "source": f"/bitrix24/{portal}",
        "type": f"com.bitrix24.{row.entity}.{row.action}",
        "subject": row.entity if own is None else f"{row.entity}/{own}",
        "time": rfc3339(body.get("ts")),
        "datacontenttype": "application/json",
        "partitionkey": record_key(portal, row.entity, ordering_id(body, row, own)),
        "recordedtime": TIME,
        "b24event": code,
        "b24domain": text_at(body, "auth.domain"),
        "b24entity": row.entity,
        "b24entityid": own,
        "b24action": row.action,
        "b24origin": "online",
        "b24handlerid": text_at(body, "event_handler_id"),
        "b24user": text_at(body, "auth.user_id"),
        "data": body.get("data", {}),
    }
    return {name: content for name, content in value.items() if content is not None}


def structured(value: dict[str, Any]) -> dict[str, Any]:
    return {
        "topic": f"bitrix24.{value['b24entity']}",
        "key": value["partitionkey"],
        "headers": {
            "content-type": "application/cloudevents+json; charset=UTF-8",
            "ce_id": value["id"],
            "ce_type": value["type"],
        },
        "value": value,
    }


def binary(value: dict[str, Any]) -> dict[str, Any]:
    headers = {"content-type": value["datacontenttype"]}
    headers |= {f"ce_{name}": content for name, content in value.items()
                if name not in ("datacontenttype", "data")}
    return {**structured(value), "headers": headers, "value": value["data"]}


def write(path: Path, record: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    root = Path(__file__).resolve().parents[2]
    fixtures = root / "Tests" / "Fixtures"
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fixtures", type=Path, default=fixtures / "bodies", help="folder of NAME.json")
    parser.add_argument("--events", type=Path, default=root / "Sources" / "Bitrix24" / "Events" / "event-catalog.tsv", help="the event catalog")
    parser.add_argument("--out", type=Path, default=fixtures / "records")
    parser.add_argument("--out-binary", type=Path, default=fixtures / "records-binary")
    options = parser.parse_args()

    catalog = read_catalog(options.events)
    for path in sorted(options.fixtures.glob("[!_]*.json")):
        try:
            value = envelope(catalog, json.loads(path.read_text(encoding="utf-8")))
        except NotAnEvent:
            write(options.out / path.name, {"error": True})
            continue
        write(options.out / path.name, structured(value))
        if path.stem in BINARY:
            write(options.out_binary / path.name, binary(value))


if __name__ == "__main__":
    main()
