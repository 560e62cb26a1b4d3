package import NIOCore

/// A request that the listener did not hand to its owner, or answered in the owner's place.
package struct Refusal: Sendable {
    package enum Reason: String, Sendable, CaseIterable {
        /// Not HTTP/1, or framed in a way that allows two readings. 400.
        case malformed
        /// The client ended its side in the middle of a request. 400.
        case truncated
        /// Not complete within `requestTimeout`. 408.
        case timedOut = "timed-out"
        /// Over `maxBodyBytes`. 413.
        case bodyTooLarge = "body-too-large"
        /// Over one of the header limits. 431.
        case headersTooLarge = "headers-too-large"
        /// A transfer coding other than chunked. 501.
        case unsupportedTransferCoding = "unsupported-transfer-coding"
        /// Over `maxBufferedBodyBytes`, and no unfinished body was larger. 503.
        case overBudget = "over-budget"
        /// The owner did not answer within `answerTimeout`. 503.
        case answerOverdue = "answer-overdue"
        /// Not version 1.x. 505.
        case unsupportedVersion = "unsupported-version"
    }

    package let reason: Reason
    /// What the client was told.
    package let status: ResponseStatus
    /// Declared by Content-Length; nil without one or when the head was not read.
    package let contentLength: Int?
    /// Bytes of the body that had come.
    package let receivedBodyBytes: Int
    package let remoteAddress: SocketAddress?

    package init(
        reason: Reason,
        status: ResponseStatus,
        contentLength: Int?,
        receivedBodyBytes: Int,
        remoteAddress: SocketAddress?
    ) {
        self.reason = reason
        self.status = status
        self.contentLength = contentLength
        self.receivedBodyBytes = receivedBodyBytes
        self.remoteAddress = remoteAddress
    }
}

extension Refusal.Reason {
    /// Built once; the same bytes for everybody.
    var response: Response {
        switch self {
        case .malformed: Self.malformedResponse
        case .truncated: Self.truncatedResponse
        case .timedOut: Self.timedOutResponse
        case .bodyTooLarge: Self.bodyTooLargeResponse
        case .headersTooLarge: Self.headersTooLargeResponse
        case .unsupportedTransferCoding: Self.transferCodingResponse
        case .overBudget: Self.overBudgetResponse
        case .answerOverdue: Self.answerOverdueResponse
        case .unsupportedVersion: Self.versionResponse
        }
    }

    private static let malformedResponse = Response(
        status: .badRequest,
        text: "The request is not valid HTTP/1.1; check its request line, header fields and body framing."
    )
    private static let truncatedResponse = Response(
        status: .badRequest,
        text: "The request ended early; send it whole before closing."
    )
    private static let timedOutResponse = Response(
        status: .requestTimeout,
        text: "The request did not arrive in time; send it again, faster."
    )
    private static let bodyTooLargeResponse = Response(
        status: .contentTooLarge,
        text: "The body is larger than this address takes; send less."
    )
    private static let headersTooLargeResponse = Response(
        status: .headerFieldsTooLarge,
        text: "The header fields or the address are too long; send fewer or shorter ones."
    )
    private static let transferCodingResponse = Response(
        status: .notImplemented,
        text: "Only the transfer coding chunked is understood; use it alone or send a Content-Length."
    )
    private static let overBudgetResponse = Response(
        status: .serviceUnavailable,
        text: "Too many requests are waiting; try again shortly.",
        headers: [("Retry-After", "5")]
    )
    private static let answerOverdueResponse = Response(
        status: .serviceUnavailable,
        text: "The answer took too long; try again shortly.",
        headers: [("Retry-After", "5")]
    )
    private static let versionResponse = Response(
        status: .versionNotSupported,
        text: "Only HTTP/1.0 and HTTP/1.1 are spoken here; use one of them."
    )
}
