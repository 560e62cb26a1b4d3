import Bitrix24
import Foundation
import Journal
import Telemetry
import Testing

@testable import Bridge

/// ONOFFLINEEVENT at the receiver.
@Suite struct WakeEventTests {
    private static func wake(_ code: String = "ONOFFLINEEVENT", token: String? = token) -> String {
        "event=\(code)&event_handler_id=1&ts=1466439714&auth[domain]=p.bitrix24.com&auth[member_id]=\(memberID)"
            + (token.map { "&auth[application_token]=\($0)" } ?? "")
    }

    @Test func `ONOFFLINEEVENT is published and tells that the portal's queue has something`() async throws {
        try await RunningBridge.with { bridge in
            var heard = bridge.bridge.signals.listen().makeAsyncIterator()
            try await bridge.take([event(), event("ONSOMETHINGNEW"), Self.wake()])
            try await bridge.waitForDelivery(of: 1, to: "offline")
            bridge.bridge.signals.deafen()
            #expect(await heard.next() == .portal(memberID))
            #expect(await heard.next() == nil, "once, and of nothing else")
        }
    }

    @Test func `who proves nothing wakes nobody, and neither does an outgoing webhook`() async throws {
        try await RunningBridge.with { bridge in
            var heard = bridge.bridge.signals.listen().makeAsyncIterator()
            let statuses = try await bridge.post(
                all: [Self.wake(token: "0"), Self.wake(token: nil), Self.wake(token: webhookToken)]
            )
            #expect(statuses == [403, 403, 403])
            bridge.bridge.signals.deafen()
            #expect(await heard.next() == nil)
        }
    }

    @Test func `one that waited for the application token wakes when it goes on, not before`() async throws {
        let directory = try TemporaryDirectory()
        let settings = try RunningBridge.settings(servers: "127.0.0.1:1", directory: directory, prefix: "w")
        let journals = try JournalPair(settings, mainObserver: .init(), parkedObserver: .init())
        defer { journals.close() }
        let metrics = BridgeMetrics(factory: MetricsRegistry())
        let signals = OfflineSignals()
        let intake = try IntakeContext(
            settings: settings,
            senders: SenderNetworks([]),
            portals: PortalStore(RunningBridge.portals),
            journal: journals.main,
            deadLetterBudget: DeadLetterBudget(journalBytes: settings.journal.maxBytes),
            parkingGate: ParkingGate(),
            signals: signals,
            activity: ActivityLedger(),
            metrics: metrics,
            logger: LogLines().logger
        )
        var heard = signals.listen().makeAsyncIterator()
        var unknown = WaitingJudge(intake: intake, portals: .empty)
        var known = WaitingJudge(intake: intake, portals: RunningBridge.portals)
        for code in ["ONCRMDEALADD", "ONOFFLINEEVENT"] {
            let waiting = try #require(WaitingEvent(try Self.letter(Self.wake(code), settings)))
            _ = unknown.judge(waiting)
            #expect(known.judge(waiting)?.records.count == 1)
        }
        #expect(unknown.admitted == 0 && known.admitted == 2)
        signals.deafen()
        #expect(await heard.next() == .portal(memberID))
        #expect(await heard.next() == nil)
    }

    /// As the waiting room keeps it.
    private static func letter(_ body: String, _ settings: BridgeSettings) throws -> [UInt8] {
        var form = BracketForm()
        try Array(body.utf8).withUnsafeBytes { try form.decode($0) }
        guard case .event(let event) = InboundCall(form) else { throw WaitingEnded() }
        var normalizer = Normalizer(
            topic: settings.kafka.topic,
            key: settings.kafka.key,
            mode: settings.kafka.mode,
            replica: settings.replica
        )
        var ids = EnvelopeIDGenerator()
        var record = EventRecord()
        let now = Timestamp(milliseconds: 0)
        try normalizer.deadLetter(
            event,
            of: form,
            topic: settings.kafka.deadLetterTopic,
            reason: .badToken,
            receivedAt: now,
            tokenDigest: TokenDigest(token: Array(token.utf8)),
            id: ids.next(at: now),
            into: &record
        )
        var payload: [UInt8] = []
        _ = StoredRecord.encode(record, flags: [], into: &payload)
        return WaitingEvent.encode(letter: payload, traceparent: nil)
    }
}
