import Foundation
import Glibc
import Testing

/// A bridge that is attacked while genuine clients go on posting.
struct Siege: Sendable {
    /// What an attack tells of itself.
    struct Report {
        var figures: String
        /// Numbers of events that it sent itself and that were answered 200.
        var accepted: Set<String> = []
    }

    let bridge: Bridge
    let port: Int
    let admin: Int
    let load: Load
    let reader: RecordReader

    /// Runs an attack against a bridge of its own. In the end every genuine event was answered 200, and exactly those are
    /// in the topic, in order; requests and answers, records in and out add up; memory kept within its bound; and the
    /// bridge stops in order.
    ///
    /// - Parameters:
    ///   - memoryMiB: by which resident memory may have grown at its peak.
    ///   - reconnects: each genuine event comes on a connection of its own.
    static func run(
        _ scenario: String,
        _ setup: Setup,
        start: (Setup) throws -> Bridge = { try $0.start() },
        memoryMiB: Double,
        reconnects: Bool = false,
        sourceLocation: SourceLocation = #_sourceLocation,
        attack: (Siege) async throws -> Report
    ) async throws {
        let reader = RecordReader(setup.dealTopic, at: setup.servers)
        defer { reader.stop() }
        let bridge = try start(setup)
        let load = Load(clients: 3, keys: 6, pause: 0.005, reconnects: reconnects)
        defer { load.stop() }
        let siege = Siege(
            bridge: bridge,
            port: try await bridge.port(),
            admin: try await bridge.port("admin"),
            load: load,
            reader: reader
        )
        load.direct(to: siege.port)
        try await siege.moreAnswers(100)
        let before = try siege.figures()
        let report = try await attack(siege)
        try await siege.moreAnswers(50)
        load.stop()
        try await eventually("the clients end", sourceLocation: sourceLocation) { load.isFinished }
        let after = try siege.figures()

        let outcome = load.outcome
        #expect(outcome.refused == [], sourceLocation: sourceLocation)
        #expect(outcome.unanswered == [], sourceLocation: sourceLocation)
        #expect(outcome.notAccepted == 0, sourceLocation: sourceLocation)
        let genuine = outcome.acknowledged.union(report.accepted)
        try await eventually("all that was acknowledged is delivered", sourceLocation: sourceLocation) {
            genuine.isSubset(of: reader.numbers)
        }
        #expect(
            reader.numbers.subtracting(genuine) == [],
            "delivered and never acknowledged",
            sourceLocation: sourceLocation
        )
        #expect(DeliveryOrder.faults(in: reader.records, kills: 0) == [], sourceLocation: sourceLocation)
        try await siege.expectSums(sourceLocation)
        let growth = after.peakResidentMiB - before.residentMiB
        #expect(growth <= memoryMiB, "resident memory grew by \(growth) MiB", sourceLocation: sourceLocation)
        try await bridge.stop(sourceLocation: sourceLocation)

        func tenths(_ value: Double) -> String { String(format: "%.1f", value) }
        Campaign.report(
            scenario,
            """
            \(outcome.acknowledged.count) genuine events, all answered 200 and delivered, \
            p50 \(tenths(outcome.answerMilliseconds(0.5))) ms, p99 \(tenths(outcome.answerMilliseconds(0.99))) ms, \
            memory \(tenths(before.residentMiB)) MiB, peak \(tenths(after.peakResidentMiB)), \
            after \(tenths(after.residentMiB)); \(report.figures)
            """
        )
    }

    func figures() throws -> ProcessFigures { try bridge.figures() }

    /// Waits until the genuine clients have got so many answers more.
    func moreAnswers(_ count: Int) async throws {
        let enough = load.outcome.acknowledged.count + count
        try await eventually("\(count) more genuine events are answered; \(bridge.program.standardError.suffix(2000))")
        {
            load.outcome.acknowledged.count >= enough
        }
    }

    /// Goes on for a while, which is the scenario and no wait for anything.
    func goOn(for time: Duration) async throws { try await Task.sleep(for: time) }

    func metric(_ name: String) async throws -> Double { try await bridge.metric(name, admin: admin) }

    private func expectSums(_ sourceLocation: SourceLocation) async throws {
        let deadline = ContinuousClock.now + .seconds(15)
        while true {
            let requests = try await metric("requests_total"), answers = try await metric("answers_total")
            let taken = try await metric("records_committed_total") + metric("records_recovered_total")
            let accounted =
                try await metric("records_delivered_total") + metric("records_waiting") + metric("records_parked")
            if requests == answers, taken == accounted { return }
            guard ContinuousClock.now < deadline else {
                Issue.record(
                    "\(requests) requests, \(answers) answers; \(taken) records taken, \(accounted) accounted for",
                    sourceLocation: sourceLocation
                )
                return
            }
            try await Task.sleep(for: .milliseconds(50))
        }
    }
}
