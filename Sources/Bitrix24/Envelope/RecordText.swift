extension JSONText {
    /// The members `"topic"`, `"key"`, `"headers"` and `"value"` of a record, without braces around them: how every
    /// command prints one. `value` is JSON already; an empty one becomes `null`.
    ///
    /// - Parameter headers: Calls its argument for each header, in order.
    package mutating func recordMembers(
        topic: UnsafeRawBufferPointer,
        key: UnsafeRawBufferPointer,
        value: UnsafeRawBufferPointer,
        headers: ((UnsafeRawBufferPointer, UnsafeRawBufferPointer) -> Void) -> Void
    ) {
        raw("\"topic\":")
        string(topic)
        raw(",\"key\":")
        string(key)
        raw(",\"headers\":{")
        var isFirst = true
        headers { name, value in
            if !isFirst { raw(",") }
            isFirst = false
            string(name)
            raw(":")
            string(value)
        }
        raw("},\"value\":")
        if value.isEmpty { raw("null") } else { bytes.append(contentsOf: value) }
    }
}
