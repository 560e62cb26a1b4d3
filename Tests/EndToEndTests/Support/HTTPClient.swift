import Foundation
import Glibc

struct HTTPAnswer: Sendable {
    let status: Int
    let headers: [String: String]
    let body: String
    var closes: Bool { headers["connection"]?.lowercased() == "close" }
}

/// One keep-alive connection to loopback, blocking; every call is bounded.
final class HTTPClient {
    enum Failure: Error {
        /// Nobody listens, or the connection was closed before the request was written: it was not accepted.
        case notAccepted(Int32)
        /// The whole request was written, and no whole answer came.
        case unanswered(Int32)
    }

    private let descriptor: Int32
    private var received: [UInt8] = []

    init(port: Int, timeout: Int = 10) throws(Failure) {
        descriptor = Loopback.makeSocket()
        Loopback.limit(descriptor, seconds: timeout)
        if Loopback.connect(descriptor, to: port) != 0 { throw .notAccepted(errno) }
    }

    deinit { close(descriptor) }

    func request(_ method: String, _ target: String, _ body: [UInt8] = []) throws(Failure) -> HTTPAnswer {
        let head = "\(method) \(target) HTTP/1.1\r\nHost: bridge\r\nContent-Length: \(body.count)\r\n\r\n"
        try write(Array(head.utf8) + body)
        return try answer()
    }

    func post(_ form: String, to target: String = "/b24/events") throws(Failure) -> HTTPAnswer {
        try request("POST", target, Array(form.utf8))
    }

    private func write(_ bytes: [UInt8]) throws(Failure) {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw .notAccepted(errno) }
            sent += count
        }
    }

    private func answer() throws(Failure) -> HTTPAnswer {
        while true {
            if let end = received.firstRange(of: Array("\r\n\r\n".utf8)) {
                let lines = String(decoding: received[..<end.lowerBound], as: UTF8.self).components(separatedBy: "\r\n")
                var headers: [String: String] = [:]
                for line in lines.dropFirst() {
                    guard let colon = line.firstIndex(of: ":") else { continue }
                    headers[line[..<colon].lowercased()] = line[line.index(after: colon)...].trimmingCharacters(
                        in: .whitespaces
                    )
                }
                let length = Int(headers["content-length"] ?? "0") ?? 0
                while received.count < end.upperBound + length { try receive() }
                let body = String(decoding: received[end.upperBound..<end.upperBound + length], as: UTF8.self)
                received.removeSubrange(..<(end.upperBound + length))
                let words = lines[0].split(separator: " ")
                return HTTPAnswer(status: words.count > 1 ? Int(words[1]) ?? 0 : 0, headers: headers, body: body)
            }
            try receive()
        }
    }

    private func receive() throws(Failure) {
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        guard count > 0 else { throw .unanswered(count == 0 ? 0 : errno) }
        received.append(contentsOf: buffer[..<count])
    }
}

/// One request on a connection of its own.
func httpRequest(_ method: String, _ target: String, _ body: [UInt8] = [], port: Int) async throws -> HTTPAnswer {
    try await onThread { try HTTPClient(port: port).request(method, target, body) }
}

func post(_ form: String, port: Int) async throws -> HTTPAnswer {
    try await httpRequest("POST", "/b24/events", Array(form.utf8), port: port)
}
