import Foundation
import Glibc
import Testing

/// Sockets on 127.0.0.1.
enum Loopback {
    /// The result of `connect`: 0, or -1 with the reason in `errno`.
    static func connect(_ descriptor: Int32, to port: Int) -> Int32 {
        var address = address(port)
        return withUnsafeBytes(of: &address) {
            Glibc.connect(descriptor, $0.baseAddress!.assumingMemoryBound(to: sockaddr.self), socklen_t($0.count))
        }
    }

    /// The longest that one read or write takes.
    static func limit(_ descriptor: Int32, seconds: Int) {
        var limit = timeval(tv_sec: seconds, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    static func makeSocket() -> Int32 { socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0) }

    /// A port that nobody listens at, for a process that is started several times at the same address.
    static func freePort() throws -> Int {
        let descriptor = makeSocket()
        defer { close(descriptor) }
        return try #require(bind(descriptor))
    }

    /// Binds to a port that the system chooses.
    ///
    /// - Returns: `nil` if there is none.
    static func bind(_ descriptor: Int32) -> Int? {
        var address = address(0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        return withUnsafeMutableBytes(of: &address) { bytes in
            let pointer = bytes.baseAddress!.assumingMemoryBound(to: sockaddr.self)
            guard Glibc.bind(descriptor, pointer, length) == 0, getsockname(descriptor, pointer, &length) == 0 else {
                return nil
            }
            return Int(in_port_t(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: in_port_t.self)))
        }
    }

    private static func address(_ port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        return address
    }
}
