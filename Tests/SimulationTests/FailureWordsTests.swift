import Foundation
import Testing

@testable import Simulation

/// What a simulation says of a connection that fails is for people.
@Suite struct FailureWordsTests {
    /// Answers each connection as a server that speaks no TLS.
    private final class PlainServer: Sendable {
        let port: Int
        private let socket: Int32

        init() throws {
            let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            self.socket = socket
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            var size = socklen_t(MemoryLayout<sockaddr_in>.size)
            let isBound = withUnsafeMutablePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                    bind(socket, address, size) == 0 && listen(socket, 16) == 0
                        && getsockname(socket, address, &size) == 0
                }
            }
            try #require(isBound)
            port = Int(UInt16(bigEndian: address.sin_port))
            Thread.detachNewThread {
                while true {
                    let connection = accept(socket, nil, nil)
                    // Closed here and not by `deinit`, or the next `accept` might take from a socket that got its number.
                    guard connection >= 0 else { return _ = close(socket) }
                    var buffer = [UInt8](repeating: 0, count: 4096)
                    _ = recv(connection, &buffer, buffer.count, 0)
                    let answer = Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8)
                    _ = send(connection, answer, answer.count, Int32(MSG_NOSIGNAL))
                    close(connection)
                }
            }
        }

        deinit {
            // Ends the thread that accepts.
            shutdown(socket, Int32(SHUT_RDWR))
        }
    }

    private func failure(_ url: String) async throws -> String {
        var settings = try SimulationSettings.sample()
        settings.url = url
        settings.patience = .zero
        let error = await #expect(throws: SimulationError.self) { try await EventSimulation(settings).run { _ in } }
        return error?.description ?? ""
    }

    @Test func aServerWithoutTLSIsToldFromAnUntrustedOne() async throws {
        let server = try PlainServer()
        let words = try await failure("https://127.0.0.1:\(server.port)/b24/events")
        #expect(words.contains("(the TLS handshake failed: the other side speaks no TLS"), "\(words)")
        #expect(!words.contains("NIOSSL") && !words.contains(".cc"), "\(words)")
        withExtendedLifetime(server) {}
    }

    @Test func aHostThatDoesNotExistIsNamed() async throws {
        let words = try await failure("http://bridge.invalid/b24/events")
        #expect(words.contains("(no address is known of bridge.invalid)"), "\(words)")
    }
}
