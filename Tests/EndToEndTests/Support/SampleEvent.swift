import Foundation

/// A portal that the tests make known, and events of it.
enum SampleEvent {
    static let portal = "a223c6b3710f85df22e9377d6c4f7553"
    static let token = "51856fefc120afa4b628cc82d3935cce"

    static func form(
        id: String = "4711",
        number: String = "0",
        code: String = "ONCRMDEALUPDATE",
        token: String = token,
        portal: String = portal
    ) -> String {
        "event=\(code)&event_handler_id=123&data[FIELDS][ID]=\(id)&data[FIELDS][N]=\(number)&ts=1466439714"
            + "&auth[member_id]=\(portal)&auth[application_token]=\(token)"
    }

    static func portals(tokens: [String] = [token]) -> String {
        "portals:\n  - memberId: \(portal)\n    applicationTokens: [\(tokens.joined(separator: ", "))]\n"
    }
}
