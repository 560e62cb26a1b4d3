internal import Bitrix24
internal import CoreMetrics
internal import Journal
internal import KafkaClient
internal import Logging

/// What happens to a record after it was sent.
extension ShippingLoop {
    func take(_ report: borrowing DeliveryReport) {
        guard let (block, index, lane) = blocks.sent(report.opaque) else { return }
        let record = block[index]
        inFlightRecords -= 1
        inFlightBytes -= record.payload.count
        lane.inFlightRecords -= 1
        lane.inFlightBytes -= record.payload.count
        if report.isDelivered {
            delivered(record, report, lane: lane)
        } else {
            undelivered(record, report, lane: lane)
        }
        blocks.unpin(report.opaque)
    }

    private func delivered(_ record: JournalRecord, _ report: borrowing DeliveryReport, lane: ShippingLane) {
        let position = record.position.rawValue
        lane.window[position] = .done
        metrics.delivered.increment()
        lastDelivery = clock.now
        settings.didDeliver?(report)
        guard let stored = StoredRecord(record.payload) else { return }
        // Most records end here: their topic's name is of no interest.
        let isDeadLetter = stored.topic.elementsEqual(settings.deadLetterTopic.utf8)
        guard isDeadLetter || lane === lanes.parked || !lane.faults.isEmpty else { return }
        let topic = stored.topicName
        if lane === lanes.parked {
            metrics.deliveredParked.increment()
            status.parked -= 1
            parkedBytes -= record.payload.count
            if stored.isSingle {
                if singles.trying == position { singles.tried(again: false, now: clock.now) }
            } else {
                unpark(topic)
            }
        }
        if isDeadLetter {
            settings.deadLetterBudget.release(record.payload.count, portal: String(decoding: stored.key, as: UTF8.self))
        }
        if !stored.isSingle, let fault = lane.faults[topic], fault.probing == position {
            goOn(after: position, fault, topic, lane: lane)
        }
    }

    /// The first held record of a topic is delivered or parked alone: the next suspect follows, or all of them.
    private func goOn(after position: UInt64, _ fault: TopicFault, _ topic: String, lane: ShippingLane) {
        if let first = fault.firstHeld, first < position {
            // One before it was refused meanwhile.
            lane.faults[topic]?.tryNext(first, now: clock.now)
            return
        }
        if let last = fault.suspectsThrough, let next = nextHeld(of: topic, after: position, through: last, lane: lane)
        {
            lane.faults[topic]?.tryNext(next, now: clock.now)
            return
        }
        lane.faults[topic] = nil
        lane.rewind(to: position + 1)
        logger.notice(
            "a topic takes its records again",
            metadata: ["topic": "\(topic)", "lane": "\(lane.name.rawValue)"]
        )
    }

    private func nextHeld(of topic: String, after position: UInt64, through last: UInt64, lane: ShippingLane) -> UInt64?
    {
        guard position < last else { return nil }
        for candidate in position + 1...last where lane.window[candidate] == .held {
            guard let (block, index) = try? lane.record(at: candidate),
                let stored = StoredRecord(block[index].payload)
            else { continue }
            if stored.topicName == topic { return candidate }
        }
        return nil
    }

    private func undelivered(_ record: JournalRecord, _ report: borrowing DeliveryReport, lane: ShippingLane) {
        let position = record.position.rawValue
        metrics.deliveryFailures.increment()
        if lane === lanes.parked, singles.trying == position {
            lane.window[position] = .heldAlone
            return singles.tried(again: true, now: clock.now)
        }
        switch report.disposition {
        case .delivered: break
        case .notDelivered, .fatal:
            sendAgain(record, lane: lane)
            if report.disposition == .fatal, producer.fatalError == nil { lane.pausedUntil = clock.now + .seconds(1) }
        case .retryable where report.error?.code.isClusterWide ?? true:
            sendAgain(record, lane: lane)
            lane.pausedUntil = clock.now + .seconds(1)
        case .topic, .record, .retryable:
            // librdkafka has given up what passes by itself. One partition may fail so for long, so it waits alone.
            guard let error = report.error, let stored = StoredRecord(record.payload) else { return }
            refuse(stored.topicName, at: position, error: error, lane: lane, now: clock.now)
        }
    }

    private func sendAgain(_ record: JournalRecord, lane: ShippingLane) {
        let position = record.position.rawValue
        lane.window[position] = .waiting
        lane.rewind(to: position)
        guard !lane.faults.isEmpty, let topic = StoredRecord(record.payload)?.topicName,
            lane.faults[topic]?.probing == position
        else { return }
        lane.faults[topic]?.abandonTry()
    }

    /// A topic refuses: its record is held, and so is every later one that is not under way yet.
    func refuse(
        _ topic: String,
        at position: UInt64,
        error: KafkaError,
        lane: ShippingLane,
        now: ContinuousClock.Instant
    ) {
        if lane.hold(position, topic: topic, error: error, now: now) {
            logger.warning(
                "a topic refuses its records; they are kept and tried again",
                metadata: [
                    "topic": "\(topic)", "error": "\(error)", "lane": "\(lane.name.rawValue)",
                    "parkedAfter": "\(settings.parkAfter)",
                ]
            )
        }
    }

    /// Tries one record of each refusing topic whose time has come, or parks the record or the topic.
    func retryRefusingTopics(now: ContinuousClock.Instant) {
        // Without room, going back would only read everything again.
        if parking.retryFrom != nil, hasParkingRoom(0), let from = parking.retryDue(now: now) {
            lanes.main.rewind(to: from)
        }
        for lane in [lanes.main, lanes.parked] where !lane.faults.isEmpty {
            let canPark = lane === lanes.main && canPark(0)
            for (topic, fault) in lane.faults {
                // What may be the cluster's trouble parks nothing unless others arrive.
                let parksTopics = canPark && (fault.error?.disposition != .retryable || othersArrive(now: now))
                switch fault.step(now: now, parkAfter: settings.parkAfter, parksTopics: parksTopics) {
                case .wait: break
                case .probe where lane.isTakingBack: break
                case .probe(let position): probe(topic, position, lane: lane, now: now)
                case .parkAlone(let position):
                    if parkAlone(position, topic: topic, lane: lane, now: now) {
                        goOn(after: position, fault, topic, lane: lane)
                    } else if now >= fault.nextTry {
                        probe(topic, position, lane: lane, now: now)
                    }
                case .parkTopic(let first):
                    lane.faults[topic]?.route = .parked
                    lane.rewind(to: first)
                    logger.error(
                        "a topic has refused its records for too long; they are parked until it takes them",
                        metadata: ["topic": "\(topic)", "error": "\(fault.error.map(String.init(describing:)) ?? "")"]
                    )
                }
            }
        }
    }

    /// Takes a record back that neither arrives nor is refused, say because its partition has no leader or too few replicas:
    /// librdkafka waits for those without end, and the record would keep the whole journal. Its topic is then parked; one
    /// that is parked already is tried with one record, and leaves the room to the other parked topics.
    ///
    /// The records in flight can only be taken back all together. So that an outage of the cluster parks nothing, others
    /// must be arriving, or have no room beside it while brokers can be reached.
    func takeBackStalledTopic(now: ContinuousClock.Instant) {
        guard inbox.brokersUnreachable == nil else {
            // Patience begins when they are back.
            for lane in [lanes.main, lanes.parked] { lane.forgetOldestInFlight() }
            return
        }
        let patience = max(settings.parkAfter, Self.shortestStall)
        for lane in [lanes.main, lanes.parked] where !lane.isTakingBack {
            // What is parked already may be tried for as long as it takes.
            let trials =
                lane === lanes.main ? [] : Set(lane.faults.values.compactMap(\.probing)).union([singles.trying ?? 0])
            guard let position = lane.stalled(for: patience, except: trials, now: now),
                lane === lanes.parked || canPark(0)
            else { continue }
            guard othersArrive(now: now) || !hasRoom(lane),
                let (block, index) = try? lane.record(at: position),
                let stored = StoredRecord(block[index].payload), !stored.isSingle
            else { continue }
            let topic = stored.topicName
            // A fault is there when it is its trial that is stuck.
            var fault = lane.faults[topic] ?? TopicFault(route: .held, now: now, since: now - patience)
            fault.stalled(KafkaError(code: .timedOutInQueue, message: "no answer for \(patience)"), at: position)
            lane.faults[topic] = fault
            for lane in [lanes.main, lanes.parked] { lane.isTakingBack = true }
            producer.purge()
            logger.warning(
                "records of a topic neither arrive nor are refused; all that is in flight is taken back",
                metadata: ["topic": "\(topic)", "lane": "\(lane.name.rawValue)", "records": "\(inFlightRecords)"]
            )
            return
        }
    }

    private func othersArrive(now: ContinuousClock.Instant) -> Bool {
        lastDelivery.map { now - $0 < Self.shortestStall } ?? false
    }

    /// Accounts for records that the journal could read once and cannot read any more.
    func giveUpUnreadable() {
        for lane in [lanes.main, lanes.parked] {
            let count = lane.takeUnreadable()
            guard count > 0 else { continue }
            metrics.unreadable.increment(by: count)
            logger.error(
                "records of the journal can no longer be read and are given up; the file is kept in set-aside/",
                metadata: ["records": "\(count)", "journal": "\(lane.name.rawValue)", "mend": "check the volume"]
            )
            // What topics and bytes they had nobody knows; see `forgetEmptyParking`.
            if lane === lanes.parked { status.parked -= count }
        }
    }

    private func probe(_ topic: String, _ position: UInt64, lane: ShippingLane, now: ContinuousClock.Instant) {
        guard lane.window[position] == .held, let (block, index) = try? lane.record(at: position),
            let stored = StoredRecord(block[index].payload)
        else {
            // Not where it was, or not readable at the moment: let the reader look again from there.
            lane.faults[topic]?.lostTrack()
            lane.faults[topic]?.nextTry = now + .seconds(1)
            lane.rewind(to: position)
            return
        }
        let id = blocks.nextID()
        switch send(stored, bytes: block[index].payload.count, block: id, index, lane: lane) {
        case .queued:
            lane.window[position] = .inFlight
            lane.faults[topic]?.began(position)
            blocks.pin(id, block, lane)
        case .queueFull: lane.faults[topic]?.nextTry = now + .milliseconds(100)
        case .rejected(let error):
            lane.faults[topic]?.began(position)
            lane.faults[topic]?.refused(position, error, now: now)
        }
    }

    func publishStatus(now: ContinuousClock.Instant) {
        status.waitingRead = lanes.main.window.open
        status.oldestAppendedAt = lanes.main.oldestAppendedAt
        status.queuedRecords = inFlightRecords
        status.queuedBytes = inFlightBytes
        status.brokersUnreachable = inbox.brokersUnreachable
        status.brokers = inbox.brokers
        status.isAtRest = isFinished && singles.isEachTried
        if !lanes.main.faults.isEmpty || !lanes.parked.faults.isEmpty || !status.refusingTopics.isEmpty {
            var topics = lanes.parked.faults.mapValues { ($0, true) }
            for (topic, fault) in lanes.main.faults where topics[topic] == nil {
                topics[topic] = (fault, fault.route == .parked)
            }
            status.refusingTopics = topics.sorted { $0.key < $1.key }.map { topic, entry in
                ShipperStatus.RefusingTopic(
                    topic: topic,
                    isParked: entry.1,
                    error: entry.0.error.map(String.init(describing:)) ?? "",
                    seconds: Int((now - entry.0.since).components.seconds)
                )
            }
        }
        inbox.statusBox.publish(status)
    }
}
