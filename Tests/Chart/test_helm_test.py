"""The pod of `helm test` where it brings a portal of its own: it waits for the replicas to know the portal, and gives up."""
from __future__ import annotations

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

from chart import KAFKA, one, render

GIVEN = {**KAFKA, "portals": {"registry": True}}
# In place of the program: refuses so many simulations, and writes down what it was asked for. Nobody sleeps.
PROGRAM = """#!/bin/sh
echo "$1 $2" >> "$CALLS"
[ "$1" != simulate ] || [ "$(grep -c '^simulate' "$CALLS")" -gt "$REFUSED" ]
"""


class PortalOfItsOwnTests(unittest.TestCase):
    def run_pod(self, refused: int) -> tuple[int, list[str]]:
        """Exit status and what the program was asked for."""
        container, = one(render(GIVEN), "Pod")["spec"]["containers"]
        with tempfile.TemporaryDirectory() as folder:
            for name, text in [("b24bridge", PROGRAM), ("sleep", "#!/bin/sh\n")]:
                Path(folder, name).write_text(text)
                Path(folder, name).chmod(0o755)
            command = [part.replace("/tmp/portals.yaml", f"{folder}/portals.yaml") for part in container["command"]]
            calls = Path(folder, "calls")
            done = subprocess.run([*command, *container["args"]], text=True, capture_output=True, timeout=30, env=os.environ | {
                "PATH": f"{folder}:{os.environ['PATH']}", "CALLS": str(calls), "REFUSED": str(refused)})
            return done.returncode, calls.read_text().splitlines()

    def test_a_replica_that_does_not_know_the_portal_yet_is_asked_again(self) -> None:
        self.assertEqual(self.run_pod(0), (0, ["portals add", "simulate events", "portals remove"]))
        self.assertEqual(self.run_pod(2), (0, ["portals add", *["simulate events"] * 3, "portals remove"]))

    def test_it_gives_up_and_takes_the_portal_away(self) -> None:
        status, calls = self.run_pod(99)
        self.assertEqual((status, calls[0], calls[-1]), (1, "portals add", "portals remove"))
        self.assertLess(len(calls), 12)


if __name__ == "__main__":
    unittest.main()
