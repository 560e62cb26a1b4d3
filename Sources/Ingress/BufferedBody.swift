import NIOCore

/// Puts a request's body together: a body in one piece is passed on as it came, several pieces are copied once.
struct BodyAccumulator {
    private var buffer = ByteBuffer()
    private var isOwnCopy = false

    /// - Parameter expected: the declared length, already checked against the limit; nil when it is not known.
    mutating func append(_ piece: ByteBuffer, expected: Int?) {
        if buffer.readableBytes == 0, !Self.wastes(piece) {
            buffer = piece
            isOwnCopy = false
            return
        }
        if !isOwnCopy {
            var copy = ByteBuffer()
            copy.reserveCapacity(max(expected ?? 0, buffer.readableBytes + piece.readableBytes))
            copy.writeImmutableBuffer(buffer)
            buffer = copy
            isOwnCopy = true
        }
        buffer.writeImmutableBuffer(piece)
    }

    mutating func take() -> ByteBuffer {
        defer { self = BodyAccumulator() }
        return buffer
    }

    /// A slice keeps the whole receive buffer alive. A small body must not hold a large one while its answer waits.
    private static func wastes(_ piece: ByteBuffer) -> Bool {
        piece.storageCapacity > 2048 + 4 * piece.readableBytes
    }
}

/// The body of the request under way, charged to the listener's budget from its first byte until the owner has let go of
/// it: longer than it is held here.
struct BufferedBody {
    private let counters: ListenerCounters
    private var accumulator = BodyAccumulator()
    /// Bytes of it that are charged.
    private(set) var chargedBytes = 0

    init(counters: ListenerCounters) {
        self.counters = counters
    }

    /// False, and the piece is dropped, when the budget has no room.
    mutating func append(_ piece: ByteBuffer, expected: Int?) -> Bool {
        guard counters.chargeBody(piece.readableBytes) else { return false }
        chargedBytes += piece.readableBytes
        accumulator.append(piece, expected: expected)
        return true
    }

    /// The body for its owner. It stays charged.
    mutating func take() -> ByteBuffer { accumulator.take() }

    /// What is still held is dropped, and nothing is charged any more.
    mutating func release() {
        _ = accumulator.take()
        guard chargedBytes > 0 else { return }
        counters.releaseBody(chargedBytes)
        chargedBytes = 0
    }
}
