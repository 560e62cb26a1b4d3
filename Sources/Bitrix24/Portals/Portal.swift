/// A Bitrix24 account whose events are taken, with the digests of the tokens that prove them.
package struct Portal: Sendable {
    /// Never changes, unlike the domain.
    package let memberID: String
    /// Host name. For people and for the topic placeholder `{domain}`.
    package let domain: String?
    /// What becomes of events that no token proves.
    package let standing: Standing
    let tokens: TokenSet

    package enum Standing: Sendable {
        /// They are refused.
        case known
        /// The portal was verified, and its application's token is still to be learned: they wait for it.
        case awaitingToken
        /// The application was taken off it.
        case gone
    }

    /// - Precondition: at most `TokenSet.capacity` tokens in all. The configuration sees to it.
    package init(
        memberID: String,
        domain: String?,
        applicationTokens: [TokenDigest],
        webhookTokens: [TokenDigest],
        standing: Standing = .known
    ) {
        self.init(memberID, domain, standing, TokenSet(application: applicationTokens, webhook: webhookTokens))
    }

    private init(_ memberID: String, _ domain: String?, _ standing: Standing, _ tokens: TokenSet) {
        self.memberID = memberID
        self.domain = domain
        self.standing = standing
        self.tokens = tokens
    }

    /// One portal of two descriptions: the tokens of both, as far as there is room, those of `first` before the others; of
    /// everything else what `first` says, if it says anything.
    package static func joined(_ first: Portal?, _ second: Portal?) -> Portal? {
        guard let first, let second else { return first ?? second }
        return Portal(
            first.memberID,
            first.domain ?? second.domain,
            first.standing == .known ? second.standing : first.standing,
            first.tokens.united(with: second.tokens)
        )
    }

    /// Whether this is the digest of an outgoing webhook's token, for telling why an event may not pass.
    package func hasWebhook(_ digest: TokenDigest) -> Bool { tokens.match(digest) == .webhook }
}

/// Digests of tokens. Every check makes equally many comparisons, however many there are.
package struct TokenSet: Sendable {
    /// Most tokens of one portal: applications and webhooks, doubled while they rotate.
    package static let capacity = 16

    /// Applications' first. Never empty.
    private let digests: [TokenDigest]
    private let applicationCount: Int
    private let knownCount: Int

    static let none = TokenSet(application: [], webhook: [])

    init(application: [TokenDigest], webhook: [TokenDigest]) {
        let known = application + webhook
        precondition(known.count <= Self.capacity, "a portal has more than \(Self.capacity) tokens")
        digests = known.isEmpty ? [.random()] : known
        applicationCount = application.count
        knownCount = known.count
    }

    package enum Match: Sendable {
        case application
        case webhook
        case none
    }

    /// Goes round and round, so that a portal with few tokens, or none, takes as long as one with many.
    func match(_ presented: TokenDigest) -> Match {
        var found: UInt64 = 0
        var index = 0
        for _ in 0..<Self.capacity {
            found |= digests[index].mask(equalTo: presented) & (1 << UInt64(index))
            index = index + 1 < digests.count ? index + 1 : 0
        }
        let applicationBits: UInt64 = (1 << UInt64(applicationCount)) - 1
        let webhookBits = ((1 << UInt64(knownCount)) - 1) & ~applicationBits
        if found & applicationBits != 0 { return .application }
        return found & webhookBits != 0 ? .webhook : .none
    }

    func united(with other: TokenSet) -> TokenSet {
        var application = Array(digests[..<applicationCount])
        var webhook = Array(digests[applicationCount..<knownCount])
        var room = Self.capacity - knownCount
        func add(_ new: ArraySlice<TokenDigest>, to list: inout [TokenDigest]) {
            for digest in new where room > 0 && !list.contains(digest) {
                list.append(digest)
                room -= 1
            }
        }
        add(other.digests[..<other.applicationCount], to: &application)
        add(other.digests[other.applicationCount..<other.knownCount], to: &webhook)
        return TokenSet(application: application, webhook: webhook)
    }
}
