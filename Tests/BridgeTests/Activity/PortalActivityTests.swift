import Bitrix24
import Foundation
import Journal
import Synchronization
import Telemetry
import Testing

@testable import Bridge

private let minute: Int64 = 60_000
private let hour = 60 * minute
private let day = 24 * hour
/// A Monday, 00:00 UTC.
private let monday: Int64 = 1_792_972_800_000

@Suite struct PortalActivityTests {
    /// Hears of an event every `step`, from `start` until `end`.
    private static func portal(every step: Int64, from start: Int64, until end: Int64) -> PortalActivity {
        var portal = PortalActivity(firstAt: start)
        portal.heard(1, at: start)
        var moment = start + step
        while moment <= end {
            portal.heard(1, at: moment)
            moment += step
        }
        return portal
    }

    @Test func `events count, and the last one's time stays however they come`() {
        var portal = PortalActivity(firstAt: monday)
        portal.heard(1, at: monday)
        portal.heard(3, at: monday + 5000)
        // One that had to wait, or a clock that was set back.
        portal.heard(2, at: monday - hour)
        #expect(portal.events == 6 && portal.lastAt == monday + 5000 && portal.watchedSince == monday)
        #expect(portal.silence(at: monday + 6000) == 1000 && portal.silence(at: monday) == 0)
    }

    @Test func `nothing is usual before a week has passed from event to event`() {
        let young = Self.portal(every: hour, from: monday, until: monday + 7 * day - hour)
        #expect(young.longestPause == nil)
        #expect(!young.isSilent(at: monday + 300 * day))
        let known = Self.portal(every: hour, from: monday, until: monday + 7 * day)
        #expect(known.longestPause == hour)
        // A call now and then that another replica would have got, and nothing for weeks.
        var strays = Self.portal(every: 1000, from: monday, until: monday + minute)
        #expect(!strays.isSilent(at: monday + 30 * day))
        strays.heard(1, at: monday + 30 * day)
        #expect(strays.longestPause == 30 * day - minute && !strays.isSilent(at: monday + 60 * day))
    }

    @Test func `silent is what lasts half as long again as the longest pause, and an hour at least`() {
        let end = monday + 8 * day
        let steady = Self.portal(every: 2 * hour, from: monday, until: end)
        #expect(!steady.isSilent(at: end + 3 * hour) && steady.isSilent(at: end + 3 * hour + 1))
        let busy = Self.portal(every: minute, from: monday, until: end)
        #expect(busy.longestPause == minute)
        #expect(!busy.isSilent(at: end + hour) && busy.isSilent(at: end + hour + 1))
    }

    @Test func `a weekend is usual where it is, and the pauses of fourteen days count`() {
        var portal = PortalActivity(firstAt: monday + 9 * hour)
        for week in 0..<3 as Range<Int64> {
            for weekday in 0..<5 as Range<Int64> {
                for slot in 0..<18 as Range<Int64> {
                    portal.heard(1, at: monday + (week * 7 + weekday) * day + 9 * hour + slot * 30 * minute)
                }
            }
        }
        let weekend = 2 * day + 15 * hour + 30 * minute
        #expect(portal.longestPause == weekend)
        let friday = portal.lastAt
        #expect(!portal.isSilent(at: friday + weekend) && portal.isSilent(at: friday + weekend * 3 / 2 + 1))
        // However long it stays silent.
        #expect(portal.isSilent(at: friday + 100 * day))
        // Daily from now on: on the fourteenth day after the last weekend's end it counts no more.
        let lastWeekendEnd = monday + 14 * day + 9 * hour
        for passed in 1...13 as ClosedRange<Int64> { portal.heard(1, at: lastWeekendEnd + (4 + passed) * day) }
        #expect(portal.longestPause == day)
    }

    @Test func `time in which the bridge was down is no pause`() {
        var portal = Self.portal(every: 10 * minute, from: monday, until: monday + 8 * day)
        let end = portal.lastAt
        portal.missed(5 * hour)
        #expect(portal.silence(at: end + 5 * hour + minute) == minute)
        #expect(!portal.isSilent(at: end + 6 * hour) && portal.isSilent(at: end + 6 * hour + 1))
        // Twice down: both are taken out. The next event makes the pause usual that was heard, not the outage.
        portal.missed(hour)
        portal.heard(1, at: end + 6 * hour + 20 * minute)
        #expect(portal.longestPause == 20 * minute && portal.absence == 0)
    }

    @Test func `the daily maxima are a ring`() {
        var pauses = DailyPauses()
        #expect(pauses.newestFirst.isEmpty && pauses.longest == 0)
        for age in 0..<20 as Range<Int64> { pauses.add((100 - age) * 1000, at: monday + age * day) }
        #expect(pauses.newestFirst == (0..<14).map { UInt32(81 + $0) })
        #expect(pauses.longest == 94_000)
        // A smaller one of the same day changes nothing, nor one that ends on an earlier day beyond it.
        pauses.add(1000, at: monday + 19 * day + hour)
        #expect(pauses.newestFirst.first == 81)
        pauses.add(5000, at: monday + 22 * day)
        #expect(pauses.newestFirst == [5, 0, 0] + (0..<11).map { UInt32(81 + $0) })
        #expect(DailyPauses(newest: pauses.newest, seconds: pauses.newestFirst) == pauses)
        pauses.add(7000, at: monday + 60 * day)
        #expect(pauses.newestFirst == [7] && pauses.longest == 7000)
        pauses.add(.max, at: monday + 60 * day)
        #expect(pauses.newestFirst == [.max])
    }
}

@Suite struct EventRateTests {
    @Test func `sixty seconds are kept, the oldest first`() {
        var rate = EventRate()
        #expect(rate.mean == 0)
        for count in 1...70 { rate.passed(count) }
        #expect(rate.seconds == Array(11...70) && rate.mean == 40.5)
        rate.passed(5, seconds: 3)
        #expect(rate.seconds.suffix(4) == [70, 0, 0, 5] && rate.seconds.count == 60)
        rate.passed(2, seconds: 0)
        #expect(rate.seconds.last == 7)
        rate.passed(1, seconds: .max)
        #expect(rate.seconds == Array(repeating: 0, count: 59) + [1])
    }
}

@Suite struct ActivityLedgerTests {
    @Test func `tallies of all event loops come together, and nothing is counted twice`() {
        let ledger = ActivityLedger()
        let tallies = [ledger.makeTally(), ledger.makeTally()]
        for (index, tally) in tallies.enumerated() {
            for second in 0..<3 as Range<Int64> { tally.heard("a", at: monday + second * 1000 + Int64(index)) }
        }
        tallies[1].heard("b", at: monday)
        ledger.heard("b", 5, at: monday + 9000)
        ledger.heard("c", 0, at: monday)
        ledger.gather(seconds: 1, now: monday + hour)
        ledger.gather(seconds: 1, now: monday + hour)
        #expect(ledger.portals.keys.sorted() == ["a", "b"])
        #expect(ledger.portals["a"]?.events == 6 && ledger.portals["a"]?.lastAt == monday + 2001)
        #expect(ledger.portals["b"]?.events == 6 && ledger.portals["b"]?.lastAt == monday + 9000)
        #expect(ledger.rate.seconds == [12, 0])
        #expect(ledger.takeChanges() != nil && ledger.takeChanges() == nil)
    }

    @Test func `no event is lost between those who count and the one who gathers`() async {
        let ledger = ActivityLedger()
        await withTaskGroup { group in
            for _ in 0..<2 {
                let tally = ledger.makeTally()
                group.addTask { for count in 0..<20_000 as Range<Int64> { tally.heard("p\(count % 7)", at: monday) } }
            }
            group.addTask { for _ in 0..<2000 { ledger.gather(seconds: 1, now: monday + hour) } }
        }
        ledger.gather(seconds: 1, now: monday + hour)
        #expect(ledger.portals.values.reduce(0) { $0 + $1.events } == 40_000)
    }

    @Test func `a clock that jumps makes no portal silent, and becomes no pause`() {
        for jump in [3 * day, -3 * day, 90 * minute, -90 * minute] {
            let ledger = ActivityLedger()
            var now = monday + 30 * day
            ledger.remember(
                .init(savedAt: now, portals: ["a": Self.steady(until: now), "b": Self.steady(until: now)]),
                now: now
            )
            func pass(_ seconds: Int, heard memberID: String? = nil) {
                now += Int64(seconds) * 1000
                if let memberID { ledger.heard(memberID, 1, at: now) }
                ledger.gather(seconds: seconds, now: now)
            }
            pass(1, heard: "a")
            // An event from before the jump, and one from after it, both gathered after.
            ledger.heard("a", 1, at: now)
            now += jump
            pass(1, heard: "b")
            pass(600, heard: "a")
            pass(600)
            for memberID in ["a", "b"] {
                let portal = ledger.portals[memberID]
                #expect(portal?.longestPause == hour, "\(jump) \(memberID)")
                #expect((1199...1202).contains((portal?.silence(at: now) ?? 0) / 1000 + (memberID == "a" ? 600 : 0)))
                #expect(portal?.isSilent(at: now) == false && portal?.isSilent(at: now + 2 * hour) == true)
            }
        }
    }

    @Test func `what a clock that was ahead has left does not keep a portal from being silent`() throws {
        let now = monday + 30 * day
        let ahead = 400 * day
        let ledger = ActivityLedger()
        // It was put right while the bridge was down.
        ledger.remember(.init(savedAt: now + ahead, portals: ["a": Self.steady(until: now + ahead - hour)]), now: now)
        let portal = try #require(ledger.portals["a"])
        #expect(portal.lastAt == now - hour && portal.silence(at: now) == hour && portal.longestPause == hour)
        #expect(!portal.isSilent(at: now) && portal.isSilent(at: now + hour))
        // Its days are those of the clock as it goes now.
        #expect(portal.pauses.newest == (now - hour) / day)
        ledger.remember(.init(savedAt: now, portals: ["b": Self.steady(until: now + ahead)]), now: now)
        #expect(ledger.portals["b"]?.lastAt == now)
        // And what was counted under it.
        ledger.heard("c", 1, at: now + ahead)
        ledger.gather(seconds: 1, now: now)
        #expect(ledger.portals["c"]?.lastAt == now && ledger.portals["c"]?.watchedSince == now)
    }

    /// Of an event an hour.
    private static func steady(until end: Int64) -> PortalActivity {
        var portal = PortalActivity(firstAt: end - 10 * day)
        for passed in 1...240 as ClosedRange<Int64> { portal.heard(1, at: end - 10 * day + passed * hour) }
        return portal
    }

    @Test func `portals that left are forgotten, and those the application was taken off`() {
        let ledger = ActivityLedger()
        for memberID in ["here", "left", "gone"] { ledger.heard(memberID, 1, at: monday) }
        ledger.gather(seconds: 1, now: monday + hour)
        ledger.keep(
            only: PortalDirectory([
                Portal(memberID: "here", domain: nil, applicationTokens: [], webhookTokens: []),
                Portal(memberID: "gone", domain: nil, applicationTokens: [], webhookTokens: [], standing: .gone),
            ])
        )
        #expect(Array(ledger.portals.keys) == ["here"])
    }
}

@Suite struct ActivityFileTests {
    private let directory: TemporaryDirectory
    private let file: ActivityFile

    init() throws {
        directory = try TemporaryDirectory()
        file = ActivityFile(directory: directory.path, fileSystem: POSIXFileSystem())
    }

    @Test func `what is written is read again`() throws {
        #expect(try file.read() == nil)
        var portal = PortalActivity(firstAt: monday)
        for step in 1...40 as ClosedRange<Int64> { portal.heard(1, at: monday + step * (12 * hour + step * minute)) }
        portal.missed(777)
        let contents = ActivityFile.Contents(
            savedAt: monday + 30 * day,
            portals: ["a \"odd\" id\n": portal, "b": PortalActivity(firstAt: monday)]
        )
        try file.write(contents)
        let read = try #require(try file.read())
        #expect(read.savedAt == contents.savedAt && read.portals.count == 2)
        let again = try #require(read.portals["a \"odd\" id\n"])
        #expect(again.lastAt == portal.lastAt && again.watchedSince == monday && again.absence == 777)
        #expect(again.pauses == portal.pauses && again.longestPause == portal.longestPause)
        // Those of this run only.
        #expect(again.events == 0)
    }

    @Test func `a damaged file and one of a newer version are told apart and not used`() throws {
        try file.write(.init(savedAt: monday, portals: ["a": PortalActivity(firstAt: monday)]))
        var bytes = try #require(FileManager.default.contents(atPath: file.path))
        bytes[bytes.count - 5] ^= 1
        try bytes.write(to: URL(filePath: file.path))
        #expect(throws: ActivityFile.Fault.self) { try file.read() }
        let folder = DurableFolder(directory.path, fileSystem: POSIXFileSystem())
        try folder.write([.init(name: "activity", bytes: Array(#"{"version": 2, "portals": []}"#.utf8))])
        let fault = #expect(throws: ActivityFile.Fault.self) { try file.read() }
        #expect("\(fault!)".contains("version 2"))
        // Numbers that cannot be are left out.
        let odd =
            #"{"version":1,"savedAt":1,"portals":{"a":[1],"b":[-1,0,0,0],"c":[5,9,0,0],"d":[5,1,0,19000,-3,99999999999]}}"#
        try folder.write([.init(name: "activity", bytes: Array(odd.utf8))])
        let read = try #require(try file.read())
        #expect(read.portals.keys.sorted() == ["c", "d"])
        #expect(read.portals["c"]?.watchedSince == 5)
    }
}

@Suite struct PortalSeriesTests {
    private let registry = MetricsRegistry()

    private static let taken = Atomic<Int>(0)

    private static func activity(_ events: Int) -> PortalActivity {
        var activity = PortalActivity(firstAt: monday)
        activity.heard(events, at: monday)
        return activity
    }

    private func events(_ memberID: String) -> Double? {
        registry.value("b24bridge_portal_events_total", [("portal", memberID)])
    }

    @Test func `a portal that leaves and comes back between two scrapes is counted on`() {
        let series = PortalSeries(limit: 10, factory: registry)
        for (counted, sum) in [(5, 5.0), (7, 7), (2, 9), (2, 9), (3, 10), (nil, 10), (20, 30)] as [(Int?, Double)] {
            _ = series.set(now: monday) { [("a", counted.map(Self.activity))] }
            #expect(events("a") == sum, "\(counted ?? 0)")
        }
    }

    @Test func `two scrapes at once count nothing twice`() async {
        let series = PortalSeries(limit: 10, factory: registry)
        await withTaskGroup { group in
            for _ in 0..<4 {
                group.addTask {
                    for _ in 0..<2000 {
                        _ = series.set(now: monday) {
                            [("a", Self.activity(Self.taken.wrappingAdd(1, ordering: .relaxed).newValue))]
                        }
                    }
                }
            }
        }
        #expect(events("a") == 8000)
    }

    @Test func `the silence is there once something was heard, and leaves with the portal`() {
        let series = PortalSeries(limit: 1, factory: registry)
        func silence(_ memberID: String) -> Double? {
            registry.value("b24bridge_portal_silence_seconds", [("portal", memberID)])
        }
        #expect(series.set(now: monday) { [("a", nil)] } == 0)
        #expect(events("a") == 0 && silence("a") == nil)
        let whole = Self.activity(1)
        _ = series.set(now: monday + hour) { [("a", whole)] }
        #expect(silence("a") == 3600)
        // For half of it the bridge was down.
        let heard = {
            var heard = whole
            heard.missed(30 * minute)
            return heard
        }()
        _ = series.set(now: monday + hour) { [("a", heard)] }
        #expect(silence("a") == 1800)
        #expect(series.set(now: monday + hour) { [("a", nil), ("b", heard)] } == 1)
        #expect(silence("a") == nil && events("a") == nil && silence("b") == 1800)
        let none = PortalSeries(limit: 0, factory: registry)
        #expect(none.set(now: monday) { [("c", heard), ("d", nil)] } == 2 && events("c") == nil)
    }
}
