internal import Bitrix24
internal import Configuration
internal import Logging
internal import ServiceLifecycle
internal import UnixSignals

/// Re-reads the portals' file on SIGHUP and when its content changes. A file with faults changes nothing.
struct PortalFileWatcher: Service, CustomStringConvertible {
    let path: String
    let store: PortalStore
    let environment: [String: String]
    /// How often the content is looked at. Kubernetes swaps a mounted file without telling anybody.
    let interval: Duration
    let logger: Logger

    /// The service group logs its services, and the environment may hold secrets.
    var description: String { "PortalFileWatcher" }

    init(
        path: String,
        store: PortalStore,
        environment: [String: String],
        interval: Duration = .seconds(2),
        logger: Logger
    ) {
        self.path = path
        self.store = store
        self.environment = environment
        self.interval = interval
        self.logger = logger
    }

    private enum Occasion {
        case look
        case asked
    }

    func run() async throws {
        let (occasions, feed) = AsyncStream.makeStream(of: Occasion.self, bufferingPolicy: .bufferingNewest(8))
        let signals = await UnixSignalsSequence(trapping: .sighup)
        await cancelWhenGracefulShutdown {
            await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    while (try? await Task.sleep(for: interval)) != nil { feed.yield(.look) }
                    feed.finish()
                }
                group.addTask {
                    for await _ in signals { feed.yield(.asked) }
                }
                var watch = Watch(known: portalsAtStart())
                for await occasion in occasions { watch.look(self, isAsked: occasion == .asked) }
                group.cancelAll()
            }
        }
    }

    /// Takes the file as it is at the start, which may have changed since the store was filled.
    private func portalsAtStart() -> PortalFile.Contents? {
        guard let contents = try? PortalFile.contents(path, environment: environment),
            contents.directory.count > 0 || store.directory.count == 0
        else { return nil }
        store.replace(with: contents.directory)
        return contents
    }

    /// What was seen of the file so far.
    struct Watch {
        var known: PortalFile.Contents?
        /// Read once and not yet in force: a file that is being written is taken when it looks the same twice.
        var candidate: TokenDigest?
        /// Said once, not at every look.
        var saidFaults: String?

        init(known: PortalFile.Contents?) { self.known = known }

        mutating func look(_ watcher: PortalFileWatcher, isAsked: Bool) {
            do throws(ConfigurationFaults) {
                let contents = try PortalFile.contents(watcher.path, environment: watcher.environment)
                guard isAsked || contents.directory.count > 0 || watcher.store.directory.count == 0 else {
                    return say("it names no portal any more; send SIGHUP if that is meant", watcher, isAsked: false)
                }
                saidFaults = nil
                watcher.store.fileFault = nil
                guard isAsked || contents.fingerprint != known?.fingerprint else { return candidate = nil }
                guard isAsked || contents.fingerprint == candidate else { return candidate = contents.fingerprint }
                candidate = nil
                known = contents
                watcher.store.replace(with: contents.directory)
                watcher.logger.info(
                    "portals re-read",
                    metadata: ["file": "\(watcher.path)", "portals": "\(contents.directory.count)"]
                )
            } catch {
                say("\(error)", watcher, isAsked: isAsked)
            }
        }

        private mutating func say(_ faults: String, _ watcher: PortalFileWatcher, isAsked: Bool) {
            candidate = nil
            watcher.store.fileFault = faults
            guard isAsked || faults != saidFaults else { return }
            saidFaults = faults
            watcher.logger.error(
                "portals not re-read; the old ones stay in force",
                metadata: ["file": "\(watcher.path)", "faults": "\(faults)"]
            )
        }
    }
}
