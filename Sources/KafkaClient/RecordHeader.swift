/// A header of a record that is to be sent: a view of the caller's bytes, copied by librdkafka during `send`.
///
/// The name is UTF-8. A value without an address is sent as null, one with an address and no bytes as empty.
package struct RecordHeader {
    package var name: UnsafeRawBufferPointer
    package var value: UnsafeRawBufferPointer

    package init(name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) {
        self.name = name
        self.value = value
    }
}
