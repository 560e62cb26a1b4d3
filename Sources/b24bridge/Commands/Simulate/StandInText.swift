import Bitrix24
import Bridge
import Foundation
import Simulation

/// What the stand-in has answered and posted, line by line.
struct StandInLines: Sendable {
    let isJSON: Bool

    func line(_ note: StandInNote) -> [UInt8] {
        let now = WallClock.now()
        return isJSON ? json(note, now) : Array((text(note, now) + "\n").utf8)
    }

    private func text(_ note: StandInNote, _ now: Timestamp) -> String {
        let time = String(now.rfc3339.dropFirst(11).prefix(8))
        switch note {
        case .call(let call):
            var words = "\(time)  \(call.portal ?? "unknown")  "
            words += call.isInBatch ? "  in batch: \(call.method)" : "\(call.method)  \(call.status)"
            if call.status == 0 { words += " (no answer)" }
            if let error = call.error { words += "  \(error)" }
            if let fault = call.fault { words += "  [fault: \(fault)]" }
            return words
        case .delivery(let delivery):
            let end = delivery.status.map(String.init) ?? delivery.failure ?? "no answer"
            return "\(time)  \(delivery.portal)  \(delivery.event) -> \(delivery.handler)  \(end)"
        }
    }

    private func json(_ note: StandInNote, _ now: Timestamp) -> [UInt8] {
        struct Line<Content: Encodable>: Encodable {
            let kind: String
            let at: String
            let content: Content

            enum Key: CodingKey { case kind, at }

            func encode(to encoder: any Encoder) throws {
                var container = encoder.container(keyedBy: Key.self)
                try container.encode(kind, forKey: .kind)
                try container.encode(at, forKey: .at)
                try content.encode(to: encoder)
            }
        }
        let encoder = JSONEncoder.oneLine
        let line =
            switch note {
            case .call(let call): try? encoder.encode(Line(kind: "call", at: now.rfc3339, content: call))
            case .delivery(let delivery):
                try? encoder.encode(Line(kind: "delivery", at: now.rfc3339, content: delivery))
            }
        return Array(line ?? Data()) + [UInt8(ascii: "\n")]
    }
}

/// What there is, what the bridge needs to know of it, and what can be done with it.
struct StandInWelcome: Sendable {
    private let settings: StandInSettings
    /// The made-up one is no secret.
    private let secret: String
    /// The bridge's own address.
    private let publicURL: String

    init(_ settings: StandInSettings, showsSecret: Bool) {
        self.settings = settings
        secret = showsSecret ? settings.clientSecret : "(what --client-secret says)"
        var parts = URLComponents(string: settings.installURL)
        parts?.path = ""
        parts?.query = nil
        publicURL = parts?.string ?? ""
    }

    func text(_ address: String, _ standIn: StandIn) -> String {
        let portals = standIn.portals
        var text = """
            b24bridge stands in for Bitrix24 at \(address)

            What the bridge needs to take it for Bitrix24, in its configuration:

              application:
                clientId: \(settings.clientID)
                clientSecret: \(secret)
                publicURL: \(publicURL)
                standIn: \(address)
              secrets:
                key: …               # openssl rand -base64 32
              subscriptions:
                online: [crm.deal]   # the events that are to come

            or as variables:

              export B24_APPLICATION_CLIENT_ID='\(settings.clientID)'
              export B24_APPLICATION_CLIENT_SECRET='\(secret)'
              export B24_APPLICATION_PUBLIC_URL='\(publicURL)'
              export B24_APPLICATION_STAND_IN='\(address)'
              export B24_SECRETS_KEY="$(openssl rand -base64 32)"
              export B24_SUBSCRIPTIONS_ONLINE='crm.deal'

            Portals:


            """
        for portal in portals.prefix(10) { text += "  \(portal.number)  \(portal.memberID)  \(portal.domain)\n" }
        if portals.count > 10 { text += "  … \(portals.count) in all: curl \(address)/control/portals\n" }
        text += "\nWhat people do there, by curl (portal=all is all of them):\n\n"
        for control in StandIn.controls.prefix(7) {
            text += "  # \(control.words)\n  curl -X POST '\(address)/control/\(control.path)'\n"
        }
        let frame = portals.first.map { "\(address)/portal/\($0.memberID)/frame?lang=ru" } ?? ""
        text += """

            The rest, and every fault by its name: curl \(address)/control/

            An installation with a user interface, in a browser: \(frame)

            Each call and each event is one line from here on. Ctrl-C stops it.


            """
        return text
    }

    func json(_ address: String, _ standIn: StandIn) throws -> String {
        struct Started: Encodable {
            struct Portal: Encodable {
                let number: Int
                let memberID: String
                let domain: String
            }

            let kind = "started"
            let address: String
            let clientID: String
            let clientSecret: String
            let publicURL: String
            let installURL: String
            let portals: [Portal]
        }
        let started = Started(
            address: address,
            clientID: settings.clientID,
            clientSecret: secret,
            publicURL: publicURL,
            installURL: settings.installURL,
            portals: standIn.portals.map { .init(number: $0.number, memberID: $0.memberID, domain: $0.domain) }
        )
        return String(decoding: try JSONEncoder.oneLine.encode(started), as: UTF8.self) + "\n"
    }
}
