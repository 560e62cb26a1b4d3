import Journal
import Testing

@testable import Bridge

@Suite struct ShippingLaneTests {
    @Test func `a rewind never goes forward over what an earlier one has still to read`() throws {
        let directory = try TemporaryDirectory()
        let journal = try Journal.open(JournalConfiguration(directory: directory.path + "/journal"))
        defer { journal.close() }
        let appender = journal.makeAppender { _ in }
        for _ in 1...100 { _ = [UInt8](repeating: 1, count: 100).withUnsafeBytes { appender.append($0) } }
        let lane = ShippingLane(name: .main, journal: journal)
        func next() throws -> (first: UInt64, last: UInt64)? {
            try lane.nextBlock(maxBytes: 1000).map { ($0.first.rawValue, $0.last.rawValue) }
        }
        let deadline = ContinuousClock.now + .seconds(10)
        var last: UInt64 = 0
        while last < 100, ContinuousClock.now < deadline { last = try next()?.last ?? last }
        try #require(last == 100)

        lane.rewind(to: 10)
        let first = try #require(try next())
        #expect(first.first == 10)
        // Another topic's rewind, while the first is under way: 90 lies beyond what was read since.
        lane.rewind(to: 90)
        let second = try #require(try next())
        #expect(second.first == first.last + 1)

        // The same while a block is being sent: its rest is read again.
        lane.rewind(to: 20)
        let block = try #require(try lane.nextBlock(maxBytes: 1000))
        lane.current = (id: 1, block: block, index: 2)
        lane.rewind(to: 80)
        lane.applyRewind()
        #expect(lane.current == nil)
        #expect(try next()?.first == block[2].position.rawValue)
    }
}
