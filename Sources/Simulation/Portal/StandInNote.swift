/// One thing that happened at the stand-in. It holds no token.
package enum StandInNote: Sendable, Equatable {
    case call(AnsweredCall)
    case delivery(Delivery)
}

/// A call that was answered, or left without an answer.
package struct AnsweredCall: Sendable, Equatable, Encodable {
    /// Counts from 1.
    package let number: Int
    /// Also of a call at the authorization server, whose token it is. `nil`: nobody knows it.
    package let portal: String?
    /// As `event.bind`; `oauth/token` and `oauth/app.info` at the authorization server. A batch's calls come before it,
    /// each with `isInBatch`.
    package let method: String
    package let isInBatch: Bool
    /// 0: there was no answer.
    package let status: Int
    package let error: String?
    /// What was injected and took effect.
    package let fault: String?
}

/// An event that was posted, once, and what came of it.
package struct Delivery: Sendable, Equatable, Encodable {
    /// Counts from 1, in the order in which the portals made them.
    package let number: Int
    package let portal: String
    package let event: String
    /// Where to, without a query, which may hold a secret.
    package let handler: String
    /// `nil`: no answer.
    package let status: Int?
    /// Why there is none.
    package let failure: String?

    package var isAccepted: Bool { status.map { (200..<300).contains($0) } ?? false }
}
