"""Ports of the NetworkPolicy that differ between clusters."""
from __future__ import annotations

import unittest

from chart import LEAST, one, refusal, render

POLICY = {"enabled": True, "ingressFrom": [{"podSelector": {}}], "kafkaTo": [{"podSelector": {}}]}


class NamesTests(unittest.TestCase):
    def ports(self, **policy: object) -> set[tuple[int, str]]:
        names = one(render({**LEAST, "networkPolicy": POLICY | policy}), "NetworkPolicy")["spec"]["egress"][0]
        return {(port["port"], port["protocol"]) for port in names["ports"]}

    def test_names_are_asked_for_at_the_ports_of_pods_too(self) -> None:
        # A policy is applied when the Service's address has become a pod's: OpenShift's listen on 5353.
        self.assertEqual(self.ports(), {(53, "UDP"), (53, "TCP"), (5353, "UDP"), (5353, "TCP")})

    def test_other_ports(self) -> None:
        self.assertEqual(self.ports(dnsPorts=[1053]), {(1053, "UDP"), (1053, "TCP")})
        self.assertIn("dnsPorts", refusal({**LEAST, "networkPolicy": POLICY | {"dnsPorts": []}}))


if __name__ == "__main__":
    unittest.main()
