import Bitrix24

/// The bodies of one code's events from one portal, byte for byte as PHP's `http_build_query` writes them.
struct EventBody: Sendable {
    /// What differs from event to event.
    struct Values {
        let entity: Int
        let number: Int
        /// Unix seconds.
        let time: Int
    }

    private enum Part: Sendable {
        case literal([UInt8])
        case entity, unique, number, time, expiry, accessToken
    }

    private var parts: [Part] = []

    /// - Parameters:
    ///   - run: is found again in the record, with the event's number.
    ///   - handlerID: number of the subscription on the portal.
    init(code: String, shape: EventShape, portal: SimulatedPortal, run: String, handlerID: Int) {
        let domain = portal.domain ?? "portal.bitrix24.com"
        add("event", code)
        add("event_handler_id", "\(handlerID)")
        for (path, value) in shape.fields {
            let name = "data" + path.map { "[\($0)]" }.joined()
            switch value {
            case .text(let text): add(name, text)
            case .entity: add(name, .entity)
            case .unique: add(name, .unique)
            }
        }
        for (name, value) in Marker.fields(run: run) {
            if let value { add(name, value) } else { add(name, .number) }
        }
        add("ts", .time)
        let scope = EventCatalog.standard.eventType(for: code)?.scope ?? "crm"
        if !portal.isWebhook {
            add("auth[access_token]", .accessToken)
            add("auth[expires]", .expiry)
            add("auth[expires_in]", "3600")
            add("auth[scope]", scope)
        }
        add("auth[domain]", domain)
        if portal.isWebhook { add("auth[client_endpoint]", "https://\(domain)/rest/") }
        add("auth[server_endpoint]", "https://oauth.bitrix.info/rest/")
        if !portal.isWebhook {
            add("auth[status]", "L")
            add("auth[client_endpoint]", "https://\(domain)/rest/")
        }
        add("auth[member_id]", portal.memberID)
        if !portal.isWebhook { add("auth[user_id]", "1") }
        add("auth[application_token]", portal.token)
    }

    func write(_ values: Values, random: inout FastRandom, into output: inout [UInt8]) {
        for part in parts {
            switch part {
            case .literal(let bytes): output.append(contentsOf: bytes)
            case .entity: output.appendDecimal(values.entity)
            case .unique: output.appendDecimal(1_000_000 + values.number)
            case .number: output.appendDecimal(values.number)
            case .time: output.appendDecimal(values.time)
            case .expiry: output.appendDecimal(values.time + 3600)
            case .accessToken: random.appendHexadecimal(bytes: 35, to: &output)
            }
        }
    }

    private mutating func add(_ name: String, _ value: String) {
        literal(name: name)
        literal(value)
    }

    private mutating func add(_ name: String, _ value: Part) {
        literal(name: name)
        parts.append(value)
    }

    private mutating func literal(name: String) {
        if !parts.isEmpty { literal([UInt8(ascii: "&")]) }
        literal(name)
        literal([UInt8(ascii: "=")])
    }

    private mutating func literal(_ text: String) {
        var bytes: [UInt8] = []
        FormText.append(text.utf8, to: &bytes)
        literal(bytes)
    }

    private mutating func literal(_ bytes: [UInt8]) {
        if case .literal(let before) = parts.last {
            parts[parts.count - 1] = .literal(before + bytes)
        } else {
            parts.append(.literal(bytes))
        }
    }
}

extension [UInt8] {
    /// - Precondition: `number` is not negative.
    mutating func appendDecimal(_ number: Int) {
        withUnsafeTemporaryAllocation(byteCount: 20, alignment: 1) { digits in
            var (rest, start) = (number, 20)
            repeat {
                start -= 1
                digits[start] = UInt8(ascii: "0") + UInt8(rest % 10)
                rest /= 10
            } while rest > 0
            append(contentsOf: digits[start...])
        }
    }
}
