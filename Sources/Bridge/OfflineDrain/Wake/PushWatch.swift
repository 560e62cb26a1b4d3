internal import Bitrix24REST
internal import CoreMetrics
internal import Logging

/// Follows the push channel of each portal that has a queue to drain, and signals what is told there. A portal whose channel
/// does not work is left to the timer, and tried again now and then.
struct PushWatch: Sendable {
    /// Follows one portal's channel until it is cancelled. See `PushChannel.follow`.
    typealias Follow =
        @Sendable (_ memberID: String, _ signal: @Sendable () -> Void) async throws(RESTError) -> Void

    struct Pace: Sendable {
        /// After a failure that the channel could not recover from, a quarter more or less.
        var retryAfter: Duration = .seconds(3600)
        /// Between the first calls of two portals, so that those of thousands do not come at once.
        var betweenStarts: Duration = .milliseconds(100)
        /// How often all portals are looked at, because what tells of changes may drop some.
        var scanEvery: Duration = .seconds(60)
        /// Channels that are followed at the same time, each with a connection of its own.
        var most = 1000
    }

    let settings: BridgeSettings
    let registry: PortalRegistry
    let signals: OfflineSignals
    let metrics: OfflineMetrics
    var pace = Pace()
    let logger: Logger
    let follow: Follow

    private enum Occasion {
        case changed(String)
        case scan
        case ended(String)
        /// Until the portal changes there is no point in another try.
        case gaveUp(String)
    }

    private struct Roster {
        /// Ended by finishing what stands here.
        var followed: [String: AsyncStream<Never>.Continuation] = [:]
        var givenUp: [String: WorkOccasion] = [:]
        var nextStart = ContinuousClock.now
        var saidFull = false
    }

    /// Follows until it is cancelled.
    func run() async {
        let (occasions, feed) = AsyncStream.makeStream(of: Occasion.self)
        // Before the first look at all, so that nothing falls between.
        let changes = registry.changes()
        await withDiscardingTaskGroup { group in
            group.addTask {
                for await memberID in changes { feed.yield(.changed(memberID)) }
            }
            group.addTask {
                while (try? await Task.sleep(for: pace.scanEvery)) != nil { feed.yield(.scan) }
            }
            feed.yield(.scan)
            var roster = Roster()
            for await occasion in occasions {
                for memberID in concerned(by: occasion, &roster) {
                    guard let (ends, start) = look(memberID, &roster) else { continue }
                    group.addTask {
                        let gaveUp = await attend(memberID, from: start, until: ends)
                        feed.yield(gaveUp ? .gaveUp(memberID) : .ended(memberID))
                    }
                }
            }
            group.cancelAll()
        }
    }

    private func concerned(by occasion: Occasion, _ roster: inout Roster) -> [String] {
        switch occasion {
        case .changed(let memberID): return [memberID]
        case .scan: return registry.memberIDs + roster.followed.keys
        case .ended(let memberID):
            roster.followed[memberID] = nil
            return [memberID]
        case .gaveUp(let memberID):
            roster.followed[memberID] = nil
            roster.givenUp[memberID] = registry.portal(memberID).map(WorkOccasion.init)
            return []
        }
    }

    /// Ends what is not wanted any more.
    ///
    /// - Returns: for a portal whose channel is to be followed now: what ends it, and when to begin.
    private func look(_ memberID: String, _ roster: inout Roster) -> (AsyncStream<Never>, ContinuousClock.Instant)? {
        guard let portal = registry.portal(memberID), isWanted(portal) else {
            roster.followed[memberID]?.finish()
            roster.givenUp[memberID] = nil
            return nil
        }
        guard roster.followed[memberID] == nil, roster.givenUp[memberID] != WorkOccasion(portal) else { return nil }
        guard roster.followed.count < pace.most else {
            if !roster.saidFull {
                roster.saidFull = true
                logger.warning(
                    "no more push channels are followed; the timer looks after the other portals",
                    metadata: ["channels": "\(pace.most)"]
                )
            }
            return nil
        }
        roster.givenUp[memberID] = nil
        let (ends, end) = AsyncStream.makeStream(of: Never.self)
        roster.followed[memberID] = end
        let start = max(.now, roster.nextStart)
        roster.nextStart = start + pace.betweenStarts
        return (ends, start)
    }

    /// It has a queue that can be drained.
    private func isWanted(_ portal: RegisteredPortal) -> Bool {
        portal.queues(settings) != nil && portal.offline == nil
    }

    // MARK: One portal

    /// - Returns: whether it gave up by itself.
    private func attend(
        _ memberID: String,
        from start: ContinuousClock.Instant,
        until ends: AsyncStream<Never>
    ) async -> Bool {
        await withTaskGroup(of: Bool.self) { group in
            group.addTask {
                await attend(memberID, from: start)
                return !Task.isCancelled
            }
            group.addTask {
                for await _ in ends {}
                return false
            }
            let gaveUp = await group.next() ?? false
            group.cancelAll()
            return gaveUp
        }
    }

    /// Until it is cancelled, or of no use before the portal changes.
    private func attend(_ memberID: String, from start: ContinuousClock.Instant) async {
        var hasFailed = false
        var next = start
        while (try? await Task.sleep(until: next)) != nil {
            metrics.pushChannels.increment()
            var failure: RESTError?
            do throws(RESTError) {
                try await follow(memberID) { signals.signal(memberID) }
            } catch {
                failure = error
            }
            metrics.pushChannels.decrement()
            guard !Task.isCancelled else { return }
            tell(failure, memberID, again: hasFailed)
            hasFailed = true
            switch failure?.meaning {
            case .needsAuthorisation, .uninstalled: return
            case .permanent, .later, .passing, nil: next = .now + pace.retryAfter * Double.random(in: 0.75...1.25)
            }
        }
    }

    private func tell(_ failure: RESTError?, _ memberID: String, again: Bool) {
        let hasTimer = settings.offline.wakeBy.contains(.timer)
        logger.log(
            level: again ? .debug : .warning,
            "a portal's push channel does not work; \(hasTimer ? "the timer goes on" : "offline.wakeBy has no timer")",
            metadata: ["portal": "\(memberID)", "error": "\(failure.map { "\($0)" } ?? "it ended")"]
        )
    }
}
