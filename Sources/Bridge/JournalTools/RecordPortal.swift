internal import Bitrix24

extension StoredRecord {
    /// Calls `body` with the member_id of the portal that the record is of, wherever its kind keeps it: an envelope's
    /// attribute `source`, in binary mode as a header, in structured mode in the value; a dead letter's header. Empty where
    /// there is none. The bytes are valid during the call only.
    func withPortal<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        var source: UnsafeRawBufferPointer?
        var sentMemberID: UnsafeRawBufferPointer?
        forEachHeader { name, value in
            if name.isEqual(to: PortalSource.header) {
                source = value
            } else if name.isEqual(to: DeadLetterReason.portalHeader) {
                sentMemberID = value
            }
        }
        if let sentMemberID { return body(sentMemberID) }
        guard let text = source ?? JSONMember.text(of: "source", in: value),
            let encoded = PortalSource.encodedMemberID(in: text)
        else { return body(UnsafeRawBufferPointer(start: nil, count: 0)) }
        guard encoded.contains(UInt8(ascii: "%")) else { return body(encoded) }
        return PortalSource.decode(encoded).withUnsafeBytes(body)
    }
}

extension UnsafeRawBufferPointer {
    fileprivate func isEqual(to text: StaticString) -> Bool {
        count == text.utf8CodeUnitCount && text.withUTF8Buffer { elementsEqual($0) }
    }
}
