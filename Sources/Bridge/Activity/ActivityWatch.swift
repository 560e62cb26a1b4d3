internal import Bitrix24
internal import Logging
internal import NIOPosix
internal import ServiceLifecycle

/// Gathers once a second what was counted, and keeps it in a file: once a minute when something was heard, once an hour in any
/// case, and at the end. Ends after whoever counts.
struct ActivityWatch: Service, CustomStringConvertible {
    let ledger: ActivityLedger
    let file: ActivityFile
    let portals: PortalStore
    /// Whether `portals` has all of them yet.
    let arePortalsKnown: @Sendable () -> Bool
    let logger: Logger

    var description: String { "ActivityWatch" }

    private struct Watched {
        var portalsVersion = 0
        var writes = WriteRhythm()
        var isFailing = false
        var gatheredAt: ContinuousClock.Instant
    }

    func run() async throws {
        await remember()
        await cancelWhenGracefulShutdown {
            let clock = ContinuousClock()
            var watched = Watched(gatheredAt: clock.now)
            while (try? await Task.sleep(until: watched.gatheredAt + .seconds(1), clock: clock)) != nil {
                // What took longer than a second leaves empty ones behind it.
                let seconds = Int((clock.now - watched.gatheredAt).components.seconds)
                watched.gatheredAt += .seconds(seconds)
                ledger.gather(seconds: seconds, now: WallClock.now().milliseconds)
                forget(&watched)
                switch watched.writes.passed(seconds) {
                case .nothing: break
                case .changes: await write(&watched, evenIfUnchanged: false)
                case .anything: await write(&watched, evenIfUnchanged: true)
                }
            }
            ledger.gather(seconds: 0, now: WallClock.now().milliseconds)
            await write(&watched, evenIfUnchanged: true)
        }
    }

    private func remember() async {
        do {
            let contents = try await onThread { [file] in try file.read() }
            guard let contents else { return }
            ledger.remember(contents, now: WallClock.now().milliseconds)
        } catch {
            logger.notice(
                "what is remembered of the portals' activity cannot be used; it begins anew",
                metadata: ["file": "\(file.path)", "error": "\(error)"]
            )
        }
    }

    private func forget(_ watched: inout Watched) {
        let version = portals.version
        // At the start those of the registry come one after the other.
        guard version != watched.portalsVersion, arePortalsKnown() else { return }
        watched.portalsVersion = version
        ledger.keep(only: portals.directory)
    }

    private func write(_ watched: inout Watched, evenIfUnchanged: Bool) async {
        let changes = ledger.takeChanges()
        guard changes != nil || evenIfUnchanged else { return }
        let contents = ActivityFile.Contents(
            savedAt: WallClock.now().milliseconds,
            portals: changes ?? ledger.portals
        )
        do {
            try await onThread { [file] in try file.write(contents) }
            watched.isFailing = false
        } catch {
            ledger.giveBackChanges()
            if !watched.isFailing {
                logger.warning(
                    "the portals' activity cannot be written down; a restart would forget it",
                    metadata: ["file": "\(file.path)", "error": "\(error)"]
                )
            }
            watched.isFailing = true
        }
    }

    /// The disk blocks. What is written at the end is written although the task is cancelled.
    private func onThread<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            NIOThreadPool.singleton.submit { _ in continuation.resume(with: Result { try body() }) }
        }
    }
}

/// When to write what.
private struct WriteRhythm {
    enum Due { case nothing, changes, anything }

    private var seconds = 0

    mutating func passed(_ more: Int) -> Due {
        let before = seconds
        seconds += more
        if seconds / 3600 > before / 3600 { return .anything }
        return seconds / 60 > before / 60 ? .changes : .nothing
    }
}
