internal import Bitrix24
internal import HeapModule

extension BridgeSnapshot {
    /// Some of the portals that are known, see `PortalPage.init`.
    func portals(matching text: String, limit: Int) -> PortalPage {
        PortalPage(
            of: portals.directory,
            states: registry?.registry.applicationStates ?? [:],
            heard: activity.portals,
            matching: text,
            limit: limit,
            now: WallClock.now().milliseconds
        )
    }
}

extension PortalPage {
    /// Those that need somebody, the most serious first; then those heard of in the last five minutes, the last hour, the last
    /// day, longer ago and never; those that the application was taken off at the end. Within each by domain, so that a page
    /// that is looked at stays still while events come.
    ///
    /// - Parameters:
    ///   - states: Of portals with an installation.
    ///   - text: What member_id or domain contain, in any case. Empty: all portals.
    ///   - limit: Most portals of the page; not below 0.
    ///   - now: Milliseconds since 1970.
    init(
        of directory: PortalDirectory,
        states: [String: RegisteredPortal.State?],
        heard: [String: PortalActivity],
        matching text: String,
        limit: Int,
        now: Int64
    ) {
        self.init()
        let sought = Array(text.lowercased().utf8)
        // Of all that match, the first so many.
        var first = Heap<PortalPlace>()
        for memberID in directory.memberIDs {
            guard let portal = directory[memberID], portal.isNamed(sought) else { continue }
            found += 1
            let activity = heard[memberID]
            let place = PortalPlace(
                portal,
                states[memberID] ?? nil,
                age: activity.map { now - $0.lastAt },
                isSilent: portal.isHeard && activity?.isSilent(at: now) ?? false
            )
            if first.count < limit {
                first.insert(place)
            } else if let last = first.max, place < last {
                first.replaceMax(with: place)
            }
        }
        portals = first.unordered.sorted().map { PortalStatus($0, heard[$0.portal.memberID], now) }
    }
}

/// A portal, and where it stands in the list.
private struct PortalPlace: Comparable {
    private enum Rank: Int {
        case needsAuthorization, offlineDenied, awaitingToken, installing, silent, well, gone
    }

    let portal: Portal
    /// `nil`: it stands in the file, or has outgoing webhooks only.
    let state: RegisteredPortal.State?
    let isSilent: Bool
    private let rank: Int
    private let recency: Int
    /// Milliseconds.
    private static let ages: [Int64] = [300_000, 3_600_000, 86_400_000]

    /// - Parameter age: Milliseconds since the last event.
    init(_ portal: Portal, _ state: RegisteredPortal.State?, age: Int64?, isSilent: Bool) {
        self.portal = portal
        self.state = state
        self.isSilent = isSilent
        recency = age.map { age in Self.ages.firstIndex { age < $0 } ?? Self.ages.count } ?? Self.ages.count + 1
        let rank: Rank =
            switch state {
            case .needsAuthorization: .needsAuthorization
            case .offlineDenied: .offlineDenied
            case .awaitingToken: .awaitingToken
            case .installing: .installing
            case .gone: .gone
            case .connected, nil: isSilent ? .silent : .well
            }
        self.rank = rank.rawValue
    }

    static func < (left: PortalPlace, right: PortalPlace) -> Bool {
        if left.rank != right.rank { return left.rank < right.rank }
        if left.recency != right.recency { return left.recency < right.recency }
        // One without a domain comes after those that have one.
        switch (left.portal.domain, right.portal.domain) {
        case (let domain?, let other?) where domain != other: return domain < other
        case (.some, nil): return true
        case (nil, .some): return false
        default: return left.portal.memberID < right.portal.memberID
        }
    }

    static func == (left: PortalPlace, right: PortalPlace) -> Bool { left.portal.memberID == right.portal.memberID }
}

extension PortalStatus {
    fileprivate init(_ place: PortalPlace, _ activity: PortalActivity?, _ now: Int64) {
        self.init(
            memberId: place.portal.memberID,
            domain: place.portal.domain,
            state: place.state?.rawValue ?? "file",
            events: activity?.events ?? 0,
            lastEventSecondsAgo: activity.map { Int(max(0, now - $0.lastAt) / 1000) },
            longestSilenceSeconds: activity?.longestPause.map { Int($0 / 1000) },
            silent: place.isSilent
        )
    }
}

extension Portal {
    /// Whether member_id or domain contain it.
    ///
    /// - Parameter sought: UTF-8, in lower case.
    fileprivate func isNamed(_ sought: [UInt8]) -> Bool {
        [memberID, domain ?? ""].contains { $0.lowercased().utf8.contains(sought) }
    }
}
