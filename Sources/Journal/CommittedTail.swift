import DequeModule

/// A run of committed frames in memory, and where it lies on disk.
struct CommittedSlice: Sendable {
    let memory: Batch.Slice
    let segment: UInt64
    let fileOffset: Int
}

/// The newest committed records, in memory, for readers that keep up. Bounded in bytes; the oldest leave first.
struct CommittedTail {
    private let limitBytes: Int
    private var slices = Deque<CommittedSlice>()
    private(set) var bytes = 0
    /// Every committed record from here on is in the tail.
    private(set) var start: UInt64

    init(limitBytes: Int, start: UInt64) {
        self.limitBytes = limitBytes
        self.start = start
    }

    /// Returns what left, for its memory to be freed outside the lock.
    mutating func append(_ slice: CommittedSlice) -> [CommittedSlice] {
        slices.append(slice)
        bytes += slice.memory.range.count
        var left: [CommittedSlice] = []
        while bytes > limitBytes, let first = slices.popFirst() {
            bytes -= first.memory.range.count
            start = first.memory.last + 1
            left.append(first)
        }
        return left
    }

    mutating func removeAll() {
        if let last = slices.last { start = last.memory.last + 1 }
        slices.removeAll()
        bytes = 0
    }

    /// Slices that hold what follows from `position` on, contiguous in one piece of memory, and enough of them for
    /// `maxBytes` if there are.
    func slices(from position: UInt64, maxBytes: Int) -> [CommittedSlice] {
        var low = 0
        var high = slices.count
        while low < high {
            let middle = (low + high) / 2
            if slices[middle].memory.last < position { low = middle + 1 } else { high = middle }
        }
        var found: [CommittedSlice] = []
        var bytes = 0
        while low < slices.count {
            let next = slices[low]
            if let last = found.last {
                guard bytes < maxBytes, last.memory.chunk === next.memory.chunk,
                    last.memory.range.upperBound == next.memory.range.lowerBound
                else { break }
            }
            found.append(next)
            bytes += next.memory.range.count
            low += 1
        }
        return found
    }
}
