/// A portal in whose name events are sent.
package struct SimulatedPortal: Sendable {
    package let memberID: String
    /// As the bridge's own record of the portal has it, because topic and key may depend on it. `nil`: it has none.
    package let domain: String?
    /// An application's token, or an outgoing webhook's.
    package let token: String
    /// A webhook has no access token, and sends no events about the application.
    package let isWebhook: Bool

    package init(memberID: String, domain: String?, token: String, isWebhook: Bool) {
        self.memberID = memberID
        self.domain = domain
        self.token = token
        self.isWebhook = isWebhook
    }

    /// The text of a `portals.yaml` with so many made-up portals.
    package static func file(count: Int) -> String {
        var random = SystemRandomNumberGenerator()
        var text = "portals:\n"
        for number in 1...max(1, count) {
            text += """
                  - memberId: \(random.hexadecimal(bytes: 16))
                    domain: portal-\(number).bitrix24.example
                    applicationTokens: [\(random.hexadecimal(bytes: 16))]

                """
        }
        return text
    }
}

extension RandomNumberGenerator {
    /// Random digits in lower case, two for each byte.
    mutating func hexadecimal(bytes count: Int) -> String {
        var text: [UInt8] = []
        appendHexadecimal(bytes: count, to: &text)
        return String(decoding: text, as: UTF8.self)
    }

    mutating func appendHexadecimal(bytes count: Int, to output: inout [UInt8]) {
        var word: UInt64 = 0
        for digit in 0..<count * 2 {
            if digit % 16 == 0 { word = next() }
            let nibble = UInt8(word & 15)
            output.append(nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "a") + nibble - 10)
            word >>= 4
        }
    }
}

/// SplitMix64 (https://prng.di.unimi.it/splitmix64.c): for choices and made-up tokens, where asking the system costs too much.
struct FastRandom: RandomNumberGenerator {
    private var state: UInt64

    init() { self.init(seed: .random(in: .min ... .max)) }

    /// The same seed gives the same numbers.
    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ word >> 30) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ word >> 27) &* 0x94D0_49BB_1331_11EB
        return word ^ word >> 31
    }
}
