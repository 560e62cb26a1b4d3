/// Texts of one request as attributes may hold them: without its tokens, valid UTF-8, no control characters. They stand
/// back to back in memory that is used again for the next request.
struct CleanTexts: Sendable {
    private(set) var bytes: [UInt8] = []

    mutating func removeAll() { bytes.removeAll(keepingCapacity: true) }

    /// - Returns: where the clean text stands. `nil` if there is none or it is empty.
    mutating func add(_ text: UnsafeRawBufferPointer?, without redactor: inout Redactor) -> Range<Int>? {
        guard let text, !text.isEmpty else { return nil }
        let start = bytes.count
        redactor.cut(text) {
            UTF8Text.attribute($0, into: &bytes)
        } token: {
            bytes.append(contentsOf: Redactor.replacement)
        }
        return start..<bytes.count
    }
}
