"""What Strimzi's objects must not be: topics that nobody can write to, and a user that reads more than was asked for."""
from __future__ import annotations

import json
import unittest

from chart import merged, one, refusal, render

GIVEN = {"config": {"kafka": {"bootstrapServers": "kafka:9092"}}, "portals": {"existingSecret": "portals"},
         "kafka": {"strimzi": {"enabled": True, "cluster": "events"}}}


def values(**strimzi: object) -> dict:
    return merged(GIVEN, {"kafka": {"strimzi": strimzi}})


class InSyncReplicasTests(unittest.TestCase):
    def test_topics_with_fewer_replicas_than_must_be_in_sync_are_refused(self) -> None:
        words = refusal(values(topics={"replicas": 1}))
        for word in ("kafka.strimzi.topics.replicas 1", "min.insync.replicas 2", "kafka.strimzi.topics.config", "raise"):
            self.assertIn(word, words)
        self.assertIn("deadLetterConfig", refusal(values(topics={"deadLetterConfig": {"min.insync.replicas": 4}})))
        registry = {**values(topics={"replicas": 1, "config": {"min.insync.replicas": 1}}),
                    "portals": {"registry": True, "existingSecret": "portals"}}
        self.assertIn("registryConfig", refusal(registry))

    def test_a_cluster_of_one_broker(self) -> None:
        topics = [d for d in render(values(topics={"replicas": 1, "config": {"min.insync.replicas": 1}})) if d["kind"] == "KafkaTopic"]
        self.assertEqual({topic["spec"]["replicas"] for topic in topics}, {1})

    def test_without_a_cluster_it_is_refused(self) -> None:
        self.assertIn("kafka.strimzi.cluster is empty", refusal(values(cluster="")))


class ReadingTests(unittest.TestCase):
    def readable(self, **user: object) -> set[str]:
        found = one(render(values(user=user, topics={"entities": ["crm.deal", "task"]})), "KafkaUser")
        acls = found["spec"]["authorization"]["acls"]
        self.assertEqual(len(acls), len({json.dumps(acl, sort_keys=True) for acl in acls}))
        read = [acl["resource"] for acl in acls if "Read" in acl["operations"] and acl["resource"]["type"] == "topic"]
        self.assertEqual({resource["patternType"] for resource in read}, {"literal"})
        return {resource["name"] for resource in read}

    def test_whoever_reads_events_reads_no_dead_letters(self) -> None:
        self.assertEqual(self.readable(readEvents=True), {"bitrix24.crm.deal", "bitrix24.task", "bitrix24.other"})

    def test_dead_letters_are_read_by_whoever_may(self) -> None:
        self.assertEqual(self.readable(readDeadLetters=True), {"bitrix24.dead-letter", "bitrix24.other"})


if __name__ == "__main__":
    unittest.main()
