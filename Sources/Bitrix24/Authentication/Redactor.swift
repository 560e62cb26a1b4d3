/// Finds a request's own tokens wherever they stand.
///
/// A token is any value under a `SecretNames` name, of 16 bytes or more: shorter ones would hit innocent text.
package struct Redactor: Sendable {
    package static let replacement = Array("[redacted]".utf8)
    static let shortestToken = 16
    /// Most different tokens of one request. The busiest known event, a bot's, brings about ten.
    static let mostTokens = 256

    private var tokens: [[UInt8]] = []
    /// A bit for the hash of each token's first four bytes, so that most places of a text are passed at once.
    private var starts = [UInt64](repeating: 0, count: 64)

    package init() {}

    package var isEmpty: Bool { tokens.isEmpty }

    /// Learns the tokens of `form`.
    ///
    /// - Throws: `RedactionError` when there are too many different ones to look for.
    package mutating func learn(from form: BracketForm) throws(RedactionError) {
        if !tokens.isEmpty {
            tokens.removeAll(keepingCapacity: true)
            for index in starts.indices { starts[index] = 0 }
        }
        for pair in form.pairs where pair.isSecret && pair.value.count >= Self.shortestToken {
            let value = form.text[pair.value.range]
            if tokens.contains(where: { $0.elementsEqual(value) }) { continue }
            guard tokens.count < Self.mostTokens else { throw RedactionError() }
            tokens.append(Array(value))
            value.withUnsafeBytes { bytes in
                let hash = Self.hash(bytes, at: 0)
                starts[hash >> 6] |= 1 << UInt64(hash & 63)
            }
        }
        // Where one token holds another, the longer one must go first.
        if tokens.count > 1 { tokens.sort { $0.count > $1.count } }
    }

    /// `text` with each token replaced, or `nil` when it holds none.
    package func redacted(_ text: UnsafeRawBufferPointer) -> [UInt8]? {
        guard !tokens.isEmpty, text.count >= Self.shortestToken, var match = firstMatch(in: text, from: 0) else {
            return nil
        }
        var result: [UInt8] = []
        result.reserveCapacity(text.count)
        var copied = 0
        while true {
            result.append(contentsOf: text[copied..<match.lowerBound])
            result.append(contentsOf: Self.replacement)
            copied = match.upperBound
            guard let next = firstMatch(in: text, from: copied) else { break }
            match = next
        }
        result.append(contentsOf: text[copied...])
        return result
    }

    private func firstMatch(in text: UnsafeRawBufferPointer, from start: Int) -> Range<Int>? {
        var place = start
        while place + Self.shortestToken <= text.count {
            let hash = Self.hash(text, at: place)
            if starts[hash >> 6] & (1 << UInt64(hash & 63)) != 0 {
                for token in tokens
                where place + token.count <= text.count
                    && token.elementsEqual(UnsafeRawBufferPointer(rebasing: text[place..<place + token.count]))
                {
                    return place..<place + token.count
                }
            }
            place += 1
        }
        return nil
    }

    /// 0…4095, of the four bytes at `place`.
    @inline(__always)
    private static func hash(_ bytes: UnsafeRawBufferPointer, at place: Int) -> Int {
        Int((bytes.loadUnaligned(fromByteOffset: place, as: UInt32.self) &* 0x9E37_79B1) >> 20)
    }
}

/// A request has more different tokens than `Redactor` looks for.
package struct RedactionError: Error, CustomStringConvertible {
    package var description: String {
        "the form has more than \(Redactor.mostTokens) different secrets; send fewer"
    }
}
