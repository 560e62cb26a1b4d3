import AsyncHTTPClient
import Glibc
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// Posts events as Bitrix24's queue server does: each once, whatever becomes of it; redirects are not followed.
struct EventSender: Sendable {
    let settings: SimulationSettings
    let plan: EventPlan
    let state: RunState
    /// Of each portal.
    private let urls: [String]
    private let client: HTTPClient
    static let userAgent = "Bitrix24 Webhook Engine (b24bridge simulate)"

    init(_ settings: SimulationSettings, plan: EventPlan, state: RunState) {
        self.settings = settings
        self.plan = plan
        self.state = state
        urls = plan.portals.map { settings.url.replacing("{portal}", with: $0.memberID) }
        let limit = TimeAmount(settings.requestTimeout)
        var configuration = HTTPClient.Configuration(
            redirectConfiguration: .disallow,
            timeout: .init(connect: limit, read: limit)
        )
        configuration.httpVersion = .http1Only
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = settings.connections
        // A refused connection is an event that did not arrive, and is to be seen as such at once.
        configuration.connectionPool.retryConnectionEstablishment = false
        client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }

    func close() async { try? await client.shutdown() }

    /// Asks the address with GET, which a bridge answers, until there is some answer, or nobody gave one for
    /// `settings.patience`.
    ///
    /// - Returns: why there is none.
    func findListener() async -> String? {
        let deadline = ContinuousClock.now + settings.patience
        while true {
            var request = HTTPClientRequest(url: urls[0])
            request.headers.add(name: "User-Agent", value: Self.userAgent)
            do {
                let response = try await client.execute(request, timeout: TimeAmount(settings.requestTimeout))
                await Self.drain(response)
                return nil
            } catch {
                if state.isSendingEnded { return nil }
                if !settings.isHolding, ContinuousClock.now >= deadline { return Self.words(error) }
                await state.sleepWhileSending(until: .now + .milliseconds(200))
            }
        }
    }

    /// Posts until `numbers` has no more or sending is ended.
    func run(_ numbers: NumberSource) async {
        let start = ContinuousClock.now
        await withTaskGroup(of: Void.self) { group in
            for lane in plan.lanes.indices {
                group.addTask { await drive(lane, numbers, start) }
            }
        }
    }

    /// One connection: one event after the other.
    private func drive(_ lane: Int, _ numbers: NumberSource, _ start: ContinuousClock.Instant) async {
        var random = FastRandom()
        var body: [UInt8] = []
        var turn = 0
        var failuresInARow = 0
        while !state.isSendingEnded, let next = numbers.next(lane: lane, turn: turn, elapsed: .now - start) {
            turn += 1
            if let due = next.due { await state.sleepWhileSending(until: start + due) }
            if state.isSendingEnded { return }
            let due = next.due.map { start + $0 } ?? .now
            let index = plan.lanes[lane].subject(&random)
            let subject = plan.subjects[index]
            body.removeAll(keepingCapacity: true)
            plan.bodies[Int(subject.body)].write(
                EventBody.Values(entity: Int(subject.entity), number: next.number, time: time(nil)),
                random: &random,
                into: &body
            )
            state.figures.withLock { figures in
                figures.ledger.post(next.number, subject: Int32(index))
                if figures.waitingSince == nil { figures.waitingSince = .now }
            }
            if await post(body, to: urls[Int(subject.portal)], number: next.number, due: due) {
                failuresInARow = 0
            } else {
                failuresInARow += 1
                // At a rate, the rate goes on. Without one, an outage is not to use up all events at once.
                if next.due == nil {
                    let pause = Duration.milliseconds(50 << min(failuresInARow - 1, 4))
                    await state.sleepWhileSending(until: .now + pause)
                }
            }
        }
    }

    /// - Returns: whether there was an answer.
    private func post(_ body: [UInt8], to url: String, number: Int, due: ContinuousClock.Instant) async -> Bool {
        var request = HTTPClientRequest(url: url)
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/x-www-form-urlencoded")
        request.headers.add(name: "User-Agent", value: Self.userAgent)
        request.body = .bytes(ByteBuffer(bytes: body))
        do {
            let response = try await client.execute(request, timeout: TimeAmount(settings.requestTimeout))
            let elapsed = ContinuousClock.now - due
            state.figures.withLock { figures in
                figures.ledger.answer(number, status: Int(response.status.code))
                figures.answerTimes.add(elapsed)
                figures.waitingSince = nil
            }
            await Self.drain(response)
            return true
        } catch {
            let words = Self.words(error)
            state.figures.withLock { figures in
                figures.ledger.giveUp(number, isConnected: !Self.isWithoutConnection(error))
                figures.lastFailure = words
            }
            return false
        }
    }

    /// The answer is its status; the rest is read so that the connection can be used again.
    static func drain(_ response: HTTPClientResponse) async {
        do { for try await _ in response.body {} } catch {}
    }

    private static func isWithoutConnection(_ error: any Error) -> Bool {
        switch error {
        case is NIOConnectionError: true
        case let error as HTTPClientError: error == .connectTimeout || error == .getConnectionFromPoolTimeout
        case let error as IOError: error.errnoCode == ECONNREFUSED
        default: false
        }
    }

    static func words(_ error: any Error) -> String {
        switch error {
        case let error as NIOConnectionError:
            // One for each address that was tried; they mostly say the same.
            error.connectionErrors.first.map { words($0.error) } ?? "no address is known of \(error.host)"
        case SocketAddressError.unknown(let host, _): "no address is known of \(host)"
        case let error as IOError where error.errnoCode == ECONNREFUSED: "connection refused"
        case let error as HTTPClientError where error == .deadlineExceeded: "no answer in time"
        case let error as HTTPClientError where error == .remoteConnectionClosed: "the connection was closed"
        case let error as HTTPClientError: error.shortDescription
        default: isOfTLS(error) ? "the TLS handshake failed: \(tlsWords("\(error)"))" : "\(error)"
        }
    }

    /// By name: the module that has these errors is one of AsyncHTTPClient's own.
    static func isOfTLS(_ error: any Error) -> Bool { String(reflecting: type(of: error)).contains("NIOSSL") }

    /// BoringSSL's words and the mend for the usual cases; the whole has paths of its sources.
    static func tlsWords(_ text: String) -> String {
        let reasons = [
            ("WRONG_VERSION_NUMBER", "the other side speaks no TLS; is it http:// that it takes?"),
            ("CERTIFICATE_VERIFY_FAILED", "its certificate is not trusted here, or has expired"),
            ("Hostname", "its certificate is not for this host"),
            ("uncleanShutdown", "the other side hung up"),
        ]
        return reasons.first { text.contains($0.0) }?.1 ?? "look at the certificate and the protocol of the other side"
    }
}
