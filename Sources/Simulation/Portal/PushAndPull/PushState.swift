/// A portal's channels at the Push & Pull server, with what was sent in them (b24restdocs,
/// settings/interactivity/push-and-pull/pull-application-config-get.md).
struct PushState: Sendable {
    struct Channel: Sendable {
        var id: String
        /// Of a private channel.
        var publicID: String?
        /// Unix seconds.
        var start: Int
        var end: Int
    }

    struct Message: Sendable {
        var number: Int
        var mid: String
        /// Where it was sent.
        var channels: Set<String>
        /// Unix seconds.
        var sentAt: Double
        /// `module_id`, `command` and `params`.
        var text: PHPValue
    }

    /// A long poll that is not answered yet.
    struct Poll: Sendable {
        var number: Int
        var channels: Set<String>
        /// What it gave as the last message that it knows.
        var mid: String
        var wantsJSON: Bool
        /// Any thread.
        var answer: @Sendable (StandInAnswer) -> Void
    }

    /// Messages that are remembered.
    private static let messagesKept = 100

    let clientID: String
    var shared: Channel
    /// By users.
    var own: [Int: Channel] = [:]
    /// Channels that are over: the last message that may still be read there.
    var retired: [String: Int] = [:]
    private(set) var messages: [Message] = []
    private(set) var messageCount = 0
    /// Goes out once more with the next answer.
    var repeated: Message?
    var polls: [Poll] = []
    /// What was put into the queues and not told of yet, by connectors.
    var untold: [UInt16: Int] = [:]
    /// Seconds of the monotonic clock.
    var toldAt: Double?

    /// - Parameter now: Unix seconds.
    @discardableResult
    mutating func add(_ text: PHPValue, to channels: Set<String>, now: Double) -> Message {
        messageCount += 1
        let digits = "\(messageCount)"
        let mid = "\(Int(now))" + String(repeating: "0", count: 16 - digits.count) + digits
        let message = Message(number: messageCount, mid: mid, channels: channels, sentAt: now, text: text)
        messages.append(message)
        if messages.count > Self.messagesKept { messages.removeFirst() }
        return message
    }

    /// - Parameter mid: Without a message's own, history is not read, as at Bitrix24's server.
    func messages(after mid: String, in channels: Set<String>) -> [Message] {
        guard mid.utf8.count == 26, let number = Int(mid.suffix(16)) else { return [] }
        return messages.filter { $0.number > number && !$0.channels.isDisjoint(with: channels) }
    }

    /// Whether there is, or was, such a channel and somebody who knows `mid` may read it.
    func isOpen(_ channel: String, after mid: String, now: Int) -> Bool {
        if channel == shared.id { return now < shared.end }
        if let known = own.values.first(where: { $0.id == channel }) { return now < known.end }
        guard let last = retired[channel], mid.utf8.count == 26, let number = Int(mid.suffix(16)) else { return false }
        return number < last
    }

    mutating func retireShared(_ next: Channel) {
        retired[shared.id] = messageCount
        shared = next
    }

    mutating func retireOwn() {
        for channel in own.values { retired[channel.id] = messageCount }
        own = [:]
    }
}
