/// What to do next to hear of a portal's queues, without doing it. Times are of any steady clock.
///
/// It asks for the configuration, and polls with it until it is told or sees that it is over; then it asks for a new one. A
/// server that fails is tried again later and later, and from the third failure on with a new configuration, as it may have
/// moved.
///
/// Source: b24restdocs, settings/interactivity/custom-push-and-pull-client.md, and the client of b24jssdk
/// (github.com/bitrix24/b24jssdk), packages/jssdk/src/pullClient/client.ts
struct PushSession: Sendable {
    enum Step: Sendable, Equatable {
        case wait(Duration)
        /// - Parameter cached: one that Bitrix24 has at hand will do.
        case configure(cached: Bool)
        case poll(Poll)
    }

    struct Poll: Sendable, Equatable {
        let endpoint: String
        /// Of the query.
        let parameters: [String: JSONValue]
        let timeout: Duration

        /// Whoever has one of these may listen.
        var secrets: [String] { ["CHANNEL_ID", "token", "clientId"].compactMap { parameters[$0]?.text } }
    }

    /// What the client's version is called at the server.
    private static let revision: JSONValue = 19
    private static let rememberedMids = 10
    /// When nothing says how long a configuration is good.
    private static let unknownLife = Duration.seconds(12 * 3600)
    /// Of a new configuration or channel that is over already, by the clock of its own portal: that clock is wrong.
    private static let wrongLife = Duration.seconds(600)
    /// Each configuration costs the portal a call.
    private static let shortestLife = Duration.seconds(10)
    /// A server that tells again and again, sooner than this, to ask for the configuration is not obeyed at once.
    private static let soonest = Duration.seconds(60)
    private static let soonRenewals = 3
    /// An answer without news that is as quick as this was not waited for.
    private static let hasty = Duration.milliseconds(250)
    private static let hastyAnswers = 3
    /// Until Bitrix24 may have come to another mind.
    private static let hour = Duration.seconds(3600)

    private let timeout: Duration
    private var configuration: PushConfiguration?
    private var configuredAt: Duration?
    /// Of the last configuration, also when it is over.
    private var endpoint = ""
    private var expiresAt = Duration.zero
    private var needsNewOne = false
    private var pause: Duration?
    /// Failures in a row.
    private var failures = 0
    private var hastyAnswers = 0
    private var soonRenewals = 0
    private var mid: String?
    private var tag: String?
    private var time: String?
    /// The last ones, to know what comes twice.
    private var mids: [String] = []
    /// Messages may have been sent that nobody will get any more, since `heard` was last called.
    private(set) var mayHaveMissed = true

    /// - Parameter timeout: of a poll.
    init(timeout: Duration) { self.timeout = timeout }

    mutating func step(at now: Duration) -> Step {
        if let pause {
            self.pause = nil
            return .wait(pause)
        }
        guard let configuration else { return .configure(cached: !needsNewOne) }
        guard now < expiresAt else {
            renew()
            return .configure(cached: false)
        }
        return .poll(
            Poll(
                endpoint: configuration.endpoint,
                parameters: parameters(configuration),
                timeout: min(timeout, max(.seconds(1), expiresAt - now))
            )
        )
    }

    private func parameters(_ configuration: PushConfiguration) -> [String: JSONValue] {
        var parameters = ["revision": Self.revision]
        func set(_ name: String, _ value: String?) { parameters[name] = value.map { .string($0) } }
        if let token = configuration.token {
            set("token", token)
        } else {
            set("CHANNEL_ID", configuration.channel?.id)
        }
        set("clientId", configuration.clientID)
        if configuration.version >= 4 { parameters["format"] = "json" }
        if configuration.version >= 3 {
            set("mid", mid)
        } else {
            set("tag", tag)
            set("time", time)
        }
        return parameters
    }

    /// - Parameters:
    ///   - new: `nil`: the portal has no server that can be polled.
    ///   - cached: as in the step.
    mutating func configured(_ new: PushConfiguration?, cached: Bool, at now: Duration, random: Double) {
        guard let new else { return rest(random) }
        let life = new.life ?? Self.unknownLife
        if life <= .zero, cached { return renew() }
        // A message's place is of no use at another server.
        if endpoint != new.endpoint { forgetPlace() }
        endpoint = new.endpoint
        configuration = new
        configuredAt = now
        expiresAt = now + Self.usable(life)
        needsNewOne = false
        mayHaveMissed = true
    }

    /// - Throws: `error`, when waiting does not mend it.
    mutating func notConfigured(_ error: RESTError, random: Double) throws(RESTError) {
        switch error.meaning {
        case .needsAuthorisation, .uninstalled, .permanent: throw error
        case .later: rest(random)
        // The portal's Push & Pull server is not set up.
        case .passing where error.code == .serverError: rest(random)
        case .passing:
            if error.code == .cancelled { throw error }
            // The call was repeated already, soon.
            failures = max(failures + 1, 2)
            pause = Self.delay(failures, random)
        }
    }

    /// - Parameter elapsed: how long the poll took.
    /// - Returns: whether queues have something.
    mutating func polled(_ answer: PushAnswer, elapsed: Duration, at now: Duration, random: Double) -> Bool {
        var tellsOfQueues = false
        var isNews = false
        switch answer {
        case .failure(let status):
            fail(random, isRefused: [400, 401, 403, 404, 410].contains(status))
            return false
        case .silence(let last): if let last { mid = last }
        case .nothing:
            if mid != nil || tag != nil { mayHaveMissed = true }
            forgetPlace()
        case .messages(let messages):
            for message in messages where remember(message) {
                isNews = true
                if message.tellsOfQueues { tellsOfQueues = true }
                if message.module == "pull" { obey(message, at: now, random: random) }
            }
        }
        guard !isNews, elapsed < Self.hasty else {
            hastyAnswers = 0
            failures = 0
            return tellsOfQueues
        }
        hastyAnswers += 1
        // It does not hold polls: without this, each answer would bring the next request at once.
        if hastyAnswers > Self.hastyAnswers { fail(random, isRefused: false) }
        return tellsOfQueues
    }

    /// The poll is at the server, and the caller has been told to look at all queues.
    mutating func heard() { mayHaveMissed = false }

    /// The answer cannot be read, and would come again.
    mutating func skip(random: Double) {
        forgetPlace()
        fail(random, isRefused: false)
    }

    /// - Returns: whether the message is new.
    private mutating func remember(_ message: PushMessage) -> Bool {
        if let tag = message.tag { self.tag = tag }
        if let time = message.time { self.time = time }
        guard let mid = message.mid else { return true }
        self.mid = mid
        if mids.contains(mid) { return false }
        mids.append(mid)
        if mids.count > Self.rememberedMids { mids.removeFirst() }
        return true
    }

    private mutating func obey(_ message: PushMessage, at now: Duration, random: Double) {
        switch message.command {
        case "channel_expire":
            if message.parameters["action"]?.text == "reconnect" {
                reconnect(message.parameters, at: now)
            } else {
                renew()
                let isSoon = configuredAt.map { now - $0 < Self.soonest } ?? false
                soonRenewals = isSoon ? soonRenewals + 1 : 0
                if soonRenewals > Self.soonRenewals { pause = Self.crowdDelay(random) }
            }
        case "config_expire", "server_restart":
            renew()
            // All the server's clients are told so at the same time.
            pause = Self.crowdDelay(random)
        default: break
        }
    }

    private mutating func reconnect(_ parameters: JSONValue, at now: Duration) {
        let old = parameters["channel"]
        let type = old?["type"]?.text ?? parameters["new_channel"]?["type"]?.text
        // Of another channel than ours.
        if let type, let channel = configuration?.channel, type != channel.type { return }
        if let id = old?["id"]?.text, let channel = configuration?.channel, id != channel.id { return }
        guard configuration?.token == nil,
            let new = PushConfiguration.Channel(parameters["new_channel"], type: type ?? "shared")
        else { return renew() }
        configuration?.channel = new
        // By the portal's clock, which has set both.
        let life = new.end.flatMap { end in new.start.map { Duration.seconds(end - $0) } } ?? Self.unknownLife
        expiresAt = now + Self.usable(life)
        mayHaveMissed = true
    }

    private mutating func renew() {
        configuration = nil
        needsNewOne = true
    }

    private mutating func forgetPlace() {
        mid = nil
        tag = nil
        time = nil
    }

    private mutating func rest(_ random: Double) {
        renew()
        pause = Self.jittered(Self.hour, random)
    }

    private mutating func fail(_ random: Double, isRefused: Bool) {
        failures += 1
        pause = Self.delay(failures, random)
        if mid == nil, tag == nil { mayHaveMissed = true }
        if isRefused || failures >= 3 { renew() }
    }

    /// - Parameter failures: 1 or more.
    private static func delay(_ failures: Int, _ random: Double) -> Duration {
        let delay: Duration =
            switch failures {
            case ...1: .milliseconds(100)
            case 2: .seconds(15)
            case 3...5: .seconds(45)
            case 6...10: .seconds(600)
            default: hour
            }
        return jittered(delay, random)
    }

    private static func usable(_ life: Duration) -> Duration { life > .zero ? max(life, shortestLife) : wrongLife }

    private static func jittered(_ delay: Duration, _ random: Double) -> Duration { delay + delay / 5 * random }

    private static func crowdDelay(_ random: Double) -> Duration { .seconds(10 + 110 * random) }
}
