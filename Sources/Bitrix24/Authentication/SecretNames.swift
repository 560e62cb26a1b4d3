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

    package static func contains(_ name: ArraySlice<UInt8>) -> Bool { name.withUnsafeBytes { contains($0) } }

    static func contains(_ name: UnsafeRawBufferPointer) -> Bool {
        guard let first = name.first, isLike(length: name.count, first: lowerCase(first)) else { return false }
        return bytes.contains { candidate in
            candidate.count == name.count && zip(candidate, name).allSatisfy { $0 == lowerCase($1) }
        }
    }

    /// Whether one of `all` has this length and first letter. Nearly all names of a body end here.
    @inline(__always)
    private static func isLike(length: Int, first: UInt8) -> Bool {
        switch length {
        case 3: first == UInt8(ascii: "j")
        case 5: first == UInt8(ascii: "t")
        case 7, 12, 17: first == UInt8(ascii: "a")
        case 8: first == UInt8(ascii: "p")
        case 9: first == UInt8(ascii: "s")
        case 10: first == UInt8(ascii: "r")
        case 11: first == UInt8(ascii: "e")
        case 13: first == UInt8(ascii: "r") || first == UInt8(ascii: "c")
        default: false
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
