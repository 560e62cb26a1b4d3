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
        /// Appended to the parked journal and not committed there yet.
        case parking
        case done
    }

    /// Most positions that the window spans, one byte each.
    static let longestSpan = 8 << 20

    /// The lowest position that is not done; the next one to be read where all are done.
    private(set) var base: UInt64
    private var slots: Deque<UInt8> = []
    /// Positions in the window that are not done.
    private(set) var open = 0
    private(set) var held = 0

    init(base: UInt64) { self.base = base }

    /// Positions that the window spans, the done ones included.
    var span: Int { slots.count }

    /// One above the highest position read.
    var end: UInt64 { base + UInt64(slots.count) }

    /// The state of a position that was read just now. Positions that the journal skipped become done.
    ///
    /// `nil`: the window cannot span it yet; the caller reads it again when earlier positions are done.
    mutating func read(_ position: UInt64) -> Slot? {
        if position < base { return .done }
        if position < end { return self[position] }
        if open == 0 {
            base = position
            slots.removeAll(keepingCapacity: true)
        }
        let skipped = position - end
        guard skipped < UInt64(Self.longestSpan - slots.count) else { return nil }
        for _ in 0..<skipped { slots.append(Slot.done.rawValue) }
        slots.append(Slot.waiting.rawValue)
        open += 1
        return .waiting
    }

    subscript(position: UInt64) -> Slot {
        get {
            guard position >= base, position < end else { return .done }
            return Slot(rawValue: slots[Int(position - base)]) ?? .done
        }
        set {
            guard position >= base, position < end else { return }
            let index = Int(position - base)
            let old = Slot(rawValue: slots[index]) ?? .done
            if old == newValue { return }
            if old == .done { open += 1 }
            if newValue == .done { open -= 1 }
            if old == .held { held -= 1 }
            if newValue == .held { held += 1 }
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

    private mutating func advance() {
        while let first = slots.first, first == Slot.done.rawValue {
            slots.removeFirst()
            base += 1
        }
    }
}
