internal import Bitrix24
internal import Configuration
internal import Foundation
internal import Logging
internal import ServiceLifecycle
internal import UnixSignals

/// Re-reads the portals' file on SIGHUP and when its content changes. A file with faults changes nothing.
struct PortalFileWatcher: Service {
    let path: String
    let store: PortalStore
    let environment: [String: String]
    /// How often the content is looked at. Kubernetes swaps a mounted file without telling anybody.
    let interval: Duration
    let logger: Logger

    init(
        path: String,
        store: PortalStore,
        environment: [String: String],
        interval: Duration = .seconds(5),
        logger: Logger
    ) {
        self.path = path
        self.store = store
        self.environment = environment
        self.interval = interval
        self.logger = logger
    }

    func run() async throws {
        let (ticks, clock) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let signals = await UnixSignalsSequence(trapping: .sighup)
        await cancelWhenGracefulShutdown {
            await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    while (try? await Task.sleep(for: interval)) != nil { clock.yield() }
                    clock.finish()
                }
                group.addTask {
                    for await _ in signals { reload(isAsked: true) }
                }
                var content = read()
                for await _ in ticks {
                    let now = read()
                    guard now != content else { continue }
                    content = now
                    reload(isAsked: false)
                }
                group.cancelAll()
            }
        }
    }

    private func read() -> Data? { FileManager.default.contents(atPath: path) }

    private func reload(isAsked: Bool) {
        do {
            let directory = try PortalFile.load(path, environment: environment)
            store.replace(with: directory)
            logger.info("portals re-read", metadata: ["file": "\(path)", "portals": "\(directory.count)"])
        } catch {
            logger.error(
                "portals not re-read; the old ones stay in force",
                metadata: ["file": "\(path)", "faults": "\(error)"]
            )
        }
    }
}
