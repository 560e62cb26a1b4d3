/// The header `traceparent` (https://www.w3.org/TR/trace-context/).
enum TraceParent {
    /// Version, trace id, parent id and flags in lower-case hexadecimal, of which later versions may have more. No id is
    /// all zeros, and there is no version `ff`.
    static func isWellFormed(_ text: String) -> Bool {
        let fields = text.utf8.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
        guard fields.count >= 4, text.utf8.count <= 128, zip(fields, [2, 32, 16, 2]).allSatisfy({ $0.count == $1 }),
            !fields[0].elementsEqual("ff".utf8), fields.count == 4 || !fields[0].elementsEqual("00".utf8),
            fields[1...2].allSatisfy({ id in id.contains { $0 != UInt8(ascii: "0") } })
        else { return false }
        return fields.allSatisfy { field in
            field.allSatisfy { byte in
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                    || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
            }
        }
    }
}
