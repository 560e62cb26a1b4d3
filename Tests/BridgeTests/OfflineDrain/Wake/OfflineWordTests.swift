import Locks
import Synchronization
import Testing

@testable import Bridge
@testable import KafkaClient

@Suite struct OfflineWordTests {
    static func record(of word: OfflineWord) -> ConsumedRecord {
        ConsumedRecord(
            topic: "t",
            partition: 0,
            offset: 7,
            timestampMilliseconds: 1,
            key: Array(word.key.utf8),
            value: nil,
            headers: word.headers.map { .init(name: $0.name, value: Array($0.value.utf8)) }
        )
    }

    @Test(arguments: [OfflineWord.portal("p1"), .everyPortal(because: "no event came")])
    func `word is read as it was sent, and can be no portal's record`(word: OfflineWord) {
        let record = Self.record(of: word)
        #expect(OfflineWord.isRecord(record) && OfflineWord(record) == word)
        #expect(!RegistryRecord.isMemberID(word.key))
    }

    @Test(arguments: [OfflineWord.portal("p1"), .everyPortal(because: "no event came")])
    func `a bridge that knows no such records takes nothing from it`(word: OfflineWord) throws {
        let entry = try RegistryRecord.entry(Self.record(of: word))
        var state = RegistryState(replica: "old")
        let before = state.clock.next(now: 5)
        #expect(!state.read(entry) && state.memberIDs.isEmpty && state.version == 0)
        #expect(state.clock.next(now: 5).time == before.time + 1)
        #expect(state.reachedEnd(.lost).isEmpty && state.takeBehind() == 0 && state.unconfirmed.isEmpty)
    }

    @Test func `word of a kind that a newer bridge knows is no portal's record either`() {
        let key = OfflineWord.portal("p1").key
        let newer = ConsumedRecord(
            topic: "t",
            partition: 0,
            offset: 7,
            timestampMilliseconds: 1,
            key: Array(key.utf8),
            value: nil,
            headers: [.init(name: OfflineWord.header, value: Array("some-portals".utf8))]
        )
        #expect(OfflineWord.isRecord(newer) && OfflineWord(newer) == nil)
    }

    // MARK: Who hears it

    /// Until the stream ends.
    private static func all(_ heard: AsyncStream<OfflineWord>) async -> [OfflineWord] {
        await heard.reduce(into: []) { $0.append($1) }
    }

    @Test func `word goes to whoever drains here, and only else to other replicas`() async {
        let signals = OfflineSignals()
        let relayed = Guarded<[OfflineWord]>([])
        signals.relay { word in relayed.withLock { $0.append(word) } }
        signals.signal("p1")
        let heard = signals.listen()
        signals.signal("p2")
        signals.relayed(.portal("p3"))
        signals.signalAll(because: "1")
        signals.deafen()
        signals.relayed(.portal("p4"))
        signals.signal("p5")
        #expect(await Self.all(heard) == [.portal("p2"), .portal("p3"), .everyPortal(because: "1")])
        #expect(relayed.withLock { $0 } == [.portal("p1"), .portal("p5")], "what was relayed goes no further")
    }

    @Test func `that all are to be drained is kept until somebody here drains`() async {
        let signals = OfflineSignals()
        let relayed = Guarded<[OfflineWord]>([])
        signals.relay { word in relayed.withLock { $0.append(word) } }
        signals.signalAll(because: "1")
        signals.relayed(.everyPortal(because: "2"))
        signals.signal("p1")
        let first = signals.listen()
        signals.relayed(.everyPortal(because: "3"))
        let second = signals.listen()
        signals.deafen()
        #expect(await Self.all(first) == [.everyPortal(because: "2"), .everyPortal(because: "3")])
        #expect(await Self.all(second).isEmpty, "each once")
        #expect(relayed.withLock { $0 } == [.everyPortal(because: "1"), .portal("p1")])
    }
}
