/// By what an event is found again in its record: `data[b24bridge]` holds the run and the event's number. No path of the
/// event catalog leads there.
struct Marker: Sendable {
    /// As the bridge writes it into the envelope's JSON; the digits of the number follow.
    private let text: [UInt8]
    /// For each byte how far the text may be moved on when this byte stands at its end.
    private let steps: [Int]

    init(run: String) {
        let text = Array(#""b24bridge":{"run":"\#(run)","number":""#.utf8)
        var steps = [Int](repeating: text.count, count: 256)
        for (index, byte) in text.dropLast().enumerated() { steps[Int(byte)] = text.count - 1 - index }
        self.text = text
        self.steps = steps
    }

    /// The fields of a body, in order. `nil`: the number of the event.
    static func fields(run: String) -> [(name: String, value: String?)] {
        [("data[b24bridge][run]", run), ("data[b24bridge][number]", nil)]
    }

    /// The event's number. `nil`: the record is not of this run.
    ///
    /// Searches bytes (Boyer, Moore, Horspool) rather than parse JSON, because a reader that falls behind may miss records.
    func number(in value: [UInt8]) -> Int? {
        value.withUnsafeBytes { value in
            guard var place = end(in: value) else { return nil }
            var number = 0
            var digits = 0
            while place < value.count, digits < 18, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(value[place]) {
                number = number * 10 + Int(value[place] - UInt8(ascii: "0"))
                place += 1
                digits += 1
            }
            return digits > 0 ? number : nil
        }
    }

    /// Right behind the text.
    private func end(in value: UnsafeRawBufferPointer) -> Int? {
        text.withUnsafeBytes { text in
            steps.withUnsafeBufferPointer { steps in
                var end = text.count
                while end <= value.count {
                    let last = value[end - 1]
                    if last == text[text.count - 1],
                        value[end - text.count..<end].elementsEqual(text)
                    {
                        return end
                    }
                    end += steps[Int(last)]
                }
                return nil
            }
        }
    }
}
