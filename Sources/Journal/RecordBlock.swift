/// One committed record. Its payload points into the block it came from.
package struct JournalRecord {
    package let position: JournalPosition
    /// Milliseconds since 1970.
    package let appendedAt: UInt64
    /// Valid while the ``RecordBlock`` is retained.
    package let payload: UnsafeRawBufferPointer
}

/// A run of committed records in the order of their positions. Its memory never changes and lives as long as the block,
/// so a producer can send from it without copying.
package final class RecordBlock: Sendable {
    private let memory: Chunk
    private let offsets: [Int]

    init(memory: Chunk, offsets: [Int]) {
        self.memory = memory
        self.offsets = offsets
    }

    /// Bytes of memory that stay allocated while this block is retained. Blocks of the in-memory tail may share them.
    package var memoryBytes: Int { memory.capacity }

    /// At least 1.
    package var count: Int { offsets.count }

    package subscript(index: Int) -> JournalRecord {
        let frame = UnsafeRawPointer(memory.base + offsets[index])
        return JournalRecord(
            position: JournalPosition(Frame.position(of: frame)),
            appendedAt: Frame.appendedAt(of: frame),
            payload: Frame.payload(of: frame)
        )
    }

    func selecting(_ indices: [Int]) -> RecordBlock {
        RecordBlock(memory: memory, offsets: indices.map { offsets[$0] })
    }

    package var first: JournalPosition { self[0].position }
    package var last: JournalPosition { self[count - 1].position }

    package func forEach<E: Error>(_ body: (JournalRecord) throws(E) -> Void) throws(E) {
        for index in offsets.indices {
            try body(self[index])
        }
    }
}
