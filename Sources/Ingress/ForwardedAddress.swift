/// The address of the client that a request came from.
///
/// Without trusted proxies, or when the peer is none of them, it is the peer. Otherwise it is the rightmost address of
/// `X-Forwarded-For` (all lines, in order) that is not a trusted proxy, or the rightmost such `for` of `Forwarded`
/// (RFC 7239). Proxies append, so what stands further left may be the client's own invention. When all are trusted the
/// leftmost counts.
///
/// Nil when it cannot be told: the peer has no IP address, the entry that counts is none (`unknown`, a pseudonym), or both
/// fields are there and disagree: the proxy writes one of them, and the other may be the client's.
package func clientAddress(of head: borrowing RequestHead, trustedProxies: AddressRanges) -> IPAddress? {
    guard let remoteAddress = head.remoteAddress, let peer = IPAddress(remoteAddress) else { return nil }
    guard !trustedProxies.isEmpty, trustedProxies.contains(peer) else { return peer }
    let clients = [
        head.headers("x-forwarded-for").flatMap(ForwardedAddress.listElements),
        head.headers("forwarded").flatMap(ForwardedAddress.forwardedElements),
    ].filter { !$0.isEmpty }.map { ForwardedAddress.client(peer: peer, hops: $0, trustedProxies: trustedProxies) }
    guard let client = clients.first else { return peer }
    return clients.allSatisfy { $0 == client } ? client : nil
}

enum ForwardedAddress {
    /// - Parameter hops: as the proxies appended them, the nearest last.
    static func client(peer: IPAddress, hops: [Substring], trustedProxies: AddressRanges) -> IPAddress? {
        var client = peer
        for hop in hops.reversed() {
            guard let address = address(hop) else { return nil }
            client = address
            if !trustedProxies.contains(address) { break }
        }
        return client
    }

    static func listElements(_ value: String) -> [Substring] {
        value.split(separator: ",").map(trimmed).filter { !$0.isEmpty }
    }

    /// The `for` parameter of each element, empty where there is none.
    static func forwardedElements(_ value: String) -> [Substring] {
        split(value[...], at: UInt8(ascii: ",")).map(trimmed).filter { !$0.isEmpty }.map { element in
            for parameter in split(element, at: UInt8(ascii: ";")) {
                let parameter = trimmed(parameter)
                guard let equals = parameter.utf8.firstIndex(of: UInt8(ascii: "=")) else { continue }
                guard String(parameter[..<equals]).isASCII(equalTo: "for") else { continue }
                return parameter[parameter.utf8.index(after: equals)...]
            }
            return ""
        }
    }

    /// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`, each also in quotes.
    static func address(_ text: Substring) -> IPAddress? {
        var text = text
        if text.utf8.count >= 2, text.utf8.first == UInt8(ascii: "\""), text.utf8.last == UInt8(ascii: "\"") {
            text = text.dropFirst().dropLast()
        }
        if text.utf8.first == UInt8(ascii: "[") {
            guard let end = text.utf8.firstIndex(of: UInt8(ascii: "]")) else { return nil }
            let rest = text[text.utf8.index(after: end)...]
            guard rest.isEmpty || isPort(rest) else { return nil }
            return IPAddress(text[text.utf8.index(after: text.startIndex)..<end])
        }
        if let colon = text.utf8.firstIndex(of: UInt8(ascii: ":")),
            !text.utf8[text.utf8.index(after: colon)...].contains(UInt8(ascii: ":"))
        {
            guard isPort(text[colon...]) else { return nil }
            return IPAddress(text[..<colon])
        }
        return IPAddress(text)
    }

    private static func isPort(_ text: Substring) -> Bool {
        let digits = text.utf8.dropFirst()
        return text.utf8.first == UInt8(ascii: ":") && (1...5).contains(digits.count)
            && digits.allSatisfy { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text
        while let first = text.utf8.first, first == 0x20 || first == 0x09 { text = text.dropFirst() }
        while let last = text.utf8.last, last == 0x20 || last == 0x09 { text = text.dropLast() }
        return text
    }

    /// Splits at a separator that stands outside of quotes.
    private static func split(_ text: Substring, at separator: UInt8) -> [Substring] {
        var parts: [Substring] = []
        var start = text.startIndex
        var isQuoted = false
        var index = text.startIndex
        while index != text.endIndex {
            let byte = text.utf8[index]
            if byte == UInt8(ascii: "\"") { isQuoted.toggle() }
            let next = text.utf8.index(after: index)
            if byte == separator, !isQuoted {
                parts.append(text[start..<index])
                start = next
            }
            index = next
        }
        parts.append(text[start...])
        return parts
    }
}
