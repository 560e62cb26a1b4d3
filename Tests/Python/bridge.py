"""A bridge that tests run, a Kafka for it, and a portal that it knows: for all tests in Python.

The programs are those of `swift build`, in .build/debug, or in the folder of .build that CONFIGURATION names.
"""
from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CONFIGURATION = os.environ.get("CONFIGURATION", "debug")
MEMBER, TOKEN = "a223c6b3710f85df22e9377d6c4f7553", "51856fefc120afa4b628cc82d3935cce"
PORTAL = {"memberId": MEMBER, "applicationTokens": [TOKEN]}
# The change of a deal, as that portal posts it.
EVENT = urllib.parse.urlencode({
    "event": "ONCRMDEALUPDATE", "event_handler_id": "1", "data[FIELDS][ID]": "4711", "ts": "1466439714",
    "auth[domain]": "portal.bitrix24.com", "auth[member_id]": MEMBER, "auth[application_token]": TOKEN}).encode()


def is_strict() -> bool:
    return os.environ.get("B24_STRICT") == "1"


def lacking(what: str) -> Exception:
    """To be raised by a test that cannot run here: it is skipped, and with B24_STRICT=1 it fails."""
    return AssertionError(what) if is_strict() else unittest.SkipTest(what)


def program(name: str) -> Path:
    """Where `swift build` put it. Raises what `lacking` says."""
    path = ROOT / ".build" / CONFIGURATION / name
    if not path.exists():
        raise lacking(f"{path.relative_to(ROOT)} is missing: swift build --build-tests")
    return path


def environment(**settings: str) -> dict[str, str]:
    """That of this process with these settings of a bridge, by their names without B24_, and no others."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("B24_")}
    return others | {f"B24_{name}": value for name, value in settings.items()}


@contextlib.contextmanager
def kafka(brokers: int = 1, *topics: str) -> Iterator[str]:
    """An in-process cluster of librdkafka's, as what `kafka.bootstrapServers` takes. The topics have one partition."""
    server = subprocess.Popen([str(program("ClusterServer")), str(brokers), *topics], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              text=True)
    with server:
        try:
            yield server.stdout.readline().strip()
        finally:
            server.kill()


def status(url: str, body: bytes | None = None) -> int:
    """What a GET is answered, or a POST where there is a body."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data=body), timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


class Bridge:
    """A started bridge. It was told to take the ports that the system gives (0), and to log JSON.

    As a context it is killed at the end, if it still runs.
    """

    def __init__(self, process: subprocess.Popen, log: Path) -> None:
        """Waits for at most 30 s until it listens. What it logs must be in the file, which only it writes."""
        self.process, self.log = process, log
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and process.poll() is None:
            addresses = {entry["listener"]: entry["address"] for entry in self.entries() if {"listener", "address"} <= entry.keys()}
            if {"events", "admin"} <= addresses.keys():
                self.events, self.admin = f"http://{addresses['events']}", f"http://{addresses['admin']}"
                return
            time.sleep(0.05)
        with contextlib.suppress(PermissionError):  # as of one that sudo started
            process.kill()
        raise AssertionError("the bridge did not start:\n" + log.read_text())

    @classmethod
    def serve(cls, log: Path, *options: str, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> Bridge:
        """`b24bridge serve` with these options."""
        return cls.run([str(program("b24bridge")), "serve", *options], log, env, cwd)

    @classmethod
    def run(cls, command: list[str], log: Path, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> Bridge:
        with log.open("w") as file:
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=file, env=env, cwd=cwd)
        return cls(process, log)

    def entries(self) -> list[dict]:
        """What it has logged. Others than its logger write lines too, as when it crashes."""
        lines = self.log.read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + 30
        while status(f"{self.admin}/readyz") != 200:
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise AssertionError("the bridge did not become ready:\n" + self.log.read_text())
            time.sleep(0.05)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(how)
        return self.process.wait(60)

    def __enter__(self) -> Bridge:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
