/// What must be done so that a portal's bindings are the desired ones.
package struct BindingPlan: Sendable, Equatable {
    package let bind: [Binding]
    /// The bridge's own that are desired no more.
    package let unbind: [Binding]
    package let unchanged: Int
    /// Bindings of others, which stay.
    package let foreign: Int

    package init(desired: Set<Binding>, present: [Binding], ownership: BindingOwnership) {
        let present = Set(present)
        bind = desired.subtracting(present).sorted()
        let surplus = present.subtracting(desired)
        unbind = surplus.filter(ownership.owns).sorted()
        unchanged = desired.count - bind.count
        foreign = surplus.count - unbind.count
    }

    package var isEmpty: Bool { bind.isEmpty && unbind.isEmpty }

    /// Those of `unbind` that can go without an event being missed: all but those whose event is still to be bound. An
    /// administrator's rights are needed to bind for everybody; a user without them gets a binding in his own name, which
    /// is better than none.
    ///
    /// Source: b24restdocs, api-reference/events/event-bind.md
    package var dispensable: [Binding] {
        let missing = Set(bind.map(\.event))
        return unbind.filter { !missing.contains($0.event) }
    }
}
