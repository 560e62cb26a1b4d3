/// One portal, as it is now.
struct PortalState: Sendable {
    enum Installation: Sendable {
        /// Never installed.
        case none
        /// The setup page of an application with a user interface is open; it has not called `installFinish`.
        case inSetup
        case finished
        case removed
    }

    struct Binding: Sendable, Equatable {
        var id: Int
        /// Upper case.
        var event: String
        /// `nil` offline.
        var handler: String?
        /// Whose tokens are sent; 0: whoever caused the event.
        var user: Int
        var connector: String
        /// Seconds; only with ONOFFLINEEVENT.
        var minTimeout: Int?

        var isOffline: Bool { handler == nil }

        func isSame(as other: Binding) -> Bool {
            (event, handler, user, connector) == (other.event, other.handler, other.user, other.connector)
        }
    }

    /// What a method has used of its operating time, by a portal's account.
    struct OperatingTime: Sendable {
        var seconds: Double
        /// Unix seconds.
        var resetsAt: Int
        /// Calls that are still taken.
        var left: Int?
    }

    /// From 1.
    let number: Int
    let memberID: String
    /// As event bodies have it, with `/rest/`.
    let serverEndpoint: String
    let webhookSecret: String
    /// Its clock.
    let time: PortalTime
    var applicationToken: String
    var domain: String
    /// How often the domain has changed; a part of the endpoint's path.
    var moves = 0
    var language: String
    var installation = Installation.none
    var version = 1
    var isPaymentExpired = false
    var bindings: [Binding] = []
    var lastBindingID = 0
    /// Still known access and refresh tokens, the oldest first.
    var accessTokens: [String] = []
    var refreshTokens: [String] = []
    /// Handed out with events while it is fresh, so that a thousand events are not a thousand tokens.
    var eventTokens: [Int: String] = [:]
    var operating: [String: OperatingTime] = [:]
    var bucket = LeakyBucket()
    /// Of the frame that was opened last.
    var frameSession = ""

    init(number: Int, random: inout some RandomNumberGenerator) {
        self.number = number
        memberID = random.hexadecimal(bytes: 16)
        applicationToken = random.hexadecimal(bytes: 16)
        webhookSecret = random.hexadecimal(bytes: 8)
        domain = "portal-\(number).bitrix24.example"
        // Every third portal is one of those that the other authorization server serves.
        let isRussian = number.isMultiple(of: 3)
        serverEndpoint = "https://\(isRussian ? "oauth.bitrix24.tech" : "oauth.bitrix.info")/rest/"
        language = isRussian ? "ru" : "en"
        time = PortalTime(offsetMinutes: isRussian ? 180 : 120)
    }

    var hasApplication: Bool { installation == .inSetup || installation == .finished }

    /// Events are made for an application that is installed to its end and paid (b24restdocs,
    /// settings/app-installation/installation-finish.md).
    var makesEvents: Bool { installation == .finished && !isPaymentExpired }

    /// Where it is called, below the stand-in's address. Changes with the domain, as the host does in earnest.
    var path: String { moves == 0 ? "/portal/\(memberID)/" : "/portal/\(memberID)-\(moves + 1)/" }

    /// Adds a binding.
    ///
    /// - Returns: whether there was none like it.
    mutating func bind(_ binding: Binding) -> Bool {
        guard !bindings.contains(where: { $0.isSame(as: binding) }) else { return false }
        lastBindingID += 1
        var binding = binding
        binding.id = lastBindingID
        bindings.append(binding)
        return true
    }
}

/// Fills by one with each call and drains steadily (b24restdocs, limits.md).
struct LeakyBucket: Sendable {
    private var level = 0.0
    private var lookedAt = 0.0

    /// - Parameter now: seconds, of a clock that does not go back.
    /// - Returns: whether the call is taken.
    mutating func take(_ intensity: StandInSettings.Intensity, now: Double) -> Bool {
        level = max(0, level - (now - lookedAt) * intensity.perSecond)
        lookedAt = now
        guard level + 1 <= intensity.threshold else { return false }
        level += 1
        return true
    }
}
