internal import DequeModule

/// What became of each position between the lowest that is not done and the highest that was read. Pure.
///
/// A position is done when Kafka has confirmed its record, or when the record is durable among the parked ones. `base` is
/// the checkpoint: everything below is done.
struct DeliveryWindow {
    enum Slot: UInt8 {
        /// Read, and to be sent when the reader comes by again.
        case waiting
        /// Handed to the producer; a report will come.
        case inFlight
        /// Not sent because its topic refuses records.
        case held
        /// Not sent for a reason of its own; among the parked records only.
        case heldAlone
        /// Appended to the parked journal and not committed there yet.
        case parking
        case done
    }

    /// Most positions that the window keeps, one byte each.
    let longestSpan: Int

    /// Positions in a row. The journal skips up to a million after a crash, which must cost nothing here.
    private struct Run {
        let position: UInt64
        /// Number of its first slot, counted from the window's beginning.
        let slot: UInt64
    }

    /// A gap of so many positions or fewer is filled with done slots; a longer one begins a new run.
    private static let filledGap: UInt64 = 64

    /// The lowest position that is not done; the next one to be read where all are done.
    private(set) var base: UInt64
    private var runs: Deque<Run>
    private var slots: Deque<UInt8> = []
    /// Number of the slot that is first in `slots`.
    private var firstSlot: UInt64 = 0
    /// Positions in the window that are not done.
    private(set) var open = 0
    private(set) var held = 0
    private(set) var heldAlone = 0

    init(base: UInt64, longestSpan: Int = 8 << 20) {
        self.base = base
        self.longestSpan = longestSpan
        runs = [Run(position: base, slot: 0)]
    }

    /// Positions that the window keeps, the done ones included.
    var span: Int { slots.count }

    /// One above the highest position read.
    var end: UInt64 {
        guard let last = runs.last else { return base }
        return last.position + (firstSlot + UInt64(slots.count) - last.slot)
    }

    /// The state of a position that was read just now. Positions that the journal skipped are done.
    ///
    /// `nil`: the window cannot keep it yet; the caller reads it again when earlier positions are done.
    mutating func read(_ position: UInt64) -> Slot? {
        if position < base { return .done }
        if position < end { return self[position] }
        if open == 0 { self = DeliveryWindow(base: position, longestSpan: longestSpan) }
        let skipped = position - end
        guard slots.count < longestSpan else { return nil }
        if skipped <= Self.filledGap {
            slots.append(contentsOf: repeatElement(Slot.done.rawValue, count: Int(skipped)))
        } else {
            runs.append(Run(position: position, slot: firstSlot + UInt64(slots.count)))
        }
        slots.append(Slot.waiting.rawValue)
        open += 1
        return .waiting
    }

    /// `done` for a position outside the window or in a gap, which cannot be set.
    subscript(position: UInt64) -> Slot {
        get {
            guard let index = index(of: position) else { return .done }
            return Slot(rawValue: slots[index]) ?? .done
        }
        set {
            guard let index = index(of: position) else { return }
            let old = Slot(rawValue: slots[index]) ?? .done
            if old == newValue { return }
            if old == .done { open += 1 }
            if newValue == .done { open -= 1 }
            if old == .held { held -= 1 }
            if newValue == .held { held += 1 }
            if old == .heldAlone { heldAlone -= 1 }
            if newValue == .heldAlone { heldAlone += 1 }
            slots[index] = newValue.rawValue
            if index == 0, newValue == .done { advance() }
        }
    }

    /// Takes back what the producer was given: its reports will not come.
    mutating func takeBackInFlight() {
        for index in slots.indices where slots[index] == Slot.inFlight.rawValue {
            slots[index] = Slot.waiting.rawValue
        }
    }

    /// The lowest position that is in flight, apart from some that may be for long. Looks at every slot before it.
    func firstInFlight(except ignored: Set<UInt64> = []) -> UInt64? {
        for place in places(in: base..<end) {
            for index in place.slots where slots[index] == Slot.inFlight.rawValue {
                let position = place.first + UInt64(index - place.slots.lowerBound)
                if !ignored.contains(position) { return position }
            }
        }
        return nil
    }

    /// The journal has lost these positions: what of them waited is done. Returns how many those are.
    mutating func giveUp(_ positions: Range<UInt64>) -> Int {
        var count = 0
        for place in places(in: positions) {
            for index in place.slots {
                switch Slot(rawValue: slots[index]) {
                case .waiting: break
                case .held: held -= 1
                case .heldAlone: heldAlone -= 1
                default: continue
                }
                slots[index] = Slot.done.rawValue
                open -= 1
                count += 1
            }
        }
        if count > 0 { advance() }
        return count
    }

    /// Where the slots of some positions lie, run by run, each with the position of its first slot.
    private func places(in positions: Range<UInt64>) -> [(slots: Range<Int>, first: UInt64)] {
        runs.indices.compactMap { index in
            let run = runs[index]
            let next = index + 1 < runs.count ? runs[index + 1].slot : firstSlot + UInt64(slots.count)
            let first = max(run.position + (max(run.slot, firstSlot) - run.slot), positions.lowerBound)
            let end = min(run.position + (next - run.slot), positions.upperBound)
            guard first < end else { return nil }
            let start = Int(run.slot + (first - run.position) - firstSlot)
            return (start..<start + Int(end - first), first)
        }
    }

    private func index(of position: UInt64) -> Int? {
        guard position >= base else { return nil }
        // Nearly always there is one run.
        var next = firstSlot + UInt64(slots.count)
        for run in runs.reversed() {
            if position >= run.position {
                let slot = run.slot + (position - run.position)
                return slot < next && slot >= firstSlot ? Int(slot - firstSlot) : nil
            }
            next = run.slot
        }
        return nil
    }

    private mutating func advance() {
        let done = slots.firstIndex { $0 != Slot.done.rawValue } ?? slots.count
        slots.removeFirst(done)
        firstSlot += UInt64(done)
        while runs.count > 1, runs[1].slot <= firstSlot { runs.removeFirst() }
        if let run = runs.first { base = run.position + (firstSlot - run.slot) }
    }
}
