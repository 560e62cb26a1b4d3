internal import AsyncHTTPClient
internal import Glibc
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix

/// One request to an address of the configuration, or to one that is published, and its whole answer within bounds of time
/// and bytes. No redirect is followed.
struct OutboundExchange: Sendable {
    struct Answer: Sendable {
        let status: Int
        let body: [UInt8]
    }

    let client: HTTPClient
    var timeout: Duration = .seconds(10)
    var maxBytes = 1 << 20

    /// - Throws: `CancellationError` when the task was cancelled, else `OutboundError`.
    func answer(to request: HTTPClientRequest) async throws -> Answer {
        var request = request
        request.headers.add(name: "User-Agent", value: "b24bridge")
        request.headers.add(name: "Accept", value: "application/json")
        let result = await withTaskGroup(of: Result<Answer, OutboundError>?.self) { [request] group in
            group.addTask { await exchange(request) }
            // The client's own deadline ends with the answer's head.
            group.addTask {
                try? await Task.sleep(for: timeout)
                return nil
            }
            let first = await group.next() ?? nil
            group.cancelAll()
            return first
        }
        try Task.checkCancellation()
        guard let result else { throw OutboundError(description: "no answer within \(timeout.components.seconds) s") }
        return try result.get()
    }

    private func exchange(_ request: HTTPClientRequest) async -> Result<Answer, OutboundError> {
        do {
            let response = try await client.execute(request, timeout: TimeAmount(timeout))
            let body = try await response.body.collect(upTo: maxBytes)
            let status = Int(response.status.code)
            guard !(300..<400).contains(status) else {
                return .failure(OutboundError(description: "it answers with a redirect, which is not followed"))
            }
            return .success(Answer(status: status, body: Array(body.readableBytesView)))
        } catch is NIOTooManyBytesError {
            return .failure(OutboundError(description: "it answers with more than \(maxBytes) bytes"))
        } catch {
            return .failure(OutboundError(description: OutboundError.words(error)))
        }
    }
}

/// Why there is no answer, in words without secrets.
struct OutboundError: Error, Sendable, CustomStringConvertible {
    let description: String

    static func words(_ error: any Error) -> String {
        switch error {
        case let error as NIOConnectionError:
            // One for each address that was tried; they mostly say the same.
            error.connectionErrors.first.map { words($0.error) } ?? "no address is known of the host \(error.host)"
        case SocketAddressError.unknown(let host, _): "no address is known of the host \(host)"
        case let error as IOError where error.errnoCode == ECONNREFUSED: "connection refused"
        case let error as HTTPClientError: error.shortDescription
        default: "\(error)"
        }
    }
}

extension HTTPClient.Configuration {
    /// HTTP/1, no redirects, no repetitions of its own.
    static var outbound: HTTPClient.Configuration {
        var configuration = HTTPClient.Configuration(
            redirectConfiguration: .disallow,
            timeout: .init(connect: .seconds(5), read: .seconds(10))
        )
        configuration.httpVersion = .http1Only
        configuration.connectionPool.retryConnectionEstablishment = false
        // The next request comes minutes later, when the other side may just be hanging up.
        configuration.connectionPool.idleTimeout = .seconds(1)
        return configuration
    }
}
