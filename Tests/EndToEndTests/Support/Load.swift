import Foundation
import Locks
import Synchronization

/// Clients that post one event after the other on keep-alive connections and note what became of each.
///
/// Client `c` posts as entity `c` modulo `keys`, numbered `c-0`, `c-1`, …; it never posts a number twice. With `portals` it
/// posts for portal `c` modulo their number, to the address that ends in that portal's member_id.
final class Load: Sendable {
    struct Outcome: Sendable {
        /// Begun to send, whatever became of it.
        var sent: Set<String> = []
        /// Answered with 200.
        var acknowledged: Set<String> = []
        /// Answered otherwise: status and number.
        var refused: [String] = []
        /// Written whole to an accepted connection, and no answer came.
        var unanswered: [String] = []
        /// Answers after which the connection was closed, as the answer had announced.
        var announcedCloses = 0
        /// From the first byte sent to the answer, of what was answered with 200.
        var answerTimes: [Duration] = []

        /// Not taken by the bridge: the connection failed or was closed before the request was written.
        var notAccepted: Int { sent.count - acknowledged.count - refused.count - unanswered.count }

        /// The time within which this share of the answers came, in milliseconds.
        func answerMilliseconds(_ share: Double) -> Double {
            let sorted = answerTimes.sorted()
            guard !sorted.isEmpty else { return 0 }
            return sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))] / .milliseconds(1)
        }
    }

    private struct State {
        var outcome = Outcome()
        var port: Int?
        var isStopped = false
        var running = 0
    }

    private let state: Guarded<State>
    private let keys: Int
    private let limit: Int
    private let pause: TimeInterval
    private let reconnects: Bool
    private let portals: [String]

    /// - Parameters:
    ///   - limit: events of each client.
    ///   - pause: of each client after each answer, in seconds.
    ///   - reconnects: each event comes on a connection of its own.
    ///   - portals: their member_ids; empty: the one of `SampleEvent`, whose address has no suffix.
    init(
        clients: Int,
        keys: Int,
        limit: Int = .max,
        pause: TimeInterval = 0,
        reconnects: Bool = false,
        portals: [String] = []
    ) {
        self.keys = keys
        self.portals = portals
        self.limit = limit
        self.pause = pause
        self.reconnects = reconnects
        state = Guarded(State(running: clients))
        for client in 0..<clients {
            let thread = Thread { [self] in run(client) }
            thread.start()
        }
    }

    var outcome: Outcome { state.withLock { $0.outcome } }
    var isFinished: Bool { state.withLock { $0.running == 0 } }

    /// Where to post from now on; `nil` makes the clients wait.
    func direct(to port: Int?) { state.withLock { $0.port = port } }

    func stop() { state.withLock { $0.isStopped = true } }

    private func run(_ client: Int) {
        defer { state.withLock { $0.running -= 1 } }
        var connection: HTTPClient?
        var connected = 0
        var number = 0
        let portal = portals.isEmpty ? SampleEvent.portal : portals[client % portals.count]
        let target = portals.isEmpty ? "/b24/events" : "/b24/events/\(portal)"
        while number < limit {
            let (port, isStopped) = state.withLock { ($0.port, $0.isStopped) }
            if isStopped { return }
            guard let port else {
                Thread.sleep(forTimeInterval: 0.002)
                continue
            }
            if reconnects || connection == nil || connected != port {
                connection = try? HTTPClient(port: port)
                connected = port
            }
            guard let open = connection else {
                Thread.sleep(forTimeInterval: 0.002)
                continue
            }
            let name = "\(client)-\(number)"
            number += 1
            state.withLock { _ = $0.outcome.sent.insert(name) }
            do {
                let began = ContinuousClock.now
                let answer = try open.post(
                    SampleEvent.form(id: "\(client % keys)", number: name, portal: portal),
                    to: target
                )
                let time = ContinuousClock.now - began
                state.withLock { state in
                    if answer.status == 200 {
                        state.outcome.acknowledged.insert(name)
                        state.outcome.answerTimes.append(time)
                    } else {
                        state.outcome.refused.append("\(answer.status) \(name)")
                    }
                    if answer.closes { state.outcome.announcedCloses += 1 }
                }
                if answer.closes { connection = nil }
            } catch {
                if case HTTPClient.Failure.unanswered(let code) = error {
                    state.withLock { $0.outcome.unanswered.append("\(name) errno \(code)") }
                }
                connection = nil
            }
            if pause > 0 { Thread.sleep(forTimeInterval: pause) }
        }
    }
}
