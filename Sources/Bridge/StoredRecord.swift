package import Bitrix24

/// How a Kafka record lies in the journal: all that sending needs, and no decision left to make.
///
/// Little-endian: version `1`, flags, length of the topic (2 bytes), of the key (4), number of headers (2), two zero bytes,
/// length of all header texts (4), of the value (4); then topic, key, for each header the length of its name (2) and value
/// (4), the header texts back to back, the value.
package struct StoredRecord {
    package struct Flags: OptionSet, Sendable {
        package let rawValue: UInt8
        package init(rawValue: UInt8) { self.rawValue = rawValue }

        /// Too large to be sent; goes to the parked records at once and holds up nothing else.
        package static let oversized = Flags(rawValue: 1)
        /// Refused by the brokers for a reason of its own, though sent alone. Stands among the parked records only.
        package static let refused = Flags(rawValue: 2)
        /// What is parked for its own sake and not for its topic's.
        package static let single: Flags = [.oversized, .refused]
    }

    package let flags: Flags
    package let topic: UnsafeRawBufferPointer
    package let key: UnsafeRawBufferPointer
    package let value: UnsafeRawBufferPointer
    package let headerCount: Int
    private let headerLengths: UnsafeRawBufferPointer
    private let headerTexts: UnsafeRawBufferPointer

    static let version: UInt8 = 1
    /// Where the flags stand in a payload.
    static let flagsPlace = 1
    private static let fixedBytes = 20
    private static let headerBytes = 6

    /// Reads a payload of the journal. The record's pointers are valid as long as the payload is.
    ///
    /// `nil`: not a record of this format version.
    package init?(_ payload: UnsafeRawBufferPointer) {
        guard payload.count >= Self.fixedBytes, payload[0] == Self.version else { return nil }
        flags = Flags(rawValue: payload[Self.flagsPlace])
        let topicBytes = Int(payload.loadUnaligned(fromByteOffset: 2, as: UInt16.self))
        let keyBytes = Int(payload.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
        headerCount = Int(payload.loadUnaligned(fromByteOffset: 8, as: UInt16.self))
        let headerTextBytes = Int(payload.loadUnaligned(fromByteOffset: 12, as: UInt32.self))
        let valueBytes = Int(payload.loadUnaligned(fromByteOffset: 16, as: UInt32.self))
        var start = Self.fixedBytes
        func next(_ count: Int) -> UnsafeRawBufferPointer {
            defer { start += count }
            return UnsafeRawBufferPointer(rebasing: payload[start..<start + count])
        }
        guard
            payload.count == start + topicBytes + keyBytes + headerCount * Self.headerBytes + headerTextBytes
                + valueBytes
        else { return nil }
        topic = next(topicBytes)
        key = next(keyBytes)
        headerLengths = next(headerCount * Self.headerBytes)
        headerTexts = next(headerTextBytes)
        value = next(valueBytes)
    }

    package var isSingle: Bool { !flags.isDisjoint(with: .single) }

    /// Bytes of key, headers and value, which `kafka.maxRecordBytes` limits.
    package var recordBytes: Int { key.count + headerTexts.count + value.count }

    /// Calls `header` for each, in order. Headers whose lengths do not add up end the list.
    package func forEachHeader(_ header: (_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Void) {
        var start = 0
        for index in 0..<headerCount {
            let place = index * Self.headerBytes
            let middle = start + Int(headerLengths.loadUnaligned(fromByteOffset: place, as: UInt16.self))
            let end = middle + Int(headerLengths.loadUnaligned(fromByteOffset: place + 2, as: UInt32.self))
            guard end <= headerTexts.count else { return }
            header(
                UnsafeRawBufferPointer(rebasing: headerTexts[start..<middle]),
                UnsafeRawBufferPointer(rebasing: headerTexts[middle..<end])
            )
            start = end
        }
    }

    /// Writes `record` over what `payload` held.
    ///
    /// - Returns: the byte offset of the 20 digits that the journal replaces by the position.
    package static func encode(_ record: borrowing EventRecord, flags: Flags, into payload: inout [UInt8]) -> Int? {
        payload.removeAll(keepingCapacity: true)
        payload.append(version)
        payload.append(flags.rawValue)
        append(UInt16(record.topic.count), to: &payload)
        append(UInt32(record.key.count), to: &payload)
        append(UInt16(record.headers.lengths.count), to: &payload)
        append(UInt16(0), to: &payload)
        append(UInt32(record.headers.bytes.count), to: &payload)
        append(UInt32(record.value.bytes.count), to: &payload)
        payload.append(contentsOf: record.topic)
        payload.append(contentsOf: record.key)
        for length in record.headers.lengths {
            append(UInt16(length.name), to: &payload)
            append(UInt32(length.value), to: &payload)
        }
        let headersStart = payload.count
        payload.append(contentsOf: record.headers.bytes)
        let valueStart = payload.count
        payload.append(contentsOf: record.value.bytes)
        return switch record.sequencePlace {
        case .none: nil
        case .value(let offset): valueStart + offset
        case .headers(let offset): headersStart + offset
        }
    }

    /// Writes the record that `payload` holds, for another topic, over what `copy` held: key, headers and value stay as they
    /// are. It is tried like any other then, though the old topic's brokers refused it; an oversized one stays so.
    package static func readdress(
        _ payload: UnsafeRawBufferPointer,
        of record: StoredRecord,
        to topic: String,
        into copy: inout [UInt8]
    ) {
        copy.removeAll(keepingCapacity: true)
        copy.append(contentsOf: payload[..<fixedBytes])
        copy[flagsPlace] = record.flags.subtracting(.refused).rawValue
        withUnsafeBytes(of: UInt16(topic.utf8.count).littleEndian) { copy.replaceSubrange(2..<4, with: $0) }
        copy.append(contentsOf: topic.utf8)
        copy.append(contentsOf: payload[(fixedBytes + record.topic.count)...])
    }

    private static func append(_ number: some FixedWidthInteger, to payload: inout [UInt8]) {
        withUnsafeBytes(of: number.littleEndian) { payload.append(contentsOf: $0) }
    }
}
