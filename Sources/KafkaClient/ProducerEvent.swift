/// What a producer tells besides deliveries. Handed out during `poll`, on the thread that polls; never holds a secret.
package enum ProducerEvent: Sendable {
    /// A line that librdkafka would log. `level` is syslog's: 0 emergency … 3 error, 4 warning … 7 debug.
    case log(level: Int32, facility: String, message: String)
    /// Trouble with a connection. librdkafka mends it by itself; this is for people.
    case connectionError(KafkaError)
    /// No broker can be reached.
    case brokersUnreachable(KafkaError)
    /// The first delivery after `brokersUnreachable`. A producer with nothing to send does not notice the end of an outage.
    case brokersReachable
    /// The producer is finished; also in `fatalError`.
    case fatal(KafkaError)
    /// librdkafka's statistics as JSON, if `statistics.interval.ms` is set.
    case statistics(String)
}
