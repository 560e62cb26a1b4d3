extension RegisteredPortal.Order.Kind {
    /// How long the owner works on such an order at most before it tells how far it has come; shorter than `orderPatience`,
    /// and so short that others who ask of the same portal meanwhile need not wait for long. Zero: as long as its calls take.
    package var ownersPatience: Duration {
        switch self {
        case .drain, .recover: .seconds(8)
        case .plan, .apply, .test, .events, .check, .queue: .zero
        }
    }

    /// Whether it is more than a look.
    var changesSomething: Bool {
        switch self {
        case .apply, .test, .drain, .recover: true
        case .plan, .events, .check, .queue: false
        }
    }
}

extension RegisteredPortal {
    /// In milliseconds. What was ordered so long ago is answered or given up.
    static let orderPatience: UInt64 = 60_000

    /// Somebody waits for the answer to an order, who has a right to it: another order comes after.
    ///
    /// - Parameter now: Milliseconds since 1970.
    func awaitsAnswer(at now: Int64) -> Bool {
        guard let order, order.id != report?.orderID else { return false }
        return (now - order.at).magnitude < Self.orderPatience
    }
}
