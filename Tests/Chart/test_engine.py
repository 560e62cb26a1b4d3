"""The engine that stands in for helm where there is none."""
from __future__ import annotations

import shutil
import tempfile
import unittest
from pathlib import Path

import chart
from engine import Engine

TEMPLATE = """{{- $found := lookup "apps/v1" "StatefulSet" .Release.Namespace "bridge" }}
apiVersion: v1
kind: ConfigMap
metadata: {name: found}
data: {replicas: {{ dig "spec" "replicas" "none" $found | quote }}}
"""


@unittest.skipIf(shutil.which("helm"), "helm itself is there")
class EngineTests(unittest.TestCase):
    def test_a_lookup_finds_nothing(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "templates").mkdir()
            Path(folder, "Chart.yaml").write_text("apiVersion: v2\nname: looking\nversion: 0.1.0\n")
            Path(folder, "templates", "configmap.yaml").write_text(TEMPLATE)
            manifest, _ = Engine.of(chart.NAMESPACE).render({}, chart.RELEASE, Path(folder))
        self.assertEqual(chart.parsed(manifest)["data"], {"replicas": "none"})
