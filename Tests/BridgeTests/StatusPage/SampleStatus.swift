import Foundation

@testable import Bridge

extension StatusReport {
    /// A bridge with nothing to do and nothing wrong.
    static let idle = StatusReport(
        version: "1.2.3",
        replica: "b24bridge-0",
        ready: true,
        obstacles: [],
        uptimeSeconds: 12_345,
        connections: 3,
        portals: 1000,
        activity: ActivityPart(eventsPerSecond: 0, lastMinute: Array(repeating: 0, count: 60), silentPortals: 0),
        refusals: [],
        senders: SendersPart(allowedNetworks: nil, lists: []),
        registry: nil,
        installations: nil,
        offline: nil,
        journal: JournalPart(
            state: "accepting",
            bytes: 16 << 20,
            maxBytes: 10 << 30,
            fillRatio: 0.004,
            secondsUntilFull: nil,
            pendingBytes: 0,
            segments: 1,
            next: "1204711",
            checkpoint: "1204711",
            damagedBytes: 0,
            setAsideFiles: 0
        ),
        parked: JournalPart(
            state: "accepting",
            bytes: 0,
            maxBytes: 1 << 30,
            fillRatio: 0,
            secondsUntilFull: nil,
            pendingBytes: 0,
            segments: 0,
            next: "0",
            checkpoint: "0",
            damagedBytes: 0,
            setAsideFiles: 0
        ),
        kafka: KafkaPart(
            bootstrapServers: "kafka-1:9092,kafka-2:9092,kafka-3:9092",
            library: "librdkafka 2.8.0",
            unreachable: nil,
            token: nil,
            waitingRecords: 0,
            oldestUndeliveredSeconds: nil,
            queuedRecords: 0,
            queuedBytes: 0,
            parkedRecords: 0,
            refusingTopics: [],
            brokers: (1...3).map {
                BrokerPart(
                    name: "kafka-\($0):9092",
                    id: $0,
                    standing: .up,
                    state: "UP",
                    seconds: 12_300,
                    roundTripMilliseconds: 0.8 + Double($0) / 7,
                    requestsUnderWay: 0
                )
            }
        )
    )

    /// Events come, and all is well: an application with a registry and offline queues.
    static let busy: StatusReport = {
        var report = idle
        report.activity = ActivityPart(
            eventsPerSecond: 184.4,
            lastMinute: (0..<60).map { 150 + Int(90 * sin(Double($0) / 6)) + $0 * 37 % 41 },
            silentPortals: 0
        )
        report.registry = RegistryPart(
            topic: "bitrix24.registry",
            read: true,
            owner: true,
            states: ["connected": 996, "installing": 3, "gone": 1],
            unconfirmed: 0,
            snapshotAgeSeconds: 41,
            fault: nil
        )
        report.installations = InstallationsPart(callsToVerify: 0, awaitingTokenRecords: 0, awaitingTokenBytes: 0)
        report.offline = OfflinePart(
            portals: 412,
            portalsDenied: 0,
            drainedRows: 1_284_113,
            heldRows: 50,
            deadLetteredRows: 0,
            lagSeconds: 4,
            paused: nil
        )
        report.refusals = [RefusalPart(reason: "address", lost: false, count: 41, lastSecondsAgo: 70)]
        report.kafka.waitingRecords = 212
        report.kafka.oldestUndeliveredSeconds = 0.2
        report.kafka.queuedRecords = 180
        report.kafka.queuedBytes = 212_000
        return report
    }()

    /// As much trouble as there can be at once, and every field set.
    static let troubled: StatusReport = {
        var report = busy
        report.ready = false
        report.obstacles = [
            "the journal is full: Kafka has not confirmed enough for too long, or journal.maxBytes is too small"
        ]
        report.portalsFileFault = "portals[3].memberId is missing: give the member_id of the portal"
        report.activity.silentPortals = 7
        report.refusals = [
            RefusalPart(reason: "journal-full", lost: true, count: 1312, lastSecondsAgo: 3),
            RefusalPart(reason: "bad-token", lost: false, count: 12, lastSecondsAgo: 340),
            RefusalPart(reason: "unknown-portal", lost: false, count: 88_211, lastSecondsAgo: 4000),
        ]
        report.senders = SendersPart(
            allowedNetworks: 41,
            lists: [.init(name: "bitrix24", entries: 39, ageSeconds: 90_000, failure: "status 502")]
        )
        report.registry?.states = [
            "connected": 980, "needs-authorization": 11, "awaiting-token": 1, "offline-denied": 5, "gone": 3,
        ]
        report.registry?.fault = "the coordinator is not available"
        report.installations = InstallationsPart(callsToVerify: 4, awaitingTokenRecords: 91, awaitingTokenBytes: 88_000)
        report.offline?.portalsDenied = 5
        report.offline?.lagSeconds = 7300
        report.offline?.paused = "Kafka cannot be reached"
        report.offline?.deadLetteredRows = 2
        report.journal.state = "full"
        report.journal.bytes = 10_730_000_000
        report.journal.fillRatio = 1
        report.journal.secondsUntilFull = 0
        report.journal.pendingBytes = 4096
        report.journal.segments = 160
        report.journal.damagedBytes = 512
        report.journal.setAsideFiles = 1
        report.parked.bytes = 640 << 20
        report.parked.fillRatio = 0.61
        report.parked.secondsUntilFull = 5400
        report.parked.segments = 10
        report.kafka.unreachable = "3/3 brokers are down"
        report.kafka.token = .init(secondsLeft: -40, failure: "status 401: invalid_client")
        report.kafka.waitingRecords = 6_712_044
        report.kafka.oldestUndeliveredSeconds = 8040
        report.kafka.parkedRecords = 31_044
        report.kafka.refusingTopics = [
            .init(topic: "b24.crm.dael", parked: true, error: "Broker: Unknown topic or partition", seconds: 8100),
            .init(topic: "b24.tasks.task", parked: false, error: "Broker: Topic authorization failed", seconds: 31),
        ]
        for index in report.kafka.brokers.indices { report.kafka.brokers[index].standing = .down }
        report.kafka.brokers[0].state = "AUTH_REQ"
        report.kafka.brokers[1].state = "INIT"
        report.kafka.brokers[1].roundTripMilliseconds = nil
        report.kafka.brokers[2].state = "TRY_CONNECT"
        return report
    }()
}

extension PortalStatus {
    /// The portals of a large bridge, in the order of `PortalPage`.
    static func samples(_ count: Int, troubled: Bool = false) -> [PortalStatus] {
        (0..<count).map { index in
            var portal = PortalStatus(
                memberId: "a223c6b3710f85df22e9377d" + String(0x6c4f_0000 + index, radix: 16),
                domain: index % 9 == 4
                    ? "crm.a-rather-long-name-of-a-customer-\(index).example" : "portal-\(index).bitrix24.com",
                state: index % 11 == 7 ? "file" : "connected",
                events: (count - index) * 17 % 40_000,
                lastEventSecondsAgo: index == count - 1 ? nil : index * index / 7,
                longestSilenceSeconds: 9000
            )
            if troubled, index < 12 { portal.state = "needs-authorization" }
            if troubled, index == 11 { portal.state = "awaiting-token" }
            if troubled, (12..<17).contains(index) { portal.state = "offline-denied" }
            if troubled, (17..<24).contains(index) {
                portal.silent = true
                portal.lastEventSecondsAgo = 30_000 + index * 777
            }
            return portal
        }
    }
}
