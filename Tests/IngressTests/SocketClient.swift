import NIOPosix

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A plain blocking TCP client on loopback. Every call is bounded by five seconds.
final class SocketClient {
    enum Failure: Error { case connect(CInt), send(CInt), receive(CInt), timeout }

    private let descriptor: CInt
    private var received: [UInt8] = []

    init(port: Int) throws {
        #if os(Linux)
            descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        #else
            descriptor = socket(AF_INET, SOCK_STREAM, 0)
        #endif
        var limit = timeval()
        limit.tv_sec = 5
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        // sockaddr_in: family, port and address, the latter two in network byte order.
        var address = [UInt8](repeating: 0, count: 16)
        withUnsafeBytes(of: sa_family_t(AF_INET)) { address.replaceSubrange(0..<2, with: $0) }
        address[2] = UInt8(port >> 8)
        address[3] = UInt8(port & 0xFF)
        address.replaceSubrange(4..<8, with: [127, 0, 0, 1])
        let result = address.withUnsafeBytes { bytes in
            connect(descriptor, bytes.baseAddress!.assumingMemoryBound(to: sockaddr.self), 16)
        }
        // `deinit` closes: it also runs after an initialiser that throws once everything is set.
        guard result == 0 else { throw Failure.connect(errno) }
    }

    deinit {
        close(descriptor)
    }

    func send(_ text: String) throws {
        let bytes = Array(text.utf8)
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes { write(descriptor, $0.baseAddress!, $0.count) }
            guard count > 0 else { throw Failure.send(errno) }
            sent += count
        }
    }

    func endOutput() {
        shutdown(descriptor, CInt(SHUT_WR))
    }

    /// Reads once. False at the end of the stream.
    private func fill() throws -> Bool {
        var chunk = [UInt8](repeating: 0, count: 65_536)
        let count = read(descriptor, &chunk, chunk.count)
        guard count >= 0 else { throw errno == EAGAIN ? Failure.timeout : Failure.receive(errno) }
        received += chunk[..<count]
        return count > 0
    }

    /// Everything up to the end of the stream.
    func receiveAll() throws -> String {
        while try fill() {}
        defer { received = [] }
        return String(decoding: received, as: UTF8.self)
    }

    /// One response with its body, or nil at the end of the stream.
    func response() throws -> String? {
        while true {
            if let end = headEnd {
                let head = String(decoding: received[..<end], as: UTF8.self)
                let length = head.split(separator: "\r\n").compactMap { line -> Int? in
                    line.hasPrefix("Content-Length: ") ? Int(line.dropFirst(16)) : nil
                }.first
                let total = end + (length ?? 0)
                if received.count >= total {
                    defer { received.removeFirst(total) }
                    return String(decoding: received[..<total], as: UTF8.self)
                }
            }
            guard try fill() else {
                if received.isEmpty { return nil }
                throw Failure.receive(0)
            }
        }
    }

    private var headEnd: Int? {
        guard received.count >= 4 else { return nil }
        for index in 3..<received.count where received[index - 3...index].elementsEqual([13, 10, 13, 10]) {
            return index + 1
        }
        return nil
    }
}

/// Runs blocking work on a thread of its own, away from the threads that run the test.
func blocking<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await threads.runIfActive(work)
}

private let threads: NIOThreadPool = {
    let pool = NIOThreadPool(numberOfThreads: 40)
    pool.start()
    return pool
}()
