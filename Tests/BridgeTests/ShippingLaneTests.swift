import Foundation
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

    @Test func `single records are found one after the other, in any order, and over gaps`() throws {
        let directory = try TemporaryDirectory()
        let journal = try Journal.open(JournalConfiguration(directory: directory.path + "/journal", tailBytes: 0))
        defer { journal.close() }
        try fill(journal, 3000, bytes: 500)
        let lane = ShippingLane(name: .main, journal: journal)
        func position(at wanted: UInt64) throws -> UInt64? {
            try lane.record(at: wanted).map { $0.block[$0.index].position.rawValue }
        }
        for wanted in [1, 2, 3, 700, 2999, 3000, 5, 1500, 1499, 3001] as [UInt64] {
            #expect(try position(at: wanted) == (wanted > 3000 ? nil : wanted))
        }
    }

    @Test func `what could be read once and cannot be read again is given up`() throws {
        let directory = try TemporaryDirectory()
        let folder = directory.path + "/journal"
        let journal = try Journal.open(JournalConfiguration(directory: folder, tailBytes: 0))
        defer { journal.close() }
        try fill(journal, 100, bytes: 100)
        let lane = ShippingLane(name: .main, journal: journal)
        func readAll() throws {
            while let block = try lane.nextBlock(maxBytes: 1000) {
                block.forEach { _ = lane.window.read($0.position.rawValue) }
            }
        }
        try readAll()
        #expect(lane.window.open == 100 && lane.takeUnreadable() == 0)
        lane.window[49] = .held
        lane.window[51] = .inFlight
        try damage([20, 49, 51, 100].map { Self.mark($0) }, in: folder)
        lane.rewind(to: 30)
        try readAll()
        #expect(lane.takeUnreadable() == 2, "49 and 100; 51 is under way, and 20 was not read again")
        #expect(lane.window.open == 98 && lane.window.held == 0)
        #expect([20, 49, 50, 51, 100].map { lane.window[$0] } == [.waiting, .done, .waiting, .inFlight, .done])
        lane.rewind(to: 1)
        try readAll()
        #expect(lane.takeUnreadable() == 1 && lane.window[20] == .done)
        #expect(lane.takeUnreadable() == 0)
    }

    private static func mark(_ number: Int) -> String { "<record \(number)>" }

    private func fill(_ journal: Journal, _ count: Int, bytes: Int) throws {
        let appender = journal.makeAppender { _ in }
        for number in 1...count {
            let payload = Array(Self.mark(number).utf8) + [UInt8](repeating: 1, count: bytes)
            _ = payload.withUnsafeBytes { appender.append($0) }
        }
        let deadline = ContinuousClock.now + .seconds(10)
        while journal.statistics.recordsCommitted < count, ContinuousClock.now < deadline { usleep(1000) }
        try #require(journal.statistics.recordsCommitted == count)
    }
}

/// Destroys the frames that hold these texts, in the segments of a journal.
func damage(_ texts: [String], in folder: String) throws {
    for name in try FileManager.default.contentsOfDirectory(atPath: folder) {
        let url = URL(fileURLWithPath: folder + "/" + name)
        guard var data = try? Data(contentsOf: url) else { continue }
        for text in texts {
            guard let range = data.range(of: Data(text.utf8)) else { continue }
            data[range.lowerBound] ^= 0xFF
            // In place: the file that is open must change.
            let file = try FileHandle(forUpdating: url)
            try file.seek(toOffset: UInt64(range.lowerBound))
            try file.write(contentsOf: data[range.lowerBound..<range.lowerBound + 1])
            try file.close()
        }
    }
}
