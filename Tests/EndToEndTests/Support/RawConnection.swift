import Foundation
import Glibc
import Testing

/// A TCP connection to loopback that sends what it likes. Waits at most as long as it was told.
final class RawConnection {
    struct Outcome: Equatable, CustomStringConvertible {
        /// Status codes in the order in which they came.
        var statuses: [Int]
        var isClosed: Bool
        var description: String { "\(statuses) \(isClosed ? "closed" : "open")" }
    }

    private let descriptor: Int32
    private var received = ""
    private var isAtEnd = false

    /// - Parameter buffers: bytes that the system may keep for this side, each way; small ones show sooner who is slow.
    init(port: Int, buffers: Int32? = nil, timeoutSeconds: Int = 8) throws {
        descriptor = Loopback.makeSocket()
        guard descriptor >= 0 else { throw POSIXError(.EMFILE) }
        if var buffers {
            setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &buffers, socklen_t(MemoryLayout<Int32>.size))
            setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &buffers, socklen_t(MemoryLayout<Int32>.size))
        }
        Loopback.limit(descriptor, seconds: timeoutSeconds)
        // `deinit` closes: it also runs after an initialiser that throws once everything is set.
        guard Loopback.connect(descriptor, to: port) == 0 else {
            throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO)
        }
    }

    deinit { close(descriptor) }

    /// Sends all of it, or what the other side takes before it closes.
    func send(_ bytes: [UInt8]) {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return }
            sent += count
        }
    }

    func send(_ text: String) { send(Array(text.utf8)) }

    /// Sends without waiting. 0 when nothing fits at the moment, or the other side has closed.
    func sendWhatFits(_ bytes: ArraySlice<UInt8>) -> Int {
        max(
            0,
            bytes.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
            }
        )
    }

    func endOutput() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// Reads until so many answers have come, or all until the other side closes.
    func outcome(answers: Int = .max) -> Outcome {
        while statuses.count < answers, !isAtEnd {
            var buffer = [UInt8](repeating: 0, count: 16 << 10)
            let count = recv(descriptor, &buffer, buffer.count, 0)
            if count > 0 {
                received += String(decoding: buffer[..<count], as: UTF8.self)
            } else if count == 0 || errno == ECONNRESET {
                isAtEnd = true
            } else {
                break
            }
        }
        return Outcome(statuses: statuses, isClosed: isAtEnd)
    }

    private var statuses: [Int] {
        received.matches(of: #/HTTP/1\.1 (\d\d\d) /#).compactMap { Int($0.1) }
    }
}

/// Connections that stay open until a test lets them go.
final class HeldConnections: @unchecked Sendable {
    // Used by one thread after the other, never by two at once.
    private var connections: [RawConnection]

    init(_ connections: [RawConnection]) { self.connections = connections }

    func leave() { connections = [] }

    func expectAnswers() {
        for connection in connections {
            connection.send("GET /b24/events HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            #expect(connection.outcome() == .init(statuses: [200], isClosed: true))
        }
    }
}
