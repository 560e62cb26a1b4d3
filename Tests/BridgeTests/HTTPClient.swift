import Foundation
import NIOPosix

/// Runs blocking work on a thread of its own, away from the few threads that run the tests and the services.
func blocking<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await threads.runIfActive(work)
}

private let threads: NIOThreadPool = {
    let pool = NIOThreadPool(numberOfThreads: 32)
    pool.start()
    return pool
}()

/// An answer as it came over the wire.
struct Reply: Sendable {
    let status: Int
    /// Names in lower case.
    let headers: [String: String]
    let body: String
}

/// A plain blocking HTTP/1.1 client on loopback. Every call is bounded by fifteen seconds.
final class HTTPClient {
    enum Failure: Error { case connect(CInt), send(CInt), receive(CInt), ended }

    private let descriptor: CInt
    private var received: [UInt8] = []

    init(port: Int) throws {
        descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        var limit = timeval(tv_sec: 15, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port).bigEndian)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let result = withUnsafeBytes(of: &address) { bytes in
            connect(
                descriptor,
                bytes.baseAddress!.assumingMemoryBound(to: sockaddr.self),
                socklen_t(MemoryLayout<sockaddr_in>.size)
            )
        }
        // `deinit` closes: it also runs after an initialiser that throws once everything is set. A second `close` would hit
        // whatever got the same number meanwhile.
        guard result == 0 else { throw Failure.connect(errno) }
    }

    deinit { close(descriptor) }

    func send(_ text: String) throws {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress!, $0.count, CInt(MSG_NOSIGNAL)) }
            guard count > 0 else { throw Failure.send(errno) }
            bytes = bytes.dropFirst(count)
        }
    }

    func request(
        _ method: String,
        _ path: String,
        _ headers: [String: String] = [:],
        body: String = ""
    ) throws -> Reply {
        var text = "\(method) \(path) HTTP/1.1\r\nHost: bridge.test\r\n"
        for (name, value) in headers { text += "\(name): \(value)\r\n" }
        if method == "POST" || !body.isEmpty {
            text += "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: \(body.utf8.count)\r\n"
        }
        try send(text + "\r\n" + body)
        return try reply(toHead: method == "HEAD")
    }

    func reply(toHead: Bool = false) throws -> Reply {
        let end = try receiveHead()
        let lines = String(decoding: received[..<end], as: UTF8.self).components(separatedBy: "\r\n")
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { continue }
            headers[line[..<colon].lowercased()] = line[line.index(after: colon)...].trimmingCharacters(
                in: .whitespaces
            )
        }
        received.removeFirst(end)
        let length = toHead ? 0 : Int(headers["content-length"] ?? "0") ?? 0
        while received.count < length { try fill() }
        defer { received.removeFirst(length) }
        return Reply(
            status: Int(lines[0].split(separator: " ")[1]) ?? 0,
            headers: headers,
            body: String(decoding: received[..<length], as: UTF8.self)
        )
    }

    private func receiveHead() throws -> Int {
        let mark = Array("\r\n\r\n".utf8)
        while true {
            if received.count >= 4 {
                for index in 3..<received.count where received[(index - 3)...index].elementsEqual(mark) {
                    return index + 1
                }
            }
            try fill()
        }
    }

    private func fill() throws {
        var chunk = [UInt8](repeating: 0, count: 65_536)
        let count = recv(descriptor, &chunk, chunk.count, 0)
        guard count >= 0 else { throw Failure.receive(errno) }
        guard count > 0 else { throw Failure.ended }
        received += chunk[..<count]
    }
}
