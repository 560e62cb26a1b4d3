package import NIOCore
package import NIOHTTP1

/// The head of a request, as the decoder left it. Reading it copies no bytes.
package struct RequestHead {
    private let head: HTTPRequestHead
    /// As the client declared it; nil without a Content-Length, also for a chunked body.
    package let contentLength: Int?
    /// The peer of the connection, which may be a proxy; see ``clientAddress(of:trustedProxies:)``.
    package let remoteAddress: SocketAddress?

    package init(_ head: HTTPRequestHead, contentLength: Int?, remoteAddress: SocketAddress?) {
        self.head = head
        self.contentLength = contentLength
        self.remoteAddress = remoteAddress
    }

    package var method: HTTPMethod { head.method }

    package var version: HTTPVersion { head.version }

    /// The path as it was sent, without query, percent-encoding untouched. An absolute-form target
    /// (RFC 9112, 3.2.2) loses its scheme and authority.
    package var path: Substring {
        let target = originForm
        guard let end = target.utf8.firstIndex(of: UInt8(ascii: "?")) else { return target }
        return target[..<end]
    }

    /// What follows the first `?`, as it was sent; nil without one.
    package var query: Substring? {
        let target = originForm
        guard let mark = target.utf8.firstIndex(of: UInt8(ascii: "?")) else { return nil }
        return target[target.utf8.index(after: mark)...]
    }

    /// The first value of a field. The name's case does not matter.
    package func header(_ name: String) -> String? {
        head.headers.first(name: name)
    }

    /// All values of a field in the order of its lines; a line with a comma-separated list is one value.
    package func headers(_ name: String) -> [String] {
        head.headers[name]
    }

    private var originForm: Substring {
        let target = head.uri
        if target.utf8.first == UInt8(ascii: "/") { return target[...] }
        guard let scheme = target.range(ofASCII: "://") else { return target[...] }
        let authority = target[scheme.upperBound...]
        guard let slash = authority.utf8.firstIndex(where: { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?") })
        else { return "/" }
        return authority[slash...]
    }
}

extension String {
    fileprivate func range(ofASCII needle: StaticString) -> Range<String.Index>? {
        var start = utf8.startIndex
        return needle.withUTF8Buffer { needle in
            while start != utf8.endIndex {
                if utf8[start...].starts(with: needle) {
                    return start..<utf8.index(start, offsetBy: needle.count)
                }
                start = utf8.index(after: start)
            }
            return nil
        }
    }
}
