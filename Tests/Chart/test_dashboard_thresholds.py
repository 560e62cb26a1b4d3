"""What is red in the dashboard is what the alerts say by default: values.yaml has the number, the dashboard follows."""
from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from chart import CHART


class ThresholdTests(unittest.TestCase):
    def written(self, **thresholds: tuple[str, str]) -> str:
        """The dashboard of a chart with these defaults."""
        with tempfile.TemporaryDirectory() as folder:
            shutil.copytree(CHART / "dashboards", Path(folder, "dashboards"))
            text = (CHART / "values.yaml").read_text()
            for name, (before, after) in thresholds.items():
                self.assertEqual(text.count(f"      {name}: {before}\n"), 1)
                text = text.replace(f"      {name}: {before}\n", f"      {name}: {after}\n")
            Path(folder, "values.yaml").write_text(text)
            return subprocess.run([sys.executable, str(Path(folder, "dashboards", "dashboard.py"))], check=True, text=True,
                                  capture_output=True).stdout

    def test_the_dashboard_has_the_defaults_of_the_alerts(self) -> None:
        usual = self.written()
        for name, before in [("answerSeconds", "1"), ("fillRatio", "0.5"), ("undeliveredSeconds", "600"),
                             ("offlineLagSeconds", "3600"), ("senderListAgeSeconds", "3600"), ("silenceFactor", "1.5"),
                             ("silenceSeconds", "3600")]:
            with self.subTest(name):
                other = self.written(**{name: (before, "0.0625")})
                self.assertNotEqual(other, usual)
                self.assertEqual(len(json.loads(other)["panels"]), len(json.loads(usual)["panels"]))


if __name__ == "__main__":
    unittest.main()
