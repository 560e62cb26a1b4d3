package import AsyncHTTPClient
internal import NIOCore

extension RESTSettings {
    /// For the client that `RESTClient` and `AuthorizationServer` are given: HTTP/1, no redirects, no repetitions of its own.
    ///
    /// A host's addresses are looked up and judged before a call, but the client looks them up once more when it connects, and
    /// by then the name may stand for another address. So each connection is judged again by the address that it has, before
    /// the first byte of a request: no token and no call reaches an address that is not public. What remains possible to the
    /// owner of a name is a TCP and TLS handshake there.
    package var httpConfiguration: HTTPClient.Configuration {
        var configuration = HTTPClient.Configuration(
            redirectConfiguration: .disallow,
            // No bound of its own for reading: `Transport` bounds each request as a whole, and a long poll is silent for longer
            // than any call.
            timeout: .init(connect: TimeAmount(connectTimeout))
        )
        configuration.httpVersion = .http1Only
        configuration.connectionPool.retryConnectionEstablishment = false
        // One Push & Pull server holds a long poll of each of thousands of portals, and none may wait for another's to end, nor a
        // call of a portal that is at the same host. What bounds calls is the portals' rates, and what bounds polls is one a
        // portal.
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 100_000
        // Before the other side hangs up: a refresh sent into that moment may be done without an answer.
        configuration.connectionPool.idleTimeout = .seconds(5)
        guard standIn.isEmpty else { return configuration }
        configuration.http1_1ConnectionDebugInitializer = { channel in
            let address = channel.remoteAddress.flatMap(HostAddress.init)
            if let address, address.isPublic { return channel.eventLoop.makeSucceededVoidFuture() }
            channel.close(promise: nil)
            return channel.eventLoop.makeFailedFuture(ForbiddenAddress(description: "\(address?.description ?? "?")"))
        }
        return configuration
    }
}

/// An address that is not public.
struct ForbiddenAddress: Error, CustomStringConvertible {
    let description: String
}
