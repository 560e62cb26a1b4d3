internal import Configuration

extension BridgeSettings {
    /// How the queues of offline events are drained. Which events portals put there is a matter of `subscriptions`.
    package struct Offline: Sendable {
        /// What makes the bridge look into a portal's queue.
        package enum WakeUp: String, Sendable, CaseIterable {
            /// ONOFFLINEEVENT, posted to the bridge.
            case event
            /// Bitrix24's Push & Pull channel, which the bridge asks: for a bridge that the internet cannot reach.
            case push
            /// Now and then, whatever is heard.
            case timer
        }

        package var wakeBy: Set<WakeUp> = [.event, .timer]
        /// Of the timer. Portals are spread over a quarter of it.
        package var pollEvery: Duration = .seconds(600)
        /// Rows that one call takes. Bitrix24 documents no maximum.
        package var batchRows = 200

        package init() {}
    }

    mutating func readOffline(_ reader: ConfigurationReader) {
        let all = Offline.WakeUp.allCases.map(\.rawValue)
        let words = reader.strings("wakeBy", default: all.filter { $0 != Offline.WakeUp.push.rawValue })
        offline.wakeBy = Set(words.compactMap(Offline.WakeUp.init))
        if let unknown = words.first(where: { Offline.WakeUp(rawValue: $0) == nil }) {
            reader.fault(
                "wakeBy",
                "has \(unknown.prefix(64).debugDescription); give some of \(all.joined(separator: ", "))"
            )
        } else if words.isEmpty {
            reader.fault(
                "wakeBy",
                "is empty, so queues would never be drained; give some of \(all.joined(separator: ", "))"
            )
        }
        offline.pollEvery = reader.duration(
            "pollEvery",
            default: offline.pollEvery,
            in: .seconds(1) ... .seconds(86_400)
        )
        if offline.pollEvery < .seconds(60), application.standIn.isEmpty {
            reader.fault("pollEvery", "must be 1m or more, or portals are asked all the time")
        }
        offline.batchRows = reader.integer("batchRows", default: offline.batchRows, in: 1...1000)
        if !application.isConfigured, ["wakeBy", "pollEvery", "batchRows"].contains(where: reader.has) {
            reader.fault("", "is of use to an application only; set application.clientId and clientSecret")
        }
    }
}
