/// Why a record goes to the dead-letter topic: the header `b24_reason`.
package enum DeadLetterReason: String, Sendable, CaseIterable {
    case unknownPortal = "unknown-portal"
    case badToken = "bad-token"
    /// The application was taken off the portal.
    case gonePortal = "gone-portal"
    /// The record is over `kafka.maxRecordBytes`; it is parked, and this announces it without its body.
    case tooLarge = "too-large"
    /// A row of a portal's offline queue of which no event can be made. It stays there, marked as erroneous.
    case unusableRow = "unusable-row"

    /// The header that holds the letter's id: that of the event, which it has also if it is admitted later.
    package static var idHeader: StaticString { "b24_id" }

    /// The header that holds the member_id as it was sent.
    package static var portalHeader: StaticString { "b24_portal" }
}

extension Normalizer {
    /// Writes the dead letter of a call that is not published: the decoded pairs without their secrets.
    ///
    /// - Parameters:
    ///   - id: given at receipt, so that the letter is known again however often it is sent.
    ///   - withBody: whether the pairs are in the value. If not, the value is an empty list.
    /// - Throws: `RedactionError` when the body has too many secrets to be sure of removing them.
    package mutating func deadLetter(
        _ event: InboundEvent,
        of form: BracketForm,
        topic: String,
        reason: DeadLetterReason,
        receivedAt: Timestamp,
        tokenDigest: TokenDigest?,
        id: EnvelopeID,
        withBody: Bool = true,
        into record: inout EventRecord
    ) throws(RedactionError) {
        try deadLetter(
            memberID: event.sentMemberID,
            code: event.sentCode,
            of: form,
            topic: topic,
            reason: reason,
            receivedAt: receivedAt,
            tokenDigest: tokenDigest,
            id: id,
            withBody: withBody,
            into: &record
        )
    }

    /// The same of what is no event, or none that can be read.
    ///
    /// - Parameters:
    ///   - memberID: May be anything.
    ///   - code: May be anything, also nothing.
    package mutating func deadLetter(
        memberID: ArraySlice<UInt8>,
        code: ArraySlice<UInt8>,
        of form: BracketForm,
        topic: String,
        reason: DeadLetterReason,
        receivedAt: Timestamp,
        tokenDigest: TokenDigest?,
        id: EnvelopeID,
        withBody: Bool,
        into record: inout EventRecord
    ) throws(RedactionError) {
        record.removeAll()
        try redactor.learn(from: form)
        record.topic.append(contentsOf: topic.utf8)
        var portal = cleaned(memberID)
        if portal.count > KeyTemplate.longestKey { portal = TokenDigest(token: portal).hexadecimal }
        record.key.append(contentsOf: portal)
        record.headers.append("content-type", "application/json")
        record.headers.append("b24_reason", reason.rawValue.utf8)
        record.headers.append("b24_received_at") { receivedAt.write(into: &$0, withMilliseconds: true) }
        record.headers.append(DeadLetterReason.portalHeader, portal)
        let code = cleaned(code)
        record.headers.append(
            "b24_event",
            code.prefix(code.withUnsafeBytes { UTF8Text.wholeCharacters(of: $0, within: 256) })
        )
        if let tokenDigest { record.headers.append("b24_token_sha256", tokenDigest.hexadecimal) }
        record.headers.append(DeadLetterReason.idHeader) { id.write(into: &$0) }
        record.value.raw("[")
        if withBody {
            form.text.withUnsafeBytes { text in
                for (index, pair) in form.pairs.enumerated() {
                    record.value.raw(index == 0 ? "[" : ",[")
                    write(pair, of: text, to: &record.value)
                    record.value.raw("]")
                }
            }
        }
        record.value.raw("]")
        if redactor.isExhausted { throw .tooAlike }
    }

    /// Text of the event normalised last, without its secrets and control characters, for a log line.
    package mutating func shown(_ text: ArraySlice<UInt8>, longest: Int) -> String {
        String(decoding: cleaned(text).prefix(longest), as: UTF8.self)
    }

    private mutating func cleaned(_ text: ArraySlice<UInt8>) -> [UInt8] {
        texts.removeAll()
        return text.withUnsafeBytes { text in texts.add(text, without: &redactor).map { Array(texts.bytes[$0]) } ?? [] }
    }

    /// The name and the value of one pair. Of a secret neither the value is shown nor what follows in the name: of
    /// `auth[application_token][51856fef]=1` the token is the key.
    private mutating func write(
        _ pair: BracketForm.Pair,
        of text: UnsafeRawBufferPointer,
        to json: inout JSONText
    ) {
        let name = text.part(pair.name.range)
        guard pair.isSecret else {
            write(name, to: &json)
            json.raw(",")
            write(text.part(pair.value.range), to: &json)
            return
        }
        var end = SecretNames.endOfFirst(in: name) ?? name.count
        if end < name.count, name[end] == UInt8(ascii: "]") { end += 1 }
        json.raw("\"")
        redactor.cut(name.part(0..<end)) {
            json.contents($0)
        } token: {
            json.raw("[redacted]")
        }
        json.raw(end < name.count ? "[redacted]\",\"[redacted]\"" : "\",\"[redacted]\"")
    }
}
