import Testing

/// The judge of the kill tests must see what it is there to see.
@Suite struct DeliveryOrderTests {
    private func faults(_ order: [Int], kills: Int, mangle: (inout [DeliveredRecord]) -> Void = { _ in }) -> [String] {
        var records = order.map {
            DeliveredRecord(
                partition: 0,
                key: "k",
                id: "id\($0)",
                sequence: "r.0\($0)",
                entityID: "1",
                number: "0-\($0)"
            )
        }
        mangle(&records)
        return DeliveryOrder.faults(in: records, kills: kills)
    }

    @Test func oneRunAndRepetitionsOfWhatWasNotConfirmedAreInOrder() {
        #expect(faults([1, 2, 3, 4], kills: 0) == [])
        #expect(faults([1, 2, 3, 2, 3, 4, 1, 2, 3, 4, 5], kills: 2) == [])
    }

    @Test func disorderGapsAndNeedlessRepetitionsAreSeen() {
        #expect(!faults([2, 1, 3], kills: 5).isEmpty)
        #expect(!faults([1, 2, 3, 1, 3, 4], kills: 5).isEmpty)
        #expect(!faults([1, 2, 3, 4, 1, 4, 5], kills: 5).isEmpty)
        #expect(!faults([1, 2, 1, 2, 1, 2, 3], kills: 1).isEmpty)
        #expect(!faults([1, 2, 3, 3], kills: 0).isEmpty)
    }

    @Test func anotherIdentityOrPartitionIsSeen() {
        #expect(!faults([1, 2, 1, 2], kills: 1) { $0[2].id = "other" }.isEmpty)
        #expect(!faults([1, 2, 1, 2], kills: 1) { $0[2].sequence = "r.09" }.isEmpty)
        #expect(!faults([1, 2], kills: 1) { $0[1].id = $0[0].id }.isEmpty)
        #expect(!faults([1, 2], kills: 1) { $0[1].partition = 1 }.isEmpty)
    }
}
