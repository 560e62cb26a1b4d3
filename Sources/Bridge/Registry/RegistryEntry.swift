/// A portal with the stamps of its parts: what a record of the registry's topic says, or what several say together. Pure.
///
/// Merging does not depend on order, and merging twice changes nothing: that is why all replicas agree.
package struct RegistryEntry: Sendable, Equatable {
    package private(set) var portal: RegisteredPortal
    /// Of the parts that were ever set, also if they were cleared since.
    package private(set) var stamps: PartStamps = .init()
    /// The portal was taken out then; nothing older counts.
    package private(set) var removedAt: RegistryStamp?

    package init(memberID: String) { portal = RegisteredPortal(memberID: memberID) }

    package var memberID: String { portal.memberID }

    /// A portal that was taken out, and not brought back since. Only an installation or webhooks bring one back: what else is
    /// newer was written by somebody who had not read of the removal, about a portal that is no more.
    package var isRemoved: Bool { removedAt != nil && portal.installation == nil && portal.webhooks == nil }

    package var newestStamp: RegistryStamp? { (stamps.all.map(\.stamp) + [removedAt].compactMap { $0 }).max() }

    /// Whether all that `other` knows is known here. What is left of a portal that was taken out is nothing to know: its record
    /// has no place for it.
    package func covers(_ other: RegistryEntry) -> Bool {
        var merged = self
        guard merged.merge(other) else { return true }
        return isRemoved && merged.isRemoved && merged.removedAt == removedAt
    }

    /// Takes what is newer in `other`, which is of the same portal.
    ///
    /// - Returns: whether that was anything.
    @discardableResult
    package mutating func merge(_ other: RegistryEntry) -> Bool {
        precondition(other.memberID == memberID, "two portals cannot be merged")
        var isChanged = false
        if let stamp = other.removedAt, stamp > removedAt ?? .least {
            remove(at: stamp)
            isChanged = true
        }
        for (part, stamp) in other.stamps.all where stamp > max(stamps[part] ?? .least, removedAt ?? .least) {
            portal.take(part, of: other.portal)
            stamps[part] = stamp
            isChanged = true
        }
        return isChanged
    }

    /// - Parameter isRefusal: Bitrix24 refused what is known here; nothing newer is changed by it, wherever that was written.
    /// - Returns: whether any part is another one now.
    @discardableResult
    package mutating func change(
        _ clock: inout RegistryClock,
        isRefusal: Bool = false,
        _ body: (inout RegisteredPortal) -> Void
    ) -> Bool {
        // Of a portal that is brought back nothing stays.
        let known = isRemoved ? RegisteredPortal(memberID: memberID) : portal
        var changed = known
        body(&changed)
        guard changed != known else { return false }
        let parts = RegisteredPortal.Part.allCases.filter { !changed.agrees(with: portal, in: $0) }
        guard !parts.isEmpty else { return false }
        let stamp = clock.next()
        for part in parts {
            let refused = isRefusal ? stamps[part] : nil
            set(part, of: changed, at: refused?.ofRefusal(by: stamp.replica) ?? stamp)
        }
        return true
    }

    /// Writes a part in another form that says the same. Its time stays, so that every change made elsewhere since counts more,
    /// also one that is not known here yet; `mark` makes it the later of the two forms.
    mutating func rewrite(
        _ part: RegisteredPortal.Part,
        _ mark: String,
        _ body: (inout RegisteredPortal) -> Void
    ) -> Bool {
        guard let stamp = stamps[part] else { return false }
        var rewritten = portal
        body(&rewritten)
        guard !rewritten.agrees(with: portal, in: part) else { return false }
        set(part, of: rewritten, at: RegistryStamp(time: stamp.time, replica: "\(stamp.replica)+\(mark)"))
        return true
    }

    package mutating func remove(at stamp: RegistryStamp) {
        removedAt = stamp
        let empty = RegisteredPortal(memberID: memberID)
        for (part, old) in stamps.all where old <= stamp {
            portal.take(part, of: empty)
            stamps[part] = nil
        }
    }

    /// For what was read.
    mutating func set(_ part: RegisteredPortal.Part, of other: RegisteredPortal, at stamp: RegistryStamp) {
        portal.take(part, of: other)
        stamps[part] = stamp
    }
}

/// A stamp for each part that has one. An array, because there are thousands of portals with few parts each.
package struct PartStamps: Sendable, Equatable {
    package private(set) var all: [(part: RegisteredPortal.Part, stamp: RegistryStamp)] = []

    package var isEmpty: Bool { all.isEmpty }

    package subscript(part: RegisteredPortal.Part) -> RegistryStamp? {
        get { all.first { $0.part == part }?.stamp }
        set {
            all.removeAll { $0.part == part }
            if let newValue { all.append((part, newValue)) }
        }
    }

    package static func == (left: Self, right: Self) -> Bool {
        left.all.count == right.all.count && left.all.allSatisfy { right[$0.part] == $0.stamp }
    }
}

extension RegistryStamp {
    fileprivate static var least: RegistryStamp { RegistryStamp(time: .min, replica: "") }

    /// Of a refusal of what was stamped so: it says nothing of anything later, even if it came after that. Another replica may
    /// have exchanged the same refresh token first, or taken an installation, and not have got the new tokens into Kafka yet;
    /// they are good, and this refusal says no more than that the old ones are not. `~` comes after all that names of replicas
    /// are made of.
    fileprivate func ofRefusal(by refused: String) -> RegistryStamp {
        RegistryStamp(time: time, replica: "\(replica)~\(refused)")
    }
}
