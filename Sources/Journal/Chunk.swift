/// A piece of raw memory with shared owners: appends gather in it, it is written to disk from there, and it stays as
/// the in-memory tail for as long as somebody reads it.
///
/// Unchecked: a byte is written by one thread at a time and only until it is published. The staging queue fills bytes
/// beyond those it has handed out, under its lock; the commit thread completes the frames handed out to it; both pass the
/// range on through a lock and never touch it again. From then on the range is only read.
final class Chunk: @unchecked Sendable {
    let base: UnsafeMutableRawPointer
    let capacity: Int

    init(capacity: Int) {
        self.capacity = capacity
        base = .allocate(byteCount: max(capacity, 1), alignment: 16)
    }

    deinit {
        base.deallocate()
    }
}
