internal import Bitrix24
internal import Foundation

/// By which the install page asks what became of its installation, at any replica: member_id and time of receipt, sealed.
struct InstallTicket: Sendable, Codable {
    let memberID: String
    /// Of the call in the inbox.
    let id: String
    /// Milliseconds since 1970.
    let receivedAt: Int64

    /// The page gives up long before.
    static let lifetime: Duration = .seconds(15 * 60)
    private static let context = "install-page"

    init(_ call: UnverifiedCall) {
        memberID = call.memberID
        id = call.id
        receivedAt = call.receivedAt
    }

    /// Safe in an address.
    ///
    /// - Throws: `noKey`.
    func sealed(with keyring: Keyring) throws(KeyringError) -> String {
        guard let json = try? JSONEncoder().encode(self) else {
            preconditionFailure("texts and a number can always be written as JSON")
        }
        // Of base64, what means something in an address is replaced; a key's id has neither of them.
        return Self.swapped(try keyring.seal(json, context: Self.context).text, "+/", "-_").filter { $0 != "=" }
    }

    /// `nil`: not sealed here, or too long ago.
    init?(_ text: String, keyring: Keyring, now: Timestamp) {
        // The key's id, in the middle, may have these characters as well.
        var parts = text.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 3, text.utf8.count <= 1024 else { return nil }
        parts[2] = Self.swapped(parts[2], "-_", "+/")
        parts[2] += String(repeating: "=", count: (4 - parts[2].utf8.count % 4) % 4)
        let sealed = SealedText(text: parts.joined(separator: "."))
        guard let json = try? keyring.open(sealed, context: Self.context),
            let ticket = try? JSONDecoder().decode(Self.self, from: json),
            .milliseconds(now.milliseconds - ticket.receivedAt) <= Self.lifetime
        else { return nil }
        self = ticket
    }

    private static func swapped(_ text: String, _ from: String, _ to: String) -> String {
        let table = Dictionary(uniqueKeysWithValues: zip(from, to))
        return String(text.map { table[$0] ?? $0 })
    }
}
