"""The Dockerfile has what the README and the chart say of the image, and no step of its own that the proof leaves out."""
from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

import dockerfile

LABELS = ["title", "description", "version", "revision", "created"]


class DockerfileTests(unittest.TestCase):
    def setUp(self) -> None:
        self.stages = dockerfile.stages()
        self.image = dockerfile.image()

    def test_it_is_built_with_an_older_c_library_than_it_runs_with(self) -> None:
        self.assertRegex(self.stages[0].base, r"^swift:6\.[2-9]\d*-bookworm$")
        self.assertEqual(self.image.base, "debian:trixie-slim")

    def test_every_step_is_a_script_that_the_proof_runs_too(self) -> None:
        steps = [re.sub(r"^(--\S+ )*", "", step) for stage in self.stages for step in stage.all("RUN")]
        self.assertEqual(steps, ["Scripts/install-packages librdkafka-dev pkg-config", "swift package resolve",
                                 "Scripts/image/build /out", "/mnt/runtime-packages"])

    def test_it_runs_the_program_as_nobody_and_without_a_shell(self) -> None:
        self.assertEqual(self.image.last("USER"), "65532:65532")
        self.assertEqual(self.image.words("ENTRYPOINT"), ["/usr/local/bin/b24bridge"])
        self.assertEqual(self.image.words("CMD"), ["serve", "--config", "/etc/b24bridge/b24bridge.yaml"])
        self.assertEqual(self.image.last("STOPSIGNAL"), "SIGTERM")
        self.assertEqual(self.image.last("EXPOSE").split(), ["8080", "9090"])

    def test_it_leaves_health_to_the_probes(self) -> None:
        self.assertEqual(self.image.all("HEALTHCHECK"), [])

    def test_nothing_comes_into_it_but_the_program(self) -> None:
        self.assertEqual(self.image.all("COPY"), ["--from=build /out/b24bridge /out/swift-backtrace /usr/local/bin/"])
        self.assertEqual(self.image.all("ADD"), [])

    def test_a_crash_tells_nothing_of_registers_and_memory(self) -> None:
        settings = dict(s.split("=", 1) for s in self.image.pairs("ENV")["SWIFT_BACKTRACE"].split(","))
        self.assertEqual((settings["enable"], settings["registers"], settings["interactive"]), ("yes", "none", "no"))
        self.assertEqual(settings["swift-backtrace"], "/usr/local/bin/swift-backtrace")

    def test_labels_name_version_revision_and_time(self) -> None:
        labels = self.image.pairs("LABEL")
        self.assertEqual(list(labels), [f"org.opencontainers.image.{label}" for label in LABELS])
        for label in ("version", "revision", "created"):
            self.assertEqual(labels[f"org.opencontainers.image.{label}"], f"${{{label.upper()}}}")
            self.assertIn(label.upper(), self.image.pairs("ARG"))

    def test_arguments_hold_no_secret(self) -> None:
        names = {name for stage in self.stages for name in stage.pairs("ARG")}
        self.assertEqual(names, {"VERSION", "REVISION", "CREATED"})

    def test_what_is_sent_to_the_builder_is_enough_for_the_manifest_and_little_more(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            sent = Path(folder, "context")
            copy_context(sent)
            self.assertEqual({path.name for path in sent.iterdir()} - {"Package.resolved"}, {"Package.swift", "Scripts", "Sources", "Tests"})
            described = subprocess.run(["swift", "package", "--package-path", str(sent), "describe"], text=True, capture_output=True)
            self.assertEqual(described.returncode, 0, described.stderr)


def copy_context(folder: Path) -> None:
    """What Docker would send: everything, without what .dockerignore names, but with what it names after a `!`."""
    folder.mkdir()
    lines = [line for line in (dockerfile.ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*", "the first line of .dockerignore leaves everything out"
    for line in lines[1:]:
        source, target = dockerfile.ROOT / line.removeprefix("!"), folder / line.removeprefix("!")
        if not line.startswith("!"):
            assert target.exists(), f".dockerignore names {line}, which is not there"
            shutil.rmtree(target)
        elif source.is_dir():
            shutil.copytree(source, target)
        elif source.exists():
            shutil.copy(source, target)
