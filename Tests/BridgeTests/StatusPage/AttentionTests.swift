import Testing

@testable import Bridge

@Suite struct AttentionTests {
    private static func worries(_ change: (inout StatusReport) -> Void) -> [String] {
        var report = StatusReport.idle
        change(&report)
        return report.worries.map { "\($0.subject): \($0.words)" }
    }

    @Test func `a file of portals that was not taken, and single parked records, are told`() {
        #expect(Self.worries { _ in } == [])
        let file = Self.worries { $0.portalsFileFault = "portals[0].memberId is there twice" }
        #expect(file.count == 1 && file[0].contains("portals[0].memberId is there twice"))
        let parked = Self.worries { $0.kafka.parkedRecords = 1 }
        #expect(parked.count == 1 && parked[0].contains("journal inspect"))
        // Those of a topic are told with it.
        let topic = Self.worries {
            $0.kafka.parkedRecords = 1
            $0.kafka.refusingTopics = [.init(topic: "t", parked: true, error: "no", seconds: 70)]
        }
        #expect(topic.count == 1 && topic[0].hasPrefix("Topic t"))
    }

    @Test func `of a full journal nobody says that events wait there`() {
        func words(_ state: String) -> [String] {
            Self.worries {
                $0.journal.state = state
                $0.kafka.unreachable = "1/1 brokers are down"
            }
        }
        #expect(words("accepting").contains { $0.contains("wait in the journal") })
        #expect(!words("full").contains { $0.contains("wait in the journal") })
        var report = StatusReport.idle
        report.journal.state = "full"
        report.journal.fillRatio = 0.99
        report.journal.secondsUntilFull = 0
        #expect(StatusPage.timeLeft(report.journal) == "no room is left")
    }
}
