internal import HeapModule

/// Which portal's turn it is: the longest due first, each by itself, no more than `width` at a time. What is remembered of a
/// portal from one turn to the next is `Memory`.
struct Agenda<Memory: Sendable>: Sendable {
    /// A time at which a portal was due when this was written. It counts only as long as that is so.
    private struct Entry: Comparable {
        let at: Int64
        let memberID: String

        static func < (left: Entry, right: Entry) -> Bool { (left.at, left.memberID) < (right.at, right.memberID) }
    }

    private let width: Int
    private var due: [String: Int64] = [:]
    /// Has an entry for each portal that is due and not busy, and some that do not count any more.
    private var heap = Heap<Entry>()
    private var busy: Set<String> = []
    private var memories: [String: Memory] = [:]

    init(width: Int) { self.width = width }

    private var hasRoom: Bool { busy.count < width }
    var memberIDs: some Collection<String> { memories.keys }

    /// - Parameter at: Milliseconds since 1970; `nil` when nothing is to be done.
    mutating func schedule(_ memberID: String, at: Int64?) {
        guard due[memberID] != at else { return }
        due[memberID] = at
        if !busy.contains(memberID) { enter(memberID) }
    }

    func isBusy(_ memberID: String) -> Bool { busy.contains(memberID) }

    subscript(memberID: String) -> Memory? {
        get { memories[memberID] }
        set { memories[memberID] = newValue }
    }

    /// Portals that are due, which are busy from now on.
    mutating func take(_ now: Int64) -> [String] {
        var taken: [String] = []
        while let memberID = takeNext(now) { taken.append(memberID) }
        return taken
    }

    /// One of them.
    mutating func takeNext(_ now: Int64) -> String? {
        while hasRoom, let first = heap.min, first.at <= now {
            heap.removeMin()
            guard due[first.memberID] == first.at, !busy.contains(first.memberID) else { continue }
            due[first.memberID] = nil
            busy.insert(first.memberID)
            return first.memberID
        }
        return nil
    }

    /// It is due again only if it is scheduled, now or since it was taken.
    mutating func finished(_ memberID: String) {
        guard busy.remove(memberID) != nil else { return }
        enter(memberID)
    }

    mutating func forget(_ memberID: String) {
        due[memberID] = nil
        memories[memberID] = nil
    }

    /// How many are due and not taken.
    func waiting(_ now: Int64) -> Int { due.count { $0.value <= now && !busy.contains($0.key) } }

    private mutating func enter(_ memberID: String) {
        guard let at = due[memberID] else { return }
        heap.insert(Entry(at: at, memberID: memberID))
        // What does not count any more takes no more room than what does.
        guard heap.count > 2 * due.count + 64 else { return }
        var counting: [Entry] = []
        for (memberID, at) in due where !busy.contains(memberID) { counting.append(Entry(at: at, memberID: memberID)) }
        heap = Heap(counting)
    }
}
