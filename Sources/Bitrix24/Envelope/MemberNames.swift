/// The member names of one JSON object.
///
/// Two names of a form can become one when a token is cut out of both or both are repaired. A reader would then see the
/// last member only, so the second is numbered: `[redacted]`, `[redacted]#2`.
struct MemberNames {
    /// As in the JSON text, quotes and all.
    private var taken: Set<[UInt8]> = []
    private var number = 1

    mutating func insert(_ name: [UInt8]) { taken.insert(name) }

    /// Numbers the name that stands at the end of `json` from `start` on, if it is taken.
    mutating func makeUnique(_ json: inout JSONText, from start: Int) {
        let name = Array(json.bytes[start...])
        var candidate = name
        while !taken.insert(candidate).inserted {
            number += 1
            candidate = name.dropLast() + "#\(number)\"".utf8
        }
        json.bytes.replaceSubrange(start..., with: candidate)
    }
}
