/// A Bitrix24 account whose events are taken, with the digests of the tokens that prove them.
package struct Portal: Sendable {
    /// Never changes, unlike the domain.
    package let memberID: String
    /// Host name. For people and for the topic placeholder `{domain}`.
    package let domain: String?
    let tokens: TokenSet

    /// - Precondition: at most `TokenSet.capacity` tokens in all. The configuration sees to it.
    package init(
        memberID: String,
        domain: String?,
        applicationTokens: [TokenDigest],
        webhookTokens: [TokenDigest]
    ) {
        self.memberID = memberID
        self.domain = domain
        tokens = TokenSet(application: applicationTokens, webhook: webhookTokens)
    }

    /// Whether this is the digest of an outgoing webhook's token, for telling why an event may not pass.
    package func hasWebhook(_ digest: TokenDigest) -> Bool { tokens.match(digest) == .webhook }
}

/// A fixed number of digests, filled up with random ones, so that every check compares equally many.
package struct TokenSet: Sendable {
    /// Most tokens of one portal: applications and webhooks, doubled while they rotate.
    package static let capacity = 16

    private let digests: [TokenDigest]
    /// Bit n: digest n is an application's or a webhook's.
    private let applicationBits: UInt64
    private let webhookBits: UInt64

    static let none = TokenSet(application: [], webhook: [])

    init(application: [TokenDigest], webhook: [TokenDigest]) {
        let known = application + webhook
        precondition(known.count <= Self.capacity, "a portal has more than \(Self.capacity) tokens")
        digests = known + (known.count..<Self.capacity).map { _ in .random() }
        applicationBits = (1 << UInt64(application.count)) - 1
        webhookBits = ((1 << UInt64(known.count)) - 1) & ~applicationBits
    }

    package enum Match: Sendable {
        case application
        case webhook
        case none
    }

    func match(_ presented: TokenDigest) -> Match {
        var found: UInt64 = 0
        for (index, digest) in digests.enumerated() {
            found |= digest.mask(equalTo: presented) & (1 << UInt64(index))
        }
        if found & applicationBits != 0 { return .application }
        return found & webhookBits != 0 ? .webhook : .none
    }
}
