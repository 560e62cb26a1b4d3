internal import Glibc

/// The Push & Pull server: long polls (b24restdocs, settings/interactivity/custom-push-and-pull-client.md). What that leaves
/// open is as in the push-server of BitrixVM 0.0.1 (a public copy: github.com/faew/bitrix-push-server, opt/push-server/lib):
/// without `mid` nothing is read of the past (application.js), errors are 400 (validator.js), and a 304 names the last message
/// (transports/polling.js).
extension PortalWorld {
    /// By which faults find long polls.
    static let pollMethod = "pull/sub"

    /// `nil`: the path is not the server's.
    ///
    /// - Parameter hold: How the poll is answered when it is not answered at once. Any thread.
    mutating func poll(_ request: StandInRequest, _ hold: (@Sendable (StandInAnswer) -> Void)?) -> StandInAnswer? {
        guard request.path.split(separator: "/").prefix(2) == ["pull", "sub"] else { return nil }
        guard let parameters = try? PHPValue(form: request.query.utf8) else {
            return Self.refused("4000: Wrong query.")
        }
        func text(_ name: String) -> String { parameters[name]?.text ?? "" }
        guard let index = pushes.first(where: { $0.value.clientID == text("clientId") })?.key else {
            return Self.refused("4036: Wrong Client Id.")
        }
        var call = RESTCall(portal: index, method: Self.pollMethod)
        guard faults.contains(where: { $0.method == Self.pollMethod && ($0.portal ?? index) == index }) else {
            return poll(parameters, of: index, hold)
        }
        return answerWithFaults(&call) { world, _ in (world.poll(parameters, of: index, hold), nil) }
    }

    private mutating func poll(
        _ parameters: PHPValue,
        of index: Int,
        _ hold: (@Sendable (StandInAnswer) -> Void)?
    ) -> StandInAnswer {
        func text(_ name: String) -> String { parameters[name]?.text ?? "" }
        guard var push = pushes[index] else { return Self.refused("4036: Wrong Client Id.") }
        let mid = text("mid")
        let channels = Set(text("CHANNEL_ID").split(separator: "/").map(String.init))
        guard !channels.isEmpty, channels.allSatisfy({ push.isOpen($0, after: mid, now: now) }) else {
            return Self.refused("4010: Wrong Channel Id.")
        }
        let wantsJSON = text("format") == "json"
        var messages = push.messages(after: mid, in: channels)
        if let repeated = push.repeated, !repeated.channels.isDisjoint(with: channels) {
            messages.insert(repeated, at: 0)
            push.repeated = nil
            pushes[index] = push
        }
        if !messages.isEmpty { return answer(messages, wantsJSON, of: index) }
        guard let hold, !isClosing else { return StandInAnswer(isLost: true) }
        pollCount += 1
        pushes[index]?.polls.append(
            PushState.Poll(number: pollCount, channels: channels, mid: mid, wantsJSON: wantsJSON, answer: hold)
        )
        return StandInAnswer(heldPoll: PollPlace(portal: index, number: pollCount))
    }

    /// It was held long enough.
    mutating func endPoll(_ place: PollPlace) {
        guard let push = pushes[place.portal], let at = push.polls.firstIndex(where: { $0.number == place.number })
        else {
            return
        }
        let poll = push.polls[at]
        pushes[place.portal]?.polls.remove(at: at)
        var answer = StandInAnswer(status: 304, contentType: "text/plain")
        answer.headers = [
            ("Last-Message-Id", poll.mid.isEmpty ? push.messages.last?.mid ?? "" : poll.mid),
            ("Expires", "Thu, 01 Jan 1973 11:11:01 GMT"), ("Access-Control-Allow-Origin", "*"),
            ("Access-Control-Expose-Headers", "Last-Message-Id"),
        ]
        pollAnswers.append((poll, answer))
    }

    /// The connections of the portal's polls are cut.
    mutating func dropPolls(of index: Int) {
        for poll in pushes[index]?.polls ?? [] { pollAnswers.append((poll, StandInAnswer(isLost: true))) }
        pushes[index]?.polls = []
    }

    /// Sends into channels, and answers who listens there.
    mutating func send(_ text: PHPValue, of index: Int, to channels: Set<String>) {
        guard let message = pushes[index]?.add(text, to: channels, now: Self.exactNow) else { return }
        deliver(message, of: index)
    }

    mutating func deliver(_ message: PushState.Message, of index: Int) {
        let polls = pushes[index]?.polls ?? []
        let listening = polls.filter { !$0.channels.isDisjoint(with: message.channels) }
        guard !listening.isEmpty else { return }
        pushes[index]?.polls.removeAll { !$0.channels.isDisjoint(with: message.channels) }
        for poll in listening { pollAnswers.append((poll, answer([message], poll.wantsJSON, of: index))) }
    }

    // MARK: Answers

    private static func refused(_ words: String) -> StandInAnswer {
        StandInAnswer(status: 400, contentType: "text/plain", body: Array(words.utf8))
    }

    private func answer(_ messages: [PushState.Message], _ wantsJSON: Bool, of index: Int) -> StandInAnswer {
        let shown = messages.map { described($0, of: index) }
        var answer = StandInAnswer(contentType: "text/plain")
        answer.headers = [("Access-Control-Allow-Origin", "*")]
        if wantsJSON {
            answer.body = PHPValue.list(shown).json
        } else {
            for message in shown {
                answer.body += Array("#!NGINXNMS!#".utf8) + message.json + Array("#!NGINXNME!#".utf8)
            }
        }
        return answer
    }

    private func described(_ message: PushState.Message, of index: Int) -> PHPValue {
        let channel = message.channels.min().map { String($0.prefix(32)) } ?? ""
        return [
            "id": .int(message.number), "mid": .text(message.mid), "channel": .text(channel),
            "tag": .text("\(message.number % 1000)"), "time": .text(Self.httpDate(Int(message.sentAt))),
            "text": message.text,
            "extra": [
                "server_time": .text(portals[index].time.text(Int(message.sentAt))),
                "server_time_unix": .double(message.sentAt), "server_name": .text(portals[index].domain),
                "revision_web": 19, "revision_mobile": 3, "channel": .text(channel),
            ],
        ]
    }

    /// Unix seconds.
    private static var exactNow: Double {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// As `Thu, 29 Jun 2017 09:50:16 GMT`.
    private static func httpDate(_ seconds: Int) -> String {
        let parts = PortalTime(offsetMinutes: 0).text(seconds)
        let days = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        let month = months[(Int(parts.dropFirst(5).prefix(2)) ?? 1) - 1]
        let day = days[seconds / 86_400 % 7]
        return
            "\(day), \(parts.dropFirst(8).prefix(2)) \(month) \(parts.prefix(4)) \(parts.dropFirst(11).prefix(8)) GMT"
    }
}
