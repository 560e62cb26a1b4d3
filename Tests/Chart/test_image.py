"""The chart and the image agree: user, ports, paths, command line."""
from __future__ import annotations

import unittest
from pathlib import Path

import chart
import dockerfile
import examples
from bridge import ROOT
from pod import pod


class ImageTests(unittest.TestCase):
    def setUp(self) -> None:
        self.image = dockerfile.image()

    def bridges(self) -> list[tuple[str, dict]]:
        """Every pod that takes events, as its value set's name and its spec."""
        return [(name, pod(values)) for name, values in examples.sets()]

    def test_the_user_is_the_same(self) -> None:
        for name, spec in self.bridges():
            with self.subTest(name):
                context = spec["securityContext"]
                self.assertEqual(f"{context['runAsUser']}:{context['runAsGroup']}", self.image.last("USER"))

    def test_the_configuration_is_where_the_program_looks_for_it(self) -> None:
        program, command = self.image.words("ENTRYPOINT"), self.image.words("CMD")
        for name, spec in self.bridges():
            with self.subTest(name):
                container = spec["containers"][0]
                self.assertIn(container.get("command", program), (program, ["b24bridge"]))
                self.assertEqual(container.get("args", command)[:len(command)], command)
                folder = str(Path(command[-1]).parent)
                mounted = [m["mountPath"] for m in container["volumeMounts"]]
                self.assertTrue(folder in mounted or command[-1] in mounted, f"{folder} is not among {mounted}")

    def test_the_ports_are_those_that_the_image_names(self) -> None:
        for name, spec in self.bridges():
            with self.subTest(name):
                ports = {port["name"]: str(port["containerPort"]) for port in spec["containers"][0]["ports"]}
                self.assertEqual([ports["events"], ports["admin"]], self.image.last("EXPOSE").split())

    def test_what_the_image_says_of_crashes_stands(self) -> None:
        for name, spec in self.bridges():
            with self.subTest(name):
                names = [variable["name"] for variable in spec["containers"][0].get("env", [])]
                self.assertFalse(set(names) & set(self.image.pairs("ENV")))

    def test_the_name_of_the_image_has_the_version_of_the_program(self) -> None:
        source = (ROOT / "Sources" / "b24bridge" / "BridgeCommand.swift").read_text()
        version = chart.yaml.safe_load((chart.CHART / "Chart.yaml").read_text())["appVersion"]
        self.assertIn(f'static let current = "{version}"', source)
