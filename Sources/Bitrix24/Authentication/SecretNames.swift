/// The field names under which Bitrix24 sends secrets, in any case and at any depth.
///
/// Sources: b24restdocs, api-reference/events/safe-event-handlers.md (application token),
/// settings/oauth/index.md (access and refresh token),
/// api-reference/common/events/on-app-method-confirm.md (`TOKEN`).
package enum SecretNames {
    package static let all = [
        "access_token", "refresh_token", "application_token", "auth_id", "refresh_id", "token", "event_token",
        "client_secret", "signature", "jwt", "password",
    ]

    private static let bytes = all.map { Array($0.utf8) }
    /// Bit n is set when some name has n bytes: most names of a body are told apart by their length alone.
    private static let lengths = bytes.reduce(into: UInt32(0)) { $0 |= 1 << UInt32($1.count) }

    package static func contains(_ name: ArraySlice<UInt8>) -> Bool {
        guard name.count < 32, lengths & (1 << UInt32(name.count)) != 0 else { return false }
        return bytes.contains { candidate in
            candidate.count == name.count
                && zip(candidate, name).allSatisfy { lower, byte in
                    byte == lower || ((UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) && byte | 0x20 == lower)
                }
        }
    }
}
