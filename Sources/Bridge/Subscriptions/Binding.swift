/// One subscription as a portal keeps it.
///
/// Source: b24restdocs, api-reference/events/event-bind.md and event-get.md
package struct Binding: Sendable, Hashable {
    package enum Target: Sendable, Hashable {
        /// Posted to this address, with the tokens of this user; 0 is whoever caused the event.
        case online(handler: String, authType: Int)
        /// Kept in the portal's queue for this source key, which may be empty.
        case offline(connector: String)
    }

    /// In upper case.
    package let event: String
    package let target: Target

    package init(_ event: String, _ target: Target) {
        self.event = event.uppercased()
        self.target = target
    }

    package var isOffline: Bool { if case .offline = target { true } else { false } }
}

extension Binding: Comparable {
    /// By code, for people.
    package static func < (one: Binding, other: Binding) -> Bool {
        (one.event, "\(one.target)") < (other.event, "\(other.target)")
    }
}
