import Bitrix24
import Bridge
import Foundation

/// Writes what `normalize` prints for each body.
struct NormalizedLines {
    private var form = BracketForm()
    private var normalizer: Normalizer
    private var ids = EnvelopeIDGenerator()
    private var record = EventRecord()

    init() throws {
        normalizer = Normalizer(
            topic: try TopicTemplate(TopicTemplate.defaultText),
            key: try KeyTemplate(KeyTemplate.defaultText),
            mode: .structured,
            replica: nil
        )
    }

    /// One line of JSON with its line feed, and whether it tells of an error.
    mutating func line(for body: [UInt8]) -> (text: [UInt8], isError: Bool) {
        do {
            try body.withUnsafeBytes { try form.decode($0) }
            switch InboundCall(form) {
            case .malformed(let fault): return Self.error(fault.description)
            case .notEvent(let call): return Self.error("this is a Bitrix24 call but no event (\(call.rawValue))")
            case .event(let event):
                let now = WallClock.now()
                try normalizer.normalize(
                    event,
                    of: form,
                    domain: nil,
                    receipt: Receipt(id: ids.next(at: now), receivedAt: now, origin: .online),
                    into: &record
                )
            }
        } catch {
            return Self.error("\(error)")
        }
        return (printed(), false)
    }

    private func printed() -> [UInt8] {
        var json = JSONText()
        json.raw("{")
        record.topic.withUnsafeBytes { topic in
            record.key.withUnsafeBytes { key in
                record.value.bytes.withUnsafeBytes { value in
                    json.recordMembers(topic: topic, key: key, value: value) { header in
                        record.headers.forEach { name, value in
                            name.withUnsafeBytes { name in value.withUnsafeBytes { header(name, $0) } }
                        }
                    }
                }
            }
        }
        json.raw("}\n")
        return json.bytes
    }

    private static func error(_ text: String) -> (text: [UInt8], isError: Bool) {
        var json = JSONText()
        json.raw("{\"error\":")
        json.string(text)
        json.raw("}\n")
        return (json.bytes, true)
    }
}

/// The next line of `input` without its line feed, byte for byte: `readLine` would repair what is not UTF-8.
func readRawLine(of input: UnsafeMutablePointer<FILE>) -> [UInt8]? {
    var buffer: UnsafeMutablePointer<CChar>?
    var capacity = 0
    defer { free(buffer) }
    var count = getline(&buffer, &capacity, input)
    guard count >= 0, let buffer else { return nil }
    let bytes = UnsafeRawBufferPointer(start: buffer, count: count)
    while count > 0, bytes[count - 1] == UInt8(ascii: "\n") || bytes[count - 1] == UInt8(ascii: "\r") { count -= 1 }
    return Array(bytes[..<count])
}
