import Synchronization

/// Sends events as Bitrix24's queue server does, and looks whether what was answered with 200 arrives in Kafka.
package final class EventSimulation: Sendable {
    /// How far a run has come.
    package struct Progress: Sendable {
        package enum Phase: Sendable {
            /// Nobody has answered yet.
            case connecting
            case sending
            /// For records of acknowledged events.
            case waiting
        }

        package let phase: Phase
        package let sent: Int
        package let acknowledged: Int
        /// Refused or not answered.
        package let failed: Int
        package let delivered: Int
        /// Acknowledged, not yet delivered.
        package let outstanding: Int
        package let p50: Duration?
        package let p99: Duration?
        /// Since sending began.
        package let elapsed: Duration
    }

    package let settings: SimulationSettings
    /// Marks the events of this run.
    package let run: String
    private let plan: EventPlan
    private let state = RunState()

    /// - Throws: when there is nothing that the portals could send.
    package init(_ settings: SimulationSettings) throws(SimulationError) {
        var random = SystemRandomNumberGenerator()
        self.settings = settings
        run = random.hexadecimal(bytes: 8)
        plan = try EventPlan(settings, run: run)
    }

    /// Where the events are to arrive.
    package var topics: [String] { plan.topics }
    /// Connections that have something to send.
    package var connections: Int { plan.lanes.count }
    package var keys: Int { plan.keys.count }

    /// The first call ends sending, the second also waiting. `run` then returns as usual.
    package func stop() {
        if state.isSendingEnded { state.endWaiting() }
        state.endSending()
    }

    /// - Parameter progress: called some times a second.
    /// - Throws: `SimulationError` when it cannot begin: Kafka cannot be read, or nobody listens.
    package func run(_ progress: @escaping @Sendable (Progress) -> Void) async throws -> SimulationReport {
        let reader = settings.kafka == nil ? nil : DeliveryReader()
        if let reader, let kafka = settings.kafka {
            do {
                try await reader.start(kafka, plan: plan, run: run, mode: settings.mode, into: state)
            } catch {
                await reader.stop()
                throw error
            }
        }
        let sender = EventSender(settings, plan: plan, state: state)
        let result = await send(sender, reader, progress)
        await sender.close()
        await reader?.stop()
        return try result.get()
    }

    private func send(
        _ sender: EventSender,
        _ reader: DeliveryReader?,
        _ progress: @escaping @Sendable (Progress) -> Void
    ) async -> Result<SimulationReport, SimulationError> {
        progress(current(.connecting, .zero))
        if let reason = await sender.findListener() {
            return .failure(
                SimulationError(
                    "nobody answers at \(settings.shownURL) (\(reason)); start the bridge, or name its address with --url"
                )
            )
        }
        let numbers = NumberSource(
            rate: settings.rate,
            count: settings.count,
            duration: settings.duration,
            lanes: plan.lanes.count
        )
        let start = ContinuousClock.now
        let watch = Task { await watchSending(since: start, progress) }
        await sender.run(numbers)
        let elapsed = ContinuousClock.now - start
        let wasStopped = state.isSendingEnded
        state.endSending()
        let gaveUp = await watch.value
        if let reader { await waitForArrivals(reader, elapsed, progress) }

        let figures = state.figures.withLock { $0 }
        let end: SimulationReport.End = gaveUp ? .noAnswer : wasStopped ? .stopped : .complete
        let status = reader?.current
        return .success(
            SimulationReport(
                run: run,
                url: settings.shownURL,
                portals: plan.portals.count,
                keys: plan.keys.count,
                connections: plan.lanes.count,
                rate: settings.rate,
                seconds: (elapsed / .milliseconds(1)).rounded() / 1000,
                end: end,
                sent: figures.ledger.posted,
                acknowledged: figures.ledger.acknowledged,
                refused: figures.ledger.refused,
                refusedByStatus: figures.ledger.refusedByStatus,
                unanswered: figures.ledger.unanswered,
                notConnected: figures.ledger.notConnected,
                notPosted: numbers.due(by: elapsed).map { max(0, $0 - figures.ledger.posted) } ?? 0,
                answerMilliseconds: SimulationReport.AnswerTimes(figures.answerTimes),
                lastFailure: figures.lastFailure,
                delivery: status.map {
                    SimulationReport.Delivery(figures.ledger, Verdict(figures.ledger, plan: plan), reader: $0)
                }
            )
        )
    }

    /// Shows how sending goes, until it ends. Ends it when nobody has answered for too long.
    ///
    /// - Returns: whether it did so.
    private func watchSending(
        since start: ContinuousClock.Instant,
        _ progress: @escaping @Sendable (Progress) -> Void
    ) async -> Bool {
        while !state.isSendingEnded {
            progress(current(.sending, .now - start))
            let waitingSince = state.figures.withLock { $0.waitingSince }
            if !settings.isHolding, let waitingSince, .now - waitingSince > settings.patience {
                state.endSending()
                return true
            }
            try? await Task.sleep(for: .milliseconds(50))
        }
        return false
    }

    /// Returns when everything that was acknowledged has arrived and the topics were read to their ends, or when no record
    /// has come for too long.
    private func waitForArrivals(
        _ reader: DeliveryReader,
        _ elapsed: Duration,
        _ progress: @escaping @Sendable (Progress) -> Void
    ) async {
        var delivered = -1
        var lastArrival = ContinuousClock.now
        while !state.isWaitingEnded {
            let ledger = state.figures.withLock { ($0.ledger.delivered, $0.ledger.isComplete) }
            if ledger.1 { break }
            if ledger.0 != delivered { (delivered, lastArrival) = (ledger.0, .now) }
            if .now - lastArrival > settings.arrivalTimeout { return }
            progress(current(.waiting, elapsed))
            try? await Task.sleep(for: .milliseconds(20))
        }
        // Records that were sent again may follow.
        reader.lookForTheEndAgain()
        let deadline = ContinuousClock.now + .seconds(3)
        while !reader.current.isAtEnd, .now < deadline, !state.isWaitingEnded {
            try? await Task.sleep(for: .milliseconds(10))
        }
    }

    private func current(_ phase: Progress.Phase, _ elapsed: Duration) -> Progress {
        state.figures.withLock { figures in
            let ledger = figures.ledger
            return Progress(
                phase: phase,
                sent: ledger.posted,
                acknowledged: ledger.acknowledged,
                failed: ledger.refused + ledger.unanswered,
                delivered: ledger.delivered,
                outstanding: ledger.acknowledged - ledger.acknowledgedDelivered,
                p50: figures.answerTimes.percentile(0.5),
                p99: figures.answerTimes.percentile(0.99),
                elapsed: elapsed
            )
        }
    }
}

extension SimulationReport.AnswerTimes {
    fileprivate init?(_ histogram: LatencyHistogram) {
        guard let p50 = histogram.percentile(0.5), let p99 = histogram.percentile(0.99) else { return nil }
        func milliseconds(_ duration: Duration) -> Double {
            (duration / .microseconds(1)).rounded() / 1000
        }
        self.p50 = milliseconds(p50)
        self.p99 = milliseconds(p99)
        max = milliseconds(histogram.max)
    }
}
