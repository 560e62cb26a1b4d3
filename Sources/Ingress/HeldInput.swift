import NIOCore
import NIOHTTP1

/// What a client sent behind a request that is not answered yet, in the order in which it came: decoded parts, at most
/// one slice of ``RequestFeed``; then what could not be decoded; then the end.
struct HeldInput {
    enum Next {
        case part(HTTPServerRequestPart)
        case fault(Refusal.Reason)
        case end
    }

    private var parts = CircularBuffer<HTTPServerRequestPart>(initialCapacity: 1)
    private var fault: Refusal.Reason?
    private var hasEnd = false

    var hasParts: Bool { !parts.isEmpty }
    /// Bytes beyond the request under way have come.
    var hasBytes: Bool { !parts.isEmpty || fault != nil }
    var isEmpty: Bool { !hasBytes && !hasEnd }

    mutating func append(_ part: HTTPServerRequestPart) { parts.append(part) }

    /// The first fault counts: nothing is decoded after it.
    mutating func append(_ reason: Refusal.Reason) { fault = fault ?? reason }

    mutating func appendEnd() { hasEnd = true }

    mutating func next() -> Next? {
        if let part = parts.popFirst() { return .part(part) }
        if let reason = fault {
            fault = nil
            return .fault(reason)
        }
        return takeEnd() ? .end : nil
    }

    /// True once, when the end has come and nothing before it waits.
    mutating func takeEnd() -> Bool {
        guard hasEnd, !hasBytes else { return false }
        hasEnd = false
        return true
    }

    mutating func removeParts() { parts.removeAll() }
}
