package import Bitrix24REST

/// What must be done so that a portal's bindings are the desired ones.
package struct BindingPlan: Sendable, Equatable {
    package let bind: [EventBinding]
    /// The bridge's own that are desired no more.
    package let unbind: [EventBinding]
    package let unchanged: Int
    /// Bindings of others, which stay.
    package let foreign: Int

    package init(desired: Set<EventBinding>, present: [EventBinding], ownership: BindingOwnership) {
        let present = Set(present)
        bind = Self.sorted(desired.subtracting(present))
        let surplus = present.subtracting(desired)
        unbind = Self.sorted(surplus.filter(ownership.owns))
        unchanged = desired.count - bind.count
        foreign = surplus.count - unbind.count
    }

    package var isEmpty: Bool { bind.isEmpty && unbind.isEmpty }

    /// Those of `unbind` that can go without an event being missed: all but those whose event is still to be bound. An
    /// administrator's rights are needed to bind for everybody; a user without them gets a binding in his own name, which
    /// is better than none.
    ///
    /// Source: b24restdocs, api-reference/events/event-bind.md
    package var dispensable: [EventBinding] {
        let missing = Set(bind.map(\.event))
        return unbind.filter { !missing.contains($0.event) }
    }

    /// For people, by code.
    private static func sorted(_ bindings: Set<EventBinding>) -> [EventBinding] {
        bindings.sorted {
            ($0.event, $0.handler ?? "", $0.connector, $0.authType)
                < ($1.event, $1.handler ?? "", $1.connector, $1.authType)
        }
    }
}
