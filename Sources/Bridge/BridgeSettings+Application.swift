internal import Configuration
internal import Foundation

extension BridgeSettings {
    /// The Bitrix24 application as which the bridge is installed on portals.
    package struct Application: Sendable {
        package var clientID = ""
        package var clientSecret = Secret("")
        /// Under which Bitrix24 reaches this bridge, as `https://bridge.example`, without a trailing slash.
        package var publicURL = ""
        /// Address of `simulate portal`, for trials: authorization server and every portal are there, and Bitrix24 itself is
        /// never called. Empty in earnest.
        package var standIn = ""
        /// Calls a second that one portal gets for long, and at once after a rest. Source: b24restdocs, limits.md
        package var callsPerSecond = 2
        package var callBurst = 50

        package var isConfigured: Bool { !clientID.isEmpty }
    }

    /// What seals tokens: AES-256 keys of 32 bytes.
    package struct Secrets: Sendable {
        package struct Key: Sendable {
            package let id: String
            package let key: Secret
        }

        /// `nil`: OAuth tokens cannot be stored.
        package var current: Key?
        /// Open what was sealed before a rotation.
        package var previous: [Key] = []
    }

    mutating func readApplication(_ reader: ConfigurationReader) {
        application.clientID = reader.string("clientId", default: "")
        application.clientSecret = Secret(reader.string("clientSecret", default: ""))
        application.publicURL = Self.withoutSlash(reader.string("publicURL", default: ""))
        application.standIn = Self.withoutSlash(reader.string("standIn", default: ""))
        application.callsPerSecond = reader.integer("callsPerSecond", default: 2, in: 1...50)
        application.callBurst = reader.integer("callBurst", default: 50, in: 1...1000)
        if application.isConfigured {
            if application.clientSecret.isEmpty {
                reader.fault("clientSecret", "is missing; give the application's key beside its clientId")
            }
            if application.publicURL.isEmpty {
                reader.fault("publicURL", "is missing; give the https address under which Bitrix24 reaches this bridge")
            }
        } else if !application.clientSecret.isEmpty || !application.standIn.isEmpty {
            reader.fault("clientId", "is missing; give the application's client_id")
        }
        let schemes = application.standIn.isEmpty ? ["https://"] : ["https://", "http://"]
        if !application.publicURL.isEmpty, !schemes.contains(where: application.publicURL.hasPrefix) {
            reader.fault("publicURL", "must begin with https://, as Bitrix24 delivers to no other in earnest")
        }
        if !application.standIn.isEmpty, !application.standIn.hasPrefix("http://") {
            reader.fault("standIn", "must begin with http://; it is the address that `simulate portal` printed")
        }
    }

    mutating func readSecrets(_ reader: ConfigurationReader) {
        let id = reader.string("keyId", default: "1")
        let key = Secret(reader.string("key", default: ""))
        if !key.isEmpty, let key = Self.sealingKey(reader, id: id, key) { secrets.current = key }
        secrets.previous = reader.sections("previousKeys").compactMap { entry in
            Self.sealingKey(entry, id: entry.requiredString("keyId"), Secret(entry.requiredString("key")))
        }
        if key.isEmpty, !secrets.previous.isEmpty {
            reader.fault("key", "is missing; previousKeys open what was sealed, and new tokens could not be kept")
        }
        let ids = ([secrets.current].compactMap { $0 } + secrets.previous).map(\.id)
        if Set(ids).count < ids.count {
            reader.fault("previousKeys", "have a keyId that stands twice; give each key an id of its own")
        }
    }

    private static func sealingKey(_ reader: ConfigurationReader, id: String, _ key: Secret) -> Secrets.Key? {
        if id.wholeMatch(of: /[A-Za-z0-9_-]{1,32}/) == nil {
            reader.fault("keyId", "must be 1 to 32 letters, digits, '_' and '-'")
            return nil
        }
        guard Data(base64Encoded: key.text)?.count == 32 else {
            reader.fault("key", "must be 32 bytes in base64; make one with: openssl rand -base64 32")
            return nil
        }
        return Secrets.Key(id: id, key: key)
    }

    private static func withoutSlash(_ text: String) -> String {
        text.hasSuffix("/") ? String(text.dropLast()) : text
    }
}
