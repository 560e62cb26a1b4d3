internal import CoreMetrics
internal import KafkaClient
internal import Logging

/// A fatal error ends a producer for good; a new one goes on from the checkpoint.
extension ShippingLoop {
    /// Throws when no producer can be made, for want of threads or memory: its settings were accepted before.
    func rebuildProducer(now: ContinuousClock.Instant) throws(KafkaConfigurationError) {
        rebuildsFrom = now + .seconds(1)
        logger.error(
            "the Kafka producer failed for good; a new one goes on from the checkpoint",
            metadata: ["error": "\(producer.fatalError.map(String.init(describing:)) ?? "")"]
        )
        metrics.producerRebuilds.increment()
        let successor = try KafkaProducer(settings.producer) { [inbox] event in inbox.observe(event) }
        inbox.detach()
        producer.close()
        blocks.unpinAll()
        (inFlightRecords, inFlightBytes) = (0, 0)
        for lane in [lanes.main, lanes.parked] {
            (lane.inFlightRecords, lane.inFlightBytes) = (0, 0)
            lane.window.takeBackInFlight()
            lane.rewind(to: lane.window.base)
            for topic in lane.faults.keys { lane.faults[topic]?.abandonTry() }
        }
        singles.forgetTry()
        producer = successor
        inbox.attach(producer.wakeHandle)
    }
}
