import Foundation
import Locks
import Synchronization

/// Speaks as much of Kafka's protocol as a login by SASL/OAUTHBEARER takes (https://kafka.apache.org/protocol), keeps what
/// clients present, and hangs up on everything after it: librdkafka's in-process cluster has no SASL.
final class FakeSASLBroker: Sendable {
    let port: Int
    private let descriptor: CInt
    /// The first message of each login (RFC 7628, 3.1).
    private let presented = Guarded<[String]>([])

    var logins: [String] { presented.withLock { $0 } }

    init() throws {
        let descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        self.descriptor = descriptor
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isListening = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && listen(descriptor, 16) == 0
                    && getsockname(descriptor, $0, &length) == 0
            }
        }
        guard isListening else { throw POSIXError(.EADDRINUSE) }
        port = Int(UInt16(bigEndian: address.sin_port))
        Thread.detachNewThread { [self] in
            while case let client = accept(descriptor, nil, nil), client >= 0 {
                Thread.detachNewThread { self.serve(client) }
            }
        }
    }

    func close() { shutdown(descriptor, CInt(SHUT_RDWR)) }

    private func serve(_ client: CInt) {
        defer { Glibc.close(client) }
        while let head = Self.receive(4, from: client),
            var request = Self.receive(head.reduce(0) { $0 << 8 | Int($1) }, from: client)
        {
            let api = Self.integer(&request, 2)
            let version = Self.integer(&request, 2)
            let correlation = Self.integer(&request, 4)
            _ = Self.text(&request)
            guard let answer = answer(api, version, &request) else { return }
            let body = Self.bytes(correlation, 4) + answer
            let frame = Self.bytes(body.count, 4) + body
            guard send(client, frame, frame.count, CInt(MSG_NOSIGNAL)) == frame.count else { return }
        }
    }

    /// `nil` hangs up.
    private func answer(_ api: Int, _ version: Int, _ request: inout [UInt8]) -> [UInt8]? {
        switch api {
        case 18:
            // ApiVersions: SaslHandshake 0 to 1, ApiVersions 0 to 3, SaslAuthenticate 0, Metadata 0 to 4.
            let all = [(17, 0, 1), (18, 0, 3), (36, 0, 0), (3, 0, 4)]
            let isFlexible = version >= 3
            var body = Self.bytes(0, 2) + (isFlexible ? [UInt8(all.count + 1)] : Self.bytes(all.count, 4))
            for (key, least, most) in all {
                body += Self.bytes(key, 2) + Self.bytes(least, 2) + Self.bytes(most, 2) + (isFlexible ? [0] : [])
            }
            return body + (version >= 1 ? Self.bytes(0, 4) : []) + (isFlexible ? [0] : [])
        case 17:
            let mechanism = Array(Self.text(&request).utf8)
            return Self.bytes(0, 2) + Self.bytes(1, 4) + Self.bytes(mechanism.count, 2) + mechanism
        case 36:
            let length = Self.integer(&request, 4)
            presented.withLock { $0.append(String(decoding: request.prefix(length), as: UTF8.self)) }
            return Self.bytes(0, 2) + Self.bytes(0xFFFF, 2) + Self.bytes(0, 4)
        default: return nil
        }
    }

    private static func receive(_ count: Int, from client: CInt) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        return recv(client, &bytes, count, CInt(MSG_WAITALL)) == count ? bytes : nil
    }

    private static func integer(_ bytes: inout [UInt8], _ width: Int) -> Int {
        defer { bytes.removeFirst(min(width, bytes.count)) }
        return bytes.prefix(width).reduce(0) { $0 << 8 | Int($1) }
    }

    private static func text(_ bytes: inout [UInt8]) -> String {
        let count = min(integer(&bytes, 2), bytes.count)
        defer { bytes.removeFirst(count) }
        return String(decoding: bytes.prefix(count), as: UTF8.self)
    }

    private static func bytes(_ number: Int, _ width: Int) -> [UInt8] {
        (0..<width).reversed().map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
    }
}
