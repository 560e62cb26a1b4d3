"""The Jobs that deliver what waits on a volume that is left: their names, and what stays of a pod that failed."""
from __future__ import annotations

import unittest

from chart import LEAST, render


def jobs(**over: object) -> list[dict]:
    return [d for d in render({**LEAST, **over}) if d["kind"] == "Job"]


class AdoptTests(unittest.TestCase):
    def test_the_name_fits_however_long_the_releases_is(self) -> None:
        found = jobs(fullnameOverride="a" * 52, adopt={"ordinals": [98, 99]})
        names = [job["metadata"]["name"] for job in found]
        self.assertEqual(len(set(names)), 2)
        for name in names:
            self.assertRegex(name, r"^a+-adopt-9[89]-[0-9a-f]{8}$")
            self.assertLessEqual(len(name), 63, name)

    def test_a_pod_that_failed_stays_with_its_log(self) -> None:
        # With OnFailure Kubernetes takes the pod away at the backoff limit.
        job, = jobs(adopt={"ordinals": [2]})
        self.assertEqual(job["spec"]["template"]["spec"]["restartPolicy"], "Never")


if __name__ == "__main__":
    unittest.main()
