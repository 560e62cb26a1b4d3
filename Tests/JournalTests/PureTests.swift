import Foundation
import Testing

@testable import Journal

@Suite struct PureTests {
    @Test func checksumsMatchTheVectorsOfRFC3720() {
        func crc(_ bytes: [UInt8]) -> UInt32 { bytes.withUnsafeBytes { CRC32C.checksum($0) } }
        #expect(crc([UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
        #expect(crc([UInt8](repeating: 0xff, count: 32)) == 0x62A8_AB43)
        #expect(crc(Array(0..<32)) == 0x46DD_794E)
        #expect(crc(Array("123456789".utf8)) == 0xE306_9283)
    }

    @Test func positionsPrintAsTwentyDigits() {
        #expect(JournalPosition(4711).description == "00000000000000004711")
        #expect(JournalPosition(.max).description == "18446744073709551615")
    }

    @Test func aHeaderWithAnyFlippedBitIsDamagedAndNeverNewer() {
        let header = SegmentHeader(
            journal: 1,
            number: 2,
            marker: .random(),
            first: 3,
            limit: 4,
            createdAt: 5,
            previousNumber: 1,
            previousMarker: .random()
        )
        #expect(SegmentHeader.read(header.encoded()) == .valid(header))
        for bit in 0..<(SegmentHeader.bytes * 8) {
            var bytes = header.encoded()
            bytes[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(SegmentHeader.read(bytes) == .damaged)
        }
    }

    @Test func aCheckpointWithAnyFlippedBitIsNotRead() {
        let checkpoint = Checkpoint(
            journal: 9,
            below: 7,
            next: 8,
            lastSegment: 3,
            lastSegmentBytes: 500,
            isClean: true
        )
        #expect(Checkpoint(decoding: checkpoint.encoded()) == checkpoint)
        for bit in 0..<(Checkpoint.bytes * 8) {
            var bytes = checkpoint.encoded()
            bytes[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(Checkpoint(decoding: bytes) == nil)
        }
    }

    // MARK: Staging

    private func queue(_ payloads: [Int], maxPending: Int = 1 << 20) -> StagingQueue {
        var queue = StagingQueue(maxPendingBytes: maxPending, chunkBytes: 256, nextPosition: 10)
        queue.addAppender(0)
        queue.addAppender(1)
        for (index, bytes) in payloads.enumerated() {
            _ = append(bytes, index % 2, deadline: UInt64(100 + index), &queue)
        }
        return queue
    }

    private func append(_ bytes: Int, _ appender: Int, deadline: UInt64, _ queue: inout StagingQueue) -> AppendResult {
        [UInt8](repeating: 1, count: bytes).withUnsafeBytes {
            queue.append($0, stampAt: nil, appender: appender, appendedAt: 0, deadline: deadline)
        }
    }

    private func conditions(now: UInt64 = 0, room: Int = 1 << 20, active: CommitConditions.Active?) -> CommitConditions
    {
        CommitConditions(
            now: now,
            room: room,
            segmentBytes: 1000,
            batchBytes: 1 << 20,
            positionsPerSegment: 1000,
            active: active
        )
    }

    private let empty = CommitConditions.Active(bytes: 128, hasRecords: false, positionLimit: 1000, isFreeable: false)

    @Test func aBatchIsThePrefixThatFitsTheRoomAndSettlesEachAppenderOnce() throws {
        var queue = queue([60, 60, 60, 60, 60])
        guard case .commit(let batch, roll: false) = queue.nextStep(conditions(room: 399, active: empty)) else {
            Issue.record("no batch")
            return
        }
        #expect(batch.records == 3)
        #expect(batch.bytes == 300)
        #expect(batch.settled == [Settlement(appender: 0, through: 12), Settlement(appender: 1, through: 11)])
        #expect(batch.slices.map(\.records) == [2, 1])
        #expect(queue.frontPosition == 13)
        #expect(queue.pendingBytes == 500)
        queue.settle(batch)
        #expect(queue.pendingBytes == 200)
    }

    @Test func aSegmentThatIsFullOrOutOfPositionsIsRolled() {
        var first = queue([60])
        var active = empty
        active.hasRecords = true
        active.bytes = 901
        guard case .commit(_, roll: true) = first.nextStep(conditions(active: active)) else {
            Issue.record("full and not rolled")
            return
        }
        var second = queue([60])
        active.bytes = 228
        active.positionLimit = 10
        guard case .commit(_, roll: true) = second.nextStep(conditions(active: active)) else {
            Issue.record("out of positions and not rolled")
            return
        }
    }

    @Test func whoWaitsForRoomFailsAtItsOwnTimeAndInOrder() {
        var queue = queue([60, 60, 60])
        guard case .sleep(until: 100, wanted: 90) = queue.nextStep(conditions(now: 99, room: 10, active: empty)) else {
            Issue.record("should wait")
            return
        }
        guard case .fail(let batch, .full) = queue.nextStep(conditions(now: 101, room: 10, active: empty)) else {
            Issue.record("should fail")
            return
        }
        #expect(batch.records == 2)
        #expect(batch.last == 11)
        guard case .commit(let rest, _) = queue.nextStep(conditions(now: 500, room: 100, active: empty)) else {
            Issue.record("room came before the failure was told, so it commits")
            return
        }
        #expect(rest.first == 12)
    }

    @Test func aFullJournalRollsAConfirmedSegmentToFreeIt() {
        var queue = queue([60])
        var active = empty
        active.isFreeable = true
        guard case .rollToFree(first: 10) = queue.nextStep(conditions(room: 10, active: active)) else {
            Issue.record("not rolled")
            return
        }
    }

    @Test func aClosingQueueFailsWhatDoesNotFitAndFinishes() {
        var queue = queue([60])
        queue.close()
        #expect(append(1, 0, deadline: 0, &queue) == .refused(.closed))
        guard case .fail(let batch, .closed) = queue.nextStep(conditions(room: 10, active: empty)) else {
            Issue.record("not failed")
            return
        }
        #expect(batch.records == 1)
        guard case .finish = queue.nextStep(conditions(active: empty)) else {
            Issue.record("not finished")
            return
        }
    }

    @Test func moreThanThePendingBoundIsRefusedButOneLargeRecordIsNot() {
        var queue = queue([], maxPending: 200)
        #expect(append(1000, 0, deadline: 0, &queue) == .pending(JournalPosition(10)))
        #expect(append(1, 0, deadline: 0, &queue) == .refused(.overloaded))
    }

    // MARK: Start

    private func found(_ number: UInt64, first: UInt64, limit: UInt64, bytes: Int = 500, journal: UInt64 = 1)
        -> StartPlan.Found
    {
        StartPlan.Found(
            number: number,
            bytes: bytes,
            modifiedAt: 0,
            header: .valid(
                SegmentHeader(
                    journal: journal,
                    number: number,
                    marker: .random(),
                    first: first,
                    limit: limit,
                    createdAt: 0,
                    previousNumber: number - 1,
                    previousMarker: .random()
                )
            )
        )
    }

    private func plan(_ found: [StartPlan.Found], _ checkpoint: Checkpoint?) -> StartPlan {
        StartPlan(found: found, checkpoint: checkpoint, positionsPerSegment: 1000, freshIdentity: 1)
    }

    private func checkpoint(
        _ below: UInt64,
        next: UInt64,
        last: UInt64,
        bytes: UInt64 = 500,
        clean: Bool = false,
        journal: UInt64 = 1
    ) -> Checkpoint {
        Checkpoint(
            journal: journal,
            below: below,
            next: next,
            lastSegment: last,
            lastSegmentBytes: bytes,
            isClean: clean
        )
    }

    @Test func aCleanCloseGivesTheNextPositionExactlyAndACrashABound() {
        let files = [found(1, first: 1, limit: 1001), found(2, first: 400, limit: 1400)]
        let clean = plan(files, checkpoint(500, next: 777, last: 2, clean: true))
        #expect(clean.next == 777)
        #expect(clean.confirmedBelow == 500)
        let crashed = plan(files, checkpoint(300, next: 310, last: 1))
        #expect(crashed.next == 1400)
        #expect(crashed.confirmedBelow == 300)
        #expect(crashed.nextNumber == 3)
        #expect(crashed.segments.map(\.supersededFrom) == [400, .max])
    }

    @Test func aCheckpointAheadOfAllThatExistsIsNotBelieved() {
        let files = [found(1, first: 1, limit: 1001)]
        for ahead in [
            checkpoint(5000, next: 5000, last: 1), checkpoint(10, next: 20, last: 4),
            checkpoint(10, next: 20, last: 1, bytes: 501), checkpoint(10, next: 20, last: 1, journal: 2),
        ] {
            let plan = plan(files, ahead)
            #expect(plan.confirmedBelow == 0)
            #expect(plan.mustReplaceCheckpoint)
            #expect(plan.recovery.checkpoint == .notCredible)
            #expect(plan.next >= ahead.next)
        }
    }

    @Test func positionsGrowEvenWhenNoHeaderIsReadable() {
        let damaged = StartPlan.Found(number: 3, bytes: 500, modifiedAt: 0, header: .damaged)
        #expect(plan([damaged], nil).next == 3001)
        #expect(plan([found(1, first: 1, limit: 1001), damaged], nil).next == 3001)
    }

    @Test func aMissingMiddleSegmentIsCountedAndAnUnusedNumberIsNot() {
        #expect(
            plan([found(1, first: 1, limit: 1001), found(3, first: 9, limit: 1009)], nil).recovery.segmentsMissing == 1
        )
        var skipped = found(3, first: 9, limit: 1009)
        if case .valid(var header) = skipped.header {
            header.previousNumber = 1
            skipped = StartPlan.Found(number: 3, bytes: 500, modifiedAt: 0, header: .valid(header))
        }
        #expect(plan([found(1, first: 1, limit: 1001), skipped], nil).recovery.segmentsMissing == 0)
        // Deletions that a power loss has mixed up: nothing of what is gone was to be sent.
        let confirmed = plan(
            [found(1, first: 1, limit: 9), found(3, first: 9, limit: 1009)],
            checkpoint(9, next: 9, last: 3)
        )
        #expect(confirmed.recovery.checkpoint == .used)
        #expect(confirmed.recovery.segmentsMissing == 0)
    }
}
