extension ProducerConfiguration {
    /// Properties that a user may not set, each with what to do instead: the promises of the sender or the bounds of its
    /// memory rest on them. Aliases are listed with their originals.
    package static let reserved: [String: String] = [
        "bootstrap.servers": elsewhere,
        "metadata.broker.list": elsewhere,
        "enable.idempotence": "is always true, so that a repeated request neither writes twice nor out of order",
        "enable.gapless.guarantee": "is always false: one refused record would stop the producer for all topics",
        "acks": acknowledged,
        "request.required.acks": acknowledged,
        "message.timeout.ms": patience,
        "delivery.timeout.ms": patience,
        "retries": patience,
        "message.send.max.retries": patience,
        "delivery.report.only.error": "is always false: each record's delivery is waited for",
        "partitioner": "is always murmur2_random, so that a key has the partition that Java clients pick",
        "transactional.id": "cannot be used: the producer does not open transactions",
        "queuing.strategy": "is always fifo, as order rests on it",
        "queue.buffering.max.messages": elsewhere,
        "queue.buffering.max.kbytes": elsewhere,
        "message.max.bytes": elsewhere,
        "log.queue": internally,
        "enabled_events": internally,
        "test.mock.num.brokers": "cannot be used: it replaces the servers that are configured",
    ]

    private static let elsewhere = "is set from the program's own configuration; leave it out here"
    private static let acknowledged = "is always all, so that a confirmed record survives the loss of a broker"
    private static let patience = "cannot be limited: a record is retried until it is delivered; leave it out here"
    private static let internally = "is used by the program itself; leave it out here"
}
