internal import CoreMetrics
internal import Journal
internal import KafkaClient
internal import Logging

/// Records that go to the parked journal, and those that stay there.
extension ShippingLoop {
    // MARK: In

    /// Appends a record of the main journal to the parked one; its position is done once that has committed. Returns false
    /// when the reader has to wait for commits that are under way.
    func park(_ record: JournalRecord, topic: String?, now: ContinuousClock.Instant) -> Bool {
        let position = record.position.rawValue
        // After one that was not taken none may follow, or they would change places.
        guard canPark(record.payload.count) else {
            holdUntilParkable(position, topic: topic, now: now)
            // Nothing of this topic is parked, so it is tried where it is.
            if let topic, parkedByTopic[topic] == nil { lanes.main.faults[topic]?.route = .held }
            return true
        }
        switch parkAppender.append(record.payload) {
        case .pending(let parked):
            lanes.main.window[position] = .parking
            parking.append(
                ParkingQueue.Entry(
                    lane: .main,
                    position: position,
                    parked: parked,
                    topic: topic,
                    bytes: record.payload.count
                )
            )
            if let topic { parkedByTopic[topic, default: 0] += 1 }
        case .refused(.overloaded) where !parking.isEmpty: return false
        case .refused: holdUntilParkable(position, topic: topic, now: now)
        }
        return true
    }

    func canPark(_ bytes: Int) -> Bool { parking.retryFrom == nil && hasParkingRoom(bytes) }

    /// Both journals together keep to their quotas, whatever moves from one to the other.
    ///
    /// While no broker can be reached nothing is parked: what comes then waits in the journal, which is larger.
    func hasParkingRoom(_ bytes: Int) -> Bool {
        guard inbox.brokersUnreachable == nil else { return false }
        let parked = lanes.parked.journal.statistics
        let taken = parked.diskBytes + parked.pendingBytes + bytes
        return taken <= parked.maxBytes - parked.maxBytes / 8
            && taken + lanes.main.journal.statistics.diskBytes <= parked.maxBytes
    }

    /// Closes the gate to topics that refuse while the parked records have used up their quota, and opens it when an eighth of
    /// that is free again. A topic that takes its parked records is let through.
    func watchParkingGate() {
        guard status.parked > 0 || gateTopics != nil, inbox.brokersUnreachable == nil else { return }
        guard parkedBytes >= (gateTopics == nil ? settings.parkingLimit : settings.parkingLimit / 8 * 7) else {
            if gateTopics != nil {
                gateTopics = nil
                settings.parkingGate.open()
                logger.notice("there is room for parked records again; events of all topics are taken")
            }
            return
        }
        let topics = Set(
            lanes.main.faults.filter { $0.value.route == .parked && lanes.parked.faults[$0.key] != nil }.keys
        )
        settings.parkingGate.close(to: topics)
        let new = topics.subtracting(gateTopics ?? [])
        gateTopics = topics.union(gateTopics ?? [])
        guard !new.isEmpty else { return }
        logger.error(
            "the quota of parked records is used up; events of topics that refuse their records are lost from now on",
            metadata: [
                "topics": "\(new.sorted().prefix(20).joined(separator: " "))", "bytes": "\(parkedBytes)",
                "limit": "\(settings.parkingLimit)", "mend": "mend the topics, or raise journal.parkedMaxBytes",
            ]
        )
    }

    /// The parked journal takes nothing: the record stays in the main journal and is tried again.
    private func holdUntilParkable(_ position: UInt64, topic: String?, now: ContinuousClock.Instant) {
        lanes.main.window[position] = .held
        // Should its topic take records again before, none may overtake it.
        if let topic { lanes.main.faults[topic]?.hold(position) }
        if parking.retryFrom == nil, !isParkingFull, inbox.brokersUnreachable == nil {
            isParkingFull = true
            logger.error(
                "the parked journal takes no more; records that cannot be sent stay in the journal",
                metadata: ["mend": "mend the topics that refuse, and look at the parked journal's disk"]
            )
        }
        parking.retry(from: position, at: now + min(.seconds(5), max(settings.parkAfter, .milliseconds(100))))
    }

    func settleParking() {
        for resolution in inbox.takeResolutions() {
            while let entry = parking.next(through: resolution.through) {
                let isCommitted = resolution.outcome == .committed
                if !isCommitted { isParkingBroken = true }
                if isCommitted { lanes.parked.isIdle = false }
                switch entry.lane {
                case .main where isCommitted:
                    lanes.main.window[entry.position] = .done
                    metrics.parked.increment()
                    status.parked += 1
                    parkedBytes += entry.bytes
                    isParkingFull = false
                case .main:
                    holdUntilParkable(entry.position, topic: entry.topic, now: clock.now)
                    if let topic = entry.topic { unpark(topic) }
                case .parked where isCommitted:
                    lanes.parked.window[entry.position] = .done
                    if let topic = entry.topic { unpark(topic) }
                case .parked:
                    // A record of a topic is found again by the reader; a single one stays.
                    lanes.parked.window[entry.position] = entry.topic == nil ? .heldAlone : .held
                    if entry.topic != nil { lanes.parked.rewind(to: entry.position) }
                    movesFrom = clock.now + .seconds(5)
                }
            }
        }
        // All that was appended after a failure has failed as well, and nothing changes places.
        if isParkingBroken, parking.isEmpty, parkAppender.resume() { isParkingBroken = false }
    }

    /// One parked record of `topic` less, or several. With the last one, the topic's records go the direct way again.
    func unpark(_ topic: String, _ count: Int = 1) {
        let left = parkedByTopic[topic, default: count] - count
        parkedByTopic[topic] = left > 0 ? left : nil
        guard left <= 0, let fault = lanes.main.faults[topic], fault.route == .parked else { return }
        lanes.main.faults[topic] = nil
        if let first = fault.firstHeld { lanes.main.rewind(to: first) }
        logger.notice("a topic takes its records again", metadata: ["topic": "\(topic)"])
    }

    /// Parks the one record that its topic refuses for a reason of the record's own. Returns false when it has to wait.
    func parkAlone(_ position: UInt64, topic: String, lane: ShippingLane, now: ContinuousClock.Instant) -> Bool {
        guard now >= movesFrom, let (block, index) = try? lane.record(at: position),
            lane === lanes.parked || canPark(block[index].payload.count)
        else { return false }
        var payload = Array(block[index].payload)
        payload[StoredRecord.flagsPlace] |= StoredRecord.Flags.refused.rawValue
        guard case .pending(let parked) = payload.withUnsafeBytes({ parkAppender.append($0) }) else { return false }
        lane.window[position] = .parking
        parking.append(
            ParkingQueue.Entry(
                lane: lane.name,
                position: position,
                parked: parked,
                topic: lane === lanes.parked ? topic : nil,
                bytes: payload.count
            )
        )
        logger.error(
            "a record is refused for a reason of its own; it is parked, and the others of its topic go on",
            metadata: [
                "topic": "\(topic)", "position": "\(position)", "lane": "\(lane.name.rawValue)",
                "error": "\(lane.faults[topic]?.error.map(String.init(describing:)) ?? "")",
            ]
        )
        return true
    }

    // MARK: Single records

    /// An unreadable one counts among them: a later version may read it.
    func holdSingle(_ record: JournalRecord) {
        let position = record.position.rawValue
        guard lanes.parked.window[position] == .waiting else { return }
        lanes.parked.window[position] = .heldAlone
        if StoredRecord(record.payload).map(canBeTried) ?? false { singles.add(position) }
    }

    private func canBeTried(_ stored: StoredRecord) -> Bool { stored.recordBytes <= settings.maxRecordBytes }

    /// Sends one of them, alone.
    func trySingles(now: ContinuousClock.Instant) {
        while !lanes.parked.isTakingBack, let position = singles.next(now: now) {
            guard lanes.parked.window[position] == .heldAlone else {
                // It has moved.
                singles.tried(again: false, now: now)
                continue
            }
            guard let (block, index) = try? lanes.parked.record(at: position),
                let stored = StoredRecord(block[index].payload)
            else {
                singles.tried(again: true, now: now)
                // Should it not be readable any more, the reader will see.
                lanes.parked.rewind(to: position)
                continue
            }
            let id = blocks.nextID()
            let bytes = block[index].payload.count
            guard send(stored, bytes: bytes, block: id, index, lane: lanes.parked) == .queued
            else {
                singles.tried(again: true, now: now)
                continue
            }
            lanes.parked.window[position] = .inFlight
            blocks.pin(id, block, lanes.parked)
        }
    }

    /// Moves the first of the parked records to the end when it is a single one and as many behind it are delivered as there
    /// are single ones: otherwise it would keep all that for ever, and the next run would send it again. So no more is
    /// moved than was delivered.
    func moveSingles(now: ContinuousClock.Instant) {
        let lane = lanes.parked
        let window = lane.window
        let held = window.heldAlone + (singles.trying == nil ? 0 : 1)
        guard held > 0, parking.isEmpty, now >= movesFrom, window.span - window.open >= held,
            window[window.base] == .heldAlone
        else { return }
        let statistics = lane.journal.statistics
        guard window.open == held || statistics.diskBytes > settings.parkingLimit / 2 else { return }
        guard let (block, index) = try? lane.record(at: window.base),
            case .pending(let parked) = parkAppender.append(block[index].payload)
        else {
            movesFrom = now + .seconds(5)
            // Should it not be readable any more, the reader will see.
            lane.rewind(to: window.base)
            return
        }
        let position = window.base
        lane.window[position] = .parking
        let bytes = block[index].payload.count
        parking.append(
            ParkingQueue.Entry(lane: .parked, position: position, parked: parked, topic: nil, bytes: bytes)
        )
    }

    // MARK: Start

    /// After a start: topics that have parked records stay parked until those are delivered. Nothing may be sent before they
    /// are known, or it would overtake them, so this waits for a disk that fails.
    ///
    /// - Returns: false when asked to stop meanwhile.
    func countParkedRecords() -> Bool {
        let reader = lanes.parked.journal.makeReader()
        var hasFailed = false
        while true {
            do {
                guard let block = try reader.next(maxBytes: settings.readBytes) else { break }
                for index in 0..<block.count {
                    status.parked += 1
                    parkedBytes += block[index].payload.count
                    metrics.recovered.increment()
                    guard let stored = StoredRecord(block[index].payload) else { continue }
                    if !stored.isSingle {
                        parkedByTopic[stored.topicName, default: 0] += 1
                    } else if canBeTried(stored) {
                        singles.expect()
                    }
                }
            } catch {
                if !hasFailed {
                    logger.error(
                        "the parked journal cannot be read; nothing is sent before it can",
                        metadata: ["error": "\(error)"]
                    )
                }
                hasFailed = true
                guard inbox.stopDeadline == nil else { return false }
                // A pause that a stop ends. The reader passes over what the disk fails to read for long.
                _ = producer.poll(upTo: .seconds(1), maxReports: 1) { _ in }
            }
        }
        for topic in parkedByTopic.keys {
            lanes.main.faults[topic] = TopicFault(route: .parked, now: clock.now)
        }
        return true
    }

    /// With nothing left in the parked journal no topic is parked, whatever was counted of records that were lost there.
    func forgetEmptyParking() {
        guard !parkedByTopic.isEmpty, parking.isEmpty, lanes.parked.isIdle, lanes.parked.window.open == 0 else {
            return
        }
        for (topic, left) in parkedByTopic { unpark(topic, left) }
        (parkedBytes, status.parked) = (0, 0)
    }
}
