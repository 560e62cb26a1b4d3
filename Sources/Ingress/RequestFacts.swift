import NIOHTTP1

/// What the framing of a request depends on, read from its head in one pass.
struct RequestFacts: Equatable {
    enum Framing: Equatable {
        case none
        case length(Int)
        case chunked
        /// A transfer coding that is not exactly `chunked`.
        case unsupported
        /// A transfer coding in HTTP/1.0 (RFC 9112, 6.1), or a length no integer holds.
        case faulty
    }

    var framing: Framing = .none
    var wantsKeepAlive = true
    var isHTTP10 = false
    /// The answer to HEAD has no body.
    var isHead = false
    var expectsContinue = false

    var contentLength: Int? {
        if case .length(let bytes) = framing { bytes } else { nil }
    }

    var hasBody: Bool {
        switch framing {
        case .none, .length(0): false
        case .length, .chunked, .unsupported, .faulty: true
        }
    }
}

extension RequestFacts {
    init(_ head: HTTPRequestHead) {
        wantsKeepAlive = head.isKeepAlive
        isHTTP10 = head.version.minor == 0
        isHead = head.method == .HEAD
        // After CONNECT and after an upgrade the decoder reads no further request.
        if head.method == .CONNECT { wantsKeepAlive = false }
        for (name, value) in head.headers {
            // The length tells most names apart without comparing them.
            switch name.utf8.count {
            case 6 where name.isASCII(equalTo: "expect"):
                expectsContinue = value.isASCII(equalTo: "100-continue")
            case 7 where name.isASCII(equalTo: "upgrade"):
                wantsKeepAlive = false
            case 14 where name.isASCII(equalTo: "content-length"):
                // The decoder has refused a second one, and one beside a Transfer-Encoding.
                framing = Int(value).map { .length($0) } ?? .faulty
            case 17 where name.isASCII(equalTo: "transfer-encoding"):
                let isFirst = framing == .none
                framing = isFirst && value.isASCII(equalTo: "chunked") ? .chunked : .unsupported
            default:
                break
            }
        }
        if isHTTP10, framing == .chunked || framing == .unsupported { framing = .faulty }
    }
}

extension String {
    /// Compares without regard to ASCII case. `lowercase` must be lower case.
    func isASCII(equalTo lowercase: StaticString) -> Bool {
        guard utf8.count == lowercase.utf8CodeUnitCount else { return false }
        return lowercase.withUTF8Buffer { lowercase in
            var index = 0
            for byte in utf8 {
                let folded = byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z") ? byte | 0x20 : byte
                if folded != lowercase[index] { return false }
                index += 1
            }
            return true
        }
    }
}
