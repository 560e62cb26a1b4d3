import Bitrix24
import Testing

@testable import Bridge

@Suite struct PortalPageTests {
    private static let now: Int64 = 1_800_000_000_000
    private static let hour: Int64 = 3_600_000

    private static func portal(_ memberID: String, _ domain: String? = nil, isGone: Bool = false) -> Portal {
        Portal(
            memberID: memberID,
            domain: domain,
            applicationTokens: [],
            webhookTokens: [],
            standing: isGone ? .gone : .known
        )
    }

    private static func page(
        _ portals: [Portal],
        _ states: [String: RegisteredPortal.State?] = [:],
        _ heard: [String: PortalActivity] = [:],
        matching text: String = "",
        limit: Int = 100
    ) -> PortalPage {
        PortalPage(
            of: PortalDirectory(portals),
            states: states,
            heard: heard,
            matching: text,
            limit: limit,
            now: now
        )
    }

    @Test func `those that need somebody come first, then those heard of lately, then the others by domain`() {
        var silent = PortalActivity(firstAt: Self.now - 400 * Self.hour)
        silent.heard(1, at: Self.now - 100 * Self.hour)
        silent.heard(1, at: Self.now - 99 * Self.hour)
        var shortPauses = PortalActivity(
            lastAt: Self.now - 5 * Self.hour,
            watchedSince: Self.now - 400 * Self.hour,
            absence: 0,
            pauses: DailyPauses(newest: 20_800, seconds: [600])
        )
        shortPauses.heard(0, at: 0)
        let heard = [
            "silent": shortPauses, "usual": silent, "late": PortalActivity(firstAt: Self.now - 1000),
            "auth": PortalActivity(firstAt: Self.now - 5000), "gone": PortalActivity(firstAt: Self.now),
        ]
        let states: [String: RegisteredPortal.State?] = [
            "auth": .needsAuthorization, "denied": .offlineDenied, "token": .awaitingToken, "installing": .installing,
            "silent": .connected, "late": .connected, "gone": .gone, "b": .connected, "removed": nil,
        ]
        let portals = [
            Self.portal("gone", "a.example", isGone: true), Self.portal("zz"), Self.portal("b", "b.example"),
            Self.portal("removed", "a.example"), Self.portal("late"), Self.portal("usual"), Self.portal("silent"),
            Self.portal("installing"), Self.portal("token"), Self.portal("denied"), Self.portal("auth"),
        ]
        let page = Self.page(portals.shuffled(), states, heard)
        let order = ["auth", "denied", "token", "installing", "silent", "late", "usual", "removed", "b", "zz", "gone"]
        #expect(page.portals.map(\.memberId) == order && page.found == order.count)
        let states2 = page.portals.map(\.state)
        #expect(states2.prefix(4) == ["needs-authorization", "offline-denied", "awaiting-token", "installing"])
        #expect(states2.suffix(5) == ["file", "file", "connected", "file", "gone"])
        #expect(page.portals.filter(\.silent).map(\.memberId) == ["silent"])
        #expect(page.portals[4].longestSilenceSeconds == 600 && page.portals[4].lastEventSecondsAgo == 18_000)
        #expect(page.portals[7].lastEventSecondsAgo == nil && page.portals[7].longestSilenceSeconds == nil)
        for limit in 1...12 {
            let some = Self.page(portals.shuffled(), states, heard, limit: limit)
            #expect(some.portals.map(\.memberId) == Array(order.prefix(limit)) && some.found == order.count)
        }
    }

    @Test func `of portals that are heard of all the time, each keeps its place`() {
        let portals = [Self.portal("1", "c.example"), Self.portal("2", "a.example"), Self.portal("3", "b.example")]
        func order(_ seconds: [Int64]) -> [String] {
            let heard = zip(portals, seconds).map { ($0.memberID, PortalActivity(firstAt: Self.now - $1 * 1000)) }
            return Self.page(portals, [:], Dictionary(uniqueKeysWithValues: heard)).portals.map(\.memberId)
        }
        #expect(order([0, 1, 2]) == ["2", "3", "1"] && order([299, 2, 0]) == ["2", "3", "1"])
        #expect(order([299, 300, 3600]) == ["1", "2", "3"] && order([86_400, 86_399, 86_401]) == ["2", "3", "1"])
    }

    @Test func `what is looked for stands in member_id or domain, in any case`() {
        let portals = [
            Self.portal("aB1", "Acme.bitrix24.DE"), Self.portal("c2", "other.bitrix24.com"), Self.portal("D3"),
            Self.portal("e4", "пример.рф"),
        ]
        #expect(Self.page(portals, matching: "acme.").portals.map(\.memberId) == ["aB1"])
        #expect(Self.page(portals, matching: "BITRIX24").found == 2)
        #expect(Self.page(portals, matching: "Ab").found == 1 && Self.page(portals, matching: "d3").found == 1)
        #expect(Self.page(portals, matching: "ПРИМ").found == 1)
        #expect(Self.page(portals, matching: "e4x").found == 0 && Self.page(portals, matching: "<b>").portals.isEmpty)
        let none = Self.page(portals, limit: 0)
        #expect(none.portals.isEmpty && none.found == 4 && Self.page(portals, limit: .max).portals.count == 4)
        #expect(Self.page([], matching: "a") == PortalPage())
        let long = String(repeating: "x", count: 400)
        #expect(Self.page([Self.portal(long)], matching: long + "y").found == 0)
    }

    @Test func `of ten thousand portals the page has as many as are asked for, and all are counted`() {
        let portals = (0..<10_000).map { Self.portal("m\($0)", "p\($0).bitrix24.com") }
        let heard = Dictionary(
            uniqueKeysWithValues: (0..<5000).map { ("m\($0)", PortalActivity(firstAt: Self.now - Int64($0))) }
        )
        let directory = PortalDirectory(portals)
        for text in ["", "77", "bitrix24"] {
            let page = PortalPage(of: directory, states: [:], heard: heard, matching: text, limit: 1000, now: Self.now)
            #expect(page.portals.count == min(1000, page.found))
            #expect(page.found == portals.count { text.isEmpty || $0.domain?.contains(text) ?? false })
        }
    }
}
