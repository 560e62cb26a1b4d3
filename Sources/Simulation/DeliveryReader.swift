import Bitrix24
import KafkaClient
import Locks
import NIOPosix
import Synchronization

/// Reads the topics to which the events lead, on a thread of its own, and enters what it finds into the ledger.
final class DeliveryReader: Sendable {
    struct Status: Sendable {
        var isAtEnd = false
        var skippedOffsets: Int64 = 0
        /// What librdkafka complained of last, if no record came since.
        var complaint: String?
    }

    private let pool = NIOThreadPool(numberOfThreads: 1)
    private let status = Guarded(Status())
    private let isStopped = Atomic<Bool>(false)

    var current: Status { status.withLock { $0 } }

    /// Forgets that it was at the end, so that the next look counts.
    func lookForTheEndAgain() { status.withLock { $0.isAtEnd = false } }

    /// Returns when everything that is written from now on will be read.
    func start(
        _ kafka: SimulationSettings.Kafka,
        plan: EventPlan,
        run: String,
        mode: EnvelopeMode,
        into state: RunState
    ) async throws {
        let configuration = ConsumerConfiguration(
            bootstrapServers: kafka.bootstrapServers,
            clientID: "b24bridge-simulate",
            // Partitions are assigned by hand and nothing is committed; librdkafka wants a name all the same.
            groupID: "b24bridge-simulate-\(run)",
            properties: kafka.properties,
            tokens: kafka.tokens
        )
        let recognizer = Recognizer(run: run, mode: mode)
        pool.start()
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            pool.submit { [self] _ in
                let tail: TopicTail
                do throws(KafkaError) {
                    tail = try TopicTail(configuration, topics: Set(plan.topics), timeout: .seconds(10))
                } catch {
                    continuation.resume(
                        throwing: SimulationError(
                            "the topics at \(kafka.bootstrapServers) cannot be read: \(error)"
                        )
                    )
                    return
                }
                continuation.resume()
                read(tail, recognizer, plan, into: state)
                tail.close()
            }
        }
    }

    func stop() async {
        isStopped.store(true, ordering: .relaxed)
        try? await pool.shutdownGracefully()
    }

    private func read(_ tail: TopicTail, _ recognizer: Recognizer, _ plan: EventPlan, into state: RunState) {
        while !isStopped.load(ordering: .relaxed) {
            let record = tail.poll(upTo: .milliseconds(100))
            if let record {
                guard let arrival = recognizer.arrival(record) else { continue }
                state.figures.withLock { $0.ledger.arrive(arrival, plan: plan) }
            } else {
                let now = Status(
                    isAtEnd: tail.complaint == nil && tail.isAtEnd,
                    skippedOffsets: tail.skippedOffsets,
                    complaint: tail.complaint.map { "\($0)" }
                )
                status.withLock { $0 = now }
                // A complaint may come at once and again and again.
                if tail.complaint != nil { usleep(20_000) }
            }
        }
    }
}

/// Tells the records of this run from others, and what matters of them.
struct Recognizer: Sendable {
    private let marker: Marker
    private let mode: EnvelopeMode

    init(run: String, mode: EnvelopeMode) {
        marker = Marker(run: run)
        self.mode = mode
    }

    /// - Returns: `nil` for a record that is not of this run.
    func arrival(_ record: ConsumedRecord) -> Ledger.Arrival? {
        guard let value = record.value, let number = marker.number(in: value) else { return nil }
        let contentType = record.header("content-type") ?? []
        let isStructured = contentType.starts(with: "application/cloudevents+json".utf8)
        let id = isStructured ? Self.structuredID(value) : (record.header("ce_id") ?? [])[...]
        return Ledger.Arrival(
            number: number,
            idHash: Self.hash(id),
            key: record.key ?? [],
            topic: record.topic,
            isOfExpectedMode: isStructured == (mode == .structured)
        )
    }

    /// The envelope's `id`, which stands before everything that a sender may choose. Empty when there is none.
    private static func structuredID(_ value: [UInt8]) -> ArraySlice<UInt8> {
        var start = 0
        let isFound = value.withUnsafeBytes { value in
            idMember.withUnsafeBytes { name in
                while start + name.count <= value.count {
                    if value[start] == name[0], value[start..<start + name.count].elementsEqual(name) { return true }
                    start += 1
                }
                return false
            }
        }
        guard isFound else { return [] }
        return value[(start + idMember.count)...].prefix { $0 != UInt8(ascii: "\"") }
    }

    private static let idMember = Array(#""id":""#.utf8)

    /// FNV-1a: among millions of ids, two with the same hash are not to be expected.
    private static func hash(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        bytes.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    }
}
