"""How many replicas an upgrade asks for where an autoscaler decides: what there is, never the one of Kubernetes' default."""
from __future__ import annotations

import shutil
import unittest
from unittest import mock

import engine
import yaml
from chart import CHART, LEAST, NAME, NAMESPACE, RELEASE, one, render

GIVEN = {**LEAST, "autoscaling": {"enabled": True, "minReplicas": 2, "maxReplicas": 6}}


@unittest.skipIf(shutil.which("helm"), "`helm template` asks no cluster")
class AutoscalingTests(unittest.TestCase):
    def spec(self, kind: str, replicas: int, **over: object) -> dict:
        """Of what is rendered in a cluster that has the release's workload already."""
        path = f"/apis/apps/v1/namespaces/{NAMESPACE}/{kind.lower()}s/{NAME}"
        there = {"apiVersion": "apps/v1", "kind": kind, "spec": {"replicas": replicas}, "metadata": {
            "name": NAME, "namespace": NAMESPACE, "labels": {"app.kubernetes.io/managed-by": "Helm"}, "annotations": {
                "meta.helm.sh/release-name": RELEASE, "meta.helm.sh/release-namespace": NAMESPACE}}}
        usual = engine.Answers.do_GET

        def answer(request: engine.Answers) -> None:
            if request.path.split("?")[0] == path:
                request.answer(200, there)
            else:
                usual(request)

        with mock.patch.object(engine.Answers, "do_GET", answer):
            manifest, _ = engine.Engine.of(NAMESPACE).render({**GIVEN, **over}, RELEASE, CHART)
        return one([d for d in yaml.safe_load_all(manifest) if d], kind)["spec"]

    def test_an_upgrade_keeps_the_replicas_that_there_are(self) -> None:
        self.assertEqual(self.spec("StatefulSet", 5)["replicas"], 5)
        without = {"persistence": {"enabled": False, "acceptLoss": True}}
        self.assertEqual(self.spec("Deployment", 3, **without)["replicas"], 3)

    def test_they_are_never_fewer_than_the_least(self) -> None:
        # An autoscaler lets 0 alone.
        self.assertEqual(self.spec("StatefulSet", 0)["replicas"], 2)

    def test_without_an_autoscaler_the_values_decide(self) -> None:
        self.assertEqual(self.spec("StatefulSet", 5, autoscaling={"enabled": False})["replicas"], 2)

    def test_where_nothing_is_there_yet_nothing_is_said(self) -> None:
        self.assertNotIn("replicas", one(render(GIVEN), "StatefulSet")["spec"])


if __name__ == "__main__":
    unittest.main()
