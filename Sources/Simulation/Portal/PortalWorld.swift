internal import Glibc

/// All portals and the authorization server, in memory. Methods answer at once; what is to be posted collects in `outbox`.
struct PortalWorld: Sendable {
    struct AccessToken: Sendable {
        var portal: Int
        var user: Int
        /// Unix seconds.
        var expiresAt: Int
    }

    struct RefreshToken: Sendable {
        var portal: Int
        var user: Int
    }

    /// An authorization code; lives 30 s (b24restdocs, settings/oauth/index.md).
    struct Code: Sendable {
        var portal: Int
        var user: Int
        var expiresAt: Int
    }

    /// An event on its way to a handler.
    struct Post: Sendable {
        var number: Int
        var portal: String
        var event: String
        var handler: String
        var body: [UInt8]
    }

    /// Tokens that are remembered for each portal; older ones are unknown.
    static let tokensKept = 64
    /// Calls and deliveries that are remembered.
    static let notesKept = 10_000

    var settings: StandInSettings
    /// Without a slash at its end. Empty before the listener is bound.
    var address = ""
    var portals: [PortalState] = []
    var portalIndex: [String: Int] = [:]
    var accessTokens: [String: AccessToken] = [:]
    var refreshTokens: [String: RefreshToken] = [:]
    var codes: [String: Code] = [:]
    var faults: [InjectedFault] = []
    var outbox: [Post] = []
    /// By the portals' indexes. Not within their states, so that a copy of one does not keep a queue.
    var queues: [OfflineQueue] = []
    /// What the queues' rows say by numbers.
    var kinds: [OfflineKind] = []
    var kindNumbers: [String: UInt16] = [:]
    var connectors: [String] = []
    var connectorNumbers: [String: UInt16] = [:]
    var freeData: [PHPValue] = []
    var offlineRowsMade = 0
    /// What the hit that is under way has put into the queue of its portal, by connectors.
    var offlineHit: [UInt16: Int] = [:]
    /// By the portals' indexes: those of whom somebody has asked where to listen.
    var pushes: [Int: PushState] = [:]
    var pollCount = 0
    /// Polls that are over, with what they get.
    var pollAnswers: [(poll: PushState.Poll, answer: StandInAnswer)] = []
    /// No poll is held any more.
    var isClosing = false
    let startedAt: Int = time(nil)
    /// Those due first at the front.
    var dueSignals: [DueSignal] = []
    var waitingSignals: Set<SignalPlace> = []
    /// Seconds of the monotonic clock.
    var signalledAt: [SignalPlace: Double] = [:]
    var calls: [AnsweredCall] = []
    var callCount = 0
    var deliveries: [Delivery] = []
    var postCount = 0
    /// Of the call that is being answered; its batch's calls included.
    var newCalls: [AnsweredCall] = []
    private var random: FastRandom

    init(_ settings: StandInSettings) {
        self.settings = settings
        random = settings.seed.map(FastRandom.init(seed:)) ?? FastRandom()
        for number in 1...max(1, settings.portals) {
            let portal = PortalState(number: number, random: &random)
            portalIndex[portal.memberID] = number - 1
            portals.append(portal)
        }
        queues = Array(repeating: OfflineQueue(), count: portals.count)
        // Ids may be the same each time, tokens may not.
        random = FastRandom()
    }

    var now: Int { time(nil) }

    /// By its member_id or its number.
    func index(of portal: String) -> Int? {
        if let index = portalIndex[portal] { return index }
        guard let number = Int(portal), portals.indices.contains(number - 1) else { return nil }
        return number - 1
    }

    func clientEndpoint(_ portal: PortalState) -> String { "\(address)\(portal.path)rest/" }

    /// Of an incoming webhook; a method's name follows.
    func webhookAddress(_ index: Int, user: Int = 1) -> String {
        "\(clientEndpoint(portals[index]))\(user)/\(portals[index].webhookSecret)/"
    }

    // MARK: Tokens

    /// Opaque; it begins with its expiry, as those of Bitrix24 appear to.
    mutating func makeAccessToken(of portal: Int, user: Int) -> String {
        let expiresAt = now + settings.accessTokenLife
        let token = makeText(beginning: expiresAt)
        accessTokens[token] = AccessToken(portal: portal, user: user, expiresAt: expiresAt)
        portals[portal].accessTokens.append(token)
        if portals[portal].accessTokens.count > Self.tokensKept {
            accessTokens[portals[portal].accessTokens.removeFirst()] = nil
        }
        return token
    }

    mutating func makeRefreshToken(of portal: Int, user: Int) -> String {
        let token = makeText(beginning: now + 180 * 86_400)
        refreshTokens[token] = RefreshToken(portal: portal, user: user)
        portals[portal].refreshTokens.append(token)
        if portals[portal].refreshTokens.count > Self.tokensKept {
            refreshTokens[portals[portal].refreshTokens.removeFirst()] = nil
        }
        return token
    }

    /// It is known no more: rotated.
    mutating func spend(refreshToken token: String, of portal: Int) {
        refreshTokens[token] = nil
        portals[portal].refreshTokens.removeAll { $0 == token }
    }

    /// All of them are known no more.
    mutating func forgetTokens(of portal: Int) {
        for token in portals[portal].accessTokens { accessTokens[token] = nil }
        for token in portals[portal].refreshTokens { refreshTokens[token] = nil }
        portals[portal].accessTokens = []
        portals[portal].refreshTokens = []
        portals[portal].eventTokens = [:]
    }

    mutating func makeText(beginning expiresAt: Int) -> String {
        var text: [UInt8] = []
        withUnsafeBytes(of: UInt32(truncatingIfNeeded: expiresAt).littleEndian) { bytes in
            for byte in bytes {
                for nibble in [byte >> 4, byte & 15] { text.append(Array("0123456789abcdef".utf8)[Int(nibble)]) }
            }
        }
        random.appendHexadecimal(bytes: 31, to: &text)
        return String(decoding: text, as: UTF8.self)
    }

    mutating func makeCode(of portal: Int, user: Int) -> String {
        let code = makeText(beginning: now + 30)
        codes = codes.filter { $0.value.expiresAt > now }
        codes[code] = Code(portal: portal, user: user, expiresAt: now + 30)
        return code
    }

    mutating func makeSecret() -> String { random.hexadecimal(bytes: 16) }

    // MARK: Notes

    mutating func note(_ call: RESTCall, status: Int, error: String?, fault: String?) {
        callCount += 1
        newCalls.append(
            AnsweredCall(
                number: callCount,
                portal: call.portal.map { portals[$0].memberID },
                method: call.method,
                isInBatch: call.isInBatch,
                status: status,
                error: error,
                fault: fault
            )
        )
    }

    /// What was noted since the last time.
    mutating func takeNewCalls() -> [AnsweredCall] {
        defer { newCalls = [] }
        calls += newCalls
        if calls.count > 2 * Self.notesKept { calls.removeFirst(calls.count - Self.notesKept) }
        return newCalls
    }

    mutating func note(_ delivery: Delivery) {
        deliveries.append(delivery)
        if deliveries.count > 2 * Self.notesKept { deliveries.removeFirst(deliveries.count - Self.notesKept) }
    }
}
