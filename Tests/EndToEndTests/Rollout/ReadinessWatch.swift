import Foundation
import Locks
import Synchronization

/// What kubelet and the endpoints controller do together: asks who is ready, and tells whoever is not to get calls any more.
final class ReadinessWatch: Sendable {
    private let isStopped = Guarded(false)

    /// - Parameter changed: gets those that are ready, whenever they are others than before. Two bad answers in a row make a
    ///   replica unready, one good one makes it ready.
    init(
        _ backends: [EdgeProxy.Backend],
        every period: Duration,
        changed: @escaping @Sendable ([EdgeProxy.Backend]) -> Void
    ) {
        let thread = Thread { [self] in
            var badAnswers = backends.map { _ in 0 }
            var told = backends.map(\.name)
            while !isStopped.withLock({ $0 }) {
                for (index, backend) in backends.enumerated() {
                    let answer = try? HTTPClient(port: backend.adminPort, timeout: 1).request("GET", "/readyz")
                    badAnswers[index] = answer?.status == 200 ? 0 : badAnswers[index] + 1
                }
                let ready = zip(backends, badAnswers).filter { $0.1 < 2 }.map(\.0)
                if ready.map(\.name) != told, !ready.isEmpty {
                    told = ready.map(\.name)
                    changed(ready)
                }
                Thread.sleep(forTimeInterval: period / .seconds(1))
            }
        }
        thread.start()
    }

    func stop() { isStopped.withLock { $0 = true } }
}
