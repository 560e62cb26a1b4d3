/// Finds a request's own tokens wherever they stand.
///
/// A token is any value under a `SecretNames` name, of 16 bytes or more: shorter ones would hit innocent text. The search
/// takes a time in proportion to the text; tokens made to break that (many, long, and alike) are refused.
package struct Redactor: Sendable {
    package static let replacement = Array("[redacted]".utf8)
    static let shortestToken = 16
    /// Most different tokens of one request. The busiest known event, a bot's, brings about ten.
    static let mostTokens = 256
    /// Most bytes of tokens to compare with the texts of one request. The bytes of a request that is not made for it are
    /// seldom compared at all; one that is costs some milliseconds before it is refused.
    static let mostWork = 64 << 20

    private struct Token {
        var start: Int
        var count: Int
        /// The next token with the same first eight bytes, one-based. 0: none.
        var next: UInt16
    }

    /// The tokens' bytes, one after the other.
    private var bytes: [UInt8] = []
    private var tokens: [Token] = []
    /// By the hash of its first eight bytes: a token, one-based. 0: none, so that most places of a text are passed at once.
    private var heads = [UInt16](repeating: 0, count: 1 << Self.hashBits)
    /// Bytes of the shortest token: a shorter text holds none.
    private var shortest = Int.max
    private var work = 0

    package init() {}

    package var isEmpty: Bool { tokens.isEmpty }

    /// The tokens are too alike for the request's texts; what was redacted since is of no use.
    var isExhausted: Bool { work > Self.mostWork }

    /// Learns the tokens of `form`.
    ///
    /// - Throws: `RedactionError` when there are too many different ones to look for.
    package mutating func learn(from form: BracketForm) throws(RedactionError) {
        forget()
        for pair in form.pairs where pair.isSecret && pair.value.count >= Self.shortestToken {
            let isKnown = form.text[pair.value.range].withUnsafeBytes { learn($0) }
            guard isKnown else { throw .tooMany }
        }
        if isExhausted { throw .tooAlike }
    }

    private mutating func forget() {
        work = 0
        guard !tokens.isEmpty else { return }
        bytes.withUnsafeBytes { bytes in
            for token in tokens { heads[Self.hash(bytes, at: token.start)] = 0 }
        }
        tokens.removeAll(keepingCapacity: true)
        bytes.removeAll(keepingCapacity: true)
        shortest = .max
    }

    /// - Returns: `false` when there is no room for one more.
    private mutating func learn(_ value: UnsafeRawBufferPointer) -> Bool {
        let bucket = Self.hash(value, at: 0)
        var next = heads[bucket]
        while next != 0 {
            let token = tokens[Int(next) - 1]
            work += value.count
            if token.count == value.count, bytes.withUnsafeBytes({ Self.holds(token, of: $0, value, at: 0) }) {
                return true
            }
            next = token.next
        }
        guard tokens.count < Self.mostTokens else { return false }
        tokens.append(Token(start: bytes.count, count: value.count, next: heads[bucket]))
        heads[bucket] = UInt16(tokens.count)
        bytes.append(contentsOf: value)
        shortest = min(shortest, value.count)
        return true
    }

    /// `text` with each token replaced, or `nil` when it holds none.
    package func redacted(_ text: UnsafeRawBufferPointer) -> [UInt8]? {
        var search = self
        var result: [UInt8] = []
        var isFound = false
        search.cut(text) {
            result.append(contentsOf: $0)
        } token: {
            isFound = true
            result.append(contentsOf: Self.replacement)
        }
        return isFound ? result : nil
    }

    /// Calls `plain` for the parts of `text` between tokens and `token` in place of each, in their order. Tokens that
    /// overlap are replaced as one, so that nothing of either is left.
    @inline(__always)
    mutating func cut(
        _ text: UnsafeRawBufferPointer,
        plain: (UnsafeRawBufferPointer) -> Void,
        token: () -> Void
    ) {
        guard text.count >= shortest else { return plain(text) }
        var place = 0
        var end = 0
        while !isExhausted, let match = nextToken(in: text, from: place) {
            if match.lowerBound >= end {
                plain(text.part(end..<match.lowerBound))
                token()
            }
            end = max(end, match.upperBound)
            place = match.lowerBound + 1
        }
        // What could not be searched is not shown; the record will not be used anyway.
        if isExhausted { token() } else { plain(text.part(end..<text.count)) }
    }

    /// The first place from `start` on where a token begins, with the longest one there.
    private mutating func nextToken(in text: UnsafeRawBufferPointer, from start: Int) -> Range<Int>? {
        var place = start
        while place + shortest <= text.count {
            var next = heads[Self.hash(text, at: place)]
            var length = 0
            while next != 0 {
                let token = tokens[Int(next) - 1]
                next = token.next
                work += 8
                guard token.count > length, place + token.count <= text.count else { continue }
                bytes.withUnsafeBytes { bytes in
                    guard Self.startAlike(token, of: bytes, text, at: place) else { return }
                    work += token.count
                    if Self.holds(token, of: bytes, text, at: place) { length = token.count }
                }
                if isExhausted { return nil }
            }
            if length > 0 { return place..<place + length }
            place += 1
        }
        return nil
    }

    @inline(__always)
    private static func startAlike(
        _ token: Token,
        of bytes: UnsafeRawBufferPointer,
        _ text: UnsafeRawBufferPointer,
        at place: Int
    ) -> Bool {
        bytes.loadUnaligned(fromByteOffset: token.start, as: UInt64.self)
            == text.loadUnaligned(fromByteOffset: place, as: UInt64.self)
    }

    @inline(__always)
    private static func holds(
        _ token: Token,
        of bytes: UnsafeRawBufferPointer,
        _ text: UnsafeRawBufferPointer,
        at place: Int
    ) -> Bool {
        bytes.part(token.start..<token.start + token.count).equals(text.part(place..<place + token.count))
    }

    private static let hashBits = 10

    /// Of the eight bytes at `place`.
    @inline(__always)
    private static func hash(_ bytes: UnsafeRawBufferPointer, at place: Int) -> Int {
        let word = bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self)
        return Int((word &* 0x9E37_79B9_7F4A_7C15) >> UInt64(64 - hashBits))
    }
}

/// A request's tokens cannot all be looked for.
package struct RedactionError: Error, Equatable, CustomStringConvertible {
    package let description: String

    static let tooMany = RedactionError(
        description: "the form has more than \(Redactor.mostTokens) different secrets; send fewer"
    )
    static let tooAlike = RedactionError(
        description: "the form has long secrets that differ too little from its other texts; send fewer or shorter ones"
    )
}
