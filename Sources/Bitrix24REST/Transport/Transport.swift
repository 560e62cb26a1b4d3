internal import AsyncHTTPClient
internal import Foundation
internal import NIOCore
internal import NIOHTTP1

/// One request, one answer: bounded in time and size, to checked addresses only.
struct Transport: Sendable {
    struct Request: Sendable {
        enum Body: Sendable {
            case form(String)
            case json(Data)
            /// A GET.
            case none
        }

        let call: CallName
        let address: CallAddress
        let body: Body
        let timeout: Duration
        /// That must not be found in any words about this call.
        let secrets: [String]
    }

    /// What came, whatever it says.
    struct Received: Sendable {
        let status: Int
        let headers: HTTPHeaders
        let body: Data
    }

    let http: HTTPClient
    let settings: RESTSettings

    func post(_ request: Request) async throws(RESTError) -> Answer {
        guard let received = try await send(request) else {
            throw request.call.error(.unreachable, "no answer within \(request.timeout)")
        }
        return try Answer(
            status: received.status,
            body: received.body,
            of: request.call,
            words: SafeText(secrets: request.secrets)
        )
    }

    /// - Returns: `nil` when the answer, or its last byte, was not there in time.
    /// - Throws: `unreachable`, `forbiddenAddress`, `tooLarge`, `cancelled`.
    func send(_ request: Request) async throws(RESTError) -> Received? {
        if Task.isCancelled { throw request.call.cancelled }
        let words = SafeText(secrets: request.secrets)
        let result = await withTaskGroup(of: Result<Received, RESTError>?.self) { group in
            group.addTask { await exchange(request, words) }
            group.addTask {
                try? await Task.sleep(for: request.timeout)
                return nil
            }
            let first = await group.next() ?? nil
            group.cancelAll()
            return first
        }
        // A cancelled exchange may look like one that failed, or like an answer cut short.
        if Task.isCancelled, (try? result?.get()) == nil { throw request.call.cancelled }
        return try result?.get()
    }

    private func exchange(_ request: Request, _ words: SafeText) async -> Result<Received, RESTError> {
        do throws(RESTError) {
            try await request.address.check(settings, of: request.call)
            let response: HTTPClientResponse
            let body: ByteBuffer
            do {
                // The timer above is the first to end.
                response = try await http.execute(
                    Self.head(request),
                    timeout: TimeAmount(request.timeout + .seconds(5))
                )
                body = try await response.body.collect(upTo: settings.maxAnswerBytes)
            } catch is NIOTooManyBytesError {
                throw request.call.error(.tooLarge, "answered with more than \(settings.maxAnswerBytes) bytes")
            } catch let error as ForbiddenAddress {
                throw request.call.error(.forbiddenAddress, "the host is at \(error), which is not a public address")
            } catch {
                throw request.call.error(.unreachable, words.clean("\(error)"))
            }
            if response.history.count > 1 {
                throw request.call.error(.forbiddenAddress, "the HTTP client followed a redirect, which it must not")
            }
            return .success(
                Received(
                    status: Int(response.status.code),
                    headers: response.headers,
                    body: Data(body.readableBytesView)
                )
            )
        } catch {
            return .failure(error)
        }
    }

    private static func head(_ request: Request) -> HTTPClientRequest {
        var head = HTTPClientRequest(url: request.address.url)
        head.method = .POST
        head.headers.add(name: "User-Agent", value: "b24bridge")
        head.headers.add(name: "Accept", value: "application/json")
        switch request.body {
        case .form(let text):
            head.headers.add(name: "Content-Type", value: "application/x-www-form-urlencoded")
            head.body = .bytes(ByteBuffer(string: text))
        case .json(let data):
            head.headers.add(name: "Content-Type", value: "application/json")
            head.body = .bytes(ByteBuffer(bytes: data))
        case .none: head.method = .GET
        }
        return head
    }
}
