internal import Bitrix24REST
internal import Locks
internal import Logging
internal import Synchronization

extension OfflineDrain {
    /// Drains until it is cancelled.
    package func run() async {
        // One tells of all: what is to be done stands in the schedule.
        let (wakes, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        // Before the first look at all, so that nothing falls between.
        let changes = registry.changes()
        let heard = signals.listen()
        state.withLock { $0.wake = wake }
        await withDiscardingTaskGroup { group in
            group.addTask { await self.sender.run() }
            group.addTask {
                for await memberID in changes { self.notice(memberID) }
            }
            group.addTask {
                for await word in heard {
                    switch word {
                    case .portal(let memberID): self.hear(of: memberID)
                    case .everyPortal(let reason): self.drainAll(because: reason)
                    }
                }
            }
            group.addTask { [pace] in
                while (try? await Task.sleep(for: pace.tick)) != nil { wake.yield() }
            }
            group.addTask { [pace] in
                while (try? await Task.sleep(for: pace.scanEvery)) != nil { self.scan() }
            }
            scan()
            wake.yield()
            for await _ in wakes {
                while let turn = nextTurn() {
                    group.addTask {
                        await self.take(turn)
                        wake.yield()
                    }
                }
            }
            group.cancelAll()
        }
        signals.deafen()
        let orders = state.withLock { state in
            state.wake = nil
            defer { state.orders = [:] }
            return state.orders.values.flatMap { $0 }
        }
        for order in orders { order.finish(isEmpty: false, Self.notOwner) }
    }

    static let notOwner = PortalReport.Fault(
        code: "not_owner",
        message: "this replica does not drain offline events any more; ask again"
    )

    static func paused(_ reason: String) -> PortalReport.Fault {
        .init(code: "paused", message: "draining waits: \(reason)")
    }

    static let notConnected = PortalReport.Fault(
        code: "not_connected",
        message: "the portal cannot be called, or its events are not bound yet; see b24bridge portals show"
    )

    // MARK: What is to be done

    private func scan() {
        let present = Set(registry.memberIDs)
        for memberID in present { notice(memberID) }
        for memberID in state.withLock({ $0.schedule.memberIDs }) where !present.contains(memberID) { notice(memberID) }
    }

    /// The portal may have changed.
    private func notice(_ memberID: String) {
        let now = now()
        guard let portal = registry.portal(memberID), portal.queues(settings) != nil else {
            state.withLock { $0.schedule.forget(memberID) }
            return ledger.forget(memberID)
        }
        state.withLock { $0.schedule.notice(portal, now) }
    }

    private func hear(of memberID: String) {
        let now = now()
        let wake = state.withLock { state in
            state.schedule.signalled(memberID, now)
            return state.wake
        }
        wake?.yield()
    }

    /// `nil`: nobody's, or not now.
    private func nextTurn() -> OfflineSchedule.Turn? {
        let trouble = conditions.brokersUnreachable() ?? sender.trouble
        let fill = conditions.journalFill()
        let now = now()
        let (change, turn, orders) = state.withLock {
            state -> (OfflineGate.Change?, OfflineSchedule.Turn?, [OfflineOrder]) in
            let change = state.gate.observe(trouble: trouble, fill: fill, at: now)
            if state.gate.reason == nil { return (change, state.schedule.next(now) { client.budget(of: $0) }, []) }
            defer { state.orders = [:] }
            return (change, nil, state.orders.values.flatMap { $0 })
        }
        switch change {
        case .closed(let reason):
            for order in orders { order.finish(isEmpty: false, Self.paused(reason)) }
            logger.notice("offline events wait in the portals", metadata: ["reason": "\(reason)"])
        case .opened: logger.notice("offline events are drained again")
        case nil: break
        }
        return turn
    }

    // MARK: A turn

    private func take(_ begun: OfflineSchedule.Turn) async {
        let memberID = begun.memberID
        if let trigger = begun.trigger { metrics.began(trigger) }
        guard let portal = registry.portal(memberID), let connectors = portal.queues(settings) else {
            let orders = state.withLock { $0.orders.removeValue(forKey: memberID) ?? [] }
            for order in orders { order.finish(isEmpty: false, Self.notConnected) }
            return finish(begun, begun.work, .cancelled, nil)
        }
        let orders = state.withLock { $0.orders[memberID] ?? [] }
        var turn = OfflineTurn(
            memberID: memberID,
            connectors: connectors,
            client: client,
            sender: sender,
            pace: pace,
            ledger: ledger,
            metrics: metrics,
            didConfirm: didConfirm,
            now: now,
            logger: logger,
            writer: OfflineRowWriter(settings, memberID: memberID, domain: portal.installation?.domain ?? ""),
            work: begun.work,
            recovery: .next(of: orders.compactMap(\.recovery))
        )
        let ending = await turn.run()
        for order in orders { order.add(turn.tally, turn.recovery) }
        if turn.tally.recovered > 0 {
            logger.info(
                "rows of an offline queue were taken up that somebody had left behind",
                metadata: ["portal": "\(memberID)", "rows": "\(turn.tally.recovered)"]
            )
        }
        await write(ending, wasAnswered: turn.wasAnswered, begun)
        note(ending, &turn.work, memberID)
        answer(orders, ending, turn.work, memberID)
        finish(begun, turn.work, ending, registry.portal(memberID))
        tell(ending, memberID)
    }

    private func finish(
        _ turn: OfflineSchedule.Turn,
        _ work: OfflineWork,
        _ ending: OfflineEnding,
        _ portal: RegisteredPortal?
    ) {
        let (memberID, now) = (turn.memberID, now())
        let present = portal.flatMap { $0.queues(settings) == nil ? nil : $0 }
        state.withLock { state in
            state.schedule.finished(turn, work, ending, present, now)
            // Whoever came during the turn, and whose drain goes on.
            if state.orders[memberID] != nil { state.schedule.ordered(memberID, now) }
        }
        if present == nil { ledger.forget(memberID) }
    }

    private func answer(_ orders: [OfflineOrder], _ ending: OfflineEnding, _ work: OfflineWork, _ memberID: String) {
        let refused = PortalReport.Fault(
            code: "topic_refused",
            message: "Kafka refuses some of its records; they stay reserved in the portal and are tried again"
        )
        let isRefused = work.held.contains { !$0.topics.isEmpty }
        let setback = work.setback.map { PortalReport.Fault(code: $0.code, message: $0.words) }
        let fault: PortalReport.Fault?
        switch ending {
        case .empty: fault = isRefused ? refused : nil
        case .full: fault = isRefused ? refused : setback ?? refused
        case .unsent: fault = .init(code: "kafka", message: "Kafka does not confirm its records; they are tried again")
        case .failed(let code, let words, let isDenied, _):
            // A denial stands in the registry by now, with what mends it.
            let denial = isDenied ? registry.portal(memberID)?.offline : nil
            fault = .init(code: code, message: denial?.words ?? words)
        case .more, .cancelled: return
        }
        for order in orders {
            // What waits is drained all the same.
            let fault = fault ?? (order.recovery == nil && work.held.isEmpty ? nil : setback)
            order.finish(isEmpty: fault == nil, fault)
        }
        state.withLock { state in
            let others = (state.orders[memberID] ?? []).filter { order in !orders.contains { $0 === order } }
            state.orders[memberID] = others.isEmpty ? nil : others
        }
    }

    private func note(_ ending: OfflineEnding, _ work: inout OfflineWork, _ memberID: String) {
        let (now, rows, oldest) = (now(), work.rowsSinceEmpty, work.oldestHeldAt)
        let (held, setback) = (work.heldRows, work.setback?.code)
        ledger.change(memberID) { standing in
            standing.held = held
            switch ending {
            case .empty:
                standing.emptyAt = now
                standing.oldestChangeAt = oldest
                standing.errorCode = setback
            case .more, .full: standing.errorCode = setback
            case .unsent: standing.errorCode = "kafka"
            case .failed(let code, _, _, _): standing.errorCode = code
            case .cancelled: break
            }
        }
        guard case .empty = ending else { return }
        if rows >= pace.toldRows {
            logger.info(
                "offline queue emptied",
                metadata: [
                    "portal": "\(memberID)", "rows": "\(rows)",
                    "seconds": "\((now - (work.busySince ?? now)) / 1000)",
                ]
            )
        }
        work.rowsSinceEmpty = 0
        work.busySince = nil
    }

    private func tell(_ ending: OfflineEnding, _ memberID: String) {
        let words: String
        switch ending {
        case .failed(let code, let text, false, _):
            metrics.failed(code)
            words = text
        case .failed(let code, _, true, _): return metrics.failed(code)
        case .unsent:
            metrics.failed("kafka")
            words = "Kafka does not confirm its records"
        case .empty, .more, .full, .cancelled: return
        }
        let failures = state.withLock { $0.schedule.failures(at: memberID) }
        // What became of the portal is said elsewhere; and what is tried again and again says no more.
        logger.log(
            level: failures == 1 && registry.portal(memberID)?.queues(settings) != nil ? .warning : .debug,
            "offline events could not be drained; it is tried again",
            metadata: ["portal": "\(memberID)", "error": "\(words)"]
        )
    }
}
