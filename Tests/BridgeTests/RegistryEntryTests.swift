import Foundation
import KafkaClient
import Testing

@testable import Bridge

@Suite struct RegistryEntryTests {
    private static func stamp(_ time: Int64, _ replica: String = "a") -> RegistryStamp {
        RegistryStamp(time: time, replica: replica)
    }

    /// A change made by `replica` whose clock shows `time`.
    private static func changed(
        _ entry: RegistryEntry = RegistryEntry(memberID: "m"),
        _ time: Int64,
        by replica: String = "a",
        _ body: (inout RegisteredPortal) -> Void
    ) -> RegistryEntry {
        var changed = entry.portal
        body(&changed)
        var entry = entry
        for part in RegisteredPortal.Part.allCases where !changed.agrees(with: entry.portal, in: part) {
            entry.set(part, of: changed, at: stamp(time, replica))
        }
        return entry
    }

    @Test func `whatever is merged, and in whatever order, the outcome is the same`() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<500 {
            let entries = (0..<5).map { _ -> RegistryEntry in
                let time = Int64.random(in: 1...6, using: &random)
                let replica = ["a", "b"].randomElement(using: &random) ?? "a"
                var entry = RegistryEntry(memberID: "m")
                if Int.random(in: 0..<4, using: &random) == 0 {
                    entry.remove(at: Self.stamp(time, replica))
                    return entry
                }
                // One stamp never stands for two values: a clock gives each once.
                return Self.changed(entry, time, by: replica) { portal in
                    if Bool.random(using: &random) {
                        portal.order = .init(id: "\(time)\(replica)", kind: .plan, at: time)
                    }
                    if Bool.random(using: &random) {
                        portal.webhooks = .init(digests: ["\(time)\(replica)"], domain: nil, sealedAddress: nil)
                    }
                    if Bool.random(using: &random) {
                        portal.applicationTokens = .init(digests: ["\(time)\(replica)"], nonce: nil)
                    }
                }
            }
            func merged(_ entries: [RegistryEntry]) -> RegistryEntry {
                entries.reduce(into: RegistryEntry(memberID: "m")) { $0.merge($1) }
            }
            let expected = merged(entries)
            #expect(merged(entries.shuffled(using: &random)) == expected)
            #expect(merged(entries + entries.reversed()) == expected)
            #expect(entries.allSatisfy { expected.covers($0) })
        }
    }

    @Test func `a refusal of tokens does not count against those that another replica had exchanged them for`() {
        func authorization(_ text: String?, needed: String? = nil) -> RegisteredPortal.Authorization {
            .init(sealed: text.map { SealedText(text: $0) }, accessExpiresAt: 1, refreshedAt: 1, needed: needed)
        }
        let base = Self.changed(1) { $0.authorization = authorization("old") }
        // It has no Kafka at the moment.
        let exchanged = Self.changed(base, 2) { $0.authorization = authorization("new") }
        for left in [String?.none, "old"] {
            var refused = base
            var clock = RegistryClock(replica: "b")
            refused.change(&clock, isRefusal: true) { $0.authorization = authorization(left, needed: "spent") }
            #expect(refused.portal.authorization?.needed == "spent" && !base.covers(refused))
            for (first, second) in [(exchanged, refused), (refused, exchanged)] {
                var merged = first
                merged.merge(second)
                #expect(merged.portal.authorization == authorization("new"))
            }
            // Where nothing newer is, it counts, and so do tokens that come after it.
            var merged = base
            merged.merge(refused)
            #expect(merged.portal.authorization?.needed == "spent")
            merged.change(&clock) { $0.authorization = authorization("given") }
            refused.merge(merged)
            #expect(refused.portal.authorization == authorization("given"))
        }
    }

    @Test func `the end of an installation that refused tokens tell of does not count against a later installation`() {
        let base = Self.changed(1) {
            $0.installation = .sample()
            $0.authorization = .init(sealed: SealedText(text: "old"), accessExpiresAt: 1, refreshedAt: 1, needed: nil)
            $0.applicationTokens = .init(digests: ["old"], nonce: nil)
        }
        // It has no Kafka at the moment.
        let anew = Self.changed(base, 2) {
            $0.installation?.installedAt += 1
            $0.authorization?.sealed = SealedText(text: "new")
            $0.applicationTokens?.digests = ["new", "old"]
        }
        var refused = base
        var clock = RegistryClock(replica: "b")
        refused.change(&clock, isRefusal: true) { $0.end(because: "NOT_INSTALLED", at: 9_000_000_000_000) }
        #expect(refused.portal.state == .gone && refused.portal.applicationTokens == nil && !base.covers(refused))
        for (first, second) in [(anew, refused), (refused, anew)] {
            var merged = first
            merged.merge(second)
            #expect(merged.portal == anew.portal)
        }
        // No two replicas write different ends under one stamp.
        var other = base
        var otherClock = RegistryClock(replica: "c")
        other.change(&otherClock, isRefusal: true) { $0.end(because: "NOT_INSTALLED", at: 9_000_000_000_001) }
        #expect(!other.covers(refused) || !refused.covers(other))
        var (one, two) = (other, refused)
        one.merge(refused)
        two.merge(other)
        #expect(one == two)
    }

    @Test func `a time that nobody could have written stops nobody`() {
        var clock = RegistryClock(replica: "a")
        clock.observe(Self.stamp(.max))
        #expect(clock.next() < clock.next())
    }

    @Test func `two parts changed at two replicas both count, of one part the later`() {
        let base = Self.changed(1) { $0.installation = .sample() }
        let here = Self.changed(base, 5, by: "a") { $0.order = .init(id: "1", kind: .plan, at: 5) }
        let there = Self.changed(base, 4, by: "b") {
            $0.applicationTokens = .init(digests: ["x"], nonce: nil)
            $0.order = .init(id: "2", kind: .apply, at: 4)
        }
        var merged = here
        let isChanged = merged.merge(there)
        #expect(isChanged)
        #expect(merged.portal.applicationTokens?.digests == ["x"] && merged.portal.order?.id == "1")
        #expect(!there.covers(merged), "the record that was written last lacks a part")
    }

    private static func changed(_ time: Int64, _ body: (inout RegisteredPortal) -> Void) -> RegistryEntry {
        changed(RegistryEntry(memberID: "m"), time, body)
    }

    @Test func `clearing a part wins over an older value and loses to a newer`() {
        let set = Self.changed(1) { $0.report = .init(orderID: "1", at: 1, json: "{}") }
        let cleared = Self.changed(set, 2) { $0.report = nil }
        let anew = Self.changed(set, 3, by: "b") { $0.report = .init(orderID: "2", at: 3, json: "{}") }
        var merged = set
        merged.merge(cleared)
        #expect(merged.portal.report == nil)
        merged.merge(set)
        #expect(merged.portal.report == nil)
        merged.merge(anew)
        #expect(merged.portal.report?.orderID == "2")
    }

    @Test func `what was taken out comes back only by a newer change`() {
        let old = Self.changed(3) { $0.installation = .sample() }
        var entry = old
        entry.remove(at: Self.stamp(5))
        #expect(entry.isRemoved)
        entry.merge(old)
        #expect(entry.isRemoved)
        let anew = Self.changed(6) { $0.webhooks = .init(digests: ["x"], domain: nil, sealedAddress: nil) }
        entry.merge(anew)
        #expect(!entry.isRemoved)
        #expect(entry.portal.installation == nil && entry.portal.webhooks != nil)
    }

    @Test func `who has not read of a removal does not undo it with what he writes of the portal`() throws {
        let installed = Self.changed(3) { $0.installation = .sample() }
        var removal = RegistryEntry(memberID: "m")
        removal.remove(at: Self.stamp(5))
        let late = Self.changed(installed, 6, by: "b") {
            $0.order = .init(id: "1", kind: .plan, at: 6)
            $0.authorization = .init(sealed: nil, accessExpiresAt: 1, refreshedAt: 1, needed: nil)
        }
        var entry = removal
        entry.merge(late)
        var other = late
        other.merge(removal)
        #expect(entry == other && entry.isRemoved && RegistryRecord.value(of: entry) == nil)
        // The record that says so is written once, and is all that there is to say.
        #expect(!late.covers(entry) && removal.covers(entry))
        var clock = RegistryClock(replica: "a")
        let isChanged = entry.change(&clock) { if !$0.isEmpty { $0.report = .init(orderID: "1", at: 7, json: "{}") } }
        #expect(!isChanged)
        entry.change(&clock) { $0.installation = .sample() }
        #expect(!entry.isRemoved && entry.portal.order == nil && entry.portal.authorization == nil)
        #expect(!removal.covers(entry))
    }

    @Test func `a clock never goes back, not even behind others`() {
        var clock = RegistryClock(replica: "a")
        var times = [clock.next(now: 10).time, clock.next(now: 10).time]
        clock.observe(Self.stamp(100, "b"))
        times.append(clock.next(now: 20).time)
        #expect(times == [10, 11, 101])
    }

    /// With every field of every part. Who adds a field adds it here, and to `PackedEntry`.
    private static let full: RegistryEntry = {
        var entry = RegistryEntry(memberID: "m")
        entry.remove(at: Self.stamp(1, "gone by"))
        entry = Self.changed(entry, 2) { portal in
            portal.installation = .sample(installedAt: -5)
            portal.installation?.version = "12"
            portal.installation?.userID = "1"
            portal.installation?.seenAt = 6
            portal.installation?.goneReason = "weg"
            portal.installation?.goneAt = .max
            portal.installation?.state = .gone
            portal.authorization = .init(
                sealed: SealedText(text: "1.k.AAAA"),
                accessExpiresAt: 9,
                refreshedAt: 8,
                needed: "да",
                grantedAt: 7
            )
            portal.applicationTokens = .init(digests: ["ab", "cd"], nonce: "n")
            portal.webhooks = .init(digests: ["ef"], domain: "d", sealedAddress: SealedText(text: "1.k.BBBB"))
            portal.bindings = .init(
                installedAt: 1,
                fingerprint: "f",
                reconciledAt: 2,
                bound: 3,
                drift: 4,
                error: "e",
                errorCode: "c",
                handlers: ["h"],
                connectors: [],
                isDrainedOnly: true
            )
            portal.offline = .init(deniedSince: 5, code: "c", words: "w")
            portal.order = .init(id: "o", kind: .recover, at: 7, since: 6)
            portal.report = .init(orderID: "o", at: 8, json: "{\"a\":[1]}")
        }
        return Self.changed(entry, 3, by: "another replica") { $0.order = nil }
    }()

    @Test func `an entry comes back from its record as it was`() throws {
        let json = try #require(RegistryRecord.value(of: Self.full))
        #expect(try RegistryRecord.entry(memberID: "m", json: json) == Self.full)
        #expect(try RegistryRecord.entry(line: RegistryRecord.line(of: Self.full)) == Self.full)
    }

    @Test func `an entry comes back from its packed form, which knows all fields`() {
        for entry in [Self.full, RegistryEntry(memberID: "m"), Self.changed(1) { $0.installation = .sample() }] {
            let packed = PackedEntry(entry)
            #expect(packed.entry(memberID: "m") == entry)
            guard case .packed = packed else {
                Issue.record("PackedEntry leaves something out of \(entry)")
                continue
            }
        }
        for part in Mirror(reflecting: Self.full.portal).children where part.label != "order" {
            guard let part = Mirror(reflecting: part.value).children.first?.value else { continue }
            for field in Mirror(reflecting: part).children {
                let isSet = Mirror(reflecting: field.value).displayStyle != .optional || "\(field.value)" != "nil"
                #expect(isSet, "the test's entry does not set \(field.label ?? "")")
            }
        }
    }

    @Test func `a record of a newer bridge, or of nobody, is not read`() {
        for text in ["", "{}", "[]", #"{"version":2}"#, #"{"version":1,"order":{"at":1}}"#, "\u{0}"] {
            #expect(throws: RegistryError.self, "\(text)") {
                try RegistryRecord.entry(memberID: "m", json: Array(text.utf8))
            }
        }
    }

    @Test func `a part of a newer bridge does no harm`() throws {
        let json = #"{"version":1,"novelty":{"at":1,"by":"b","value":{}},"order":{"at":1,"by":"b"}}"#
        #expect(try RegistryRecord.entry(memberID: "m", json: Array(json.utf8)).stamps[.order] == Self.stamp(1, "b"))
    }
}
