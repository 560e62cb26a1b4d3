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
    /// For each length of a name: a bit for each letter that such a name begins with. Nearly all names of a body end here.
    private static let initials = bytes.reduce(into: [UInt32](repeating: 0, count: 32)) { initials, name in
        initials[name.count] |= 1 << UInt32(name[0] & 31)
    }

    package static func contains(_ name: ArraySlice<UInt8>) -> Bool { name.withUnsafeBytes { contains($0) } }

    static func contains(_ name: UnsafeRawBufferPointer) -> Bool {
        guard (1..<32).contains(name.count), initials[name.count] & (1 << UInt32(name[0] & 31)) != 0 else {
            return false
        }
        return bytes.contains { candidate in
            candidate.count == name.count && zip(candidate, name).allSatisfy { $0 == lowerCase($1) }
        }
    }

    /// Where the first secret name ends that stands in `field`, the name of a whole field, between brackets or what else
    /// PHP takes for or turns into a separator. Also found where PHP drops that part of the name, or the field.
    static func endOfFirst(in field: UnsafeRawBufferPointer) -> Int? {
        var start = 0
        for place in 0...field.count where place == field.count || isSeparator(field[place]) {
            if contains(field.part(start..<place)) { return place }
            start = place + 1
        }
        return nil
    }

    private static func isSeparator(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "["), UInt8(ascii: "]"), UInt8(ascii: "."), UInt8(ascii: " "), 0: true
        default: false
        }
    }

    private static func lowerCase(_ byte: UInt8) -> UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
    }
}
